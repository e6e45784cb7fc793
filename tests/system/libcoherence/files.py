"""What one side's finished call did to a file is what the other's open descriptor gives on its next call. Both sides in turns."""

import errno
import hashlib
import os

from .place import Skipped, check

SIZES = (1, 100, 4095, 4096, 4097, 65536, 131073, 262144, 600_001)


class Both:
    """A file that is open on both sides, warm in both caches."""

    def __init__(self, place, name, data=b"", flags=os.O_RDWR):
        self.place, self.name = place, name
        place.a.write_new(name, data)
        self.descriptors = {hand: hand.open(name, flags) for hand in (place.a, place.b)}
        self.look(data, "after it was made")

    def __getitem__(self, hand):
        return self.descriptors[hand]

    def look(self, wanted, when):
        for hand in (self.place.a, self.place.b):
            self.place.same(hand.read_to_end(self[hand]), wanted, f"what {hand.who} reads {when}")

    def close(self):
        for hand, descriptor in self.descriptors.items():
            hand.close(descriptor)
        self.place.a.unlink(self.name)


@check
def written_is_read(place):
    """pwrite on one side, at any size and place: the other's open descriptor reads it."""
    wanted = bytearray(place.random.randbytes(300_000))
    both = Both(place, "file", bytes(wanted))
    for here, there in place.turns():
        length = place.random.choice(SIZES)
        offset = place.random.randrange(max(1, len(wanted) - length))
        piece = place.random.randbytes(length)
        here.pwrite_whole(both[here], piece, offset)
        wanted[offset:offset + length] = piece
        around = max(0, offset - 10)
        place.same(there.pread(both[there], length + 20, around), bytes(wanted[around:offset + length + 10]), "what was written and its neighbours")
        if place.done % 10 == 0:
            both.look(bytes(wanted), "in the end")


@check
def written_and_synced_is_read(place):
    """pwrite and then fsync or fdatasync on one side: both read it."""
    wanted = bytearray(20_000)
    both = Both(place, "file", bytes(wanted))
    for here, there in place.turns():
        offset, piece = place.random.randrange(19_000), place.random.randbytes(1000)
        here.pwrite(both[here], piece, offset)
        wanted[offset:offset + 1000] = piece
        place.random.choice((here.fsync, here.fdatasync))(both[here])
        both.look(bytes(wanted), "after the sync")


@check
def single_bytes(place):
    """Each side changes one byte beside the other's last one: nothing is lost by writing whole blocks."""
    wanted = bytearray(8192)
    both = Both(place, "file", bytes(wanted))
    for number, (here, there) in enumerate(place.turns()):
        offset, value = (4090 + number) % 8192, 1 + number % 255
        here.pwrite(both[here], bytes([value]), offset)
        wanted[offset] = value
        place.same(there.pread(both[there], 8192, 0), bytes(wanted), "both blocks")


@check
def truncated_is_seen(place):
    """ftruncate, shorter and longer: the other's open descriptor has the size, the end of file, and zeros beyond the old end."""
    both = Both(place, "file", b"x" * 100_000)
    wanted = bytearray(b"x" * 100_000)
    for here, there in place.turns():
        size = place.random.randrange(200_000)
        here.ftruncate(both[here], size)
        wanted = wanted[:size] + bytes(max(0, size - len(wanted)))
        place.same(there.fstat(both[there]).st_size, size, "the size by fstat")
        place.same(there.stat("file").st_size, size, "the size by stat")
        place.same(there.lseek(both[there], 0, os.SEEK_END), size, "SEEK_END")
        place.same(there.pread(both[there], 1000, max(0, size - 500)), bytes(wanted[max(0, size - 500):]), "the last bytes")
        there.pwrite(both[there], b"y" * 100, max(0, size - 50))
        wanted[max(0, size - 50):] = b"y" * 100
        both.look(bytes(wanted), "after the next write")


