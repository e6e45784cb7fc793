"""Mapped memory (MAP_SHARED): what one side wrote and synced is in the other's mapping, made before or after."""

import mmap
import os

from .files import Both
from .place import check

PAGE = 4096


class Mapped(Both):
    """A file open and mapped on both sides, every page touched."""

    def __init__(self, place, name, data):
        super().__init__(place, name, data)
        self.maps = {}
        for hand in self.descriptors:
            self.map(hand, len(data))

    def map(self, hand, length):
        if hand in self.maps:
            self.maps[hand].close()
        self.maps[hand] = mmap.mmap(self[hand], length)
        return bytes(self.maps[hand])

    def close(self):
        for memory in self.maps.values():
            memory.close()
        super().close()


@check
def mapped_both(place):
    """Stored in a mapping and msync'ed on one side: loaded from the other's mapping, which was made before."""
    both = Mapped(place, "file", bytes(8 * PAGE))
    for number, (here, there) in enumerate(place.turns()):
        offset = place.random.randrange(8 * PAGE - 8)
        both.maps[here][offset:offset + 8] = number.to_bytes(8, "big")
        both.maps[here].flush()
        place.same(both.maps[there][offset:offset + 8], number.to_bytes(8, "big"),
                   f"{here.who} stored {number} at {offset} and msync'ed; the mapping of {there.who} has")
    both.close()


@check
def mapped_writer(place):
    """Stored in a mapping and msync'ed on one side: pread by the other."""
    both = Mapped(place, "file", bytes(8 * PAGE))
    for number, (here, there) in enumerate(place.turns()):
        offset = place.random.randrange(8 * PAGE - 8)
        both.maps[here][offset:offset + 8] = number.to_bytes(8, "big")
        both.maps[here].flush()
        place.same(there.pread(both[there], 8, offset), number.to_bytes(8, "big"), f"{here.who} stored {number} and msync'ed; {there.who} reads")
    both.close()


@check
def mapped_reader(place):
    """pwrite on one side: loaded from the other's mapping, which was made before."""
    both = Mapped(place, "file", bytes(8 * PAGE))
    for here, there in place.turns():
        offset, piece = place.random.randrange(7 * PAGE), place.random.randbytes(place.random.randrange(1, PAGE))
        here.pwrite(both[here], piece, offset)
        place.same(both.maps[there][offset:offset + len(piece)], piece, f"the mapping of {there.who} at {offset}")
    both.close()


@check
def mapped_fsync(place):
    """Stored in a mapping and then fsync of the descriptor, instead of msync: pread and the mapping of the other have it."""
    both = Mapped(place, "file", bytes(4 * PAGE))
    for number, (here, there) in enumerate(place.turns()):
        offset = PAGE * place.random.randrange(4)
        both.maps[here][offset:offset + 8] = number.to_bytes(8, "big")
        here.fsync(both[here])
        place.same(there.pread(both[there], 8, offset), number.to_bytes(8, "big"), f"{here.who} stored {number} and fsynced; {there.who} reads")
        place.same(both.maps[there][offset:offset + 8], number.to_bytes(8, "big"), f"the mapping of {there.who} has")
    both.close()


@check
def mapped_neighbours(place):
    """Each side stores in pages of its own and msyncs; neither loses the other's."""
    both = Mapped(place, "file", bytes(8 * PAGE))
    wanted = bytearray(8 * PAGE)
    for number, (here, there) in enumerate(place.turns()):
        for page in range(0 if here is place.a else 1, 8, 2):
            piece = bytes([1 + number % 255]) * 100
            both.maps[here][page * PAGE + 50:page * PAGE + 150] = piece
            wanted[page * PAGE + 50:page * PAGE + 150] = piece
        both.maps[here].flush()
        place.same(bytes(both.maps[there]), bytes(wanted), f"the mapping of {there.who}")
        place.same(there.pread(both[there], 8 * PAGE, 0), bytes(wanted), f"what {there.who} reads")
    both.close()


@check
def mapped_growing(place):
    """The file grows on one side, by a write or ftruncate: a new mapping on the other has all of it."""
    for number, (here, there) in enumerate(place.turns()):
        both = Mapped(place, place.new(), b"a" * PAGE)
        wanted = b"a" * PAGE
        for step in range(1, 5):
            piece = bytes([65 + step]) * place.random.randrange(1, 3 * PAGE)
            if (number + step) % 2:
                here.pwrite_whole(both[here], piece, len(wanted))
                wanted += piece
            else:
                here.ftruncate(both[here], len(wanted) + 1000)
                wanted += bytes(1000)
            place.same(both.map(there, len(wanted)), wanted, f"the new mapping of {there.who}")
            here, there = there, here
        both.close()


@check
def mapped_into_the_grown_part(place):
    """A mapping made longer than what the other had seen: stores there and msync are read by the other."""
    for here, there in place.turns():
        both = Mapped(place, place.new(), b"a" * PAGE)
        here.ftruncate(both[here], 4 * PAGE)
        both.map(here, 4 * PAGE)
        both.maps[here][3 * PAGE:3 * PAGE + 5] = b"hello"
        both.maps[here].flush()
        place.same(there.read_to_end(both[there]), b"a" * PAGE + bytes(2 * PAGE) + b"hello" + bytes(PAGE - 5), f"what {there.who} reads")
        both.close()


@check
def mapped_hole(place):
    """A hole punched by one side: zeros in the other's mapping."""
    both = Mapped(place, "file", b"x" * (8 * PAGE))
    for here, there in place.turns():
        here.pwrite(both[here], b"x" * (8 * PAGE), 0)
        place.same(set(both.maps[there][:]), {ord("x")}, "the mapping before")
        page = place.random.randrange(8)
        here.punch(both[here], page * PAGE, PAGE)
        place.same(both.maps[there][page * PAGE:(page + 1) * PAGE], bytes(PAGE), f"page {page} of the mapping of {there.who}")
    both.close()


@check
def mapped_closed_file(place):
    """A mapping outlives its descriptor: it still has what the other side writes."""
    for here, there in place.turns():
        name = place.new()
        here.write_new(name, bytes(2 * PAGE))
        descriptor = there.open(name, os.O_RDWR)
        memory = mmap.mmap(descriptor, 2 * PAGE)
        place.same(memory[:], bytes(2 * PAGE), "the mapping before")
        there.close(descriptor)
        writer = here.open(name, os.O_WRONLY)
        here.pwrite(writer, b"new", PAGE)
        place.same(memory[PAGE:PAGE + 3], b"new", f"the mapping of {there.who}")
        memory[0:3] = b"old"
        memory.flush()
        place.same(here.read_whole(name)[:3], b"old", f"{there.who} stored and msync'ed; {here.who} reads")
        memory.close()
        here.close(writer)
        here.unlink(name)
