"""One value, written and read by processes on both sides at once: is it a register?

What the value is differs: bytes by an open descriptor, bytes by reopening, a size, a time, mode bits, an xattr, a link's target, a name. Each
round has a register of its own and values that are written once. history.py decides whether the answers have an order.
"""

import os
import time

from . import calls
from .history import Counter, Operation, Register, explain
from .place import Skipped, check

MOST_LOOKS = 1500   # of one process at a name that changes


class Data:
    """8 bytes at an odd place of a file, by a descriptor that stays open."""

    flags, sync, initial = os.O_RDWR, False, 0
    offset, length = 5000 - 5000 % 8, 12000

    def __init__(self, name):
        self.name = name

    def make(self, hand):
        hand.write_new(self.name, bytes(self.length))

    def open(self, me):
        self.descriptor = os.open(me.path(self.name), self.flags)

    def close(self, me):
        os.close(self.descriptor)

    def write(self, me, value):
        os.pwrite(self.descriptor, value.to_bytes(8, "little"), self.offset)
        if self.sync:
            os.fsync(self.descriptor)

    def read(self, me):
        data = os.pread(self.descriptor, 8, self.offset)
        return int.from_bytes(data, "little") if len(data) == 8 else f"{len(data)} bytes"


class SyncedData(Data):
    sync = True


class DsyncData(Data):
    flags = os.O_RDWR | os.O_DSYNC


class FarData(Data):
    """In a file of many blocks, written at its very end."""

    length = 3 << 20
    offset = length - 8


class DirectData(Data):
    """A block by O_DIRECT."""

    flags, offset, length = os.O_RDWR | os.O_DIRECT, 4096, 16384

    def write(self, me, value):
        calls.pwrite_direct(self.descriptor, value.to_bytes(8, "little") * 512, self.offset)

    def read(self, me):
        return int.from_bytes(calls.pread_direct(self.descriptor, 4096, self.offset)[:8], "little")


class ReopenedData(Data):
    """Opened for each call: what close-to-open promises, but at the same moment."""

    def open(self, me):
        pass

    def close(self, me):
        pass

    def write(self, me, value):
        super().open(me)
        super().write(me, value)
        super().close(me)

    def read(self, me):
        super().open(me)
        value = super().read(me)
        super().close(me)
        return value


class WholeBlocks(Data):
    """Two blocks by one write, looked at by one READ of the kernel (O_DIRECT): never a mixture. A buffered read of two pages may be one on
    every Linux filesystem that does not lock out writers, so that is not asked for."""

    offset, length = 4096, 16384

    def open(self, me):
        super().open(me)
        self.direct = os.open(me.path(self.name), os.O_RDONLY | os.O_DIRECT)

    def close(self, me):
        super().close(me)
        os.close(self.direct)

    def write(self, me, value):
        os.pwrite(self.descriptor, value.to_bytes(8, "little") * 1024, self.offset)

    def read(self, me):
        data = calls.pread_direct(self.direct, 8192, self.offset)
        values = {int.from_bytes(data[at:at + 8], "little") for at in range(0, len(data), 8)}
        return values.pop() if len(values) == 1 else f"a mixture of {sorted(values)}"


class Size(Data):
    def write(self, me, value):
        os.ftruncate(self.descriptor, value * 1000)

    def read(self, me):
        return os.fstat(self.descriptor).st_size / 1000

    def make(self, hand):
        hand.write_new(self.name, b"")


class SizeOfPath(Size):
    def write(self, me, value):
        os.truncate(me.path(self.name), value * 1000)

    def read(self, me):
        return os.stat(me.path(self.name)).st_size / 1000


class SizeByEnd(Size):
    def read(self, me):
        return os.lseek(self.descriptor, 0, os.SEEK_END) / 1000


class Named(Data):
    """By name alone."""

    def __init__(self, name):
        super().__init__(name)
        self.temporaries = 0

    def open(self, me):
        pass

    def close(self, me):
        pass

    def temporary(self, me):
        self.temporaries += 1
        return me.path(f"{self.name}.{me.name}.{self.temporaries}")


class Mtime(Named):
    def make(self, hand):
        super().make(hand)
        hand.utime(self.name, ns=(0, 0))

    def write(self, me, value):
        os.utime(me.path(self.name), ns=(0, value * 1_000_000_000))

    def read(self, me):
        return os.stat(me.path(self.name)).st_mtime_ns // 1_000_000_000


class Mode(Named):
    def make(self, hand):
        super().make(hand)
        hand.chmod(self.name, 0)

    def write(self, me, value):
        os.chmod(me.path(self.name), value)

    def read(self, me):
        return os.stat(me.path(self.name)).st_mode & 0o7777


