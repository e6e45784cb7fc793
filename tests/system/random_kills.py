#!/usr/bin/env python3
"""Anything is killed at random under a workload that checks itself, and at the end nothing is lost, wrong or hung.

All servers have the forgetful disk, so each kill -9 is a power cut. Killed are: chunkservers, up to m = 2 at once; the
metaserver; the mount; all servers at once; everything at once. Whatever a call was told is true must be true afterwards, and
no call may fail but those of a mount that was killed.

  random_kills.py [--seed N] [--seconds S]     20 s, with CAIRN_SOAK=1 ten minutes
"""

import collections
import os
import random
import time

from libcluster import Cluster, scaled
from libworkers import KINDS, MOUNT_DIED, Hands, seeded_main

WORKERS = 3
LOSSES = 2  # m of the policy


class Run:
    def __init__(self, seed, seconds):
        self.random = random.Random(seed)
        self.seconds = seconds
        self.counts = collections.Counter()
        self.cluster = Cluster(chunkservers=6, policy="ec(3,2)", cell="16K", environment={
            "CAIRN_FORGETFUL_DISK": "1", "CAIRN_LOG_SEGMENT": "64K", "CAIRN_FLUSH_EVERY": "2s", "CAIRN_SESSION_TTL": "3s"})
        self.workers = [Hands(os.path.join(self.cluster.mount, f"w{i}"), seed * 100 + i, i << 32) for i in range(WORKERS)]

    def run(self):
        began = last_word = time.monotonic()
        while time.monotonic() < began + self.seconds:
            for worker in self.workers:
                if not worker.busy:
                    worker.begin("run", KINDS)
            self.pause(self.random.uniform(0.05, 1.0))
            self.strike()
            if time.monotonic() > last_word + 10:
                last_word = time.monotonic()
                print(f"{last_word - began:6.1f} s  {dict(self.counts)}", flush=True)
        self.check("remount")
        steps = sum(worker.steps() for worker in self.workers)
        assert steps > 10 * self.seconds, f"only {steps} calls: the test tested nothing"
        print(f"{sum(self.counts.values())} strikes: {dict(self.counts)}; {steps} calls; nothing lost, nothing wrong, nothing hung")

    def pause(self, seconds):
        """Looks at the workers meanwhile: a wrong byte or a call that hangs ends the run at once."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for worker in self.workers:
                if worker.finished():
                    worker.end()  # it ends by itself only with something wrong
                    raise AssertionError(f"the worker of {worker.directory} stopped")
                if worker.hung():
                    raise AssertionError(f"a call in {worker.directory} hangs")
            time.sleep(0.02)

    def strike(self):
        kind = self.random.choice(("chunkservers", "chunkservers", "metaserver", "mount", "servers", "everything", "look"))
        self.counts[kind] += 1
        if kind == "look":
            return self.check(self.random.choice(("nothing", "remount")))
        chosen = {"chunkservers": self.random.sample(range(1, self.cluster.chunkservers + 1), self.random.randint(1, LOSSES)),
                  "metaserver": ["metaserver"], "mount": ["mount"], "servers": self.cluster.everybody(),
                  "everything": [*self.cluster.everybody(), "mount"]}[kind]
        self.cluster.kill_at_once(*chosen)
        if "mount" not in chosen:
            self.pause(self.random.choice((0, 0.1, 1.0, 3.0)))
        self.cluster.environment["CAIRN_FORGETFUL_DISK"] = str(self.random.randint(1, 1 << 40))
        if "mount" in chosen:
            self.gather(MOUNT_DIED)
        self.cluster.dev("up")
        if "mount" in chosen:
            self.verify("crash")

    def gather(self, expected=()):
        for worker in self.workers:
            worker.stop()
        for worker in self.workers:
            if worker.busy:
                worker.end(expected)

    def verify(self, after):
        for worker in self.workers:
            worker.do("verify", after)

    def check(self, how):
        self.gather()
        self.verify("nothing")
        if how != "nothing":
            self.cluster.remount()
            self.verify("flush")

    def close(self, good):
        for worker in self.workers:
            worker.close()
        self.cluster.close(show_logs=not good)


if __name__ == "__main__":
    seeded_main(__doc__, Run, seconds=float(scaled(20, 600)))
