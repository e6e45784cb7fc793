"""A log to which processes on both sides append: no record is lost or torn, the order is that of time, and readers see what was finished.

A record is "<worker> <number> <filling>\\n" with a length of its own; numbers are a worker's own. While some append, others look: by an open
descriptor, by reopening, or only at the size.
"""

import os
import time

from . import calls
from .history import Append, Look, explain_log
from .place import check


def record_of(me, number, length):
    head = f"{me.name} {number} "
    return (head + chr(97 + number % 26) * max(0, length - len(head) - 1) + "\n").encode()


def append(me, name, count, lengths, how):
    """[Append]"""
    kept = os.open(me.path(name), os.O_WRONLY | os.O_APPEND) if how != "reopened" else None
    done = []
    me.together()
    for number in range(count):
        record = record_of(me, number, me.random.randint(*lengths))
        me.hand.present.set(f"append {number}")
        start = time.monotonic()
        descriptor = kept if kept is not None else os.open(me.path(name), os.O_WRONLY | os.O_APPEND)
        if os.write(descriptor, record) != len(record):
            raise OSError(5, "a short write")
        if how == "synced":
            os.fsync(descriptor)
        if kept is None:
            os.close(descriptor)
        done.append(Append(start, time.monotonic(), me.name, (me.name, number), len(record)))
    if kept is not None:
        os.close(kept)
    return done


def look(me, name, count, how):
    """[(Look, what was read or None)]"""
    kept = os.open(me.path(name), os.O_RDONLY)
    seen, looks = b"", []
    me.together()
    for _ in range(count):
        me.hand.present.set(f"look by {how}")
        start = time.monotonic()
        if how == "stat":
            size = os.stat(me.path(name)).st_size
        elif how == "fstat":
            size = os.fstat(kept).st_size
        elif how == "end":
            size = os.lseek(kept, 0, os.SEEK_END)
        elif how == "reopened":
            seen = calls.read_whole(me.path(name))
            size = len(seen)
        else:   # the tail of what is known already
            seen += calls.read_to_end(kept, len(seen))
            size = len(seen)
        looks.append(Look(start, time.monotonic(), me.name, size))
    os.close(kept)
    return looks, seen


def parse(place, data):
    """{record: offset}; fails at the first thing that is not a whole record."""
    places, offset = {}, 0
    for line in data.split(b"\n")[:-1]:
        words = line.split(b" ", 2)
        filling = words[2] if len(words) == 3 else b"?!"
        if len(words) != 3 or not words[1].isdigit() or filling != filling[:1] * len(filling):
            place.fail(f"at {offset} of {len(data)} there is no whole record: {line[:60]!r}")
        record = (words[0].decode(), int(words[1]))
        if record in places:
            place.fail(f"record {record} is in the log twice, at {places[record]} and {offset}")
        places[record] = offset
        offset += len(line) + 1
    if offset != len(data):
        place.fail(f"the log ends with a piece of a record: {data[offset:][:60]!r}")
    return places


def judge(place, name, appends, looks):
    data = place.a.read_whole(name)
    place.same(place.b.read_whole(name), data, "the log as B reads it at the end")
    wrong = explain_log(appends, [one for seen, _ in looks for one in seen], parse(place, data))
    if wrong:
        place.fail(wrong)
    for seen, content in looks:
        if content != data[:len(content)]:
            place.same(content, data[:len(content)], f"what {seen[0].who} read of the log while it grew")


def log(name, lengths, how, watch=None, promise=""):
    """Without watch all append; else the second half of the workers looks."""
    def run(place):
        with place.crew(per_side=max(2, place.per_side)) as crew:
            for _ in place.rounds():
                file = place.new()
                place.a.write_new(file, b"")
                count = place.random.choice((4, 10, 30))
                appenders = len(crew.workers) if watch is None else len(crew.workers) // 2
                answers = crew.each([(append, file, count, lengths, how) if worker.index < appenders else (look, file, 2 * count, watch)
                                     for worker in crew.workers])
                judge(place, file, [one for answer in answers[:appenders] for one in answer], answers[appenders:])
    check(run, name=name, promise=promise)


WHOLE = "no record is lost or torn, and their order is that of time"
PREFIX = "it sees prefixes, with all that was finished before"
log("append-kept", (20, 400), "kept", promise=f"O_APPEND by descriptors that stay open: {WHOLE}")
log("append-reopened", (20, 400), "reopened", promise=f"O_APPEND by reopening: {WHOLE}")
log("append-synced", (20, 400), "synced", promise=f"O_APPEND and fsync: {WHOLE}")
log("append-large", (3000, 40000), "kept", promise=f"records of several pages: {WHOLE}")
log("append-tail", (20, 400), "kept", "tail", promise=f"a reader by an open descriptor: {PREFIX}")
log("append-reread", (20, 400), "kept", "reopened", promise=f"a reader that reopens: {PREFIX}")
log("append-tail-large", (3000, 40000), "kept", "tail", promise=f"the same with records of several pages: {PREFIX}")
log("append-stat", (20, 400), "kept", "stat", promise=f"a reader of the size by stat: {PREFIX}")
log("append-fstat", (20, 400), "reopened", "fstat", promise=f"a reader of the size by fstat: {PREFIX}")
log("append-end", (20, 400), "kept", "end", promise=f"a reader of the size by SEEK_END: {PREFIX}")