class Owner(Named):
    def write(self, me, value):
        os.chown(me.path(self.name), value, value)

    def read(self, me):
        info = os.stat(me.path(self.name))
        return info.st_uid if info.st_uid == info.st_gid else f"uid {info.st_uid} with gid {info.st_gid}"


class Xattr(Named):
    def make(self, hand):
        super().make(hand)
        hand.setxattr(self.name, "user.value", b"0")

    def write(self, me, value):
        os.setxattr(me.path(self.name), "user.value", str(value).encode())

    def read(self, me):
        return int(os.getxattr(me.path(self.name), "user.value"))


class LinkTarget(Named):
    def make(self, hand):
        hand.symlink("0", self.name)

    def write(self, me, value):
        temporary = self.temporary(me)
        os.symlink(str(value), temporary)
        os.rename(temporary, me.path(self.name))

    def read(self, me):
        return int(os.readlink(me.path(self.name)))


class Replaced(Named):
    """A file written beside and renamed over: readers find a whole one."""

    def make(self, hand):
        hand.write_new(self.name, bytes(5000))

    def write(self, me, value):
        calls.replace(me.path(self.name), value.to_bytes(5, "little") * 1000, self.temporary(me), self.sync)

    def read(self, me):
        data = calls.read_whole(me.path(self.name))
        whole = len(data) == 5000 and data == data[:5] * 1000
        return int.from_bytes(data[:5], "little") if whole else f"{len(data)} bytes, not one version"


class ReplacedSynced(Replaced):
    sync = True


class ReplacedInode(Replaced):
    """The inode number under the name: what lookup gives. A value's number is known once its file is made."""

    def make(self, hand):
        hand.write_new(self.name, b"")
        self.initial = hand.stat(self.name).st_ino

    def prepare(self, me, value):
        """The file must not be freed during the history, or its number could come back: a second name keeps it."""
        temporary = self.temporary(me)
        calls.write_new(temporary, b"")
        os.link(temporary, temporary + ".kept")
        self.prepared = temporary
        return os.stat(temporary).st_ino

    def write(self, me, value):
        os.rename(self.prepared, me.path(self.name))

    def read(self, me):
        return os.stat(me.path(self.name)).st_ino


