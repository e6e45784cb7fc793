"""What was acknowledged, written down beside the system: which content and which names a directory may have.

A file is a row of units of 512 bytes. Each says whose it is (file, position, version), so that a unit that is lost,
swapped, stale or invented is told from a right one. What a call may change is written down before the call:

  begin a change --> both the old and the new state may be found after a crash --> its sync is answered --> only the new

Pure: nothing here touches a file. Judge.problems() is the verdict.
"""

import hashlib
import struct

UNIT = 512
MAGIC = b"CAIRNACK"
ZERO = 0  # the version of a unit of zeros: a hole
BAD = -1  # of a unit that nobody wrote


def unit(file_id, position, version):
    if version == ZERO:
        return bytes(UNIT)
    head = MAGIC + struct.pack("<QQQ", file_id, position, version)
    return (head + hashlib.sha256(head).digest() * 15)[:UNIT]


def units(file_id, first, versions):
    return b"".join(unit(file_id, first + i, version) for i, version in enumerate(versions))


def version_of(piece, file_id, position):
    """The version that these bytes claim and prove, or BAD."""
    if piece == bytes(UNIT):
        return ZERO
    version = struct.unpack_from("<Q", piece, 24)[0] if len(piece) == UNIT else 0
    return version if version != ZERO and piece == unit(file_id, position, version) else BAD


class FileRecord:
    """One file: what readers of a living mount see, and what may be found after a crash."""

    def __init__(self, file_id):
        self.file_id = file_id
        self.live = []  # the version of each unit
        self.states = [[]]  # those that may be durable, the oldest first; the last one is what is live
        self.writes = []  # (position, versions) of those since the oldest state
        self.unsure = False  # a call failed: what is live is not known until somebody looks

    def begin(self, state, write=None):
        self.states.append(state)
        if write:
            self.writes.append(write)

    def done(self):
        self.live = self.states[-1]

    def synced(self):
        self.live = self.states[-1]
        self.states, self.writes = [self.live], []

    def content(self):
        return units(self.file_id, 0, self.live)

    def look(self, data):
        """The versions in these bytes, and what is wrong with them by themselves."""
        wrong = [f"{len(data)} bytes are no whole number of units"] if len(data) % UNIT else []
        found = [version_of(data[at:at + UNIT], self.file_id, at // UNIT) for at in range(0, len(data) - len(data) % UNIT, UNIT)]
        wrong += [f"unit {i} was never written: {data[i * UNIT:i * UNIT + 40]!r}" for i, version in enumerate(found) if version == BAD]
        return found, wrong

    def check_live(self, data):
        found, wrong = self.look(data)
        if not wrong and found != self.live:
            wrong.append(f"has versions {found}, and {self.live} were written")
        return wrong

    def check_after_crash(self, data):
        found, wrong = self.look(data)
        if wrong:
            return wrong
        if len(found) not in {len(state) for state in self.states}:
            wrong.append(f"has {len(found)} units; allowed: {sorted({len(state) for state in self.states})}")
        for i, version in enumerate(found):
            allowed = {state[i] if i < len(state) else ZERO for state in self.states}
            if version not in allowed:
                wrong.append(f"unit {i} has version {version}; allowed: {sorted(allowed)}")
        return wrong + self.torn_writes(found)

    def torn_writes(self, found):
        """A write is there as a whole or not at all, where nothing later hides it."""
        wrong = []
        for number, (position, versions) in enumerate(self.writes):
            place = next(i for i, state in enumerate(self.states) if state[position:position + len(versions)] == versions)
            after = self.states[place:]
            plain = [i for i, version in enumerate(versions, position) if all(i < len(state) and state[i] == version for state in after)]
            there = {i < len(found) and found[i] == versions[i - position] for i in plain}
            if len(there) > 1:
                wrong.append(f"write {number} of {len(versions)} units at {position} is torn: {found[position:position + len(versions)]}")
        return wrong

    def settle(self, data):
        """What was found after a crash is what it is from now on."""
        self.live = self.look(data)[0]
        self.states, self.writes, self.unsure = [self.live], [], False


class DirectoryRecord:
    """The names of one directory; each change of them is durable when its call returns."""

    def __init__(self):
        self.names = {}  # name -> FileRecord
        self.maybe = None  # the names as a call would leave them that has not returned, or that failed

    def begin(self, changed):
        self.maybe = changed

    def done(self):
        self.names, self.maybe = self.maybe, None

    def check(self, found):
        """What is wrong with these names; settles which of two possible states it is."""
        if self.maybe is not None and set(found) == set(self.maybe) != set(self.names):
            self.done()
        if set(found) == set(self.names):
            self.maybe = None
            return []
        missing, strange = sorted(set(self.names) - set(found)), sorted(set(found) - set(self.names))
        other = f"; or else {sorted(self.maybe)}" if self.maybe is not None else ""
        return [f"names are missing: {missing}, nobody made: {strange}{other}"]
