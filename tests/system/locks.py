#!/usr/bin/env python3
"""flock, fcntl and OFD locks over two mounts of one cluster; and the same rules over two bind mounts of a local directory, which shows that
the test asks for what Linux does.

Each Hand is a process of its own that locks files under one of the two mounts and says how each call ended.
"""

import errno
import fcntl
import json
import multiprocessing
import os
import shutil
import signal
import struct
import subprocess
import tempfile
import threading
import time
import unittest

from libcluster import CAIRN, ClusterTest, ended, main, read_file, wait_until, write_file

TTL = 3  # seconds
WAITERS = 60
OFD_SETLK, OFD_SETLKW = 37, 38
FORMAT = "hhxxxxqqixxxx"  # struct flock
SHARED, EXCLUSIVE, FREE = fcntl.F_RDLCK, fcntl.F_WRLCK, fcntl.F_UNLCK
FLOCK = {SHARED: fcntl.LOCK_SH, EXCLUSIVE: fcntl.LOCK_EX, FREE: fcntl.LOCK_UN}


def lock(kind, descriptor, mode, start=0, length=0, wait=False):
    if kind == "flock":
        fcntl.flock(descriptor, FLOCK[mode] | (0 if wait else fcntl.LOCK_NB))
        return
    command = {("posix", False): fcntl.F_SETLK, ("posix", True): fcntl.F_SETLKW, ("ofd", False): OFD_SETLK, ("ofd", True): OFD_SETLKW}[kind, wait]
    fcntl.fcntl(descriptor, command, struct.pack(FORMAT, mode, os.SEEK_SET, start, length, 0))


def holder_of(descriptor, mode, start, length):
    """F_GETLK: the type, start, length and pid of what is in the way."""
    answer = fcntl.fcntl(descriptor, fcntl.F_GETLK, struct.pack(FORMAT, mode, os.SEEK_SET, start, length, 0))
    kind, _, start, length, pid = struct.unpack(FORMAT, answer)
    return kind, start, length, pid


class Signalled(Exception):
    pass


class Hand:
    def __init__(self, directory):
        forked = multiprocessing.get_context("fork")
        self.pipe, theirs = forked.Pipe()
        self.process = forked.Process(target=self.serve, args=(directory, theirs), daemon=True)
        self.process.start()
        self.pid = self.process.pid

    @staticmethod
    def serve(directory, pipe):
        def raise_it(*_):
            raise Signalled

        signal.signal(signal.SIGUSR1, raise_it)
        descriptors = {}
        while True:
            call, *arguments = pipe.recv()
            try:
                pipe.send(getattr(Calls, call)(directory, descriptors, *arguments))
            except OSError as error:
                pipe.send(errno.errorcode[error.errno])
            except Signalled:
                pipe.send("EINTR")

    def begin(self, call, *arguments):
        self.pipe.send((call, *arguments))

    def end(self, seconds=30):
        if not self.pipe.poll(seconds):
            raise AssertionError(f"a call did not return in {seconds} s")
        return self.pipe.recv()

    def do(self, call, *arguments):
        self.begin(call, *arguments)
        return self.end()

    def blocked(self):
        """Inside of flock or fcntl."""
        try:
            return read_file(f"/proc/{self.pid}/syscall").split()[0] in (b"72", b"73")
        except (OSError, IndexError):
            return False

    def kill(self):
        self.process.kill()
        self.process.join(10)


