"""Processes that work in a mount and check what they find, while a test kills things around them.

Each worker has a directory of its own and a record of what was acknowledged there (libacknowledged.py). A call that does not
return in time is seen from outside: nothing may hang. Every failed call is reported with its errno; the test says which
it expects.
"""

import argparse
import errno
import multiprocessing
import os
import random
import signal
import sys
import time
import traceback

from libacknowledged import UNIT, DirectoryRecord, FileRecord, units
from libcluster import CAIRN

KINDS = ("create", "write", "fsync", "append", "rename", "unlink", "truncate")
MOUNT_DIED = (errno.ENOTCONN, errno.ECONNABORTED)  # what a call gets whose daemon was killed
DEADLINE = 60  # seconds that one call may take while servers come and go
MOST_FILES = 8
MOST_UNITS = 160  # 80 KiB: larger than a stripe of the small cells that the tests use


class Worker:
    """In its own process."""

    def __init__(self, directory, seed, ids):
        self.directory = directory
        self.random = random.Random(seed)
        self.record = DirectoryRecord()
        self.next_id = ids
        self.version = 0
        os.makedirs(directory, exist_ok=True)

    def path(self, name):
        return os.path.join(self.directory, name)

    def a_file(self):
        names = [name for name, file in sorted(self.record.names.items()) if not file.unsure]
        return self.random.choice(names) if names else None

    def step(self, kind):
        """One call of this kind, with those that it needs."""
        if self.record.maybe is not None:
            return  # a name is in doubt until a fresh look
        if kind == "create" and len(self.record.names) >= MOST_FILES:
            self.unlink()
        if kind == "create" or self.a_file() is None:
            return self.create()
        getattr(self, kind)()

    def create(self):
        self.next_id += 1
        name = f"f{self.next_id}"
        file = FileRecord(self.next_id)
        self.record.begin({**self.record.names, name: file})
        descriptor = os.open(self.path(name), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        try:
            self.record.done()
            self.put(file, descriptor, 0, self.random.choice((1, 3, 9, 40)))
        finally:
            os.close(descriptor)

    def put(self, file, descriptor, position, count, append=False):
        self.version += 1
        versions = [self.version] * count
        old = file.states[-1]
        state = old[:position] + [0] * (position - len(old)) + versions + old[position + count:]
        file.begin(state, (position, versions))
        data = units(file.file_id, position, versions)
        try:
            done = os.write(descriptor, data) if append else os.pwrite(descriptor, data, position * UNIT)
            if done != len(data):
                raise OSError(errno.EIO, f"{done} of {len(data)} bytes were written")
        except OSError:
            file.unsure = True
            raise
        file.done()

    def on_file(self, flags, change):
        name = self.a_file()
        file = self.record.names[name]
        descriptor = os.open(self.path(name), flags)
        try:
            change(file, descriptor)
        finally:
            os.close(descriptor)

    def write(self):
        def change(file, descriptor):
            position = self.random.randrange(len(file.live) + 8)
            self.put(file, descriptor, position, min(self.random.choice((1, 2, 8, 33, 120)), MOST_UNITS - min(position, MOST_UNITS - 1)))
        self.on_file(os.O_WRONLY, change)

    def append(self):
        if any(len(file.live) > MOST_UNITS for file in self.record.names.values()):
            return self.truncate()

        def change(file, descriptor):
            self.put(file, descriptor, len(file.live), self.random.choice((1, 1, 4, 20)), append=True)
        self.on_file(os.O_WRONLY | os.O_APPEND, change)
        self.sync_file(self.a_file())

    def truncate(self):
        def change(file, descriptor):
            size = self.random.randrange(len(file.live) + 4)
            file.begin(file.states[-1][:size] + [0] * max(0, size - len(file.states[-1])))
            try:
                os.ftruncate(descriptor, size * UNIT)
            except OSError:
                file.unsure = True
                raise
            file.done()
        self.on_file(os.O_WRONLY, change)

    def fsync(self):
        if self.random.randrange(2):
            self.write()
        self.sync_file(self.a_file())

    def sync_file(self, name):
        file = self.record.names[name]
        descriptor = os.open(self.path(name), os.O_RDWR)
        try:
            self.random.choice((os.fsync, os.fdatasync))(descriptor)
            file.synced()
        except OSError:
            file.unsure = True
            raise
        finally:
            os.close(descriptor)

    def rename(self):
        source = self.a_file()
        others = [name for name in sorted(self.record.names) if name != source]
        self.next_id += 1
        target = self.random.choice(others) if others and self.random.randrange(3) == 0 else f"r{self.next_id}"
        changed = {name: file for name, file in self.record.names.items() if name != source}
        changed[target] = self.record.names[source]
        self.record.begin(changed)
        os.rename(self.path(source), self.path(target))
        self.record.done()

    def unlink(self):
        name = self.a_file()
        self.record.begin({other: file for other, file in self.record.names.items() if other != name})
        os.unlink(self.path(name))
        self.record.done()

    def read(self):
        """Right bytes, or EIO: more servers than m may be away just now. verify() is not so lenient."""
        name = self.a_file()
        try:
            data = self.content(name)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return
        self.require(name, self.record.names[name].check_live(data))

    def content(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def require(self, what, problems):
        if problems:
            raise AssertionError(f"{self.directory}/{what}: " + "; ".join(problems[:5]))

    def verify(self, after):
        """Looks at everything. after: "nothing": as it was written, but perhaps not durable; "flush": as it was written;
        "crash": bytes that were not synced may be old or new."""
        self.require("", self.record.check(os.listdir(self.directory)))
        for name, file in self.record.names.items():
            if after == "nothing" and file.unsure:
                continue
            data = self.content(name)
            exact = after != "crash" and not file.unsure
            self.require(name, file.check_live(data) if exact else file.check_after_crash(data))
            if after != "nothing":
                file.settle(data)
        return len(self.record.names)


def serve(worker_arguments, pipe, progress):
    """The body of a worker's process: obeys its pipe."""
    worker = None
    while True:
        try:
            word, argument = pipe.recv()
        except EOFError:
            return
        if word == "stop":
            continue  # it had come to its end already
        try:
            if worker is None:
                worker = Worker(*worker_arguments)
            if word == "run":
                answer = run(worker, argument, pipe, progress)
            else:
                progress[0] = time.monotonic()
                answer = getattr(worker, word)(*argument)
            progress[0] = 0
            pipe.send(("ok", answer))
        except OSError as error:
            progress[0] = 0
            pipe.send(("errno", (error.errno, traceback.format_exc(limit=-4))))
        except Exception:  # a wrong byte, or a mistake in the test: the process that asked says it
            progress[0] = 0
            pipe.send(("wrong", traceback.format_exc(limit=3)))


def run(worker, kinds, pipe, progress):
    """Steps of these kinds until another word comes, or so many as there are kinds."""
    endless, steps = isinstance(kinds, tuple), 0
    while not pipe.poll(0) and (endless or steps < len(kinds)):
        kind = worker.random.choice(kinds) if endless else kinds[steps]
        progress[0] = time.monotonic()
        worker.step(kind)
        progress[1] += 1
        if endless and steps % 7 == 0 and worker.a_file():
            worker.read()
        steps += 1
    if pipe.poll(0):
        pipe.recv()  # "stop"


class Hands:
    """A worker as the test sees it."""

    def __init__(self, directory, seed, ids=0):
        forked = multiprocessing.get_context("fork")
        self.pipe, theirs = forked.Pipe()
        self.progress = forked.Array("d", 2)  # when the present call began, 0: none is under way; steps so far
        self.process = forked.Process(target=serve, args=((directory, seed, ids), theirs, self.progress), daemon=True)
        self.process.start()
        theirs.close()
        self.directory = directory
        self.busy = False

    def begin(self, word, *arguments):
        assert not self.busy, "one word at a time"
        self.busy = True
        self.pipe.send((word, arguments if word != "run" else arguments[0]))

    def stop(self):
        if self.busy and not self.pipe.poll(0):
            self.pipe.send(("stop", ()))

    def finished(self):
        return not self.busy or self.pipe.poll(0)

    def steps(self):
        return int(self.progress[1])

    def hung(self):
        began = self.progress[0]
        return began != 0 and time.monotonic() - began > DEADLINE

    def end(self, expected=()):
        """Waits for the answer. An errno is given back if the test expects it; wrong bytes and hanging calls never are."""
        assert self.busy, "nothing was begun"
        while not self.pipe.poll(0.2):
            if self.hung():
                raise AssertionError(f"a call in {self.directory} has not returned for {DEADLINE} s")
            if not self.process.is_alive():
                raise AssertionError(f"the worker of {self.directory} has died")
        self.busy = False
        kind, answer = self.pipe.recv()
        if kind == "ok":
            return answer
        if kind == "errno" and answer[0] in expected:
            return OSError(*answer)
        raise AssertionError(f"{self.directory}: {answer if kind == 'wrong' else answer[1]}")

    def do(self, word, *arguments, expected=()):
        self.begin(word, *arguments)
        return self.end(expected)

    def close(self):
        self.process.kill()
        self.process.join(5)


def seeded_main(description, make_run, **options):
    """The program of a run that chooses at random: --seed N plays it again, and what it started is always ended.

    options: further ones by name, each with its default. make_run(seed, **options) gives what has run() and close(good).
    """
    arguments = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "little"))
    for name, default in options.items():
        arguments.add_argument(f"--{name}", type=str if default is None else type(default), default=default)
    chosen = arguments.parse_args()
    if not os.access(CAIRN, os.X_OK):
        sys.exit(f"{CAIRN} is not there: build it, or name the folder of the binaries in CAIRN_BIN")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    print(f"{os.path.basename(sys.argv[0])} --seed {chosen.seed}", flush=True)
    run = make_run(**vars(chosen))
    good = False
    try:
        run.run()
        good = True
    finally:
        run.close(good)
