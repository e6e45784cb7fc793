#!/usr/bin/env python3
"""Any two of six servers may die: everything reads back, and what is written meanwhile is protected as its code says."""

import itertools
import os

from libcluster import ClusterTest, main, random_bytes, read_file, write_file

SIZES = [0, 1, 2000, 2049, 5000, 70_000, 262_144, 900_001, 1_500_000]


class DegradedTest(ClusterTest):
    def check(self, folder, seed):
        for i, size in enumerate(SIZES):
            self.assertEqual(read_file(self.path(folder, str(i))), random_bytes(seed + i, size), f"{folder}/{i}, {size} bytes")

    def write(self, folder, seed):
        os.mkdir(self.path(folder))
        for i, size in enumerate(SIZES):
            write_file(self.path(folder, str(i)), random_bytes(seed + i, size))

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
        chunks = [chunk for i in range(len(SIZES)) for chunk in self.cluster.layout(self.path("meanwhile", str(i)))["chunks"]]
        holders = {shard["server"] for chunk in chunks for shard in chunk["shards"]}
        numbers = {self.cluster.number_of(server) for server in holders}
        self.assertEqual(numbers, {2, 3, 5, 6}, "nothing is counted as stored on a dead server")
        self.assertEqual({chunk["code"] for chunk in chunks}, {"ec(2,2)"})
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
