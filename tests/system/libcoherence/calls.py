"""System calls that os lacks, and small sequences of calls that checks use as one. Every failure is an OSError."""

import ctypes
import fcntl
import mmap
import os
import struct

LIBC = ctypes.CDLL(None, use_errno=True)
NOREPLACE, EXCHANGE = 1, 2
KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE = 1, 2, 16
# Not in fcntl of this Python: linux/fcntl.h
F_OFD_SETLK, F_OFD_SETLKW = 37, 38
BLOCK = 4096


def checked(result, *what):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), *what)


def renameat2(source, target, flags):
    checked(LIBC.renameat2(-100, os.fsencode(source), -100, os.fsencode(target), ctypes.c_uint(flags)), source, None, target)


def rename_new(source, target):
    """Fails with EEXIST if the target is there."""
    renameat2(source, target, NOREPLACE)


def exchange(source, target):
    renameat2(source, target, EXCHANGE)


def fallocate(descriptor, mode, offset, length):
    checked(LIBC.fallocate(descriptor, mode, ctypes.c_long(offset), ctypes.c_long(length)))


def punch(descriptor, offset, length):
    fallocate(descriptor, PUNCH_HOLE | KEEP_SIZE, offset, length)


def die_with_parent():
    """Workers do not outlive the check that started them."""
    checked(LIBC.prctl(1, 9, 0, 0, 0))


def exists(path):
    try:
        os.lstat(path)
        return True
    except FileNotFoundError:
        return False


def read_whole(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return read_to_end(descriptor)
    finally:
        os.close(descriptor)


def read_to_end(descriptor, offset=0):
    """By pread, so that several may share the descriptor."""
    pieces = []
    while piece := os.pread(descriptor, 1 << 17, offset):
        pieces.append(piece)
        offset += len(piece)
    return b"".join(pieces)


def pwrite_whole(descriptor, data, offset):
    while data:
        done = os.pwrite(descriptor, data, offset)
        data, offset = data[done:], offset + done


def write_new(path, data, flags=os.O_CREAT | os.O_EXCL, sync=False):
    descriptor = os.open(path, os.O_WRONLY | flags, 0o644)
    try:
        pwrite_whole(descriptor, data, 0)
        if sync:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace(path, data, temporary, sync=False):
    """The file is whole before it has its name."""
    write_new(temporary, data, os.O_CREAT | os.O_TRUNC, sync)
    os.rename(temporary, path)


def scan(path):
    """Sorted (name, is it a directory?)."""
    with os.scandir(path) as entries:
        return sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)


def aligned(data):
    """A buffer for O_DIRECT."""
    buffer = mmap.mmap(-1, len(data))
    buffer[:] = data
    return buffer


def pread_direct(descriptor, length, offset):
    buffer = mmap.mmap(-1, length)
    done = os.preadv(descriptor, [buffer], offset)
    return buffer[:done]


def pwrite_direct(descriptor, data, offset):
    return os.pwritev(descriptor, [aligned(data)], offset)


def lock_range(descriptor, command, kind, start=0, length=0):
    """fcntl with a struct flock; the answer's (kind, start, length, pid)."""
    asked = struct.pack("hhqqi4x", kind, os.SEEK_SET, start, length, 0)
    kind, _, start, length, pid = struct.unpack("hhqqi4x", fcntl.fcntl(descriptor, command, asked))
    return kind, start, length, pid
