"""Rows for what two mounts of one cluster do with each other. Beside them a local directory, whose second way is the same way.

A figure is left out, with a sentence on standard error, if the mounts do not agree: how fast a wrong answer is has no meaning.
"""

import contextlib
import fcntl
import os
import sys
import time

from .rows import Measurement, in_processes

RECORD = b"x" * 99 + b"\n"


class Disagree(Exception):
    """What one side did is not what the other sees."""


def rate(work, seconds):
    """work(index) again and again for so long; times per second."""
    started, count = time.monotonic(), 0
    while time.monotonic() < started + seconds:
        work(count)
        count += 1
    return count / (time.monotonic() - started)


@contextlib.contextmanager
def opened(sides, name):
    paths = [os.path.join(side, name) for side in sides]
    os.close(os.open(paths[0], os.O_CREAT | os.O_RDWR, 0o644))
    descriptors = [os.open(path, os.O_RDWR) for path in paths]
    try:
        yield descriptors
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def locks_of_one(sides, seconds, _files):
    """Nobody else wants it."""
    with opened(sides, "lock-of-one") as (descriptor, _):
        def pair(_):
            fcntl.lockf(descriptor, fcntl.LOCK_EX)
            fcntl.lockf(descriptor, fcntl.LOCK_UN)
        return rate(pair, seconds)


def locks_in_turns(sides, seconds, _files):
    """flock, because both sides are one process here."""
    with opened(sides, "lock-in-turns") as descriptors:
        fcntl.flock(descriptors[0], fcntl.LOCK_EX)
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptors[1], fcntl.LOCK_EX | fcntl.LOCK_NB)
            raise Disagree("both sides got the lock at once")
        fcntl.flock(descriptors[0], fcntl.LOCK_UN)

        def pair(index):
            fcntl.flock(descriptors[index % 2], fcntl.LOCK_EX)
            fcntl.flock(descriptors[index % 2], fcntl.LOCK_UN)
        return rate(pair, seconds)


def appends(sides, _seconds, files):
    """A process on each side."""
    wanted = len(RECORD) * (files // 2 * 2)
    with opened(sides, "log") as descriptors:
        for descriptor in descriptors:
            fcntl.fcntl(descriptor, fcntl.F_SETFL, os.O_APPEND)
        taken = in_processes(2, lambda process, _: os.write(descriptors[process], RECORD), files)
        sizes = [os.stat(os.path.join(side, "log")).st_size for side in sides]
    if sizes != [wanted, wanted]:
        raise Disagree(f"the log has {sizes} bytes on the two sides instead of {wanted}")
    return taken


def ping_pong(sides, seconds, _files):
    """4 KiB written by one and read by the other, then the other way round: one round."""
    with opened(sides, "ball") as descriptors:
        def turn(index):
            for number, (here, there) in enumerate((descriptors, descriptors[::-1])):
                block = (2 * index + number).to_bytes(8, "little") * 512
                os.pwrite(here, block, 0)
                if os.pread(there, 4096, 0) != block:
                    raise Disagree(f"in round {index} an old block was read")
        return rate(turn, seconds)


def create_then_stat(sides, seconds, _files):
    top = [os.path.join(side, "created") for side in sides]
    os.mkdir(top[0])

    def pair(index):
        os.close(os.open(f"{top[0]}/f{index}", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
        try:
            os.stat(f"{top[1]}/f{index}")
        except FileNotFoundError:
            raise Disagree(f"f{index} was created, and the other side has not got it") from None

    return rate(pair, seconds)


FIGURES = (("lock_unlock_one_mount", "pairs/s", locks_of_one), ("lock_unlock_in_turns", "pairs/s", locks_in_turns),
           ("append_100_bytes_both", "records/s", appends), ("ping_pong_4k", "rounds/s", ping_pong),
           ("create_here_stat_there", "files/s", create_then_stat))


def two_mounts(subject, settings):
    other = subject.second()
    if other is None:
        return []
    measured = []
    try:
        os.mkdir(os.path.join(subject.directory, "two"))
        sides = [os.path.join(side, "two") for side in (subject.directory, other)]
        for figure, unit, row in FIGURES:
            try:
                measured.append(Measurement(f"two_mounts_{figure}", unit, row(sides, settings.seconds, settings.files)))
            except Disagree as wrong:
                print(f"two_mounts_{figure} on {subject.name} is left out: {wrong}", file=sys.stderr)
    finally:
        subject.end_second()
    return measured


ROWS = {"two_mounts": two_mounts}
