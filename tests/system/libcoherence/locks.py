"""Locks of both sides are one lock: flock, fcntl (of a process), and OFD (of an open file)."""

import errno
import fcntl
import mmap
import os
import time

from . import calls
from .place import check
from .workers import Wrong

KINDS = ("flock", "fcntl", "ofd")


def lock(kind, descriptor, exclusive=True, wait=True, start=0, length=0):
    """True if it was granted."""
    try:
        if kind == "flock":
            fcntl.flock(descriptor, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | (0 if wait else fcntl.LOCK_NB))
        else:
            command = {("fcntl", True): fcntl.F_SETLKW, ("fcntl", False): fcntl.F_SETLK,
                       ("ofd", True): calls.F_OFD_SETLKW, ("ofd", False): calls.F_OFD_SETLK}[kind, wait]
            calls.lock_range(descriptor, command, fcntl.F_WRLCK if exclusive else fcntl.F_RDLCK, start, length)
        return True
    except OSError as error:
        if not wait and error.errno in (errno.EAGAIN, errno.EACCES):
            return False
        raise


def unlock(kind, descriptor, start=0, length=0):
    if kind == "flock":
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    else:
        calls.lock_range(descriptor, fcntl.F_SETLK if kind == "fcntl" else calls.F_OFD_SETLK, fcntl.F_UNLCK, start, length)


def count(me, kind, name, lock_name, additions, how):
    """Adds one so often under the lock; the intervals in which it was held."""
    guard = os.open(me.path(lock_name), os.O_RDWR)
    file = guard if name == lock_name else os.open(me.path(name), os.O_RDWR)
    memory = mmap.mmap(file, 4096) if how == "mapped" else None
    held = []
    me.together()
    for _ in range(additions):
        me.hand.present.set(f"{kind}: lock, add, unlock")
        lock(kind, guard)
        start = time.monotonic()
        if how == "reopened":
            os.close(file)
            file = os.open(me.path(name), os.O_RDWR)
        if memory:
            memory[:8] = (int.from_bytes(memory[:8], "little") + 1).to_bytes(8, "little")
            memory.flush()
        else:
            value = int.from_bytes(os.pread(file, 8, 0), "little") + 1
            os.pwrite(file, value.to_bytes(8, "little"), 0)
        if how == "synced":
            os.fsync(file)
        held.append((start, time.monotonic(), me.name))
        unlock(kind, guard)
    if memory:
        memory.close()
    os.close(guard)
    if file != guard:
        os.close(file)
    return held


def overlap(held):
    """Two that held it at the same time."""
    ordered = sorted(held)
    for one, other in zip(ordered, ordered[1:]):
        if other[0] < one[1]:
            return f"{one[2]} held it {one[0]:.6f} .. {one[1]:.6f} s, and {other[2]} {other[0]:.6f} .. {other[1]:.6f} s"
    return None


def counter(kind, how="kept", own_file=False):
    def run(place):
        with place.crew() as crew:
            for _ in place.rounds():
                name = place.new()
                lock_name = name + ".lock" if own_file else name
                place.a.write_new(name, bytes(4096))
                if own_file:
                    place.a.write_new(lock_name, b"")
                additions = place.random.choice((5, 20, 50))
                answers = crew.all(count, kind, name, lock_name, additions, how)
                two = overlap([one for answer in answers for one in answer])
                place.expect(two is None, f"two held the lock at once: {two}")
                for hand in (place.a, place.b):
                    total = int.from_bytes(hand.read_whole(name)[:8], "little")
                    place.same(total, additions * len(crew.workers), f"the counter as {hand.who} reads it")
    word = f"{kind}-{how}" + ("-beside" if own_file else "")
    where = "in another file" if own_file else "in the locked file"
    check(run, name=f"counter-{word}", promise=f"a counter {where} ({how}) under {kind} locks of all processes is exact")


for kind_of_lock in KINDS:
    counter(kind_of_lock)
counter("flock", own_file=True)
counter("fcntl", "synced")
counter("flock", "reopened", own_file=True)
counter("fcntl", "mapped")


def open_lock(me, name):
    me.kept["lock"] = os.open(me.path(name), os.O_RDWR)


def take(me, kind, exclusive=True, wait=False, start=0, length=0):
    return lock(kind, me.kept["lock"], exclusive, wait, start, length)


def give_back(me, kind, start=0, length=0):
    unlock(kind, me.kept["lock"], start, length)


def close_lock(me):
    os.close(me.kept.pop("lock"))


def who_holds(me):
    """F_GETLK: is there a lock in the way of ours, and where?"""
    kind, start, length, _ = calls.lock_range(me.kept["lock"], fcntl.F_GETLK, fcntl.F_WRLCK)
    return None if kind == fcntl.F_UNLCK else (kind, start, length)


@check
def lock_excludes(place):
    """One side's exclusive lock refuses the other's, shared ones go together, and unlock lets the other in at once."""
    with place.crew(per_side=1) as crew:
        for number in place.rounds():
            kind, name = KINDS[number % 3], place.new()
            place.a.write_new(name, b"")
            one, other = crew.workers if number % 2 else crew.workers[::-1]
            for worker in crew.workers:
                worker.do(open_lock, name)
            place.expect(one.do(take, kind), f"a free {kind} was refused")
            place.expect(not other.do(take, kind), f"{other.name} got the {kind} that {one.name} holds")
            place.expect(not other.do(take, kind, False), f"{other.name} got a shared {kind} although {one.name} holds it exclusively")
            one.do(give_back, kind)
            place.expect(other.do(take, kind, False), f"{kind} is refused after it was given back")
            place.expect(one.do(take, kind, False), f"two shared {kind} do not go together")
            place.expect(not one.do(take, kind), f"{one.name} made its {kind} exclusive although {other.name} shares it")
            other.do(give_back, kind)
            place.expect(one.do(take, kind), f"{kind} is refused after the other sharer gave it back")
            for worker in crew.workers:
                worker.do(close_lock)


