"""Directories that change while the other side is inside them."""

import errno
import hashlib
import os
import stat
import time

from .place import check
from .workers import Wrong


def digest(directory):
    """{relative path: (type and mode, size and content hash, or target)}"""
    found = {}
    for folder, folders, files in os.walk(directory):
        for name in folders + files:
            path = os.path.join(folder, name)
            info = os.lstat(path)
            what = None
            if stat.S_ISLNK(info.st_mode):
                what = os.readlink(path)
            elif stat.S_ISREG(info.st_mode):
                with open(path, "rb") as file:
                    what = (info.st_size, hashlib.sha256(file.read()).hexdigest()[:16])
            found[os.path.relpath(path, directory)] = (oct(info.st_mode), info.st_nlink, what)
    return found


def difference(one, other):
    for path in sorted(set(one) | set(other)):
        if one.get(path) != other.get(path):
            return f"{path}: {one.get(path)} on A, {other.get(path)} on B"
    return None


def churn(me, top, steps):
    """Random changes of names; what another process took away before is no failure."""
    me.together()
    def anywhere():
        return "/".join([me.path(top)] + [f"d{me.random.randrange(3)}" for _ in range(me.random.randrange(3))] + [f"n{me.random.randrange(8)}"])
    for number in range(steps):
        path, other, kind = anywhere(), anywhere(), me.random.randrange(9)
        me.hand.present.set(f"kind {kind} of change: {path} {other}")
        try:
            if kind <= 1:
                with open(path, "ab") as file:
                    file.write(me.random.randbytes(me.random.randrange(6000)))
            elif kind == 2:
                os.mkdir(path.rsplit("/", 1)[0] + f"/d{me.random.randrange(3)}")
            elif kind == 3:
                os.rename(path, other)
            elif kind == 4:
                os.unlink(path)
            elif kind == 5:
                os.link(path, other)
            elif kind == 6:
                os.symlink(f"target{number}", path)
            elif kind == 7:
                os.chmod(path, 0o600 | me.random.randrange(0o100), follow_symlinks=True)
            else:
                os.rmdir(path.rsplit("/", 1)[0])
        except OSError as error:
            if error.errno not in EXPECTED:
                raise


EXPECTED = (errno.ENOENT, errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR, errno.EISDIR, errno.EINVAL, errno.EPERM, errno.ELOOP)


@check
def churn_leaves_one_tree(place):
    """All processes change names at random; afterwards both sides have the same tree: names, kinds, modes, links, contents."""
    with place.crew() as crew:
        for _ in place.rounds():
            top = place.new("top")
            place.a.mkdir(top)
            crew.all(churn, top, place.random.choice((20, 60, 150)))
            wrong = difference(*(digest(os.path.join(side, top)) for side in place.sides))
            if wrong:
                place.fail(f"the trees differ: {wrong}")


def list_steadily(me, name, fixed, seconds):
    """(listings, a sentence if one of the fixed names was not there exactly once)"""
    me.together()
    ends, listings = time.monotonic() + seconds, 0
    while time.monotonic() < ends:
        me.hand.present.set(f"listdir {name}")
        names = os.listdir(me.path(name))
        listings += 1
        for one in range(fixed):
            if names.count(f"fixed{one}") != 1:
                raise Wrong(f"listing {listings} of {len(names)} names has fixed{one} {names.count(f'fixed{one}')} times")
        if len(set(names)) != len(names):
            raise Wrong(f"a name is twice in listing {listings}: {sorted(one for one in set(names) if names.count(one) > 1)[:3]}")
    return listings


def come_and_go(me, name, seconds):
    me.together()
    ends, number = time.monotonic() + seconds, 0
    while time.monotonic() < ends:
        path = me.path(f"{name}/{me.name}-{number % 50}")
        me.hand.present.set(f"create or unlink {path}")
        if os.path.lexists(path):
            os.unlink(path)
        else:
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
        number += 1


@check
def listing_is_complete_meanwhile(place):
    """While files come and go, a listing has every name that stays exactly once, and no name twice."""
    with place.crew(per_side=2) as crew:
        for _ in place.rounds():
            name, seconds = place.new("d"), min(1.0, place.seconds / 2)
            place.a.mkdir(name)
            for one in range(200):   # more than one answer of readdir
                place.a.write_new(f"{name}/fixed{one}", b"")
            crew.each([(come_and_go, name, seconds) if worker.index < 2 else (list_steadily, name, 200, seconds) for worker in crew.workers])


def walk_steadily(me, roots, files, seconds):
    """The tree is under one of two names at any time; each walk by an open directory finds all files."""
    me.together()
    ends, walks = time.monotonic() + seconds, 0
    while time.monotonic() < ends:
        me.hand.present.set("a walk")
        top = next((found for found in (open_directory(me.path(root)) for root in roots) if found is not None), None)
        if top is None:
            continue   # it was renamed between the two looks
        try:
            found = []
            for folder, _, names, _ in os.fwalk(".", dir_fd=top):
                found += [os.path.normpath(os.path.join(folder, one)) for one in names]
            if sorted(found) != files:
                raise Wrong(f"a walk found {len(found)} of {len(files)} files; it lacks {sorted(set(files) - set(found))[:4]}")
            walks += 1
        finally:
            os.close(top)
    return walks