@check
def emptied_by_open(place):
    """O_TRUNC on one side: the other's open descriptor finds the file empty, then what was written anew."""
    both = Both(place, "file", b"first")
    for number, (here, there) in enumerate(place.turns()):
        place.expect(there.fstat(both[there]).st_size > 0, "it is empty already")
        descriptor = here.open("file", os.O_WRONLY | os.O_TRUNC)
        place.same((there.fstat(both[there]).st_size, there.pread(both[there], 100, 0)), (0, b""), "size and content after O_TRUNC")
        data = b"%d" % number * 3000
        here.pwrite(descriptor, data, 0)
        place.same(there.pread(both[there], 40_000, 0), data, "what was written anew")
        here.close(descriptor)


@check
def punched_is_seen(place):
    """A hole punched by one side reads as zeros on the other; the size stays."""
    both = Both(place, "file", b"x" * 200_000)
    for here, there in place.turns():
        here.pwrite_whole(both[here], b"x" * 200_000, 0)
        wanted = bytearray(b"x" * 200_000)
        place.same(there.pread(both[there], 200_000, 0), bytes(wanted), "before")
        offset = place.random.randrange(190_000)
        length = place.random.choice((1, 4096, 5000, 100_000))
        here.punch(both[here], offset, length)
        hole = min(length, 200_000 - offset)
        wanted[offset:offset + hole] = bytes(hole)
        place.same(there.pread(both[there], 200_000, 0), bytes(wanted), "the content after the hole")
        place.same(there.fstat(both[there]).st_size, 200_000, "the size")


@check
def allocated_is_seen(place):
    """fallocate that grows the file: the other sees the size and zeros."""
    for here, there in place.turns():
        both = Both(place, place.new(), b"abc")
        size = place.random.randrange(4, 300_000)
        here.fallocate(both[here], 0, 0, size)
        place.same(there.fstat(both[there]).st_size, size, "the size")
        place.same(there.read_to_end(both[there]), b"abc" + bytes(size - 3), "the content")
        both.close()


@check
def far_end_is_seen(place):
    """A write far behind the end: the other has the size, zeros between, and SEEK_END."""
    for here, there in place.turns():
        both = Both(place, place.new(), b"abc")
        offset = place.random.randrange(10, 20 << 20)
        here.pwrite(both[here], b"end", offset)
        place.same(there.lseek(both[there], 0, os.SEEK_END), offset + 3, "SEEK_END")
        place.same(there.pread(both[there], 100, offset - 7), bytes(7) + b"end", "the end")
        place.same(there.pread(both[there], 7, 0), (b"abc" + bytes(4))[:7] if offset >= 7 else None, "the beginning")
        both.close()


@check
def appended_in_turns(place):
    """Each side appends in turns by descriptors that stay open: every line is behind the last one, and both read all."""
    wanted = b""
    both = Both(place, "file", b"", os.O_RDWR | os.O_APPEND)
    for number, (here, there) in enumerate(place.turns()):
        line = b"%d %s\n" % (number, b"." * place.random.randrange(3000))
        here.write(both[here], line)
        wanted += line
        place.same(there.fstat(both[there]).st_size, len(wanted), "the size")
        place.same(there.pread(both[there], len(line) + 5, len(wanted) - len(line)), line, "the new line")
        place.same(here.lseek(both[here], 0, os.SEEK_CUR), len(wanted), "the writer's own position")
        if len(wanted) > 1_000_000:
            both.look(wanted, "after many lines")
            here.ftruncate(both[here], 0)
            wanted = b""
    both.look(wanted, "in the end")


@check
def direct_and_buffered(place):
    """O_DIRECT on one side, buffered on the other, in both directions."""
    both = Both(place, "file", bytes(32768))
    direct = {hand: hand.open("file", os.O_RDWR | os.O_DIRECT) for hand in (place.a, place.b)}
    wanted = bytearray(32768)
    for number, (here, there) in enumerate(place.turns()):
        block = 4096 * place.random.randrange(8)
        data = place.random.randbytes(4096)
        wanted[block:block + 4096] = data
        if number % 4 < 2:
            here.pwrite_direct(direct[here], data, block)
            place.same(there.pread(both[there], 32768, 0), bytes(wanted), "buffered after a direct write")
        else:
            here.pwrite(both[here], data, block)
            place.same(there.pread_direct(direct[there], 32768, 0), bytes(wanted), "direct after a buffered write")


