#!/usr/bin/env python3
"""`cairn task run` on real clusters: every operator's table is that of `cairn task try` over the same files, and of coreutils, while servers,
workers and the metaserver die; a file that is overwritten meanwhile counts as it was; an output appears whole or not at all."""

import csv
import glob
import hashlib
import io
import json
import os
import random
import re
import signal
import subprocess

from libcluster import CAIRN, ClusterTest, main, read_file, wait_until, write_file

C_LOCALE = {**os.environ, "LC_ALL": "C"}
LABELS = ["x", "", "a,b", "new\nline", '"', 'he said "no"', "\r\n", "é", "\n\n1,2\n", "y", "long " * 50]


def csv_text(seed, rows, ending="\n"):
    rng = random.Random(seed)
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator=ending)
    writer.writerow(["id", "label", "amount"])
    for i in range(rows):
        amount = rng.choice([rng.gauss(0, 1), rng.expovariate(1e-3) * 1e12, rng.randrange(-50, 50)])
        writer.writerow([i, rng.choice(LABELS), "" if rng.random() < 0.05 else repr(amount)])
    return out.getvalue().encode()


def words(seed, count):
    rng = random.Random(seed)
    parts = [b"foo", b"bar baz ", b"\n", b"\r\n", b"\n\n", b"\t", "é".encode(), "€uro".encode(), b"word" * 20, b" x\n"]
    return b"".join(rng.choice(parts) for _ in range(count))


class TaskRun(ClusterTest):
    """The cluster, and the files that all tests read."""

    chunkservers, policy, cell = 6, "ec(4,2)", "64K"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for folder in ("text", "sales", "big", "sorted", "results"):
            os.mkdir(os.path.join(cls.mount, folder))
        texts = {"empty": b"", "one": b"\n", "inline": b"a few words, no line end", "packed0": words(1, 900), "packed1": words(2, 3000) + b"end",
                 "many cells": words(3, 250_000)}
        for name, data in texts.items():
            write_file(os.path.join(cls.mount, "text", name), data)
        with open(os.path.join(cls.mount, "text", "sparse"), "wb") as file:
            file.write(b"begin here\n")
            file.seek(1_500_000)
            file.write(words(4, 2000))
            file.truncate(2_000_000)
            os.fsync(file.fileno())
        for name, rows, ending in [("head alone", 0, "\n"), ("inline", 12, "\r\n"), ("cells", 30_000, "\n"), *((f"packed{i}", 40 * i + 1, "\n") for i in range(12))]:
            write_file(os.path.join(cls.mount, "sales", name + ".csv"), csv_text(rows, rows, ending))
        write_file(os.path.join(cls.mount, "sorted", "words"), b"\n".join(sorted(words(3, 250_000).split(b"\n"))))
        for i in range(3):
            write_file(os.path.join(cls.mount, "big", f"{i}.csv"), csv_text(100 + i, 150_000))

    def setUp(self):
        self.cluster.dev("up")  # also what a failed test left dead

    def task(self, *words, check=True):
        done = subprocess.run([CAIRN, "task", *words], stdin=subprocess.DEVNULL, capture_output=True, timeout=240, check=False)
        if check and done.returncode != 0:
            raise AssertionError(f"cairn task {' '.join(words)} ended with {done.returncode}: {done.stderr.decode()}")
        return done.stdout if check else done

    def status(self, job):
        return json.loads(self.task("show", str(job), "-m", self.address(), "--json"))

    def address(self):
        state = json.loads(read_file(os.path.join(self.cluster.directory, "cluster.json")))
        return f"127.0.0.1:{state['metaserver']['port']}"

    def texts(self):
        return sorted(glob.glob(self.path("text", "*")))

    def sales(self):
        return sorted(glob.glob(self.path("sales", "*.csv")))

    def operators(self):
        yield ["wc", *self.texts()]
        yield ["grep", "--count", "foo.*x", *self.texts()]
        yield ["grep", "--replace", "word bar", *self.texts()[:4]]
        yield ["checksum", *self.texts(), *self.sales()]
        yield ["checksum", "--algorithm", "sha256", *self.texts()]
        yield ["stats", "--column", "amount", *self.sales()]
        yield ["stats", "--column", "amount", "--group-by", "label", "--quantiles", "0,0.5,0.99", *self.sales()]
        yield ["top", "--column", "amount", "--rows", "20", *self.sales()]
        yield ["top", "--column", "label", "--frequent", *self.sales()]
        yield ["sort", "--memory", "64K", *self.texts()]
        yield ["sort", "--column", "amount", "--numeric", "--reverse", *self.sales()[:2]]
        yield ["bsearch", "--prefix", "foo", "--replace", self.path("sorted", "words")]
        yield ["dedup-report", "--block", "4K", *self.texts(), *self.sales()]
        yield ["exec", "sed s/foo/FOO/g", *self.texts()]
        yield ["exec", "--merge", "sort -u", "tr -s '[:space:]' '\\n' | sort -u", *self.texts()[:4]]

    def check_all(self, *options):
        for words_of in self.operators():
            with self.subTest(words_of=words_of[:4]):
                self.assertEqual(self.task("run", *words_of, *options).decode(), self.tables[tuple(words_of)])

    @property
    def tables(self):
        """What cairn task try says, asked once: no test changes these files."""
        cls = type(self)
        if "known_tables" not in cls.__dict__:
            cls.known_tables = {tuple(words_of): self.task("try", *words_of).decode() for words_of in self.operators()}
        return cls.known_tables

    def submit(self, *more):
        """A job of many small tasks; its number."""
        return int(self.task("run", "stats", "--column", "amount", "--group-by", "label", self.path("big"), "--task-bytes", "64K", "--detach", *more))

    def begin(self):
        """The same, when some of its tasks are done and others are not."""
        return self.when_some_are_done(self.submit())

    def when_some_are_done(self, job):
        def some_are_done():
            status = self.status(job)
            self.assertIn(status["phase"], ("receiving", "planning", "surveying", "mapping"), status)
            return any(phase["phase"] == "mapping" and phase["done"] > 0 for phase in status["phases"])
        wait_until(some_are_done, "some tasks are done")
        return job

    def check_that_it_still_runs(self, job):
        status = self.status(job)
        mapping = next(phase for phase in status["phases"] if phase["phase"] == "mapping")
        self.assertTrue(status["phase"] == "mapping" and mapping["done"] < mapping["tasks"], f"too short for this test: {status}")

    def end(self, job, phase="done"):
        wait_until(lambda: self.status(job)["phase"] in ("done", "failed", "cancelled"), "the job has ended", 180)
        status = self.status(job)
        self.assertEqual(status["phase"], phase, status)
        return status

    def big_table(self):
        cls = type(self)
        if "known_big_table" not in cls.__dict__:
            cls.known_big_table = self.task("try", "stats", "--column", "amount", "--group-by", "label", *sorted(glob.glob(self.path("big", "*"))))
        return cls.known_big_table


