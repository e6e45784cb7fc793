#!/usr/bin/env python3
"""A chunkserver loses power between an append and its sync: the fsync that follows is still true.

Its disk forgets what was not synced, so bytes that it acknowledged are gone when it is back. The client must notice by the
boot, store them elsewhere, and only then answer; what it answered is there after all servers lose power.
"""

import os
import random
import threading
import time

from libcluster import ClusterTest, main, random_bytes, read_file, scaled, wait_until

SIZE = 1_500_000  # some stripes, so that the appends of one fsync are not all one moment


class RebootTest(ClusterTest):
    chunkservers, policy, cell = 6, "ec(4,2)", "64K"
    environment = {"CAIRN_FORGETFUL_DISK": "1", "CAIRN_SESSION_TTL": "5s"}

    def setUp(self):
        self.random = random.Random(17)
        self.expected = {}

    def forget_differently(self):
        self.cluster.environment["CAIRN_FORGETFUL_DISK"] = str(self.random.randint(1, 1 << 40))

    def begin_fsync(self, name):
        """Writes a file and syncs it, beside the test; the error of that, once joined, is in .error."""
        data = random_bytes(self.random.random(), SIZE)
        self.expected[name] = data

        def write():
            try:
                with open(self.path(name), "wb", buffering=0) as file:
                    for at in range(0, SIZE, 100_000):
                        file.write(data[at:at + 100_000])
                    os.fsync(file.fileno())
            except OSError as error:
                thread.error = error

        thread = threading.Thread(target=write)
        thread.error = None
        thread.start()
        return thread

    def finish(self, thread):
        thread.join(60)
        self.assertFalse(thread.is_alive(), "the fsync hangs")
        self.assertIsNone(thread.error)

    def check_after_a_power_cut_of_all(self):
        self.cluster.kill_at_once(*self.cluster.everybody())
        self.forget_differently()
        self.cluster.dev("up")
        self.cluster.remount()
        for name, data in self.expected.items():
            self.assertTrue(read_file(self.path(name)) == data, f"{name} is not what its fsync acknowledged")

    def test_at_any_moment_of_the_flush(self):
        hits = 0
        for number in range(scaled(12, 150)):
            before = self.cluster.statistics()
            victim = self.random.randint(1, 6)
            pid = self.cluster.pid(victim)
            thread = self.begin_fsync(f"any-{number}")
            wait_until(lambda: self.cluster.statistics()["stored_stripes"] > before["stored_stripes"], "a stripe is appended")
            time.sleep(self.random.choice((0, 0, 0.001, 0.003, 0.01)))
            os.kill(pid, 9)
            self.forget_differently()
            self.cluster.start(victim)
            self.finish(thread)
            hits += self.cluster.statistics()["chunks_broken"] > before["chunks_broken"]
            if number % 4 == 3:
                self.check_after_a_power_cut_of_all()
        self.check_after_a_power_cut_of_all()
        self.assertGreater(hits, 3, "the reboots came in the middle of a flush")

    def test_when_the_append_is_done_and_nothing_is_synced(self):
        for point in ("record_written", "append_done", "shard_created"):
            for passes in (1, 2, 4):
                with self.subTest(point=point, passes=passes):
                    victim = self.random.randint(1, 6)
                    self.cluster.kill(victim)
                    self.forget_differently()
                    self.cluster.start(victim, environment={"CAIRN_KILL_POINT": f"{point}:{passes}"})
                    pid = self.cluster.pid(victim)
                    names = 0
                    while self.cluster.pid(victim) == pid and names < 20:  # its chunk may lie on others
                        thread = self.begin_fsync(f"{point}-{passes}-{names}")
                        names += 1
                        while thread.is_alive() and self.cluster.pid(victim) == pid:
                            time.sleep(0.001)
                        if self.cluster.pid(victim) == 0:
                            self.cluster.start(victim)
                        self.finish(thread)
                    self.cluster.dev("up")
                    self.check_after_a_power_cut_of_all()


if __name__ == "__main__":
    main()
