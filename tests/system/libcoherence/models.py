"""Random calls, each by a side at random, beside a model in memory of one directory that has no sides at all."""

import errno
import mmap
import os

from .files import Both
from .place import check


@check
def model_of_a_file(place):
    """Random pwrite, append, truncate, punch, mmap, reopen by either side: every read and size is the model's."""
    for _ in place.rounds():
        file = FileModel(place, place.new())
        for _ in range(60):
            getattr(file, place.random.choice(FileModel.STEPS))(place.random.choice((place.a, place.b)))
        file.both.look(bytes(file.wanted), "in the end")
        file.both.close()


class FileModel:
    STEPS = ("write", "write", "append", "truncate", "punch", "store", "reopen", "sync", "read", "read", "read", "size", "size")
    MOST = 300_000

    def __init__(self, place, name):
        self.place, self.name, self.random = place, name, place.random
        self.wanted = bytearray()
        self.both = Both(place, name)

    def write(self, hand):
        offset, piece = self.random.randrange(self.MOST), self.random.randbytes(self.random.choice((1, 10, 4096, 20_000)))
        hand.pwrite_whole(self.both[hand], piece, offset)
        self.put(offset, piece)

    def put(self, offset, piece):
        self.wanted += bytes(max(0, offset - len(self.wanted)))
        self.wanted[offset:offset + len(piece)] = piece

    def append(self, hand):
        piece = self.random.randbytes(self.random.choice((1, 100, 5000)))
        descriptor = hand.open(self.name, os.O_WRONLY | os.O_APPEND)
        hand.write(descriptor, piece)
        hand.close(descriptor)
        self.wanted += piece

    def truncate(self, hand):
        size = self.random.randrange(self.MOST)
        hand.ftruncate(self.both[hand], size)
        self.wanted = self.wanted[:size] + bytes(max(0, size - len(self.wanted)))

    def punch(self, hand):
        offset, length = self.random.randrange(self.MOST), self.random.choice((1, 4096, 50_000))
        hand.punch(self.both[hand], offset, length)
        inside = max(0, min(length, len(self.wanted) - offset))
        self.wanted[offset:offset + inside] = bytes(inside)

    def store(self, hand):
        """By a mapping."""
        if not self.wanted:
            return
        memory = mmap.mmap(self.both[hand], len(self.wanted))
        offset = self.random.randrange(len(self.wanted))
        piece = self.random.randbytes(min(50, len(self.wanted) - offset))
        memory[offset:offset + len(piece)] = piece
        memory.flush()
        memory.close()
        self.put(offset, piece)
        hand.fstat(self.both[hand])   # for the story

    def reopen(self, hand):
        hand.close(self.both[hand])
        self.both.descriptors[hand] = hand.open(self.name, os.O_RDWR)

    def sync(self, hand):
        hand.fsync(self.both[hand])

    def read(self, hand):
        offset, length = self.random.randrange(self.MOST), self.random.choice((1, 100, 5000, 150_000))
        got = self.pread_full(hand, length, offset)
        self.place.same(got, bytes(self.wanted[offset:offset + length]), f"pread of {length} at {offset} of {len(self.wanted)}")

    def pread_full(self, hand, length, offset):
        return hand.pread(self.both[hand], length, offset)

    def size(self, hand):
        self.place.same(hand.fstat(self.both[hand]).st_size, len(self.wanted), "fstat")
        self.place.same(hand.stat(self.name).st_size, len(self.wanted), "stat")


@check
def model_of_names(place):
    """Random create, mkdir, rename, link, unlink, rmdir by either side: every answer, listing and content is the model's."""
    for _ in place.rounds():
        names = NameModel(place, place.new("top"))
        for _ in range(80):
            getattr(names, place.random.choice(NameModel.STEPS))(place.random.choice((place.a, place.b)))
        for hand in (place.a, place.b):
            names.compare_all(hand)