def open_directory(path):
    try:
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return None


def rename_steadily(me, roots, seconds):
    me.together()
    ends, number = time.monotonic() + seconds, 0
    while time.monotonic() < ends:
        me.hand.present.set("rename of the directory")
        os.rename(me.path(roots[number % 2]), me.path(roots[1 - number % 2]))
        number += 1
    if number % 2:
        os.rename(me.path(roots[1]), me.path(roots[0]))


@check
def walk_while_renamed(place):
    """A directory is renamed to and fro while the other side walks it by a descriptor: every walk is complete."""
    roots = ("here", "there")
    place.a.mkdir(roots[0])
    files = []
    for folder in range(6):
        place.a.mkdir(f"here/{folder}")
        for one in range(6):
            place.a.write_new(f"here/{folder}/{one}", b"")
            files.append(f"{folder}/{one}")
    with place.crew(per_side=1) as crew:
        for number in place.rounds():
            seconds = min(1.0, place.seconds / 2)
            works = [(rename_steadily, roots, seconds), (walk_steadily, roots, files, seconds)]
            crew.each(works if number % 2 else works[::-1])


def enter(me, name):
    os.chdir(me.path(name))


def look_around(me):
    """What a process finds whose working directory is gone."""
    found = {}
    for what, call in (("stat", lambda: os.stat(".").st_nlink), ("list", lambda: os.listdir(".")),
                       ("create", lambda: os.close(os.open("new", os.O_CREAT | os.O_WRONLY))), ("getcwd", os.getcwd)):
        try:
            found[what] = call()
        except OSError as error:
            found[what] = errno.errorcode[error.errno]
    os.chdir("/")
    return found


@check
def removed_working_directory(place):
    """rmdir of a directory in which a process of the other side stands: it finds it empty and cannot create there."""
    with place.crew(per_side=1) as crew:
        for number, (here, _) in enumerate(place.turns()):
            name = place.new("d")
            here.mkdir(name)
            other = crew.workers[1 - number % 2]
            other.do(enter, name)
            here.rmdir(name)
            found = other.do(look_around)
            # ext4 says 0 links and lists nothing; a FUSE filesystem may have forgotten it, which is an error and no wrong answer.
            place.expect(found["stat"] in (0, "ENOENT", "ESTALE"), f"stat of the removed directory: {found['stat']}")
            place.expect(found["list"] in ([], "ENOENT", "ESTALE"), f"its listing: {found['list']}")
            place.expect(found["create"] in ("ENOENT", "ESTALE"), f"create inside: {found['create']}")
            # getcwd is answered by the kernel without a word to the filesystem: its old name is no answer of ours.
            place.expect(found["getcwd"] in ("ENOENT", os.path.join(place.sides[1 - number % 2], name)), f"getcwd: {found['getcwd']}")


def enter_and_read(me, name):
    """By a relative path, from inside."""
    with open(name, "rb") as file:
        return file.read()


def leave(me):
    os.chdir("/")


@check
def renamed_working_directory(place):
    """A process stands in a directory that the other side renames: relative paths go on, also to files made later."""
    with place.crew(per_side=1) as crew:
        for number, (here, _) in enumerate(place.turns()):
            name = place.new("d")
            here.mkdir(name)
            other = crew.workers[1 - number % 2]
            other.do(enter, name)
            here.rename(name, name + "-renamed")
            here.write_new(f"{name}-renamed/later", b"made later")
            place.same(other.do(enter_and_read, "later"), b"made later", "a file made after the rename, by its relative path")
            other.do(leave)


@check
def moved_on_by_the_other(place):
    """A directory that one side moves is moved on by the other at once, without a look at it first, also while a process stands in it."""
    with place.crew(per_side=1) as crew:
        for number, (here, there) in enumerate(place.turns()):
            homes = [place.new(f"home{which}") for which in range(3)]
            for home in homes:
                here.mkdir(home)
            here.mkdir(f"{homes[0]}/d")
            there.stat(f"{homes[0]}/d")
            inside = crew.workers[1 - number % 2]
            if number % 4 >= 2:
                inside.do(enter, f"{homes[0]}/d")
            here.rename(f"{homes[0]}/d", f"{homes[1]}/e")
            there.rename(f"{homes[1]}/e", f"{homes[2]}/f")
            for hand in (here, there):
                place.same([hand.listdir(home) for home in homes], [[], [], ["f"]], "the listings of where it was, and of where it is")
            if number % 4 >= 2:
                inside.do(leave)


@check
def deep_tree_is_seen(place):
    """A tree of directories made by one side and taken away again: the other has all of it, then none."""
    for here, there in place.turns():
        name = place.new("top")
        here.mkdir(name)
        path, paths = name, []
        for level in range(8):
            path = f"{path}/level{level}"
            here.mkdir(path)
            here.write_new(f"{path}/file", b"%d" % level)
            paths.append(path)
        for level, path in enumerate(paths):
            place.same(there.read_whole(f"{path}/file"), b"%d" % level, "the content")
        for path in reversed(paths):
            here.unlink(f"{path}/file")
            here.rmdir(path)
            place.expect(not there.exists(path), f"{path} is still there")
        there.rmdir(name)