class OtherCode(TaskRun):
    """Three servers, two-fold striping, small cells."""

    chunkservers, policy, cell = 3, "ec(2,1)", "16K"

    def test_tables_are_those_of_one_process(self):
        self.check_all("--task-bytes", "64K")


class SixServers(TaskRun):
    def test_tables_are_those_of_one_process(self):
        self.check_all()
        self.check_all("--task-bytes", "64K")

    def test_figures_are_those_of_coreutils(self):
        rows = csv.DictReader(io.StringIO(self.task("run", "wc", self.path("text")).decode(), newline=""))
        rows = {row["file"]: row for row in rows}
        self.assertEqual(sorted(rows), self.texts(), "a directory means all files below it")
        counts = csv.DictReader(io.StringIO(self.task("run", "grep", "--count", "foo|x$", self.path("text")).decode(), newline=""))
        counts = {row["file"]: int(row["count"]) for row in counts}
        sums = csv.DictReader(io.StringIO(self.task("run", "checksum", "--algorithm", "sha256", self.path("text", "*")).decode(), newline=""))
        sums = {row["file"]: row["checksum"] for row in sums}
        for path in self.texts():
            theirs = subprocess.run(["wc", "-lwc", path], env=C_LOCALE, capture_output=True, check=True).stdout.split()[:3]
            self.assertEqual([rows[path][name] for name in ("lines", "words", "bytes")], [field.decode() for field in theirs], path)
            theirs = subprocess.run(["grep", "-a", "-c", "-E", "foo|x$", path], env=C_LOCALE, capture_output=True, check=False)
            self.assertEqual(counts[path], int(theirs.stdout), path)
            self.assertEqual(sums[path], "sha256:" + hashlib.sha256(read_file(path)).hexdigest(), path)

    def test_without_a_mount_paths_count_from_the_root(self):
        table = self.task("run", "wc", "-m", self.address(), "/text/*", "/sales").decode()
        expected = self.task("run", "wc", self.path("text"), self.path("sales")).decode()
        self.assertEqual(table, expected.replace(self.mount, ""))

    def test_what_was_just_written_is_in(self):
        path = self.path("text of now")
        write_file(path, b"not flushed yet\n" * 1000, fsync=False)
        self.assertIn("1000,3000,16000", self.task("run", "wc", path).decode())
        os.unlink(path)

    def test_most_bytes_are_read_where_they_lie(self):
        total = sum(os.stat(path).st_size for path in glob.glob(self.path("big", "*")))
        jobs = []
        def all_workers_are_there():  # those that another test has killed come back after a pause
            jobs.append(int(self.task("run", "checksum", self.path("big"), "--detach")))
            return self.end(jobs[-1])["counters"]["bytes_local"] >= total
        wait_until(all_workers_are_there, "each server's worker reads what lies there", 120)
        job = jobs[-1]
        counters = self.status(job)["counters"]
        self.assertLess(counters["bytes_network"], total / 50, counters)
        report = self.task("report", str(job), "-m", self.address()).decode()
        self.assertIn("near the data", report)
        for tasks in (self.task("show", str(job), "-m", self.address(), "--tasks", "--json"), self.task("plan", "checksum", self.path("big"), "--json")):
            plan = json.loads(tasks)
            self.assertEqual(sum(task["bytes"] for task in plan["tasks"]), total)
            self.assertTrue(all(task["bytes"] == task["bytes_owned"] for task in plan["tasks"] if task["owner"] != 0))
        self.assertIn(self.status(plan["job"])["phase"], ("cancelled", "done"))
        listed = json.loads(self.task("list", "-m", self.address(), "--json"))["jobs"]
        self.assertIn(job, [row["job"] for row in listed])

    def test_two_dead_servers_change_nothing(self):
        self.tables
        self.cluster.kill_at_once(2, 5)
        try:
            self.check_all()
        finally:
            self.cluster.start(2, 5)

    def test_servers_that_die_while_it_runs_change_nothing(self):
        job = self.begin()
        self.cluster.kill_at_once(1, 6)
        try:
            self.check_that_it_still_runs(job)
            self.end(job)
        finally:
            self.cluster.start(1, 6)
        self.assertEqual(self.task("result", str(job), "-m", self.address()), self.big_table())

    def workers(self):
        """Pids of this cluster's workers."""
        found = []
        for entry in glob.glob("/proc/[0-9]*"):
            try:
                arguments = read_file(os.path.join(entry, "cmdline")).decode(errors="replace").split("\0")
            except OSError:
                continue
            if arguments[0].endswith("/cairn-worker") and any(one.startswith(self.cluster.directory) for one in arguments):
                found.append(int(os.path.basename(entry)))
        return found

    def test_a_worker_that_dies_is_replaced_and_changes_nothing(self):
        wait_until(lambda: len(self.workers()) == 6, "each chunkserver has a worker")
        job = self.begin()
        for victim in self.workers()[:3]:
            os.kill(victim, signal.SIGKILL)
        self.check_that_it_still_runs(job)
        self.end(job)
        self.assertEqual(self.task("result", str(job), "-m", self.address()), self.big_table())
        wait_until(lambda: len(self.workers()) == 6, "each chunkserver has a worker again")

    def test_sorted_runs_that_die_with_their_workers_are_made_again(self):
        files, out = sorted(glob.glob(self.path("big", "*"))), self.path("results", "sorted")
        expected = subprocess.run(["sort", "-s", *files], env=C_LOCALE, capture_output=True, check=True).stdout
        wait_until(lambda: len(self.workers()) == 6, "each chunkserver has a worker")
        job = self.when_some_are_done(int(self.task("run", "sort", *files, "--task-bytes", "64K", "--detach", "--out", out)))
        for victim in self.workers()[:3]:  # with what they had sorted
            os.kill(victim, signal.SIGKILL)
        self.check_that_it_still_runs(job)
        self.end(job)
        self.assertTrue(read_file(out) == expected, "the order is that of sort")
        self.assertEqual(os.listdir(self.path("results")), ["sorted"], "nothing else is left there")
        os.unlink(out)

    def test_a_worker_ends_with_its_chunkserver(self):
        wait_until(lambda: len(self.workers()) == 6, "each chunkserver has a worker")
        self.cluster.kill_at_once(3)
        wait_until(lambda: len(self.workers()) == 5, "the worker of the dead chunkserver is gone")
        self.cluster.start(3)

    def test_a_metaserver_that_restarts_goes_on_with_the_job(self):
        job = self.begin()
        self.cluster.kill_at_once("metaserver")
        self.cluster.start("metaserver")
        self.check_that_it_still_runs(job)
        self.end(job)
        self.assertEqual(self.task("result", str(job), "-m", self.address()), self.big_table())

    def test_a_file_that_is_overwritten_meanwhile_counts_as_it_was(self):
        path, table = self.path("big", "1.csv"), self.big_table()
        before = read_file(path)
        job = self.begin()
        try:
            write_file(path, csv_text(7, 1000))
            self.check_that_it_still_runs(job)
            status = self.end(job)
            self.assertEqual(self.task("result", str(job), "-m", self.address()), table)
            self.assertEqual(status["changed"], [path])
        finally:
            write_file(path, before)

    def test_an_output_in_the_filesystem_appears_whole(self):
        out, expected = self.path("results", "groups.csv"), self.big_table()
        job = self.submit("--out", out)
        def whole_or_absent():
            try:
                self.assertEqual(read_file(out), expected)
            except FileNotFoundError:
                pass
            return self.status(job)["phase"] not in ("receiving", "planning", "surveying", "mapping", "merging")
        wait_until(whole_or_absent, "the job has ended", 180)
        self.end(job)
        self.assertEqual(read_file(out), expected)
        self.assertEqual(os.listdir(self.path("results")), ["groups.csv"], "nothing else is left there")
        again = self.task("run", "wc", self.path("text"), "--out", out, check=False)
        self.assertEqual(again.returncode, 1)
        self.assertIn("exists; --force replaces it", again.stderr.decode())
        self.assertEqual(read_file(out), expected)
        self.task("run", "wc", self.path("text"), "--out", out, "--force", "--json")
        self.assertEqual(read_file(out), self.task("try", "wc", "--json", *self.texts()))
        info = os.stat(out)
        self.assertEqual((info.st_uid, info.st_mode & 0o777), (os.geteuid(), 0o644))
        os.unlink(out)

    def test_an_output_elsewhere_is_a_file_there(self):
        out = os.path.join(self.cluster.base, "local.csv")
        self.task("run", "wc", self.path("text"), "--out", out)
        self.assertEqual(read_file(out), self.task("try", "wc", *self.texts()))

    def test_bad_inputs_end_with_a_sentence_that_says_where(self):
        bad = self.path("sales", "bad.csv")
        write_file(bad, csv_text(1, 5000) + b'1,x,5" disk\n')
        write_file(self.path("latin"), b"ok\n" * 100_000 + b"\xe9x\n")
        cases = [
            (["stats", "--column", "z", self.path("sales")], 'has no column "z"; its columns are: id, label, amount'),
            (["stats", "--column", "amount", self.path("sales")], f"{bad}: offset "),
            (["grep", "x", self.path("latin")], "latin: offset 300000: this line matches, but is not UTF-8"),
            (["grep", "a(", self.path("latin")], "missing )"),
            (["wc", self.path("absent")], "absent"),
            (["wc", self.path("*.absent")], "no file matches"),
            (["wc", "/etc/passwd"], "is not in a CairnFS mount"),
            (["wc", self.path("latin"), "/etc/passwd"], "lies in another filesystem"),
            (["wc", self.path("latin"), "--out", self.path("nowhere", "x.csv")], "nowhere"),
        ]
        try:
            for words_of, message in cases:
                done = self.task("run", *words_of, check=False)
                self.assertEqual((done.returncode, done.stdout), (1, b""), words_of)
                self.assertIn(message, done.stderr.decode(), words_of)
            out = self.path("results", "bad.csv")
            done = self.task("run", "stats", "--column", "amount", self.path("sales"), "--out", out, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stderr.decode(), re.escape(bad) + ": offset [0-9]+: a quote within a field")
            self.assertEqual(os.listdir(self.path("results")), [], "nothing half-written is left")
        finally:
            os.unlink(bad)
            os.unlink(self.path("latin"))

    def test_control_c_cancels_the_job(self):
        running = subprocess.Popen([CAIRN, "task", "run", "stats", "--column", "amount", "--group-by", "label", self.path("big"), "--task-bytes", "64K"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        def live():
            return [job for job in json.loads(self.task("list", "-m", self.address(), "--json"))["jobs"] if job["phase"] in ("surveying", "mapping")]
        wait_until(lambda: live() or running.poll() is not None, "the job runs")
        self.assertIsNone(running.poll())
        job = live()[0]["job"]
        running.send_signal(signal.SIGINT)
        out, errors = running.communicate(timeout=60)
        self.assertEqual((running.returncode, out), (1, b""))
        self.assertIn(f"job {job} was cancelled", errors.decode())
        self.assertEqual(self.status(job)["phase"], "cancelled")


if __name__ == "__main__":
    main()
