#!/usr/bin/env python3
"""`cairn bench tasks` in small: its tables are read by pandas, and every figure is computed again from the files in the mount."""

import glob
import json
import os
import re
import subprocess
import tempfile

import pandas

from libcluster import CAIRN, ClusterTest, main, read_file

FILES, SIZE, PARTITIONS, READS = 12, 60_000, 4, 20


def crc32c_table():
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


CRC_TABLE = crc32c_table()


def crc32c(data):
    value = 0xFFFFFFFF
    for byte in data:
        value = CRC_TABLE[(value ^ byte) & 0xFF] ^ (value >> 8)
    return value ^ 0xFFFFFFFF


class BenchTasks(ClusterTest):
    chunkservers, policy, cell = 4, "ec(2,1)", "16K"

    def setUp(self):
        self.out = tempfile.TemporaryDirectory()
        self.addCleanup(self.out.cleanup)

    def bench(self, workload, *words):
        done = subprocess.run([CAIRN, "bench", "tasks", workload, "--directory", self.mount, "--files", str(FILES), "--size", str(SIZE),
                               "--out", self.out.name, "--force", "--json", *words], capture_output=True, text=True, timeout=240, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout), done.stderr

    def table(self, name):
        return pandas.read_csv(os.path.join(self.out.name, name + ".csv"), float_precision="round_trip")

    def files(self, name):
        paths = sorted(glob.glob(self.path(name, "*.csv")))
        self.assertEqual(len(paths), FILES)
        return paths

    def test_operators_over_many_files(self):
        report, said = self.bench("seed-1000x10M")
        self.assertIn("were made in", said)
        paths = self.files(report["workload"])
        contents = {path: read_file(path) for path in paths}
        self.assertEqual({len(data) for data in contents.values()}, {SIZE})

        checksums = self.table("checksum")
        self.assertEqual(list(checksums["file"]), paths)
        self.assertEqual(list(checksums["bytes"]), [SIZE] * FILES)
        self.assertEqual(list(checksums["checksum"]), [f"crc32c:{crc32c(data):08x}" for data in contents.values()])
        counts = self.table("wc")
        self.assertEqual(list(counts["lines"]), [data.count(b"\n") for data in contents.values()])
        self.assertEqual(list(counts["words"]), [len(data.split()) for data in contents.values()])
        found = self.table("grep")
        self.assertEqual(list(found["count"]), [len(re.findall(rb"(?m)^.*,g07,.*$", data)) for data in contents.values()])
        everything = pandas.concat([pandas.read_csv(path) for path in paths])
        amounts = everything.groupby("group")["amount"]
        stats = self.table("stats").set_index("group")
        self.assertEqual(set(stats.index), set(everything["group"]))
        for group, values in amounts:
            row = stats.loc[group]
            self.assertEqual(row["count"], len(values))
            self.assertEqual((row["min"], row["max"]), (values.min(), values.max()))
            for column, expected in (("sum", values.sum()), ("mean", values.mean()), ("variance", values.var())):
                self.assertAlmostEqual(row[column], expected, delta=abs(expected) * 1e-9)

        self.assertEqual([one["operator"] for one in report["operators"]], ["checksum", "wc", "grep", "stats"])
        for one in report["operators"]:
            self.assertEqual(one["bytes"], FILES * SIZE)
            self.assertAlmostEqual(one["megabytes_per_second"], one["bytes"] / 1e6 / one["seconds"], places=6)
            self.assertGreater(one["bytes_near"], FILES * SIZE * 0.5, "most of it is read from the disks beside")
        held = sum(row["bytes"] for row in report["layout"] if row["server"] != 0)
        self.assertEqual(held, FILES * SIZE, "each byte lies on one server")
        _, said = self.bench("seed-1000x10M")
        self.assertIn("has the files already", said)
        self.assertEqual({path: read_file(path) for path in paths}, contents)

    def check_figures(self, report, reads, writes):
        by_file = self.table("by_file")
        self.assertEqual(list(by_file["file"]), self.files(report["workload"]))
        self.assertEqual(list(by_file["partition"]), [f"p{i * PARTITIONS // FILES}" for i in range(FILES)])
        self.assertEqual(list(by_file["reads"]), reads)
        self.assertEqual(list(by_file["writes"]), writes)
        self.assertEqual(list(by_file["bytes"]), [(r + w) * SIZE for r, w in zip(reads, writes)])
        self.assertEqual(list(by_file["errors"]), [0] * FILES)
        self.assertTrue((by_file["seconds"] > 0).all())
        sums = by_file.groupby("partition", sort=False)[["reads", "writes", "bytes", "seconds", "errors"]].sum()
        partitions = self.table("by_partition").set_index("partition")
        self.assertEqual(list(partitions["files"]), [FILES // PARTITIONS] * PARTITIONS)
        for column in ("reads", "writes", "bytes", "errors"):
            self.assertEqual(list(partitions[column]), list(sums[column]), column)
        for ours, theirs in zip(partitions["seconds"], sums["seconds"]):
            self.assertAlmostEqual(ours, theirs, places=9)
        self.assertEqual([(row["partition"], row["bytes"]) for row in report["partitions"]], list(partitions["bytes"].items()))

    def test_reads_of_partitions(self):
        report, _ = self.bench("seed-100x10-p10", "--partitions", str(PARTITIONS), "--reads", str(READS))
        self.check_figures(report, [READS] * FILES, [0] * FILES)
        before = [read_file(path) for path in self.files(report["workload"])]
        mixed, _ = self.bench("seed-100x10-p10", "--partitions", str(PARTITIONS), "--reads", str(READS), "--mixed")
        self.check_figures(mixed, [0 if i % 3 == 2 else READS for i in range(FILES)], [READS // 10 if i % 3 == 2 else 0 for i in range(FILES)])
        after = [read_file(path) for path in self.files(report["workload"])]
        self.assertEqual([i for i in range(FILES) if before[i] != after[i]], [i for i in range(FILES) if i % 3 == 2])
        self.assertTrue(all(len(pandas.read_csv(path)) > 1000 for path in self.files(report["workload"])), "CSV still")

    def test_partitions_of_files(self):
        names = [self.path(f"part{i}") for i in range(7)]
        for i, path in enumerate(names):
            with open(path, "wb") as file:
                file.write(bytes(1000 * (i + 1)))
        def partition(rule):
            done = subprocess.run([CAIRN, "task", "partition", "--partition", rule, *names], capture_output=True, text=True, timeout=60, check=True)
            return [line.rsplit(",", 2) for line in done.stdout.splitlines()]
        count = partition("count:3")
        self.assertEqual(count[0], ["File", "Size", "Partition"])
        self.assertEqual([row[2] for row in count[1:]], ["p0", "p0", "p0", "p0", "p1", "p1", "p2"])
        bins = partition("bytes:8K")
        for name in {row[2] for row in bins[1:]}:
            self.assertLessEqual(sum(int(row[1]) for row in bins[1:] if row[2] == name), 8192)
        self.assertEqual([row[0] for row in partition("locality")[1:]], names)


if __name__ == "__main__":
    main()