class NameModel:
    """{path: inode}, an inode is a list: ["file", content, links] or ["directory"]; two directories, so that paths are simple."""

    STEPS = ("create", "create", "make", "rename", "rename", "link", "unlink", "remove", "write", "stat", "stat", "listing", "read")

    def __init__(self, place, top):
        self.place, self.top, self.random = place, top, place.random
        self.inodes = {"x": ["directory"], "y": ["directory"]}
        place.a.mkdir(top)
        for home in self.inodes:
            place.a.mkdir(f"{top}/{home}")

    def any_path(self):
        return f"{self.random.choice('xy')}/{self.random.choice('abcde')}"

    def at(self, path):
        return f"{self.top}/{path}"

    def attempt(self, wanted_errno, call, *arguments):
        """True if it was done, as the model says."""
        if wanted_errno:
            self.place.fails_with(wanted_errno, call, *arguments)
            return False
        call(*arguments)
        return True

    def create(self, hand):
        path, content = self.any_path(), self.random.randbytes(self.random.choice((0, 10, 6000)))
        if self.attempt(errno.EEXIST if path in self.inodes else 0, hand.write_new, self.at(path), content):
            self.inodes[path] = ["file", content, 1]

    def make(self, hand):
        path = self.any_path()
        if self.attempt(errno.EEXIST if path in self.inodes else 0, hand.mkdir, self.at(path)):
            self.inodes[path] = ["directory"]

    def rename(self, hand):
        source, target = self.any_path(), self.any_path()
        one, other = self.inodes.get(source), self.inodes.get(target)
        refusal = 0
        if one is None:
            refusal = errno.ENOENT
        elif other is not None and one is not other:
            refusal = {("file", "directory"): errno.EISDIR, ("directory", "file"): errno.ENOTDIR}.get((one[0], other[0]), 0)
        if self.attempt(refusal, hand.rename, self.at(source), self.at(target)) and one is not other:
            if other is not None and other[0] == "file":
                other[2] -= 1
            self.inodes[target] = self.inodes.pop(source)

    def link(self, hand):
        source, target = self.any_path(), self.any_path()
        one = self.inodes.get(source)
        refusal = errno.ENOENT if one is None else errno.EEXIST if target in self.inodes else errno.EPERM if one[0] == "directory" else 0
        if one is not None and one[0] == "directory" and target in self.inodes:
            return   # either errno is right
        if self.attempt(refusal, hand.link, self.at(source), self.at(target)):
            self.inodes[target] = one
            one[2] += 1

    def unlink(self, hand):
        path = self.any_path()
        one = self.inodes.get(path)
        refusal = errno.ENOENT if one is None else errno.EISDIR if one[0] == "directory" else 0
        if self.attempt(refusal, hand.unlink, self.at(path)):
            self.inodes.pop(path)[2] -= 1

    def remove(self, hand):
        path = self.any_path()
        one = self.inodes.get(path)
        refusal = errno.ENOENT if one is None else errno.ENOTDIR if one[0] == "file" else 0
        if self.attempt(refusal, hand.rmdir, self.at(path)):
            del self.inodes[path]

    def write(self, hand):
        path = self.any_path()
        one = self.inodes.get(path)
        if one is None or one[0] == "directory":
            return
        content = self.random.randbytes(self.random.choice((1, 5000)))
        hand.write_new(self.at(path), content, os.O_TRUNC)
        one[1] = content

    def stat(self, hand):
        path = self.any_path()
        one = self.inodes.get(path)
        self.place.same(hand.exists(self.at(path)), one is not None, f"is {path} there")
        if one is not None and one[0] == "file":
            info = hand.stat(self.at(path))
            self.place.same((info.st_size, info.st_nlink), (len(one[1]), one[2]), f"size and links of {path}")

    def read(self, hand):
        path = self.any_path()
        one = self.inodes.get(path)
        if one is not None and one[0] == "file":
            self.place.same(hand.read_whole(self.at(path)), one[1], f"the content of {path}")

    def listing(self, hand):
        home = self.random.choice("xy")
        wanted = sorted((path[2:], one[0] == "directory") for path, one in self.inodes.items() if path.startswith(home + "/"))
        self.place.same(hand.scan(self.at(home)), wanted, f"the listing of {home}")

    def compare_all(self, hand):
        for path, one in sorted(self.inodes.items()):
            if one[0] == "file":
                self.place.same(hand.read_whole(self.at(path)), one[1], f"the content of {path}")
                self.place.same(hand.stat(self.at(path)).st_nlink, one[2], f"links of {path}")
