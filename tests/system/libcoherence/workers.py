"""Processes on both sides that act at the same moment.

A worker keeps what it opened between one piece of work and the next, in me.kept. The work is a function of a module, work(me, ...): its
name goes through a pipe. Whoever does not answer in time is reported with the call that it is in.
"""

import mmap
import multiprocessing
import os
import random
import signal
import time
import traceback

from . import calls
from .hand import Hand, Present, Story

DEADLINE = 60   # seconds that one piece of work may take


class Wrong(AssertionError):
    """A check failed; the text is the counterexample."""


class Me:
    """What a worker's code sees."""

    def __init__(self, name, side, index, directory, seed, barrier, board, present):
        self.name, self.side, self.index, self.directory = name, side, index, directory
        self.random = random.Random(seed)
        self.barrier = barrier
        self.board = board   # bytes that all workers of the crew share
        self.kept = {}
        self.hand = Hand(name, directory, Story(), present)

    def path(self, name):
        return os.path.join(self.directory, name)

    def together(self):
        """Returns in all workers at the same moment."""
        self.barrier.wait(DEADLINE)


def serve(me, pipe):
    calls.die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        try:
            work, arguments = pipe.recv()
        except EOFError:
            return
        me.hand.story = Story()
        try:
            answer = ("ok", work(me, *arguments))
        except (Wrong, OSError) as error:
            me.barrier.abort()
            answer = ("wrong", f"{me.name}: {error}\n" + "\n".join(me.hand.story.lines))
        except Exception as error:
            me.barrier.abort()
            secondary = type(error).__name__ == "BrokenBarrierError"
            answer = ("broken" if secondary else "wrong", f"{me.name}: {traceback.format_exc(limit=-3)}")
        pipe.send(answer)


class Worker:
    def __init__(self, name, side, index, directory, seed, barrier, board):
        forked = multiprocessing.get_context("fork")
        self.name, self.side, self.index = name, side, index
        self.present = Present()
        self.pipe, theirs = forked.Pipe()
        me = Me(name, side, index, directory, seed, barrier, board, self.present)
        self.process = forked.Process(target=serve, args=(me, theirs))
        self.process.start()
        theirs.close()

    def begin(self, work, *arguments):
        self.pipe.send((work, arguments))

    def has_ended(self):
        """The work that was begun."""
        return self.pipe.poll(0)

    def answer(self, seconds=DEADLINE):
        if not self.pipe.poll(seconds):
            raise Wrong(f"{self.name} has not returned for {seconds} s from {self.present.get() or 'its work'}")
        try:
            return self.pipe.recv()
        except (EOFError, ConnectionResetError):
            raise Wrong(f"the process {self.name} has died") from None

    def end(self, seconds=DEADLINE):
        kind, answer = self.answer(seconds)
        if kind != "ok":
            raise Wrong(answer)
        return answer

    def do(self, work, *arguments):
        self.begin(work, *arguments)
        return self.end()

    def kill(self):
        """Returns when it is gone, and with it what it had open."""
        self.process.kill()
        self.process.join(DEADLINE)


class Crew:
    """per_side workers on A and as many on B; A0, A1, ... B0, B1."""

    def __init__(self, sides, per_side, seed):
        self.barrier = multiprocessing.get_context("fork").Barrier(2 * per_side)
        self.board = mmap.mmap(-1, 4096)
        self.workers = []
        for number in range(2 * per_side):   # sides in turns, so that the first two are of both
            side = number % 2
            name = f"{'AB'[side]}{number // 2}"
            self.workers.append(Worker(name, side, number, sides[side], seed * 1000 + number, self.barrier, self.board))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for worker in self.workers:
            worker.process.kill()
        ends = time.monotonic() + 10
        for worker in self.workers:
            worker.process.join(max(0.1, ends - time.monotonic()))
            worker.pipe.close()

    def all(self, work, *arguments):
        """The answers of all who did this at the same time."""
        return self.each([(work, *arguments)] * len(self.workers))

    def each(self, works):
        """works: one (work, arguments...) for each worker."""
        for worker, words in zip(self.workers, works):
            worker.begin(*words)
        answers = [worker.answer() for worker in self.workers]
        for kind in ("wrong", "broken"):
            for got, text in answers:
                if got == kind:
                    raise Wrong(text)
        return [answer for _, answer in answers]
