#!/usr/bin/env python3
"""Every program dies at every one of its kill points, under every kind of call, and nothing acknowledged is lost.

All servers have the forgetful disk: kill -9 is a power cut. A round: one process is started again with a point armed; calls
of one kind (or of all) go on until it has died; in some rounds all servers lose power in that moment, or the mount's machine
too; all are started again, the calls go on, and everything is checked, in the mount that lived and in a fresh one.

Points that calls alone do not reach are helped on: another chunkserver is killed, which breaks chunks, so that shards
are sealed; then much is removed, so that they are punched and removed. Whether a round reaches its point is partly chance (a
new chunk may leave out the armed server), so a point that none reached gets a few rounds more; then it fails the run.

  kill_points.py                each point under all kinds of calls, mixed
  CAIRN_SOAK=1 kill_points.py   each point under each kind, and mixed with and without a power cut of all
  kill_points.py --seed N --point NAME
"""

import json
import os
import random
import time

from libcluster import SOAK, Cluster, ended
from libworkers import KINDS, MOUNT_DIED, Hands, seeded_main

MIXED = "mixed"
MORE_ROUNDS = 3  # of a point that was not reached
CUTS = ("alone", "servers", "room")  # who dies: the armed process; with all servers; with all servers and the mount
# None: any of them. Workers of near-data tasks die in the simulation.
PROGRAMS = {"cairn-metaserver": "metaserver", "cairn-chunkserver": None, "cairn-mount": "mount"}

# Points that are passed many times a second, and at which pass the process may die.
OFTEN = {"log_entry_written": (4, 20), "log_entry_synced": (4, 20), "batch_applied": (4, 20), "record_written": (1, 5),
         "record_synced": (1, 5), "append_done": (1, 5), "flush_taken": (1, 4), "stripes_appended": (1, 4),
         "stripes_synced": (1, 4), "commit_answered": (1, 4), "name_changed": (1, 4)}

# Points of repair: a server that holds a file which stays as it is is drained, and the sixth takes its shards.
REPAIR = ("shard_remade", "shard_moved", "shard_staged", "shard_staged_synced", "shard_adopted")


class Kept:
    """A file that is written once: its shards move, and no call of the workload makes them dead."""

    def __init__(self, cluster):
        self.cluster, self.path, self.bytes = cluster, os.path.join(cluster.mount, "kept"), os.urandom(200_000)
        with open(self.path, "wb") as file:
            file.write(self.bytes)
            file.flush()
            os.fsync(file.fileno())

    def holders(self):
        """Numbers of the chunkservers of its first chunk."""
        return {self.cluster.number_of(shard["server"]) for shard in self.cluster.layout(self.path)["chunks"][0]["shards"]}

    def check(self):
        with open(self.path, "rb") as file:
            if file.read() != self.bytes:
                raise AssertionError(f"{self.path} is not what was fsynced")


class Round:
    def __init__(self, run, point, kind, cut):
        self.cluster, self.hands, self.random = run.cluster, run.hands, run.random
        self.point, self.kind, self.cut = point, kind, cut
        self.kept = run.kept
        self.who = PROGRAMS[point["program"]] or self.any_chunkserver()
        self.kinds = KINDS if kind == MIXED else (kind,)
        self.broken = None  # a chunkserver that was killed to help

    def play(self):
        """The name of the phase in which the process died, or "not reached"."""
        self.hands.do("run", ["create", "create", "fsync"])
        self.restart_armed()
        reached = "start" if ended(self.pid) else self.work()
        self.recover(reached)
        self.hands.do("run", ["write", "fsync", "append", "rename"])
        self.hands.do("verify", "nothing")
        self.cluster.remount()
        self.hands.do("verify", "flush")
        self.kept.check()
        return reached

    def any_chunkserver(self):
        """Of the points of repair: the one that will be given a shard."""
        numbers = set(range(1, self.cluster.chunkservers + 1))
        return self.random.choice(sorted(numbers - self.kept.holders() if self.point["name"] in REPAIR else numbers))

    def environment(self):
        self.cluster.environment["CAIRN_FORGETFUL_DISK"] = str(self.random.randint(1, 1 << 40))
        return {"CAIRN_KILL_POINT": f"{self.point['name']}:{self.passes()}"}

    def passes(self):
        """What happens often dies later, behind what a start does."""
        return self.random.randint(*OFTEN.get(self.point["name"], (1, 1)))

    def restart_armed(self):
        if self.who == "mount":
            self.cluster.cairn("umount", self.cluster.mount)
        else:
            self.cluster.kill(self.who)
        done = self.cluster.start(self.who, check=False, environment=self.environment())
        self.pid = self.cluster.pid(self.who)
        if done.returncode != 0 and self.pid != 0 and not ended(self.pid):
            raise AssertionError(f"{self.who} does not start: {done.stderr}")

    def work(self):
        """The phase in which it died."""
        if self.calls_until_it_dies(0.6):
            return "calls"
        if self.point["name"] in REPAIR:
            self.cluster.drain(self.random.choice(sorted(self.kept.holders())))
            return "drain" if self.calls_until_it_dies(10) else "not reached"
        for _ in range(1 if self.who == "metaserver" else 6):  # its death would keep the start of another waiting
            self.broken = self.random.choice([n for n in range(1, self.cluster.chunkservers + 1) if n != self.who])
            self.cluster.kill(self.broken)
            if self.calls_until_it_dies(0.4):
                return "break"
            if self.who != "metaserver":
                self.cluster.start(self.broken)
        self.remove()
        return "remove" if self.calls_until_it_dies(7) else "not reached"

    def calls_until_it_dies(self, seconds):
        if not self.hands.busy:
            self.hands.begin("run", self.kinds)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not ended(self.pid):
            time.sleep(0.002)
        return ended(self.pid)

    def expected(self):
        return MOUNT_DIED if self.who == "mount" else ()

    def remove(self):
        """Sealed chunks without live bytes are removed, and open ones are punched."""
        self.cluster.start(self.broken)
        self.hands.stop()
        self.hands.end(self.expected())
        if ended(self.pid):
            return
        self.hands.begin("run", ["unlink"] * 4)

    def recover(self, reached):
        mount_died = reached != "not reached" and self.who == "mount"
        if reached != "not reached" and self.cut != "alone":
            self.cluster.kill_at_once(*self.cluster.everybody(), *(["mount"] if self.cut == "room" else []))
            mount_died = mount_died or self.cut == "room"
        self.hands.stop()
        if mount_died:
            self.hands.end(MOUNT_DIED) if self.hands.busy else None
        self.cluster.dev("up")
        self.cluster.end_drains()
        if self.hands.busy:
            self.hands.end()
        if mount_died:
            self.hands.do("verify", "crash")
        elif reached == "not reached" and self.who == "mount":
            self.cluster.remount()  # the armed one would die later