class Calls:
    """What a Hand can do. Descriptors have names."""

    @staticmethod
    def open(directory, descriptors, name, file="file"):
        descriptors[name] = os.open(os.path.join(directory, file), os.O_RDWR | os.O_CREAT, 0o644)

    @staticmethod
    def close(_, descriptors, name):
        os.close(descriptors.pop(name))

    @staticmethod
    def lock(_, descriptors, kind, name, *arguments):
        lock(kind, descriptors[name], *arguments)

    @staticmethod
    def holder(_, descriptors, name, *arguments):
        return holder_of(descriptors[name], *arguments)

    @staticmethod
    def count(directory, _, kind, counter, rounds):
        """Adds one to a local file under the lock, slowly enough that others would come in between."""
        descriptor = os.open(os.path.join(directory, "counted"), os.O_RDWR | os.O_CREAT, 0o644)
        for _ in range(rounds):
            lock(kind, descriptor, EXCLUSIVE, 5, 1, True)
            value = int(read_file(counter) or b"0")
            os.sched_yield()
            write_file(counter, str(value + 1).encode(), fsync=False)
            lock(kind, descriptor, FREE, 5, 1)
        os.close(descriptor)

    @staticmethod
    def crowd(directory, _, size):
        """So many threads that wait for an flock, each with a descriptor of its own; the number that got it."""
        got = []

        def one():
            descriptor = os.open(os.path.join(directory, "file"), os.O_RDWR)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            got.append(1)
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)

        threads = [threading.Thread(target=one) for _ in range(size)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return len(got)


class Rules:
    """What holds on any two paths to one directory: self.paths."""

    def hand(self, which):
        made = Hand(self.paths[which])
        self.addCleanup(made.kill)
        return made

    def hands(self):
        both = self.hand(0), self.hand(1)
        for one in both:
            self.assertIsNone(one.do("open", "f"))
        return both

    def setUp(self):
        write_file(os.path.join(self.paths[0], "file"), b"0" * 100, fsync=False)

    def wait_for_waiter(self, hand):
        wait_until(hand.blocked, "it waits")

    def test_counters_under_a_lock_miss_nothing(self):
        for kind in ("flock", "posix", "ofd"):
            with self.subTest(kind=kind):
                counter = os.path.join(self.scratch, f"counter-{kind}")
                write_file(counter, b"0")
                hands = [self.hand(i % 2) for i in range(6)]
                for one in hands:
                    one.begin("count", kind, counter, 25)
                for one in hands:
                    self.assertIsNone(one.end(60))
                self.assertEqual(int(read_file(counter)), 150)

    def test_locks_of_two_mounts_exclude_each_other_and_ranges_are_kept_byte_by_byte(self):
        a, b = self.hands()
        for kind in ("flock", "posix", "ofd"):
            with self.subTest(kind=kind):
                self.assertIsNone(a.do("lock", kind, "f", SHARED))
                self.assertIsNone(b.do("lock", kind, "f", SHARED))
                self.assertEqual(b.do("lock", kind, "f", EXCLUSIVE), "EAGAIN")
                a.do("lock", kind, "f", FREE)
                b.do("lock", kind, "f", FREE)
                self.assertIsNone(b.do("lock", kind, "f", EXCLUSIVE))
                self.assertEqual(a.do("lock", kind, "f", SHARED), "EAGAIN")
                b.do("lock", kind, "f", FREE)
        self.assertIsNone(a.do("lock", "posix", "f", EXCLUSIVE, 10, 20))
        self.assertIsNone(a.do("lock", "posix", "f", FREE, 15, 5))
        self.assertIsNone(b.do("lock", "posix", "f", EXCLUSIVE, 15, 5))
        self.assertEqual(b.do("lock", "posix", "f", EXCLUSIVE, 15, 6), "EAGAIN")
        self.assertEqual(b.do("holder", "f", EXCLUSIVE, 0, 0), (EXCLUSIVE, 10, 5, a.pid))
        self.assertEqual(b.do("holder", "f", SHARED, 15, 5)[0], FREE)
        self.assertIsNone(b.do("lock", "flock", "f", EXCLUSIVE), "flock does not meet fcntl")
        b.do("open", "second")
        self.assertEqual(b.do("lock", "ofd", "second", SHARED, 15, 1), "EAGAIN", "OFD and fcntl do meet")
        self.assertEqual(b.do("lock", "flock", "second", SHARED), "EAGAIN", "each description is an owner")

    def test_who_waits_is_granted_when_the_holder_unlocks_closes_or_is_killed(self):
        for kind in ("flock", "posix", "ofd"):
            for way in ("unlock", "close", "kill"):
                with self.subTest(kind=kind, way=way):
                    a, b = self.hands()
                    self.assertIsNone(a.do("lock", kind, "f", EXCLUSIVE, 3, 4))
                    b.begin("lock", kind, "f", EXCLUSIVE, 6, 9, True)
                    self.wait_for_waiter(b)
                    self.assertFalse(b.pipe.poll(0.05))
                    if way == "unlock":
                        a.do("lock", kind, "f", FREE, 3, 4)
                    elif way == "close":
                        a.do("close", "f")
                    else:
                        a.kill()
                    self.assertIsNone(b.end())
                    a.kill()
                    b.kill()

    def test_any_close_of_the_file_drops_the_locks_of_the_process_and_no_others(self):
        a, b = self.hands()
        a.do("open", "second")
        self.assertIsNone(a.do("lock", "posix", "f", EXCLUSIVE, 0, 10))
        self.assertIsNone(a.do("lock", "ofd", "f", EXCLUSIVE, 50, 10))
        self.assertIsNone(a.do("lock", "flock", "f", EXCLUSIVE))
        a.do("close", "second")
        self.assertIsNone(b.do("lock", "posix", "f", EXCLUSIVE, 0, 10))
        self.assertEqual(b.do("lock", "posix", "f", EXCLUSIVE, 50, 10), "EAGAIN")
        self.assertEqual(b.do("lock", "flock", "f", EXCLUSIVE), "EAGAIN")

    def test_a_signal_ends_a_wait_and_a_killed_waiter_leaves_nothing_behind(self):
        for kind in ("flock", "posix", "ofd"):
            with self.subTest(kind=kind):
                a, b = self.hands()
                self.assertIsNone(a.do("lock", kind, "f", EXCLUSIVE))
                b.begin("lock", kind, "f", EXCLUSIVE, 0, 0, True)
                self.wait_for_waiter(b)
                os.kill(b.pid, signal.SIGUSR1)
                self.assertEqual(b.end(), "EINTR")
                b.begin("lock", kind, "f", EXCLUSIVE, 0, 0, True)
                self.wait_for_waiter(b)
                b.kill()
                self.assertTrue(ended(b.pid))
                a.do("lock", kind, "f", FREE)
                self.assertIsNone(a.do("lock", kind, "f", EXCLUSIVE))
                a.kill()

    def test_a_circle_over_both_is_a_deadlock(self):
        a, b = self.hands()
        self.assertIsNone(a.do("lock", "posix", "f", EXCLUSIVE, 0, 1))
        self.assertIsNone(b.do("lock", "posix", "f", EXCLUSIVE, 1, 1))
        a.begin("lock", "posix", "f", EXCLUSIVE, 1, 1, True)
        self.wait_for_waiter(a)
        self.assertEqual(b.do("lock", "posix", "f", EXCLUSIVE, 0, 1, True), "EDEADLOCK")  # its other name
        b.do("lock", "posix", "f", FREE, 1, 1)
        self.assertIsNone(a.end())

    def test_sixty_waiters_disturb_nobody(self):
        a, b = self.hands()
        self.assertIsNone(a.do("lock", "flock", "f", EXCLUSIVE))
        crowd = self.hand(1)
        crowd.begin("crowd", WAITERS)
        self.wait_for_waiters(WAITERS, crowd)
        began = time.monotonic()
        for path in self.paths:
            for i in range(10):
                write_file(os.path.join(path, f"meanwhile-{i}"), b"1" * 5000)
                self.assertEqual(read_file(os.path.join(path, f"meanwhile-{i}")), b"1" * 5000)
        self.assertIsNone(b.do("lock", "posix", "f", EXCLUSIVE))
        self.assertLess(time.monotonic() - began, 10)
        a.do("lock", "flock", "f", FREE)
        self.assertEqual(crowd.end(), WAITERS)


class LocalTest(Rules, unittest.TestCase):
    """On a local directory, seen through two bind mounts."""

    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.mkdtemp(prefix="cairn-locks-")
        cls.addClassCleanup(shutil.rmtree, cls.scratch, ignore_errors=True)
        cls.paths = [os.path.join(cls.scratch, name) for name in ("a", "b")]
        for path in (*cls.paths, os.path.join(cls.scratch, "real")):
            os.mkdir(path)
        for path in cls.paths:
            subprocess.run(["mount", "--bind", os.path.join(cls.scratch, "real"), path], check=True)
            cls.addClassCleanup(subprocess.run, ["umount", "-l", path], check=True)

    def wait_for_waiters(self, number, hand):
        def waiting():
            tasks = os.listdir(f"/proc/{hand.pid}/task")
            return sum(read_file(f"/proc/{hand.pid}/task/{task}/syscall").startswith(b"73 ") for task in tasks) >= number

        wait_until(waiting, f"{number} wait")


class MountsTest(Rules, ClusterTest):
    """On two mounts of one cluster."""

    chunkservers, policy = 3, "ec(2,1)"
    environment = {"CAIRN_SESSION_TTL": f"{TTL}s"}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.scratch = cls.cluster.base
        cls.server = cls.cluster.metaserver()
        cls.other = os.path.join(cls.cluster.base, "other")
        os.mkdir(cls.other)
        cls.cluster.cairn("mount", cls.server, cls.other)
        cls.addClassCleanup(subprocess.run, [CAIRN, "umount", "--force", cls.other], capture_output=True, check=False)
        cls.paths = [cls.mount, cls.other]

    @classmethod
    def tearDownClass(cls):
        subprocess.run([CAIRN, "umount", "--force", cls.other], capture_output=True, check=False)
        super().tearDownClass()

    def locks(self, *words):
        return json.loads(self.cluster.cairn("lock", "list", *(words or ("-m", self.server)), "--json"))["locks"]

    def tearDown(self):
        self.doCleanups()
        wait_until(lambda: self.locks() == [], "all locks end with their programs")

    def wait_for_waiter(self, hand):
        wait_until(lambda: any(one["pid"] == hand.pid and one["state"] == "waiting" for one in self.locks()), "it waits")

    def wait_for_waiters(self, number, _):
        wait_until(lambda: sum(one["state"] == "waiting" for one in self.locks()) == number, f"{number} wait")

    def test_the_list_says_who_holds_and_who_waits(self):
        a, b = self.hands()
        a.do("lock", "flock", "f", EXCLUSIVE)
        b.begin("lock", "flock", "f", SHARED, 0, 0, True)
        self.wait_for_waiter(b)
        first, second = self.locks(os.path.join(self.mount, "file"))
        self.assertEqual((first["state"], first["type"], first["mode"], first["pid"]), ("held", "flock", "exclusive", a.pid))
        self.assertEqual((second["state"], second["mode"], second["pid"]), ("waiting", "shared", b.pid))
        self.assertIn(self.mount, first["session_name"])
        self.assertIn(self.other, second["session_name"])
        a.do("lock", "flock", "f", FREE)
        self.assertIsNone(b.end())
        (now,) = self.locks()
        self.assertGreater(now["token"], first["token"])
        self.assertIn("waiting", self.cluster.cairn("lock", "list", "--help"))

    def test_locks_and_waits_outlive_a_restart_of_the_metaserver(self):
        a, b = self.hands()
        a.do("open", "second", "second")
        self.assertIsNone(a.do("lock", "posix", "second", EXCLUSIVE, 5, 5))
        self.assertIsNone(a.do("lock", "flock", "f", EXCLUSIVE))
        b.begin("lock", "flock", "f", EXCLUSIVE, 0, 0, True)
        self.wait_for_waiter(b)
        before = self.locks()
        self.cluster.kill("metaserver")
        self.cluster.start("metaserver")
        c = self.hand(1)
        c.do("open", "f")
        c.do("open", "second", "second")
        self.assertEqual(c.do("lock", "flock", "f", SHARED), "EAGAIN", "also in the first moment")
        self.assertEqual(c.do("lock", "posix", "second", SHARED, 9, 9), "EAGAIN")
        wait_until(lambda: self.locks() == before, "the same locks with the same tokens")
        self.assertFalse(b.pipe.poll(0.05))
        a.do("lock", "flock", "f", FREE)
        self.assertIsNone(b.end())
        a.do("close", "second")
        self.assertIsNone(c.do("lock", "posix", "second", SHARED, 9, 9))

    def test_the_locks_of_a_killed_mount_end_with_its_session(self):
        third = os.path.join(self.cluster.base, "third")
        os.makedirs(third, exist_ok=True)
        self.cluster.cairn("mount", self.server, third)
        self.addCleanup(subprocess.run, [CAIRN, "umount", "--force", third], capture_output=True, check=False)
        c = Hand(third)
        self.addCleanup(c.kill)
        c.do("open", "f")
        a, _ = self.hands()
        self.assertIsNone(c.do("lock", "flock", "f", EXCLUSIVE))
        pid = next(one["session_pid"] for one in self.locks())
        a.begin("lock", "flock", "f", EXCLUSIVE, 0, 0, True)
        self.wait_for_waiter(a)
        began = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        self.assertIsNone(a.end())
        self.assertGreater(time.monotonic() - began, TTL / 2, "not before it is sure that the mount is gone")


if __name__ == "__main__":
    main()