@check
def lock_ranges(place):
    """Ranges that do not touch do not exclude one another; those that overlap do; F_GETLK names the one in the way."""
    with place.crew(per_side=1) as crew:
        for number in place.rounds():
            kind, name = KINDS[1 + number % 2], place.new()
            place.a.write_new(name, b"")
            one, other = crew.workers if number % 2 else crew.workers[::-1]
            for worker in crew.workers:
                worker.do(open_lock, name)
            place.expect(one.do(take, kind, True, False, 100, 100), "the first range was refused")
            place.expect(other.do(take, kind, True, False, 200, 50), "a range beside it was refused")
            place.expect(not other.do(take, kind, True, False, 150, 100), "a range that overlaps was granted")
            place.expect(not other.do(take, kind, False, False, 0, 101), "a shared range that overlaps by one byte was granted")
            if kind == "fcntl":
                place.same(other.do(who_holds), (fcntl.F_WRLCK, 100, 100), "F_GETLK")
            one.do(give_back, kind, 100, 50)
            place.expect(other.do(take, kind, True, False, 100, 50), "the part that was given back is refused")
            for worker in crew.workers:
                worker.do(close_lock)


@check
def lock_waiter_wakes(place):
    """Who waits for a lock of the other side gets it when it is given back or closed, not before."""
    with place.crew(per_side=1) as crew:
        for number in place.rounds():
            kind, name = KINDS[number % 3], place.new()
            place.a.write_new(name, b"")
            one, other = crew.workers if number % 2 else crew.workers[::-1]
            for worker in crew.workers:
                worker.do(open_lock, name)
            place.expect(one.do(take, kind), f"a free {kind} was refused")
            other.begin(take, kind, True, True)
            time.sleep(place.random.random() * 0.02)   # so that it waits, mostly
            place.expect(not other.has_ended(), f"{other.name} got the {kind} that {one.name} holds")
            if number % 2:
                one.do(give_back, kind)
            else:
                one.do(close_lock)
            place.expect(other.end(20), "the waiter was refused")
            other.do(close_lock)
            if number % 2:
                one.do(close_lock)


@check
def lock_ends_with_its_holder(place):
    """A process that is killed gives its locks back; the next one on the other side gets them, and who waits wakes."""
    for number in place.rounds():
        kind, name = KINDS[number % 3], place.new()
        place.a.write_new(name, b"")
        with place.crew(per_side=1) as crew:
            one, other = crew.workers if number % 2 else crew.workers[::-1]
            for worker in crew.workers:
                worker.do(open_lock, name)
            place.expect(one.do(take, kind), f"a free {kind} was refused")
            place.expect(not other.do(take, kind), f"{other.name} got the {kind} that {one.name} holds")
            other.begin(take, kind, True, True)
            one.kill()
            try:
                other.end(20)
            except Wrong:
                place.fail(f"the {kind} of a killed process is not given back within 20 s")


@check
def lock_of_any_descriptor(place):
    """POSIX locks go when the process closes any descriptor of the file; OFD locks and flock do not."""
    with place.crew(per_side=1) as crew:
        for number in place.rounds():
            kind, name = KINDS[number % 3], place.new()
            place.a.write_new(name, b"")
            one, other = crew.workers if number % 2 else crew.workers[::-1]
            for worker in crew.workers:
                worker.do(open_lock, name)
            place.expect(one.do(take, kind), f"a free {kind} was refused")
            one.do(open_and_close, name)
            place.same(other.do(take, kind), kind == "fcntl", f"is the {kind} free after another descriptor was closed")
            for worker in crew.workers:
                worker.do(close_lock)


def open_and_close(me, name):
    os.close(os.open(me.path(name), os.O_RDONLY))


@check
def lock_protects_data(place):
    """What is written under a lock is read under it on the other side, whole, though it is many blocks and pages are cached."""
    with place.crew(per_side=1) as crew:
        for number in place.rounds():
            kind, name = KINDS[number % 3], place.new()
            place.a.write_new(name, bytes(100_000))
            crew.all(fill_and_compare, kind, name, 8)
            place.same(place.b.read_whole(name)[0], 8 * len(crew.workers), "the version in the end")


def fill_and_compare(me, kind, name, times):
    descriptor = os.open(me.path(name), os.O_RDWR)
    left = 0   # the version that it wrote last
    me.together()
    for _ in range(times):
        me.hand.present.set(f"{kind}: lock, read, write, unlock")
        lock(kind, descriptor)
        try:
            data = os.pread(descriptor, 100_000, 0)
            if len(data) != 100_000 or data.count(data[:1]) != len(data):
                raise Wrong(f"it read a mixture under the {kind}: {sorted(set(data))} in {len(data)} bytes")
            if data[0] < left:
                raise Wrong(f"it read version {data[0]} under the {kind} after it had left {left}")
            left = data[0] + 1
            calls.pwrite_whole(descriptor, bytes([left]) * 100_000, 0)
        finally:
            unlock(kind, descriptor)
    os.close(descriptor)