class Entry(Named):
    """A name in a directory, made and taken away by one process; all look. The value says whether it is there."""

    initial = False

    def make(self, hand):
        hand.mkdir(self.name)
        for number in range(30):
            hand.write_new(f"{self.name}/other{number}", b"")

    def entry(self, me):
        return os.path.join(me.path(self.name), "entry")

    def write(self, me, value):
        if value:
            os.close(os.open(self.entry(me), os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        else:
            os.unlink(self.entry(me))

    def read(self, me):
        return calls.exists(self.entry(me))


class OpenedEntry(Entry):
    def read(self, me):
        try:
            os.close(os.open(self.entry(me), os.O_RDONLY))
            return True
        except FileNotFoundError:
            return False


class ListedEntry(Entry):
    def read(self, me):
        names = os.listdir(me.path(self.name))
        others = sum(name.startswith("other") for name in names)
        return "entry" in names if others == 30 else f"{others} of the 30 others"


class ListedDirectory(ListedEntry):
    def write(self, me, value):
        (os.mkdir if value else os.rmdir)(self.entry(me))


class RenamedEntry(Entry):
    def make(self, hand):
        super().make(hand)
        hand.write_new(f"{self.name}/elsewhere", b"")

    def write(self, me, value):
        names = self.entry(me), os.path.join(me.path(self.name), "elsewhere")
        os.rename(*(reversed(names) if value else names))


class Links(Named):
    initial = 1

    def add(self, me, amount):
        """Each process has one more name that it makes and takes away."""
        other = f"{me.path(self.name)}.{me.name}"
        if amount > 0:
            os.link(me.path(self.name), other)
        else:
            os.unlink(other)

    def read(self, me):
        return os.stat(me.path(self.name)).st_nlink


class Subdirectories(Links):
    initial = 2

    def make(self, hand):
        hand.mkdir(self.name)

    def add(self, me, amount):
        other = os.path.join(me.path(self.name), me.name)
        (os.mkdir if amount > 0 else os.rmdir)(other)


def told(me, kind, value, call):
    """Does it and says when."""
    me.hand.present.set(f"{kind} {value if value is not None else ''}")
    start = time.monotonic()
    result = call()
    return Operation(start, time.monotonic(), me.name, kind, result if kind == "read" else value)


def use(me, register, count):
    """Half writes, half reads; values are the worker's own."""
    register.open(me)
    operations, mine = [], 1 + me.index * count
    me.together()
    for _ in range(count):
        if me.random.random() < 0.5:
            value, mine = mine, mine + 1
            if hasattr(register, "prepare"):
                value = register.prepare(me, value)
            operations.append(told(me, "write", value, lambda: register.write(me, value)))
        else:
            operations.append(told(me, "read", None, lambda: register.read(me)))
    register.close(me)
    return operations


def toggle(me, register, count, writer):
    """One process changes it to and fro, the others look until it is done."""
    operations = []
    me.board[0] = 0
    me.together()
    if me.index == writer:
        for number in range(count):
            value = number % 2 == 0
            operations.append(told(me, "write", value, lambda: register.write(me, value)))
        me.board[0] = 1
    while me.index != writer and len(operations) < MOST_LOOKS:
        last = me.board[0] == 1
        operations.append(told(me, "read", None, lambda: register.read(me)))
        if last:
            break   # that look came after all changes
        time.sleep(me.random.random() * 0.0003)
    return operations


def count_up_and_down(me, register, count):
    operations, up = [], False
    me.together()
    for _ in range(count):
        if me.random.random() < 0.5:
            amount, up = (-1, False) if up else (1, True)
            operations.append(told(me, "add", amount, lambda: register.add(me, amount)))
        else:
            operations.append(told(me, "read", None, lambda: register.read(me)))
    return operations


def judge(place, answers, initial, machine=Register):
    wrong = explain([one for answer in answers for one in answer], initial, machine)
    if wrong:
        place.fail(wrong)


def of_values(kind):
    def run(place):
        with place.crew() as crew:
            for _ in place.rounds():
                register = kind(place.new())
                register.make(place.random.choice((place.a, place.b)))
                # Also long rounds, in which caches have time to become warm.
                judge(place, crew.all(use, register, place.random.choice((4, 8, 20, 60))), register.initial)
    return run


def of_entries(kind):
    def run(place):
        with place.crew() as crew:
            for number in place.rounds():
                register = kind(place.new())
                register.make(place.a)
                judge(place, crew.all(toggle, register, place.random.choice((6, 20)), number % len(crew.workers)), register.initial)
    return run


def of_counts(kind):
    def run(place):
        with place.crew() as crew:
            for _ in place.rounds():
                register = kind(place.new())
                register.make(place.b)
                judge(place, crew.all(count_up_and_down, register, place.random.choice((6, 20))), register.initial, Counter)
    return run


for word, kind, promise in (
        ("data", Data, "bytes by pwrite and pread of descriptors that stay open"),
        ("data-fsync", SyncedData, "the same with an fsync after each write"),
        ("data-dsync", DsyncData, "the same with O_DSYNC"),
        ("data-far", FarData, "bytes at the end of a file of many blocks"),
        ("data-direct", DirectData, "a block by O_DIRECT"),
        ("data-reopened", ReopenedData, "bytes of a file that is opened for each call"),
        ("size", Size, "ftruncate and fstat"),
        ("size-of-path", SizeOfPath, "truncate and stat"),
        ("size-by-end", SizeByEnd, "ftruncate and SEEK_END"),
        ("mtime", Mtime, "utimensat and stat"),
        ("mode", Mode, "chmod and stat"),
        ("xattr", Xattr, "setxattr and getxattr"),
        ("link-target", LinkTarget, "a symbolic link replaced by rename, and readlink"),
        ("replaced", Replaced, "a file replaced by rename, opened and read: always one whole version"),
        ("replaced-fsync", ReplacedSynced, "the same with an fsync before the rename"),
        ("inode", ReplacedInode, "the inode number under a name to which others are renamed")):
    check(of_values(kind), name=f"register-{word}", promise=f"{promise}: there is an order of all calls")

for word, kind, promise in (
        ("stat", Entry, "a name created and unlinked, and lstat"),
        ("open", OpenedEntry, "a name created and unlinked, and open"),
        ("listed", ListedEntry, "a name created and unlinked, and listdir; the other names are all listed"),
        ("mkdir-listed", ListedDirectory, "a directory made and removed, and listdir"),
        ("renamed", RenamedEntry, "a name to and from which a file is renamed, and lstat")):
    check(of_entries(kind), name=f"entry-{word}", promise=f"{promise}: there is an order of all calls")

check(of_counts(Links), name="count-links", promise="link, unlink and st_nlink of the file: there is an order of all calls")
check(of_counts(Subdirectories), name="count-subdirectories", promise="mkdir, rmdir and st_nlink of the parent: there is an order of all calls")


@check
def register_owner(place):
    """chown and stat, both ids together: there is an order of all calls."""
    if os.geteuid() != 0:
        raise Skipped("chown needs root")
    of_values(Owner)(place)


@check
def register_two_blocks(place):
    """Two blocks written by one write, read by one: never a mixture, and there is an order of all calls."""
    if not place.on_fuse():
        raise Skipped("only CairnFS promises it: ext4 lets a reader see half of a write")
    of_values(WholeBlocks)(place)
