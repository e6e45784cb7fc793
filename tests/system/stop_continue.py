#!/usr/bin/env python3
"""Processes that are stopped (SIGSTOP) and go on (SIGCONT): for a moment, and for longer than sessions and servers' timeouts.

No acknowledged byte is lost and the others go on working. A mount that was stopped past its session has lost what was dirty:
it says EIO and never writes it later.
"""

import contextlib
import errno
import json
import multiprocessing
import os
import signal
import subprocess
import time

from libcluster import CAIRN, ClusterTest, main, random_bytes, read_file, scaled, wait_until, write_file
from libworkers import KINDS, Hands

TTL = 3  # seconds; a chunkserver is suspect after as many
SHORT, LONG = 0.5, TTL + 3


class Holder:
    """A process that has files open with dirty bytes. Not the test itself: what it starts would close them, and wait."""

    def __init__(self, paths, data):
        forked = multiprocessing.get_context("fork")
        self.pipe, theirs = forked.Pipe()
        self.process = forked.Process(target=self.hold, args=(paths, data, theirs), daemon=True)
        self.process.start()
        self.pipe.recv()

    @staticmethod
    def hold(paths, data, pipe):
        descriptors = [os.open(path, os.O_RDWR) for path in paths]
        for descriptor in descriptors:
            os.pwrite(descriptor, data, 0)
        pipe.send("dirty")
        pipe.recv()
        outcomes = []
        for descriptor in descriptors:
            try:
                os.fsync(descriptor)
                outcomes.append(0)
            except OSError as error:
                outcomes.append(error.errno)
        pipe.send(outcomes)
        pipe.recv()

    def sync(self):
        """The errno of each fsync."""
        self.pipe.send("sync")
        if not self.pipe.poll(60):
            raise AssertionError("fsync hangs")
        return self.pipe.recv()

    def close(self):
        self.process.kill()
        self.process.join(5)


class StopTest(ClusterTest):
    chunkservers, policy, cell = 6, "ec(3,2)", "16K"
    environment = {"CAIRN_FORGETFUL_DISK": "1", "CAIRN_SESSION_TTL": f"{TTL}s"}

    def setUp(self):
        self.cluster.dev("up")
        self.hands = Hands(self.path(self.id().rsplit(".", 1)[1]), 5)
        self.addCleanup(self.hands.close)
        self.hands.do("run", ["create", "fsync", "create", "append"])

    @contextlib.contextmanager
    def stopped(self, *who):
        """The processes stand still inside, and go on afterwards, whatever happens."""
        pids = [self.cluster.pid(one) for one in who]
        self.assertTrue(all(pids))
        try:
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    def give_up_mount(self, mountpoint):
        subprocess.run([CAIRN, "umount", "--force", mountpoint], capture_output=True, timeout=60, check=False)

    def sessions_of(self, server):
        """The pids of the mounts that the metaserver knows; asks no mount."""
        return [str(one["pid"]) for one in json.loads(self.cluster.cairn("status", "-m", server, "--json"))["sessions"]]

    def nothing_is_lost(self):
        self.hands.do("verify", "nothing")
        self.cluster.remount()
        self.hands.do("verify", "flush")

    def test_the_metaserver_stands_still(self):
        for seconds in (SHORT, LONG):
            with self.subTest(seconds=seconds):
                self.hands.begin("run", KINDS)
                with self.stopped("metaserver"):
                    time.sleep(seconds)
                time.sleep(1)
                self.hands.stop()
                self.hands.end()
                self.nothing_is_lost()

    def test_chunkservers_stand_still(self):
        for who in ([3], [2, 5]):
            for seconds in (SHORT, LONG):
                with self.subTest(who=who, seconds=seconds):
                    self.hands.begin("run", KINDS)
                    with self.stopped(*who):
                        time.sleep(seconds)
                    time.sleep(1)
                    self.hands.stop()
                    self.hands.end()
                    self.nothing_is_lost()

    def test_reads_and_writes_go_on_while_two_chunkservers_stand_still(self):
        for i in range(4):
            write_file(self.path(f"before-{i}"), random_bytes(i, 300_000))
        self.cluster.remount()
        with self.stopped(1, 4):
            began = time.monotonic()
            for i in range(4):
                self.assertEqual(read_file(self.path(f"before-{i}")), random_bytes(i, 300_000))
            reading = time.monotonic() - began
            for i in range(4):
                write_file(self.path(f"during-{i}"), random_bytes(10 + i, 300_000))
            writing = time.monotonic() - began - reading
            print(f"(reading {reading:.1f} s, writing {writing:.1f} s)", end=" ", flush=True)
        self.assertLess(reading, 10)
        self.assertLess(writing, 45)
        self.cluster.remount()
        for i in range(4):
            self.assertEqual(read_file(self.path(f"during-{i}")), random_bytes(10 + i, 300_000))

    def test_the_mount_stands_still_for_a_moment(self):
        for _ in range(scaled(3, 10)):
            self.hands.begin("run", KINDS)
            with self.stopped("mount"):
                time.sleep(SHORT)
            self.hands.stop()
            self.hands.end()
        self.nothing_is_lost()

    def test_the_mount_stands_still_past_its_session(self):
        """Another mount is let in meanwhile, and what it writes is not overwritten by what the first one had dirty."""
        other = os.path.join(self.cluster.base, "other")
        os.makedirs(other, exist_ok=True)
        old, theirs = random_bytes(1, 30_000), random_bytes(3, 30_000)
        write_file(self.path("both"), old)
        write_file(self.path("alone"), old)
        server = self.cluster.metaserver()
        holder = Holder([self.path("both"), self.path("alone")], random_bytes(2, 30_000))
        try:
            with self.stopped("mount"):
                self.cluster.cairn("mount", server, other)  # waits until the session is over
                write_file(os.path.join(other, "both"), theirs)
                write_file(os.path.join(other, "made-meanwhile"), theirs)
            self.assertEqual(holder.sync(), [errno.EIO, errno.EIO], "the dirty bytes are lost, and that is said")
            time.sleep(6)  # longer than anything stays dirty: now it would be written
            self.assertEqual(read_file(os.path.join(other, "both")), theirs)
            self.assertEqual(read_file(os.path.join(other, "alone")), old)
        finally:
            holder.close()
            self.give_up_mount(self.mount)
            self.give_up_mount(other)
        self.cluster.start("mount")
        self.assertEqual(read_file(self.path("both")), theirs)
        self.assertEqual(read_file(self.path("made-meanwhile")), theirs)
        self.assertEqual(read_file(self.path("alone")), old)

    def test_a_busy_mount_that_stood_still_past_its_session(self):
        self.hands.begin("run", KINDS)
        pid, server = self.cluster.pid("mount"), self.cluster.metaserver()
        with self.stopped("mount"):
            wait_until(lambda: str(pid) not in self.sessions_of(server), "the session is over", 30)
        ended = self.hands.end((errno.EIO,))
        self.assertIsInstance(ended, OSError)
        self.give_up_mount(self.mount)
        self.cluster.dev("up")
        self.hands.do("verify", "crash")
        self.nothing_is_lost()


if __name__ == "__main__":
    main()
