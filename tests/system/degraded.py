#!/usr/bin/env python3
"""Any two of six servers may die: everything reads back, and what is written meanwhile is protected as its code says."""

import itertools
import os

from libcluster import ClusterTest, main, random_bytes, read_file, write_file

SIZES = [0, 1, 2000, 2049, 5000, 70_000, 262_144, 900_001, 1_500_000]


class DegradedTest(ClusterTest):
    def setUp(self):
        self.cluster.dev("up")  # also what a failed test left dead

    def check(self, folder, seed):
        for i, size in enumerate(SIZES):
            self.assertEqual(read_file(self.path(folder, str(i))), random_bytes(seed + i, size), f"{folder}/{i}, {size} bytes")

    def write(self, folder, seed):
        os.mkdir(self.path(folder))
        for i, size in enumerate(SIZES):
            write_file(self.path(folder, str(i)), random_bytes(seed + i, size))

    def holders(self, folder):
        """Numbers of the chunkservers that hold bytes of these files: parity cells and the data cells that are present."""
        servers = set()
        for i in range(len(SIZES)):
            layout = self.cluster.layout(self.path(folder, str(i)))
            chunks = {chunk["chunk"]: chunk for chunk in layout["chunks"]}
            for extent in layout["extents"]:
                shards = chunks[extent["chunk"]]["shards"]
                self.assertEqual(sum(shard["kind"] == "parity" for shard in shards), 2, "k is given up, never m")
                servers |= {shard["server"] for shard in shards if shard["kind"] == "parity" or extent["present"] >> shard["shard"] & 1}
        return {self.cluster.number_of(server) for server in servers}

    def test_all_pairs_of_servers_may_die(self):
        self.write("whole", 1000)
        for pair in itertools.combinations(range(1, 7), 2):
            with self.subTest(dead=pair):
                self.cluster.kill(*pair)
                self.cluster.remount()
                self.check("whole", 1000)
                folder = "without-%d-%d" % pair
                self.write(folder, 2000)
                self.check(folder, 2000)
                self.cluster.start(*pair)
        self.cluster.remount()
        for pair in itertools.combinations(range(1, 7), 2):
            self.check("without-%d-%d" % pair, 2000)

    def test_what_is_written_without_two_servers_survives_two_more_losses(self):
        self.cluster.kill(1, 4)
        self.write("meanwhile", 3000)
        numbers = self.holders("meanwhile")
        self.assertEqual(numbers, {2, 3, 5, 6}, "nothing counts as stored that lies on a dead server")
        self.cluster.start(1, 4)
        for pair in itertools.combinations(sorted(numbers), 2):
            with self.subTest(dead=pair):
                self.cluster.kill(*pair)
                self.cluster.remount()
                self.check("meanwhile", 3000)
                self.cluster.start(*pair)

    def test_with_too_few_shards_a_read_is_an_error_and_never_wrong_bytes(self):
        write_file(self.path("victim"), random_bytes(7, 3_000_000))
        self.cluster.remount()
        self.cluster.kill(1, 2, 3)
        try:
            with self.assertRaises(OSError):
                read_file(self.path("victim"))
        finally:
            self.cluster.start(1, 2, 3)
        self.assertEqual(read_file(self.path("victim")), random_bytes(7, 3_000_000))


if __name__ == "__main__":
    main()