@check
def sent_and_copied(place):
    """sendfile and copy_file_range on one side read what the other has just written."""
    for number, (here, there) in enumerate(place.turns()):
        data = place.random.randbytes(place.random.choice(SIZES))
        both = Both(place, place.new(), bytes(len(data)))
        here.pwrite_whole(both[here], data, 0)
        copy = there.open(place.new("copy"), os.O_RDWR | os.O_CREAT)
        offset = 0
        while offset < len(data):
            if number % 4 < 2:
                done = there.sendfile(copy, both[there], offset, len(data) - offset)
            else:
                done = there.copy_file_range(both[there], copy, len(data) - offset, offset, offset)
            place.expect(done > 0, f"the copy ends at {offset} of {len(data)}")
            offset += done
        place.same(here.read_whole(place.new("copy")), data, "the copy")
        there.close(copy)
        both.close()


@check
def stat_and_fstat_agree(place):
    """After each change of one side: stat and fstat of both sides say the same of size, mode, links, times and inode."""
    both = Both(place, "file", b"1")
    last = 0
    for number, (here, there) in enumerate(place.turns()):
        kind = number % 5
        if kind == 0:
            here.pwrite(both[here], b"x" * place.random.randrange(1, 9000), 0)
        elif kind == 1:
            here.ftruncate(both[here], place.random.randrange(1, 9000))
        elif kind == 2:
            here.chmod("file", 0o600 + place.random.randrange(64))
        elif kind == 3:
            here.link("file", place.new("link"))
        else:
            here.utime("file", ns=(number * 10**9, number * 10**9))
        seen = [attributes(info) for hand in (there, here) for info in (hand.fstat(both[hand]), hand.stat("file"))]
        place.expect(all(one == seen[0] for one in seen),
                     f"fstat and stat of {there.who}, then of {here.who}:\n" + "\n".join(f"    {one}" for one in seen))
        place.expect(seen[0]["ctime"] >= last, f"ctime went from {last} to {seen[0]['ctime']}")
        last = seen[0]["ctime"]


def attributes(info):
    return {"inode": info.st_ino, "mode": oct(info.st_mode), "links": info.st_nlink, "size": info.st_size, "owner": info.st_uid,
            "mtime": info.st_mtime_ns, "ctime": info.st_ctime_ns}


@check
def times_move_forward(place):
    """Writes of both sides in turns: mtime and ctime never go backwards, seen from either side."""
    both = Both(place, "file", b"1")
    last = (0, 0)
    for here, there in place.turns():
        here.pwrite(both[here], b"x", place.random.randrange(100))
        for hand in (there, here, there):
            info = hand.fstat(both[hand])
            now = (info.st_mtime_ns, info.st_ctime_ns)
            place.expect(now[0] >= last[0] and now[1] >= last[1], f"mtime, ctime went backwards for {hand.who}: from {last} to {now}")
            last = now


@check
def unlinked_stays_open(place):
    """A file that one side has open and the other unlinks: it reads, writes, syncs, grows, has no links, and no name."""
    kept = []
    for here, there in place.turns():
        name, data = place.new(), place.random.randbytes(place.random.choice(SIZES))
        here.write_new(name, data)
        descriptor = there.open(name, os.O_RDWR)
        if place.random.random() < 0.5:
            there.pwrite(descriptor, b"dirty", 0)
            data = b"dirty" + data[5:]
        here.unlink(name)
        place.fails_with(errno.ENOENT, there.open, name, os.O_RDONLY)
        place.same(there.fstat(descriptor).st_nlink, 0, "links of the unlinked file")
        place.same(there.read_to_end(descriptor), data, "its content")
        kept.append([there, descriptor, data])
        for one in place.random.sample(kept, min(len(kept), 3)):
            use_unlinked(place, one)
        if len(kept) > 10:
            there, descriptor, _ = kept.pop(0)
            there.close(descriptor)


