#!/usr/bin/env python3
"""Tasks that work on files, on real clusters with two mounts: contents are made again here, byte for byte; whoever reads meanwhile sees the
old or the new content whole, through open descriptors too; workers and the metaserver die, and nothing is left."""

import csv
import glob
import io
import json
import os
import signal
import subprocess
import threading

from libcluster import CAIRN, ended, main, random_bytes, read_file, wait_until, write_file
from libmounts import TwoMountsTest

MASK = (1 << 64) - 1


def mix64(value):
    value = (value + 0x9E3779B97F4A7C15) & MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return value ^ (value >> 31)


def content(seed, file, repetition, size):
    """As docs/tasks.md has it."""
    base = mix64(seed ^ mix64(file ^ mix64(repetition)))
    words = (mix64((base + i) & MASK).to_bytes(8, "little") for i in range((size + 7) // 8))
    return b"".join(words)[:size]


def read_at_once(descriptor):
    """The first 64 KiB in one request: one snapshot. Through pages the kernel makes several."""
    return os.pread(descriptor, 65_536, 0)


class TaskFiles(TwoMountsTest):
    chunkservers, policy, cell = 6, "ec(4,2)", "64K"

    def setUp(self):
        self.cluster.dev("up")  # also what a failed test left dead
        self.folder = self.path(self.id().rsplit(".", 1)[-1])
        os.mkdir(self.folder)

    def task(self, *words, check=True, stdin=None):
        done = subprocess.run([CAIRN, "task", *map(str, words)], input=stdin, capture_output=True, text=True, timeout=240, check=False)
        if check and done.returncode != 0:
            raise AssertionError(f"cairn task {' '.join(map(str, words))} ended with {done.returncode}: {done.stderr}")
        return done.stdout if check else done

    def rows(self, *words, **options):
        return list(csv.DictReader(io.StringIO(self.task("run", *words, **options))))

    def files(self, *sizes):
        paths = [os.path.join(self.folder, f"f{i:02}") for i in range(len(sizes))]
        for i, (path, size) in enumerate(zip(paths, sizes)):
            write_file(path, random_bytes(i, size))
        return paths

    def on_second(self, path):
        return os.path.join(self.second, os.path.relpath(path, self.mount))

    def metaserver_address(self):
        state = json.loads(read_file(os.path.join(self.cluster.directory, "cluster.json")))
        return f"127.0.0.1:{state['metaserver']['port']}"

    def job(self, number):
        return json.loads(self.task("show", number, "-m", self.metaserver_address(), "--json"))

    def wait_done(self, number):
        wait_until(lambda: self.job(number)["phase"] in ("done", "failed", "cancelled"), f"job {number} has ended", 180)
        self.assertEqual(self.job(number)["phase"], "done", self.job(number))

    def inodes(self):
        space = os.statvfs(self.mount)
        return space.f_files - space.f_ffree

    def workers(self):
        found = []
        for entry in glob.glob("/proc/[0-9]*"):
            try:
                words = read_file(os.path.join(entry, "cmdline")).decode(errors="replace").split("\0")
            except OSError:
                continue
            if words[0].endswith("/cairn-worker") and any(one.startswith(self.cluster.directory) for one in words):
                found.append(int(os.path.basename(entry)))
        return found

    # ---- write

    def test_write_gives_contents_that_can_be_made_again(self):
        paths = self.files(0, 100, 5000, 300_000)
        os.chmod(paths[2], 0o640)
        os.setxattr(paths[2], "user.kept", b"yes")
        before = [os.stat(path) for path in paths]
        rows = self.rows("write", "--times", "1*2,3,2", "--seed", 7, "--size", "0,70000,5000,200001", *paths)
        self.assertEqual([(row["file"], row["reads"], row["writes"], row["bytes"], row["errors"]) for row in rows],
                         [(path, "0", times, size, "0") for path, times, size in
                          zip(paths, ("1", "1", "3", "2"), ("0", "70000", "15000", "400002"))])
        for index, (path, last, size) in enumerate(zip(paths, (0, 0, 2, 1), (0, 70_000, 5000, 200_001))):
            self.assertTrue(read_file(path) == content(7, index, last, size), path)
            self.assertTrue(read_file(self.on_second(path)) == content(7, index, last, size), path)
            after = os.stat(path)
            self.assertEqual((after.st_ino, after.st_mode, after.st_nlink, after.st_size),
                             (before[index].st_ino, before[index].st_mode, 1, size))
            self.assertGreater(after.st_mtime_ns, before[index].st_mtime_ns)
        self.assertEqual(os.getxattr(paths[2], "user.kept"), b"yes")

    def test_what_was_written_before_on_another_mount_is_replaced_too(self):
        (path,) = self.files(300_000)
        with open(self.on_second(path), "r+b", buffering=0) as file:
            file.write(b"not synced")
            self.rows("write", "--seed", 3, path)
            self.assertTrue(read_file(path) == content(3, 0, 0, 300_000))
            file.seek(0)
            self.assertTrue(file.read(300_000) == content(3, 0, 0, 300_000), "through the descriptor that was open")
            file.write(b"more")  # at the end of what is there now
        self.assertEqual(os.stat(path).st_size, 300_004)

    def test_readers_see_one_content_or_the_other(self):
        (path,) = self.files(400_000)
        states = {content(seed, 0, 0, size) for seed, size in ((1, 400_000), (2, 500_000), (3, 90_000))} | {read_file(path)}
        wrong, stop = [], threading.Event()

        def look(where):
            descriptor = os.open(where, os.O_RDONLY | os.O_DIRECT)
            while not stop.is_set():
                seen = read_at_once(descriptor)
                if not any(seen == state[:65_536] for state in states):
                    wrong.append(where)
            os.close(descriptor)

        readers = [threading.Thread(target=look, args=(where,)) for where in (path, self.on_second(path))]
        for reader in readers:
            reader.start()
        try:
            for seed, size in ((1, 400_000), (2, 500_000), (3, 90_000)):
                self.rows("write", "--seed", seed, "--size", size, path)
                for where in (path, self.on_second(path)):
                    self.assertTrue(read_file(where) == content(seed, 0, 0, size), f"{where} after {seed}")
        finally:
            stop.set()
            for reader in readers:
                reader.join()
        self.assertEqual(wrong, [])

    def test_a_file_that_goes_meanwhile_is_an_error_of_that_file(self):
        paths = self.files(10_000, 10_000)
        number = int(self.task("run", "write", "--times", "1,200", *paths, "--detach"))
        wait_until(lambda: self.job(number)["phase"] == "mapping", "it has begun")
        os.unlink(paths[0])
        self.wait_done(number)
        rows = list(csv.DictReader(io.StringIO(self.task("result", number, "-m", self.metaserver_address()))))
        self.assertEqual([(row["writes"], row["errors"]) for row in rows], [("1", "1"), ("200", "0")])
        self.assertTrue(read_file(paths[1]) == content(0, 1, 199, 10_000))
        self.assertFalse(os.path.exists(paths[0]))

    # ---- convert

    def policy_of(self, path):
        return os.getxattr(path, "cairn.policy").decode()

    def test_convert_changes_the_class_and_nothing_else(self):
        paths = self.files(0, 700, 5000, 900_000)
        with open(os.path.join(self.folder, "sparse"), "wb") as file:
            file.seek(3_000_000)
            file.write(b"end")
            os.fsync(file.fileno())
            paths.append(file.name)
        contents = [read_file(path) for path in paths]
        before = [os.stat(path) for path in paths]
        rows = self.rows("convert", "--policy", "ec(2,1)/64K", *paths)
        self.assertEqual([(row["file"], row["bytes"], row["status"]) for row in rows],
                         [(path, str(len(data)), "converted") for path, data in zip(paths, contents)])
        self.assertTrue(all(row["from"].startswith("ec(4,2)") and row["to"].startswith("ec(2,1)/64K") for row in rows), rows)
        self.cluster.remount()
        for path, data, old in zip(paths, contents, before):
            self.assertTrue(read_file(path) == data, path)
            self.assertEqual(self.policy_of(path), "ec(2,1)", "its cell is the default's")
            now = os.stat(path)
            self.assertEqual((now.st_ino, now.st_size, now.st_mtime_ns, now.st_mode), (old.st_ino, old.st_size, old.st_mtime_ns, old.st_mode))
        self.assertLess(os.stat(paths[-1]).st_blocks * 512, 1_000_000, "the hole is one still")
        chunks = self.cluster.layout(paths[3])
        self.assertIn("ec(2,1)", json.dumps(chunks))
        self.assertEqual({row["status"] for row in self.rows("convert", "--policy", "ec(2,1)/64K", *paths)}, {"already"})
        refused = self.task("run", "convert", "--policy", "ec(99,1)", *paths, check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("ec(99,1)", refused.stderr)

    # ---- read, and tables

    def test_read_says_how_often_and_how_much(self):
        paths = self.files(0, 100, 500_000)
        for options in ([], ["--cold"], ["--warm"]):
            rows = self.rows("read", "--times", "2,3,4", *options, *paths)
            self.assertEqual([(row["file"], row["reads"], row["writes"], row["bytes"], row["errors"]) for row in rows],
                             [(path, reads, "0", size, "0") for path, reads, size in zip(paths, "234", ("0", "300", "2000000"))], options)
            self.assertGreater(float(rows[2]["seconds"]), 0)
        self.assertEqual([row["reads"] for row in self.rows("read", "--times", 0, *paths)], ["0"] * 3)

    def test_a_table_of_reads_and_writes(self):
        paths = self.files(200_000, 300_000, 5000, 5000)
        names = [os.path.relpath(path, self.mount) for path in paths]
        table = "file,reads,writes,size,partition\n" + "".join(
            f"{name},{reads},{writes},{size},{partition}\n" for name, reads, writes, size, partition in
            zip(names, (3, 0, 2, 0), (0, 2, 1, 0), ("", "", 9000, ""), ("p0", "p0", "p1", "")))
        rows = self.rows("read", "--table", "-", self.mount, stdin=table)
        self.assertEqual([(row["file"], row["partition"], row["reads"], row["writes"], row["bytes"], row["errors"]) for row in rows],
                         [(paths[0], "p0", "3", "0", "600000", "0"), (paths[1], "p0", "0", "2", "600000", "0"),
                          (paths[2], "p1", "2", "1", "19000", "0"), (paths[3], "", "0", "0", "0", "0")])
        self.assertTrue(read_file(paths[1]) == content(0, 0, 1, 300_000), "the first of those that are written")
        self.assertTrue(read_file(paths[2]) == content(0, 1, 0, 9000))
        self.assertTrue(read_file(paths[3]) == random_bytes(3, 5000))
        wrong = self.task("run", "read", "--table", "-", self.mount, check=False, stdin="file,reads\nx,y\n")
        self.assertEqual(wrong.returncode, 1)
        self.assertIn("line 2", wrong.stderr)

    # ---- generate

    def test_generate_makes_files_with_their_checksums(self):
        made = self.rows("generate", "--files", 9, "--size", 150_000, "--directory", self.folder, "--prefix", "g", "--seed", 11)
        paths = sorted(glob.glob(os.path.join(self.folder, "g*.bin")))
        self.assertEqual([row["file"] for row in made], paths)
        self.assertEqual(made, self.rows("checksum", *paths), "as the operator checksum gives them")
        for index, path in enumerate(paths):
            self.assertTrue(read_file(path) == content(11, index, 0, 150_000), path)
        taken = self.task("run", "generate", "--files", 10, "--size", 10, "--directory", self.folder, "--prefix", "g", check=False)
        self.assertEqual(taken.returncode, 1)
        self.assertEqual(sorted(glob.glob(os.path.join(self.folder, "g*"))), paths, "a name is taken, so nothing is made")
        table = self.rows("generate", "--files", 3, "--size", 40_000, "--directory", self.folder, "--prefix", "c", "--kind", "csv")
        for row in table:
            with open(row["file"], newline="") as file:
                records = list(csv.DictReader(file))
            self.assertEqual([int(record["id"]) for record in records], list(range(len(records))))

    # ---- what dies

    def check_deaths(self, words, paths, old, new, disturb):
        """Contents are old or new at every moment, new in the end, and nothing is left."""
        number = int(self.task("run", *words, *paths, "--detach", "--task-bytes", "64K"))
        wait_until(lambda: self.job(number)["phase"] != "receiving", "its inputs are told")
        for _ in range(3):
            disturb()
            for path, before, after in zip(paths, old, new):
                descriptor = os.open(self.on_second(path), os.O_RDONLY | os.O_DIRECT)
                self.assertTrue(read_at_once(descriptor) in (before, after), path)
                os.close(descriptor)
        self.wait_done(number)
        for path, after in zip(paths, new):
            self.assertTrue(read_file(path) == after, path)
        return list(csv.DictReader(io.StringIO(self.task("result", number, "-m", self.metaserver_address()))))

    def kill_workers(self):
        wait_until(lambda: len(self.workers()) >= 3, "workers run")
        victims = self.workers()[:3]
        for victim in victims:
            os.kill(victim, signal.SIGKILL)
        wait_until(lambda: all(ended(pid) for pid in victims), "they are dead")

    def restart_metaserver(self):
        self.cluster.kill_at_once("metaserver")
        self.cluster.start("metaserver")

    def test_workers_that_die_leave_nothing(self):
        paths = self.files(*[60_000] * 12)
        before, inodes = [read_file(path) for path in paths], self.inodes()
        after = [content(5, i, 2, 60_000) for i in range(12)]
        rows = self.check_deaths(["write", "--times", 3, "--seed", 5], paths, before, after, self.kill_workers)
        self.assertEqual({(row["writes"], row["errors"]) for row in rows}, {("3", "0")})
        self.check_deaths(["convert", "--policy", "ec(3,1)/64K"], paths, after, after, self.kill_workers)
        self.assertTrue(all(self.policy_of(path).startswith("ec(3,1)") for path in paths))
        # The sessions of the dead ones end, and with them the contents that nobody took.
        wait_until(lambda: self.inodes() == inodes, f"{inodes} inodes, as before", 90)
        self.assertEqual(sorted(os.listdir(self.folder)), [os.path.basename(path) for path in paths])

    def test_a_metaserver_that_restarts_changes_nothing(self):
        paths = self.files(*[60_000] * 8)
        before, inodes = [read_file(path) for path in paths], self.inodes()
        after = [content(6, i, 1, 60_000) for i in range(8)]
        self.check_deaths(["write", "--times", 2, "--seed", 6], paths, before, after, self.restart_metaserver)
        wait_until(lambda: self.inodes() == inodes, f"{inodes} inodes, as before", 90)

    def test_a_cancelled_job_leaves_the_files_alone(self):
        paths = self.files(*[50_000] * 4)
        before, inodes = [read_file(path) for path in paths], self.inodes()
        number = int(self.task("run", "write", "--times", 100_000, *paths, "--detach"))
        wait_until(lambda: any(phase["running"] for phase in self.job(number)["phases"]), "it runs", 60)
        self.task("cancel", number, "-m", self.metaserver_address())
        wait_until(lambda: self.inodes() == inodes, f"{inodes} inodes, as before", 90)
        for path, data in zip(paths, before):
            self.assertTrue(read_file(path) == data, path)


if __name__ == "__main__":
    main()
