#!/usr/bin/env python3
"""A mount that the network cuts off: it stops serving what may be old before its lease ends, says why, and works again afterwards.

It cannot be told that another mount wants to change what it has in memory. So the other mount waits until the session is over, and by
then the one that is cut off must not answer from memory any more.
"""

import contextlib
import errno
import fcntl
import json
import multiprocessing
import os
import re
import time
import unittest

from libcluster import main, read_file, scaled, wait_until, write_file
from libcoherence.history import Operation, explain
from libnetwork import CutCluster

TTL = 4          # seconds of a session
SLACK = 8        # more than that, for a slow machine, is too long
RECOVERS = 45    # seconds after which the mount must work again
# One line that names the session or the metaserver, and what is the matter with it.
SAYS_WHY = re.compile(r"(session|lease|metaserver)[^\n]*(over|end|expired|lost|not answer|no answer|unreachable|cannot|renew|silent|dropp|timed out)", re.I)
LOOKS = ("pread", "open", "size", "listed", "target")


class Reader:
    """A process that looks at the value all the time, in one way. It writes what it saw to a file: it may hang for as long as it likes."""

    def __init__(self, who, directory, how, record):
        self.who, self.directory, self.how, self.record = who, directory, how, record
        forked = multiprocessing.get_context("fork")
        self.ready = forked.Event()
        self.process = forked.Process(target=self.work, daemon=True)
        self.process.start()
        assert self.ready.wait(30), f"{how} does not begin"

    def work(self):
        with open(self.record, "a", buffering=1, encoding="ascii") as record:
            descriptor = os.open(os.path.join(self.directory, "pread"), os.O_RDONLY)
            while True:
                start, value, error = time.monotonic(), None, None
                try:
                    value = self.look(descriptor)
                except OSError as failure:
                    error = errno.errorcode.get(failure.errno, str(failure.errno))
                except ValueError as failure:
                    error = f"wrong: {failure}"
                record.write(json.dumps([start, time.monotonic(), value, error]) + "\n")
                self.ready.set()
                time.sleep(0.01)

    def look(self, descriptor):
        path = os.path.join(self.directory, self.how)
        if self.how == "pread":
            return int(os.pread(descriptor, 8, 0))
        if self.how == "open":
            return int(read_file(path))
        if self.how == "size":
            return os.stat(path).st_size
        if self.how == "target":
            return int(os.readlink(path))
        return max(int(name) for name in os.listdir(path))

    def seen(self):
        """[(start, end, value, error)]"""
        return [tuple(json.loads(line)) for line in read_file(self.record).decode().split("\n")[:-1]]

    def close(self):
        self.process.kill()
        self.process.join(5)


def prepare(directory):
    os.makedirs(os.path.join(directory, "listed"))
    write_file(os.path.join(directory, "pread"), b"%8d" % 0)
    write_file(os.path.join(directory, "open"), b"0")
    write_file(os.path.join(directory, "size"), b"")
    os.symlink("0", os.path.join(directory, "target"))
    write_file(os.path.join(directory, "listed/0"), b"")


def change(directory, how, value):
    """The value that is looked at in this way."""
    path = os.path.join(directory, how)
    if how == "pread":
        with open(path, "r+b", buffering=0) as file:
            file.write(b"%8d" % value)
    elif how == "open":
        write_file(path + ".new", b"%d" % value, fsync=False)
        os.rename(path + ".new", path)
    elif how == "size":
        os.truncate(path, value)
    elif how == "target":
        os.symlink(str(value), path + ".new")
        os.rename(path + ".new", path)
    else:
        os.rename(os.path.join(path, str(value - 1)), os.path.join(path, str(value)))


def close(descriptor):
    """It may say again that something was lost, which is no news."""
    with contextlib.suppress(OSError):
        os.close(descriptor)


