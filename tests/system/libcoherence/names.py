"""What one side's finished call did to names is what the other sees on its next call. One process, which uses both sides in turns."""

import errno
import os
import stat

from .place import check


@check
def created_is_seen(place):
    """Absent for the other, then created: there at once, by every way to look."""
    for here, there in place.turns():
        name = place.new()
        place.expect(not there.exists(name), "it is there before it was made")
        here.write_new(name, b"12345")
        place.same(there.stat(name).st_size, 5, "the size of the new file")
        place.same(there.read_whole(name), b"12345", "its content")
        place.expect(name in there.listdir("."), "the listing lacks the new file")


@check
def ping_pong(place):
    """Each side creates a name and the other stats it at once; none before, none after it was unlinked."""
    for number, (here, there) in enumerate(place.turns()):
        name = f"ball{number % 7}"   # names come back, so that old answers can be kept in caches
        place.expect(not there.exists(name), "it is there before it was made")
        here.write_new(name, b"")
        place.expect(there.exists(name), "the new file is not there")
        there.unlink(name)
        place.expect(not here.exists(name), "it is there after it was unlinked")


@check
def removed_is_gone(place):
    """Seen by the other, then unlinked: gone at once, by every way to look, and free to be made again."""
    for here, there in place.turns():
        here.write_new("name", b"old")
        place.same(there.read_whole("name"), b"old", "the content")
        here.unlink("name")
        place.fails_with(errno.ENOENT, there.open, "name", os.O_RDONLY)
        place.expect(not there.exists("name"), "it is still there")
        place.same(there.listdir("."), [], "the listing")
        there.write_new("name", b"new one")
        place.same(here.read_whole("name"), b"new one", "the content of the next file of that name")
        here.unlink("name")


@check
def renamed_is_seen(place):
    """After a rename the other finds the new name, not the old one, and the same inode."""
    here_name, there_name = "one", "two"
    place.a.write_new(here_name, b"content")
    inode = place.a.stat(here_name).st_ino
    for here, there in place.turns():
        place.expect(there.exists(here_name), "the old name is not there before the rename")
        place.expect(not there.exists(there_name), "the new name is there before the rename")
        here.rename(here_name, there_name)
        place.expect(not there.exists(here_name), "the old name is still there")
        place.same(there.stat(there_name).st_ino, inode, "the inode of the new name")
        place.same(there.listdir("."), [there_name], "the listing")
        here_name, there_name = there_name, here_name


@check
def renamed_between_directories(place):
    """A file that goes to and fro between two directories is in exactly one, for both sides."""
    homes = ["x", "y"]
    for home in homes:
        place.a.mkdir(home)
    place.a.write_new("x/file", b"content")
    for here, there in place.turns():
        here.rename(f"{homes[0]}/file", f"{homes[1]}/file")
        homes.reverse()
        for hand in (there, here):
            place.same([hand.listdir(home) for home in homes], [["file"], []], "the listings of where it is, and of where it was")
        place.expect(not there.exists(f"{homes[1]}/file"), "it is still where it was")
        place.same(there.read_whole(f"{homes[0]}/file"), b"content", "the content")


@check
def replaced_is_seen(place):
    """A rename over a file that the other has open: a new open gets the new file, the old descriptor the old one."""
    place.a.write_new("name", b"version 0")
    for number, (here, there) in enumerate(place.turns()):
        descriptor = there.open("name", os.O_RDONLY)
        here.replace("name", b"version %d" % (number + 1), "temporary")
        place.same(there.read_whole("name"), b"version %d" % (number + 1), "by the name")
        place.same(there.pread(descriptor, 100, 0), b"version %d" % number, "by the descriptor opened before")
        place.same(there.fstat(descriptor).st_nlink, 0, "links of the replaced file")
        there.close(descriptor)


@check
def exchanged_is_seen(place):
    """RENAME_EXCHANGE: the other finds both contents changed over."""
    place.a.write_new("one", b"1")
    place.a.write_new("two", b"2")
    contents = [b"1", b"2"]
    for here, there in place.turns():
        place.same([there.read_whole("one"), there.read_whole("two")], contents, "before")
        here.exchange("one", "two")
        contents.reverse()
        place.same([there.read_whole("one"), there.read_whole("two")], contents, "after")


@check
def links_are_seen(place):
    """link and unlink: the other sees the name, the count and the one inode by both names and by its descriptor."""
    place.a.write_new("first", b"content")
    descriptors = {hand: hand.open("first", os.O_RDONLY) for hand in (place.a, place.b)}
    for here, there in place.turns():
        here.link("first", "second")
        place.same(there.stat("second").st_ino, there.stat("first").st_ino, "the inodes of the two names")
        place.same([there.stat("first").st_nlink, there.fstat(descriptors[there]).st_nlink], [2, 2], "links by name, by descriptor")
        here.unlink("second")
        place.same([there.stat("first").st_nlink, there.fstat(descriptors[there]).st_nlink], [1, 1], "links by name, by descriptor")


