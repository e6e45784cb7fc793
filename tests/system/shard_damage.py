#!/usr/bin/env python3
"""Shards are deleted, scrambled, cut, or put back from an old copy under a running server, on up to m = 2 servers.

Reads give right bytes as long as k good shards are left, and EIO otherwise; never wrong ones. Writes go on, and what they
acknowledge is protected as its policy says although two servers were damaged before: it survives the loss of two others.
"""

import glob
import os
import random
import shutil

from libcluster import ClusterTest, main, random_bytes, read_file, write_file

SIZES = [0, 1500, 5000, 70_000, 400_000]


def delete(files, _):
    for folder in {os.path.dirname(path) for path in files}:
        shutil.rmtree(folder)


def scramble(files, _):
    for path in files:
        with open(path, "r+b") as file:
            file.write(os.urandom(os.path.getsize(path)))


def cut(files, _):
    for path in files:
        os.truncate(path, os.path.getsize(path) * random.Random(path).choice((0, 1, 3)) // 4)


def cut_oddly(files, _):
    for path in files:
        os.truncate(path, max(0, os.path.getsize(path) - 777))


def put_back(_, old):
    """The shards as they were some time ago, as a restored backup has them."""
    for shards, copy in old.items():
        shutil.rmtree(shards)
        shutil.copytree(copy, shards)


class ShardDamageTest(ClusterTest):
    chunkservers, policy, cell = 6, "ec(4,2)", "16K"

    def shards(self, server):
        return os.path.join(self.cluster.directory, f"chunkserver-{server}", "shards")

    def write(self, folder, seed):
        os.makedirs(self.path(folder), exist_ok=True)
        for i, size in enumerate(SIZES):
            write_file(self.path(folder, str(i)), random_bytes(seed + i, size))

    def check(self, folder, seed, may_fail=False):
        """How many files gave EIO; wrong bytes fail the test."""
        failed = 0
        for i, size in enumerate(SIZES):
            try:
                data = read_file(self.path(folder, str(i)))
            except OSError:
                self.assertTrue(may_fail, f"{folder}/{i} is not readable, and enough good shards are left")
                failed += 1
                continue
            self.assertTrue(data == random_bytes(seed + i, size), f"{folder}/{i} has WRONG bytes")
        return failed

    def damage(self, kind, servers):
        """In the middle of the life of an open chunk, on servers that have files open."""
        name = f"{kind.__name__}-{len(servers)}"
        self.write(f"{name}-old", 100)
        old = {}
        for server in servers:
            old[self.shards(server)] = os.path.join(self.cluster.base, f"old-{name}-{server}")
            shutil.copytree(self.shards(server), old[self.shards(server)])
        self.write(f"{name}-new", 200)
        files = [path for server in servers for path in glob.glob(self.shards(server) + "/*/*")]
        self.assertTrue(files)
        kind(files, old)
        return name

    def status_line(self):
        status = self.cluster.status()
        return f"{status['verdict']}: {status['what']}; missing_shards {status['missing_shards']}"

    def go_through(self, kind, servers):
        name = self.damage(kind, servers)
        print(f"\n  {name}: status says {self.status_line()}", end="")
        self.write(f"{name}-while", 300)  # with chunks that were open when it happened
        self.check(f"{name}-while", 300)
        self.cluster.remount()
        for part, seed in (("old", 100), ("new", 200), ("while", 300)):
            self.check(f"{name}-{part}", seed)
        self.write(f"{name}-after", 400)
        print(f"\n    after reads and writes: {self.status_line()}", end="")
        others = [3, 4] if len(servers) == 2 else [3, 5]
        self.cluster.kill_at_once(*others)
        self.cluster.remount()
        self.check(f"{name}-while", 300)
        self.check(f"{name}-after", 400)
        lost = sum(self.check(f"{name}-{part}", seed, may_fail=True) for part, seed in (("old", 100), ("new", 200)))
        print(f"\n    with servers {others} dead: {lost} of {2 * len(SIZES)} older files give EIO; status says {self.status_line()}", end="")
        self.cluster.start(*others)
        self.cluster.kill_at_once(*servers)
        self.cluster.start(*servers)
        self.cluster.remount()
        for part, seed in (("old", 100), ("new", 200), ("while", 300), ("after", 400)):
            self.check(f"{name}-{part}", seed)
        print(f"\n    after a restart of the damaged servers: {self.status_line()}", end=" ", flush=True)

    def test_deleted(self):
        self.go_through(delete, [1])
        self.go_through(delete, [1, 2])

    def test_scrambled(self):
        self.go_through(scramble, [1])
        self.go_through(scramble, [1, 2])

    def test_cut(self):
        self.go_through(cut, [1, 2])
        self.go_through(cut_oddly, [1, 2])

    def test_put_back_from_an_old_copy(self):
        self.go_through(put_back, [1])
        self.go_through(put_back, [1, 2])


if __name__ == "__main__":
    main()
