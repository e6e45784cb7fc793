#!/usr/bin/env python3
"""Small files share stripes, deleted ones give their space back, and a log of short fsynced lines stays compact."""

import os
import random

from libcluster import ClusterTest, main, random_bytes, scaled, wait_until, write_file


class PackingTest(ClusterTest):
    def test_a_thousand_small_files_take_few_chunks_and_give_their_space_back(self):
        os.mkdir(self.path("small"))
        sizes = [3000 + (i * 7919) % 30_000 for i in range(1000)]
        chunks_before, bytes_before = self.cluster.status()["chunks"], self.cluster.shard_bytes()
        for i, size in enumerate(sizes):
            write_file(self.path("small", str(i)), random_bytes(i, size), fsync=False)
        self.cluster.cairn("sync", self.mount)
        full = self.cluster.shard_bytes() - bytes_before
        self.assertLessEqual(self.cluster.status()["chunks"] - chunks_before, 4)
        self.assertLess(full, 2.5 * sum(sizes), "ec(4,2) takes 1.5 times the data, and headers")
        for i in random.Random(1).sample(range(1000), 500):
            os.unlink(self.path("small", str(i)))
        self.cluster.cairn("sync", self.mount)
        # Only what is dead as a whole stripe can be given back before a fold: clearly less, not half.
        wait_until(lambda: self.cluster.shard_bytes() - bytes_before < full, "the shards take less space than before", 60)
        for i in range(1000):
            if os.path.exists(self.path("small", str(i))):
                os.unlink(self.path("small", str(i)))
        self.cluster.cairn("umount", self.mount)  # its open chunks are sealed
        wait_until(lambda: self.cluster.shard_bytes() - bytes_before < full / 10, "nearly all space is back", 90)
        self.cluster.start("mount")

    def test_one_line_appends_with_fsync_stay_compact(self):
        lines = scaled(3000, 100_000)
        before = self.cluster.shard_bytes()
        descriptor = os.open(self.path("log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        expected = bytearray()
        for i in range(lines):
            line = f"{i:08d} something happened\n".encode()
            os.write(descriptor, line)
            os.fdatasync(descriptor)
            expected += line
        os.close(descriptor)
        self.cluster.remount()
        with open(self.path("log"), "rb") as file:
            self.assertEqual(file.read(), bytes(expected))
        layout = self.cluster.layout(self.path("log"))
        self.assertLessEqual(len(layout["extents"]), 2 + len(expected) // 16384)
        wait_until(lambda: self.cluster.shard_bytes() - before < 40 * len(expected) + (8 << 20), "the dead stripes are given back", 90)


if __name__ == "__main__":
    main()