@unittest.skipUnless(os.geteuid() == 0, "a network namespace needs root")
class CutOffTest(unittest.TestCase):
    def setUp(self):
        self.cluster = CutCluster(TTL)
        self.addCleanup(self.cluster.close)
        self.addCleanup(self.show_logs)
        self.here = os.path.join(self.cluster.mount, "d")
        self.cut_off = os.path.join(self.cluster.second, "d")
        prepare(self.here)
        wait_until(lambda: os.path.exists(os.path.join(self.cut_off, "listed/0")), "the second mount sees the directory")
        self.values = {how: 0 for how in LOOKS}
        self.writes = {how: [] for how in LOOKS}

    def show_logs(self):
        if not self._outcome.success:
            for who in ("metaserver", "mount", "second"):
                with contextlib.suppress(OSError):
                    print(f"--- {who}", *self.cluster.log_text(who).splitlines()[-15:], sep="\n    ")

    def readers(self, how=LOOKS):
        started = []
        for one in how:
            started.append(Reader("the mount that was cut off", self.cut_off, one, os.path.join(self.cluster.base, f"seen-{one}")))
            self.addCleanup(started[-1].close)
        return started

    def change_all(self):
        """The longest time of one change."""
        longest = 0.0
        for how in LOOKS:
            start = time.monotonic()
            change(self.here, how, self.values[how] + 1)
            end = time.monotonic()
            self.values[how] += 1
            self.writes[how].append(Operation(start, end, "the other mount", "write", self.values[how]))
            longest = max(longest, end - start)
        return longest

    def never_contradicted(self, readers):
        """What was read has an order with all changes: nothing old after a change had returned. Errors and waiting are answers too."""
        for reader in readers:
            seen = reader.seen()
            self.assertEqual([one for one in seen if one[3] and one[3].startswith("wrong")], [], f"nonsense was read by {reader.how}")
            reads = [Operation(start, end, reader.who, "read", value) for start, end, value, error in seen if error is None]
            wrong = explain(self.writes[reader.how] + reads, 0)
            self.assertIsNone(wrong, f"by {reader.how}: {wrong}")

    def works_again(self, readers):
        """Without a new mount: each reader sees the newest value."""
        healed = time.monotonic()
        for reader in readers:
            wait_until(lambda: any(start > healed and value == self.values[reader.how] for start, _, value, _ in reader.seen()[-50:]),
                       f"the mount that was cut off sees the newest value by {reader.how} again", RECOVERS)
        print(f"(works again after {time.monotonic() - healed:.1f} s)", end=" ", flush=True)
        write_file(os.path.join(self.cut_off, "made-afterwards"), b"new")
        self.assertEqual(read_file(os.path.join(self.here, "made-afterwards")), b"new")

    def cut_and_change(self, cut, heal):
        readers = self.readers()
        for _ in range(3):
            self.change_all()
        cut()
        longest = self.change_all()
        print(f"(the other mount waited {longest:.1f} s)", end=" ", flush=True)
        self.assertLess(longest, TTL + SLACK, "other mounts go on when the session is over")
        wait_until(lambda: self.sessions() == 1, "`cairn status` no longer lists the mount that is cut off", TTL + SLACK)
        ends = time.monotonic() + scaled(TTL, 5 * TTL)
        quick = 0.0
        while time.monotonic() < ends:
            quick = max(quick, self.change_all())
            time.sleep(0.1)
        self.assertLess(quick, TTL, "a session that is over holds nobody up any more")
        during = {reader.how: reader.seen()[-1] for reader in readers}
        self.never_contradicted(readers)
        wait_until(lambda: SAYS_WHY.search(self.cluster.log_text("second")), f"the log of the mount says why its programs got {during}", TTL + SLACK)
        heal()
        self.works_again(readers)
        for _ in range(3):
            self.change_all()
        self.works_again(readers)
        self.never_contradicted(readers)

    def test_packets_are_lost(self):
        self.cut_and_change(self.cluster.link.cut, self.cluster.link.heal)

    def test_the_interface_is_down(self):
        self.cut_and_change(self.cluster.link.take_down, self.cluster.link.bring_up)

    def test_a_short_cut_costs_nothing(self):
        """Shorter than the session: calls wait, none fails, and nothing is contradicted."""
        readers = self.readers()
        for _ in range(scaled(2, 10)):
            self.change_all()
            self.cluster.link.cut()
            healed = time.monotonic() + TTL / 4
            wait_until(lambda: time.monotonic() > healed, "a quarter of the session has passed")
            self.cluster.link.heal()
            self.change_all()
            self.works_again(readers)
        self.never_contradicted(readers)
        for reader in readers:
            self.assertEqual([one for one in reader.seen() if one[3]], [], f"an error of {reader.how}")

    def test_what_was_dirty_is_not_replayed(self):
        """The other mount changes the file after the session has ended: that stays, and fsync tells the loser."""
        paths = [os.path.join(where, "both") for where in (self.cut_off, self.here)]
        write_file(paths[1], b"0" * 10_000)
        self.assertEqual(read_file(paths[0]), b"0" * 10_000)
        descriptor = os.open(paths[0], os.O_RDWR)
        self.addCleanup(close, descriptor)
        os.pwrite(descriptor, b"1" * 10_000, 0)
        self.cluster.link.cut()
        wait_until(lambda: self.sessions() == 1, "the session is over", TTL + SLACK)
        write_file(paths[1], b"2" * 10_000)
        self.cluster.link.heal()
        outcome = 0
        try:
            os.fsync(descriptor)
        except OSError as error:
            outcome = error.errno
        # 0 only if it was flushed before the link was cut.
        self.assertIn(outcome, (0, errno.EIO), "fsync of what was dirty")
        print(f"(fsync: {os.strerror(outcome)})", end=" ", flush=True)
        wait_until(lambda: self.readable(paths[0]) == b"2" * 10_000, "the mount that was cut off reads what the other wrote", RECOVERS)
        settled = time.monotonic() + 6   # longer than anything stays dirty: now it would have been written
        wait_until(lambda: time.monotonic() > settled, "nothing stays dirty so long")
        self.assertEqual([read_file(path) for path in paths], [b"2" * 10_000] * 2)

    def sessions(self):
        return sum(one["mount"] for one in json.loads(self.cluster.status_text())["sessions"])  # the workers have theirs, too

    @staticmethod
    def readable(path):
        try:
            return read_file(path)
        except OSError:
            return None

    def test_locks_of_a_mount_that_is_cut_off_are_free_when_its_session_is_over(self):
        path = os.path.join(self.here, "lock")
        write_file(path, b"")
        wait_until(lambda: os.path.exists(os.path.join(self.cut_off, "lock")), "the file is seen")
        holder = os.open(os.path.join(self.cut_off, "lock"), os.O_RDWR)
        self.addCleanup(close, holder)
        fcntl.flock(holder, fcntl.LOCK_EX)
        mine = os.open(path, os.O_RDWR)
        self.addCleanup(close, mine)
        with self.assertRaises(BlockingIOError):
            fcntl.flock(mine, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.cluster.link.cut()
        started = time.monotonic()
        wait_until(lambda: self.locked(mine), "the lock is free", TTL + SLACK)
        print(f"(free after {time.monotonic() - started:.1f} s)", end=" ", flush=True)
        self.cluster.link.heal()

    @staticmethod
    def locked(descriptor):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            return False


if __name__ == "__main__":
    main()