class Run:
    def __init__(self, seed, point):
        self.random = random.Random(seed)
        self.only = point
        self.rows = []
        self.cluster = Cluster(chunkservers=6, policy="ec(3,2)", cell="16K", environment={
            "CAIRN_FORGETFUL_DISK": "1", "CAIRN_LOG_SEGMENT": "8K", "CAIRN_FLUSH_EVERY": "2s", "CAIRN_SESSION_TTL": "3s"})
        self.kept = Kept(self.cluster)
        self.hands = Hands(os.path.join(self.cluster.mount, "work"), seed)

    def plan(self):
        points = json.loads(self.cluster.cairn("dev", "kill-points", "--json"))
        points = [point for point in points if point["program"] in PROGRAMS and self.only in (None, point["name"])]
        if not points:
            raise AssertionError(f"there is no point {self.only} of {', '.join(PROGRAMS)}")
        if SOAK:
            return [(point, kind, cut) for point in points for kind in (*KINDS, MIXED)
                    for cut in (CUTS if kind == MIXED else [self.random.choice(CUTS)])]
        cuts = [CUTS[i % len(CUTS)] for i in range(len(points))]
        self.random.shuffle(cuts)
        return [(point, MIXED, cut) for point, cut in zip(points, cuts)]

    def run(self):
        began = time.monotonic()
        plan = self.plan()

        def play(number, point, kind, cut):
            reached = Round(self, point, kind, cut).play()
            self.rows.append((point["program"], point["name"], reached))
            print(f"{time.monotonic() - began:6.1f} s  {number}/{len(plan)}  {point['name']:<18} {kind:<9} {cut:<8} {reached}", flush=True)

        for number, (point, kind, cut) in enumerate(plan, 1):
            play(number, point, kind, cut)
        for _ in range(MORE_ROUNDS):
            for point in {point["name"]: point for point, _, _ in plan if not self.phases(point)}.values():
                play(len(plan), point, MIXED, self.random.choice(CUTS))
        self.table(plan)

    def phases(self, point):
        """In which it was reached."""
        return [reached for _, name, reached in self.rows if name == point["name"] and reached != "not reached"]

    def table(self, plan):
        print(f"\n{'program':<18} {'point':<18} reached / tried   in phase")
        points = {point["name"]: point for point, _, _ in plan}
        for name, point in points.items():
            tried = sum(row[1] == name for row in self.rows)
            phases = self.phases(point)
            print(f"{point['program']:<18} {name:<18} {len(phases):>7} / {tried:<5}   {', '.join(sorted(set(phases))) or '-'}")
        never = [name for name, point in points.items() if not self.phases(point)]
        if never:
            raise AssertionError(f"never reached: {', '.join(never)}")

    def close(self, good):
        self.hands.close()
        self.cluster.close(show_logs=not good)


if __name__ == "__main__":
    seeded_main(__doc__, Run, point=None)
