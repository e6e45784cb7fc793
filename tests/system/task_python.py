#!/usr/bin/env python3
"""The package cairnfs: Cluster.map as multiprocessing.Pool.map over the same files; tables of jobs in pandas, each figure computed again
by other means."""

import collections
import csv
import hashlib
import io
import math
import os
import random
import re
import statistics
import sys

import pandas

from libcluster import CAIRN, ClusterTest, main, write_file

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "python"))
from cairnfs import Cluster, TaskError  # noqa: E402

CITIES = ["Bern", "", "Biel, Bienne", 'La "Chaux"', "Zürich", "two\nlines"]


def sales_csv(seed, rows):
    rng = random.Random(seed)
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["id", "city", "amount"])
    for i in range(rows):
        writer.writerow([i, rng.choice(CITIES), "" if rng.random() < 0.03 else repr(rng.gauss(20, 1000))])
    return out.getvalue()


def text_of(seed, lines):
    rng = random.Random(seed)
    return "".join(" ".join(rng.choice(["error", "fine", "slow", "é", "a\u2028b"]) for _ in range(rng.randrange(12))) + "\n" for _ in range(lines))


class TaskPython(ClusterTest):
    chunkservers, policy, cell = 6, "ec(4,2)", "64K"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.texts, cls.sales = {}, {}
        for i, size in enumerate([0, 1, 40, 3000, 60_000]):
            cls.texts[os.path.join(cls.mount, f"log{i}.txt")] = text_of(i, size)
            cls.sales[os.path.join(cls.mount, f"sales{i}.csv")] = sales_csv(i, size)
        for path, text in {**cls.texts, **cls.sales}.items():
            write_file(path, text.encode())
        cls.cluster_of_files = Cluster(cairn=CAIRN)

    def rows(self):
        """All sales as csv.DictReader reads them."""
        for text in self.sales.values():
            yield from csv.DictReader(io.StringIO(text, newline=""))

    def test_map_gives_a_result_for_each_file_in_their_order(self):
        files = [*reversed(self.texts), next(iter(self.texts))]
        counts = self.cluster_of_files.map("wc", files)
        self.assertEqual([row["file"] for row in counts], files)
        for path, row in zip(files, counts, strict=True):
            data = self.texts[path].encode()
            self.assertEqual((row["lines"], row["words"], row["bytes"]), (data.count(b"\n"), len(re.findall(rb"[\x21-\x7e]+", re.sub(rb"[\x80-\xff]", b"", data))), len(data)))
        sums = self.cluster_of_files.map("checksum", files, algorithm="sha256")
        self.assertEqual([row["checksum"] for row in sums], ["sha256:" + hashlib.sha256(self.texts[path].encode()).hexdigest() for path in files])
        self.assertEqual(self.cluster_of_files.map("wc", []), [])

    def test_map_over_records(self):
        found = self.cluster_of_files.map("grep", list(self.texts), "error.*slow")
        for (path, text), rows in zip(self.texts.items(), found, strict=True):
            lines = [line for line in text.split("\n") if re.search("error.*slow", line)]
            self.assertEqual([row["line"] for row in rows], lines, path)
        each = self.cluster_of_files.map("stats", list(self.sales), column="amount")
        for text, rows in zip(self.sales.values(), each, strict=True):
            values = [float(row["amount"]) for row in csv.DictReader(io.StringIO(text, newline="")) if row["amount"]]
            self.assertEqual(rows[0]["count"], len(values))
            if values:
                self.assertEqual(rows[0]["sum"], math.fsum(values))

    def test_a_table_in_pandas_has_every_figure(self):
        out = self.path("by_city.csv")
        self.assertIsNone(self.cluster_of_files.run("stats", self.sales, column="amount", group_by="city", out=out))
        table = pandas.read_csv(out, float_precision="round_trip", keep_default_na=False)
        groups = collections.defaultdict(list)
        for row in self.rows():
            groups[row["city"]].append(row["amount"])
        self.assertEqual(list(table["group"]), sorted(groups, key=lambda city: city.encode()))
        for row in table.to_dict("records"):
            texts = groups[row["group"]]
            values = [float(text) for text in texts if text]
            self.assertEqual((row["count"], row["missing"]), (len(values), len(texts) - len(values)))
            self.assertEqual((row["sum"], row["min"], row["max"]), (math.fsum(values), min(values), max(values)))
            self.assertTrue(math.isclose(row["mean"], statistics.fmean(values), rel_tol=1e-15))
            self.assertTrue(math.isclose(row["variance"], statistics.variance(values), rel_tol=1e-13))
        frame = self.cluster_of_files.run("stats", self.sales, column="amount", group_by="city").to_pandas()
        self.assertEqual(list(frame["sum"]), list(table["sum"]))

    def test_a_job_goes_on_by_itself(self):
        job = self.cluster_of_files.submit("grep", list(self.texts), "error", count=True)
        job.wait(60)
        self.assertTrue(job.ready() and job.successful())
        self.assertEqual(sum(job.get().column("count")), sum("error" in line for text in self.texts.values() for line in text.split("\n")))
        self.assertEqual(job.status()["bytes"], sum(len(text.encode()) for text in self.texts.values()))

    def test_paths_from_the_root_need_no_mount(self):
        far = Cluster(self.cluster.metaserver(), cairn=CAIRN)
        self.assertEqual([row["bytes"] for row in far.map("wc", ["log2.txt", "//log0.txt", "./log2.txt"])],
                         [len(self.texts[self.path(f"log{i}.txt")].encode()) for i in (2, 0, 2)])
        self.assertEqual(far.run("wc", ["/log3.txt"])[0]["bytes"], len(self.texts[self.path("log3.txt")].encode()))

    def test_errors_are_exceptions_that_say_what_and_where(self):
        with self.assertRaisesRegex(TaskError, "no column 'price'|price"):
            self.cluster_of_files.run("stats", self.sales, column="price")
        with self.assertRaisesRegex(TaskError, "nowhere.txt"):
            self.cluster_of_files.map("wc", [self.path("nowhere.txt")])
        with self.assertRaisesRegex(TaskError, "frobnicate"):
            self.cluster_of_files.map("frobnicate", list(self.texts))
        job = self.cluster_of_files.submit("stats", self.sales, column="price")
        with self.assertRaisesRegex(TaskError, "price"):
            job.get(60)


if __name__ == "__main__":
    main()
