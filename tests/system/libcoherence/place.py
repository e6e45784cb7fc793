"""What a check gets: the same directory by two ways, time to use, and a way to say what was wrong.

  @check
  def created_is_seen(place):
      \"\"\"One sentence: what must hold.\"\"\"
      for here, there in place.turns():      # hands of A and B, then of B and A, ...
          ...
          place.expect(there.exists("name"), "the new file is not there")
"""

import os
import random
import time

from .hand import Hand, Present, Story
from .workers import Crew, Wrong

CHECKS = {}   # name: Check, in the order of their definition


class Skipped(Exception):
    """Not promised here; the text says why."""


class Check:
    def __init__(self, name, run, promise, long):
        self.name, self.run, self.promise, self.long = name, run, promise, long


def check(run=None, *, name=None, promise=None, long=False):
    """Registers it under its name. long: not in the quick run."""
    def register(function):
        word = name or function.__name__.replace("_", "-")
        assert word not in CHECKS, word
        CHECKS[word] = Check(word, function, (promise or function.__doc__ or "").strip().split("\n")[0], long)
        return function
    return register(run) if run else register


def filesystem_type(path):
    """As mounted: ext4, fuse.cairnfs, ..."""
    best, found = -1, ""
    with open("/proc/self/mountinfo") as table:
        for line in table:
            fields = line.split()
            point = fields[4].encode().decode("unicode_escape")
            inside = os.path.realpath(path) + "/"
            if inside.startswith(point.rstrip("/") + "/") and len(point) >= best:
                best, found = len(point), fields[fields.index("-") + 1]
    return found


class Place:
    def __init__(self, a, b, seed, seconds, rounds, per_side):
        self.sides = (a, b)
        self.seed, self.seconds, self.most_rounds, self.per_side = seed, seconds, rounds, per_side
        self.random = random.Random(seed)
        self.story = Story()
        self.present = Present()
        self.a, self.b = (Hand(name, side, self.story, self.present) for name, side in zip("AB", self.sides))
        self.done = 0   # rounds

    def rounds(self):
        """0, 1, 2, ... until the time is used or so many were asked for; at least two: one in each direction."""
        ends = time.monotonic() + self.seconds
        while self.done < (self.most_rounds or 2) or (not self.most_rounds and time.monotonic() < ends):
            self.done += 1
            yield self.done - 1

    def turns(self):
        """(the hand that acts, the hand that looks), the sides in turns."""
        for number in self.rounds():
            yield (self.a, self.b) if number % 2 == 0 else (self.b, self.a)

    def new(self, prefix="f"):
        """A name for this round."""
        return f"{prefix}{self.done}"

    def crew(self, per_side=None):
        return Crew(self.sides, per_side or self.per_side, self.seed)

    def on_fuse(self):
        return all(filesystem_type(side).startswith("fuse") for side in self.sides)

    def expect(self, condition, sentence):
        if not condition:
            self.fail(sentence)

    def same(self, got, wanted, what):
        if got != wanted:
            self.fail(f"{what}: {shorten(got)} instead of {shorten(wanted)}{first_difference(got, wanted)}")

    def fail(self, sentence):
        raise Wrong("\n".join([f"round {self.done}: {sentence}", *self.story.lines]))

    def fails_with(self, number, call, *arguments):
        """The call is refused with this errno."""
        try:
            call(*arguments)
        except OSError as error:
            self.same(error.errno, number, "the errno")
            return
        self.fail(f"the last call was not refused ({os.strerror(number)})")


def shorten(value):
    text = repr(value)
    return text if len(text) < 200 else f"{text[:160]}... (length {len(value) if hasattr(value, '__len__') else '?'})"


def first_difference(got, wanted):
    if not isinstance(got, (bytes, bytearray)) or not isinstance(wanted, (bytes, bytearray)):
        return ""
    where = next((i for i, (x, y) in enumerate(zip(got, wanted)) if x != y), min(len(got), len(wanted)))
    return f"; lengths {len(got)} and {len(wanted)}, first difference at {where}: {bytes(got[where:where + 16])!r} {bytes(wanted[where:where + 16])!r}"
