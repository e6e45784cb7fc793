"""Is there an order of these operations that explains every answer, and that keeps what really came one after the other?

The search of Wing and Gong with Lowe's memory of places already seen. Times are those of CLOCK_MONOTONIC, which all processes share: an
operation took effect at one moment between its start and its end, so one that had ended before another began comes first.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Operation:
    start: float
    end: float
    who: str         # of which mount and process, as A1
    kind: str        # what the machine below makes of it
    value: object    # written, or read

    def text(self, zero):
        return f"{(self.start - zero) * 1000:10.3f} .. {(self.end - zero) * 1000:10.3f} ms  {self.who:4} {self.kind:6} {self.value}"


class Register:
    """write(value), read() -> value."""

    @staticmethod
    def step(state, operation):
        """(Can it be answered so in this state? The state afterwards.)"""
        if operation.kind == "write":
            return True, operation.value
        return operation.value == state, state


class Counter:
    """add(amount), read() -> sum. For a number of links."""

    @staticmethod
    def step(state, operation):
        if operation.kind == "add":
            return True, state + operation.value
        return operation.value == state, state


def stuck(operations, initial, machine=Register):
    """None if an order explains them all. Else (how many could be ordered, those of which none can be the next)."""
    ordered = sorted(operations, key=lambda one: one.start)
    furthest, blocked = -1, []
    stack, seen = [(0, 0, initial)], set()   # the first one that is not ordered yet; bits of those after it that are; the state
    while stack:
        first, mask, state = stack.pop()
        while mask & 1:
            first, mask = first + 1, mask >> 1
        if (first, mask, state) in seen:
            continue
        seen.add((first, mask, state))
        if first == len(ordered):
            return None
        candidates = next_ones(ordered, first, mask)
        done = first + mask.bit_count()
        if done > furthest:
            furthest, blocked = done, [ordered[index] for index in candidates]
        for index in candidates:
            fits, after = machine.step(state, ordered[index])
            if fits:
                stack.append((first, mask | 1 << (index - first), after))
    return furthest, blocked


def next_ones(ordered, first, mask):
    """Indexes of operations that began before any other one of the rest had ended."""
    gathered, earliest_end = [], math.inf
    for index in range(first, len(ordered)):
        if ordered[index].start > earliest_end:
            break
        if not mask >> (index - first) & 1:
            gathered.append(index)
            earliest_end = min(earliest_end, ordered[index].end)
    return [index for index in gathered if ordered[index].start <= earliest_end]


def explain(operations, initial, machine=Register):
    """None, or a counterexample for a person."""
    found = stuck(operations, initial, machine)
    if found is None:
        return None
    _, blocked = found
    ordered = sorted(operations, key=lambda one: one.start)
    zero, last = ordered[0].start, max(one.end for one in blocked)
    shown = [one for one in ordered if one.start <= last][-24:]
    lines = [reason(ordered, initial) if machine is Register else "no order of the operations explains what was read"]
    lines += [f"it began with {initial}"]
    lines += [one.text(zero) + ("   <- none of these can be the next" if one in blocked else "") for one in shown]
    return "\n".join(lines)


def reason(ordered, initial):
    """The plain cases in words: a read of what nobody wrote, of the future, or of the past."""
    writes = {one.value: one for one in ordered if one.kind == "write"}
    reads = [one for one in ordered if one.kind == "read"]
    for read in reads:
        written = writes.get(read.value)
        if written is None and read.value != initial:
            return f"{read.who} read {read.value}, which nobody wrote"
        if written is not None and written.start > read.end:
            return f"{read.who} read {read.value} before {written.who} began to write it"
        since = written.end if written else -math.inf
        for newer in writes.values():
            if newer.start > since and newer.end < read.start:
                late = (read.start - newer.end) * 1000
                return f"{read.who} read {read.value}, although {newer.who} had written {newer.value} and returned {late:.3f} ms before"
    for read in reads:
        for earlier in reads:
            old, new = writes.get(read.value), writes.get(earlier.value)
            if earlier.end < read.start and new and (old is None or old.end < new.start) and read.value != earlier.value:
                return f"{read.who} read {read.value} after {earlier.who} had read the newer {earlier.value}"
    return "no order of the operations explains what was read"


@dataclass(frozen=True)
class Append:
    start: float
    end: float
    who: str
    record: object   # its name, unique
    length: int


@dataclass(frozen=True)
class Look:
    start: float
    end: float
    who: str
    size: int        # bytes that were there


def explain_log(appends, looks, places):
    """places: {record: its offset in the log at the end}. None, or what contradicts a log to which whole records are added."""
    for one in appends:
        if one.record not in places:
            return f"{one.who} appended record {one.record} ({one.length} bytes) and returned, but it is not in the log"
    extra = set(places) - {one.record for one in appends}
    if extra:
        return f"records are in the log that nobody appended: {sorted(extra)[:3]}"
    return out_of_order(appends, places) or wrong_look(appends, looks, places)


def out_of_order(appends, places):
    """One that had ended before another began lies before it."""
    by_end = sorted(appends, key=lambda one: one.end)
    ended, furthest = 0, None   # the one of the ended ones that lies last
    for one in sorted(appends, key=lambda one: one.start):
        while ended < len(by_end) and by_end[ended].end < one.start:
            if furthest is None or places[by_end[ended].record] > places[furthest.record]:
                furthest = by_end[ended]
            ended += 1
        if furthest is not None and places[furthest.record] > places[one.record]:
            late = (one.start - furthest.end) * 1000
            return (f"{one.who} appended {one.record} at {places[one.record]}, before {furthest.record} of {furthest.who} at "
                    f"{places[furthest.record]}, which had returned {late:.3f} ms earlier")
    return None


def wrong_look(appends, looks, places):
    """All that had ended is seen, nothing that had not begun, and never less than before."""
    longest = 0
    for look in sorted(looks, key=lambda one: one.start):
        for one in appends:
            end = places[one.record] + one.length
            if one.end < look.start and look.size < end:
                return (f"{look.who} saw {look.size} bytes, although {one.who} had appended up to {end} and returned "
                        f"{(look.start - one.end) * 1000:.3f} ms before")
            if one.start > look.end and look.size > places[one.record]:
                return f"{look.who} saw {look.size} bytes, more than {places[one.record]}, where {one.who} began to append only later"
    by_end = sorted(looks, key=lambda one: one.end)
    ended = 0
    for look in sorted(looks, key=lambda one: one.start):
        while ended < len(by_end) and by_end[ended].end < look.start:
            longest = max(longest, by_end[ended].size)
            ended += 1
        if look.size < longest:
            return f"{look.who} saw {look.size} bytes after {longest} had been seen"
    return None