@check
def kind_changes_are_seen(place):
    """The same name is a file, a directory, a symbolic link in turns: the other sees each at once."""
    for here, there in place.turns():
        here.write_new("name", b"")
        place.expect(stat.S_ISREG(there.lstat("name").st_mode), "it is a file now")
        here.unlink("name")
        here.mkdir("name")
        place.expect(stat.S_ISDIR(there.lstat("name").st_mode), "it is a directory now")
        place.same(there.scan("."), [("name", True)], "the listing with kinds")
        here.rmdir("name")
        here.symlink("target", "name")
        place.same(there.readlink("name"), "target", "it is a symbolic link now")
        here.unlink("name")


@check
def directory_is_used_at_once(place):
    """A directory made on one side is filled on the other, listed on the first, and cannot be removed while it is full."""
    for here, there in place.turns():
        name = place.new("d")
        here.mkdir(name)
        there.write_new(f"{name}/inside", b"x")
        place.same(here.listdir(name), ["inside"], "the listing")
        place.fails_with(errno.ENOTEMPTY, here.rmdir, name)
        there.unlink(f"{name}/inside")
        here.rmdir(name)
        place.fails_with(errno.ENOENT, there.write_new, f"{name}/inside", b"x")


@check
def open_listing_is_fresh(place):
    """A directory that stays open: a listing from its start shows what the other did since."""
    place.a.mkdir("d")
    descriptors = {hand: hand.open("d", os.O_RDONLY | os.O_DIRECTORY) for hand in (place.a, place.b)}
    for number, (here, there) in enumerate(place.turns()):
        here.write_new(f"d/f{number}", b"")
        place.expect(f"f{number}" in os.listdir(descriptors[there]), f"the listing of {there.who} by its descriptor lacks the new name")
        if number >= 5:
            there.unlink(f"d/f{number - 5}")
            place.expect(f"f{number - 5}" not in os.listdir(descriptors[here]), f"the listing of {here.who} still has the name")


@check
def attributes_are_seen(place):
    """Mode, times, owner and xattrs that one side sets: the other has them by name and by a descriptor."""
    place.a.write_new("name", b"")
    descriptors = {hand: hand.open("name", os.O_RDONLY) for hand in (place.a, place.b)}
    for number, (here, there) in enumerate(place.turns()):
        mode, second = place.random.randrange(0o1000) | 0o400, 1_000_000_000 + number
        here.chmod("name", mode)
        here.utime("name", ns=(second * 10**9 + 5, second * 10**9 + 7))
        here.setxattr("name", "user.number", str(number).encode())
        for info in (there.stat("name"), there.fstat(descriptors[there])):
            place.same((info.st_mode & 0o7777, info.st_atime_ns, info.st_mtime_ns), (mode, second * 10**9 + 5, second * 10**9 + 7),
                       "mode, atime, mtime")
        place.same(there.getxattr("name", "user.number"), str(number).encode(), "the xattr")
        here.removexattr("name", "user.number")
        place.fails_with(errno.ENODATA, there.getxattr, "name", "user.number")


@check
def directory_times_move(place):
    """A name made by one side moves the directory's mtime and ctime for the other; no time ever goes backwards."""
    last = {}
    for number, (here, there) in enumerate(place.turns()):
        before = there.stat(".")
        here.write_new(f"f{number}", b"")
        for hand in (there, here):
            info = hand.stat(".")
            place.expect(info.st_mtime_ns >= before.st_mtime_ns and info.st_ctime_ns >= before.st_ctime_ns,
                         f"the directory's times went backwards for {hand.who}")
            last.setdefault("seen", info.st_mtime_ns)
            place.expect(info.st_mtime_ns >= last["seen"], f"mtime went from {last['seen']} to {info.st_mtime_ns}")
            last["seen"] = info.st_mtime_ns
        place.same(there.stat(".").st_mtime_ns, here.stat(".").st_mtime_ns, "mtime on both sides")


@check
def names_many(place):
    """A hundred names made, renamed and removed by one side: the other's listings have exactly them each time."""
    for here, there in place.turns():
        name = place.new("d")
        there.mkdir(name)
        made = sorted(f"n{number}" for number in range(100))
        for one in made:
            here.write_new(f"{name}/{one}", b"")
        place.same(sorted(there.listdir(name)), made, "the listing after the creates")
        for one in made[:50]:
            here.rename(f"{name}/{one}", f"{name}/r{one}")
        place.same(sorted(there.listdir(name)), sorted(["r" + one for one in made[:50]] + made[50:]), "the listing after the renames")
        for one in here.listdir(name):
            here.unlink(f"{name}/{one}")
        place.same(there.listdir(name), [], "the listing after the unlinks")
        there.rmdir(name)