def use_unlinked(place, one):
    """Files that were unlinked some rounds ago."""
    hand, descriptor, data = one
    extra = place.random.randbytes(5000)
    hand.pwrite_whole(descriptor, extra, len(data))
    hand.fsync(descriptor)
    one[2] = data + extra
    info = hand.fstat(descriptor)
    place.same((info.st_nlink, info.st_size), (0, len(data) + 5000), "links and size of a file that was unlinked some time ago")
    place.same(hand.read_to_end(descriptor), one[2], "its content")


@check(long=True)
def unlinked_for_long(place):
    """The same for as long as the run lasts: many times the moments after which an orphan could be taken for forgotten."""
    both = Both(place, "file", b"0" * 70_000)
    place.a.unlink("file")
    wanted = b"0" * 70_000
    for number, (here, there) in enumerate(place.turns()):
        piece = b"%8d" % number
        here.pwrite(both[here], piece, number * 8 % 70_000)
        wanted = wanted[:number * 8 % 70_000] + piece + wanted[number * 8 % 70_000 + 8:]
        place.same(there.read_to_end(both[there]), wanted, "what the other side reads of the file that both have open and that has no name")
        place.same(there.fstat(both[there]).st_nlink, 0, "its links")


@check
def versions_by_rename(place):
    """Written aside, renamed over, with and without fsync: the other finds exactly the new version."""
    place.a.write_new("file", b"0")
    for number, (here, there) in enumerate(place.turns()):
        data = b"%d " % number * place.random.randrange(1, 9000)
        here.replace("file", data, "temporary", number % 3 == 0)
        place.same(there.read_whole("file"), data, "the new version")
        place.same(there.stat("file").st_size, len(data), "its size")


@check
def digests_agree(place):
    """One side copies files in, the other takes their digests, then the reverse."""
    for here, there in place.turns():
        pieces = {place.new(f"n{size}-"): place.random.randbytes(size) for size in SIZES}
        for name, data in pieces.items():
            here.write_new(name, data, sync=place.random.random() < 0.3)
        for name, data in pieces.items():
            place.same(hashlib.sha256(there.read_whole(name)).hexdigest(), hashlib.sha256(data).hexdigest(), f"the digest of {name}")
            there.unlink(name)


@check
def preadv_and_pwritev(place):
    """Vectors of one side are read as vectors by the other."""
    both = Both(place, "file", bytes(10_000))
    for here, there in place.turns():
        parts = [place.random.randbytes(place.random.randrange(1, 4000)) for _ in range(3)]
        here.pwritev(both[here], parts, 17)
        buffers = [bytearray(len(part)) for part in parts]
        there.preadv(both[there], buffers, 17)
        place.same([bytes(one) for one in buffers], parts, "the parts")


@check
def read_ahead_is_fresh(place):
    """A sequential reader (whose kernel reads ahead) finds what the other side changed in front of it."""
    size = 1 << 20
    for here, there in place.turns():
        both = Both(place, place.new(), b"0" * size)
        for offset in range(0, size, 131072):
            place.same(set(there.pread(both[there], 65536, offset)), {ord("0")}, "what is not changed yet")
            here.pwrite(both[here], b"1" * 65536, offset + 65536)
            place.same(set(there.pread(both[there], 65536, offset + 65536)), {ord("1")}, "what was changed in front of the reader")
        both.close()


@check
def permissions_hold(place):
    """A mode taken away by one side is refused by the other at once, and open descriptors go on (needs root, to become another user)."""
    if os.geteuid() != 0:
        raise Skipped("needs root")
    place.a.write_new("file", b"x")
    place.a.chmod("file", 0o644)
    for here, there in place.turns():
        place.same(as_nobody(there, "file"), None, "opening a file of mode 644 as another user")
        here.chmod("file", 0o600)
        place.same(as_nobody(there, "file"), errno.EACCES, "opening a file of mode 600 as another user")
        here.chmod("file", 0o644)


def as_nobody(hand, name):
    """None or the errno. The directories above may be closed to that user, so the path begins at an open directory."""
    folder = os.open(hand.directory, os.O_RDONLY | os.O_DIRECTORY)
    os.seteuid(65534)
    try:
        os.close(os.open(name, os.O_RDONLY, dir_fd=folder))
        return None
    except OSError as error:
        return error.errno
    finally:
        os.seteuid(0)
        os.close(folder)
