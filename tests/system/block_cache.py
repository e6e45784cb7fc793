#!/usr/bin/env python3
"""The disk tier of the block cache on a real mount: a working set larger than memory is read with every chunkserver dead, also after a
remount and a kill -9; whatever happens to its files costs time and never a byte; and what `cairn cache` says and does."""

import errno
import glob
import json
import os
import shutil
import signal
import subprocess

from libcluster import ClusterTest, ended, main, random_bytes, read_file, wait_until, write_file

MIB = 1 << 20
MEMORY = 4 * MIB
FILES = {"big": 12 * MIB + 12_345, "middle": 3 * MIB, "small": 70_000, "smaller": 5_000, "inline": 900}
PIECE = 128 << 10


def drop_kernel_caches():
    with open("/proc/sys/vm/drop_caches", "w") as control:
        control.write("3\n")


class BlockCacheTest(ClusterTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.directory = os.path.join(cls.cluster.base, "block-cache")
        for seed, (name, size) in enumerate(FILES.items()):
            write_file(os.path.join(cls.mount, name), random_bytes(seed, size))

    def setUp(self):
        self.cluster.dev("up")   # also what a failed test left dead
        shutil.rmtree(self.directory, ignore_errors=True)

    def remount(self, directory=None, size=256 * MIB, keep_free=0):
        self.cluster.cairn("umount", self.mount)
        self.mount_again(directory, size, keep_free)

    def mount_again(self, directory=None, size=256 * MIB, keep_free=0):
        options = f"cache={MEMORY},cache_dir={directory or self.directory},cache_disk={size},cache_keep_free={keep_free}"
        self.cluster.cairn("mount", self.cluster.metaserver(), self.mount, "-o", options, "--log",
                           os.path.join(self.cluster.directory, "logs/mount.log"))

    def kill_chunkservers(self):
        self.cluster.kill_at_once(*range(1, 7))

    def cache(self):
        return json.loads(self.cluster.cairn("cache", "status", self.mount, "--json"))

    def settle(self):
        wait_until(lambda: self.cache()["disk"]["queued_bytes"] == 0, "the queue of the cache is written")

    def check_all(self):
        drop_kernel_caches()
        for seed, (name, size) in enumerate(FILES.items()):
            self.assertTrue(read_file(self.path(name)) == random_bytes(seed, size), f"{name} is not what was written")

    def segments(self, directory=None):
        return sorted(glob.glob(os.path.join(directory or self.directory, "segment-*")))

    def test_a_working_set_is_served_with_all_chunkservers_dead(self):
        self.remount()
        self.check_all()
        self.settle()
        before = self.cache()
        self.assertGreater(before["disk"]["used_bytes"], sum(FILES.values()) - MIB)
        self.assertLessEqual(before["memory"]["used_bytes"], MEMORY)
        self.kill_chunkservers()
        self.check_all()
        after = self.cache()
        self.assertGreater(after["disk"]["hits"] - before["disk"]["hits"], (sum(FILES.values()) - MEMORY) // PIECE // 2)
        self.assertEqual(after["disk"]["bad"], 0)

        self.remount()
        self.check_all()
        pid = self.cluster.mount_pid()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: ended(pid), "the mount is gone")
        subprocess.run(["umount", "-l", self.mount], check=True)
        self.mount_again()
        self.check_all()
        self.cluster.cairn("cache", "drop", self.mount)
        drop_kernel_caches()
        with self.assertRaises(OSError):
            read_file(self.path("big"))
        self.assertEqual(self.cache()["disk"]["entries"], 0)
        self.assertEqual(self.segments(), [])

    def test_what_this_mount_wrote_is_in_the_cache(self):
        self.remount()
        data = random_bytes(50, 6 * MIB + 77)
        write_file(self.path("written"), data)
        self.settle()
        self.kill_chunkservers()
        drop_kernel_caches()
        self.assertTrue(read_file(self.path("written")) == data)

    def test_its_files_may_be_damaged_and_deleted_while_they_are_used(self):
        self.remount()
        self.check_all()
        self.settle()
        for path in self.segments():
            with open(path, "r+b") as file:
                for at in range(1000, os.path.getsize(path), 300_000):
                    file.seek(at)
                    file.write(b"damage")
        self.check_all()
        self.assertGreater(self.cache()["disk"]["bad"], 10)
        self.settle()
        for path in self.segments()[::2]:
            os.truncate(path, os.path.getsize(path) // 3)
        self.check_all()
        for path in self.segments():
            os.unlink(path)
        self.check_all()
        shutil.rmtree(self.directory)
        self.cluster.cairn("cache", "drop", self.mount)
        self.check_all()
        self.settle()
        self.assertEqual(self.cache()["disk"]["state"], "good")
        self.assertGreater(len(self.segments()), 0, "the directory is made again")
        self.kill_chunkservers()
        self.check_all()

    def test_a_full_disk_makes_it_slower_and_nothing_else(self):
        tiny = os.path.join(self.cluster.base, "tiny")
        os.mkdir(tiny)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", tiny], check=True)
        try:
            self.remount(directory=tiny)
            self.check_all()
            try:
                write_file(os.path.join(tiny, "somebody-else"), bytes(16 * MIB), fsync=False)
            except OSError as error:
                self.assertEqual(error.errno, errno.ENOSPC)
            self.check_all()
            self.check_all()
            self.remount(directory=tiny)   # onto a disk that is full from the start
            self.check_all()
            self.assertLessEqual(self.cache()["disk"].get("used_bytes", 0), 8 * MIB)
        finally:
            self.cluster.cairn("umount", self.mount)
            subprocess.run(["umount", "-l", tiny], check=True)

    def test_two_mounts_do_not_share_a_directory(self):
        self.remount()
        other = os.path.join(self.cluster.base, "other")
        os.mkdir(other)
        done = self.cluster.cairn("mount", self.cluster.metaserver(), other, "-o", f"cache_dir={self.directory}", check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        try:
            self.assertIn("another mount", done.stderr)
            self.assertIn("another mount", self.cluster.cairn("cache", "status", other))
            self.assertTrue(read_file(os.path.join(other, "middle")) == random_bytes(1, FILES["middle"]))
            self.check_all()
        finally:
            self.cluster.cairn("umount", other)

    def test_warm_drop_and_status(self):
        self.remount()
        os.makedirs(self.path("tree/deeper"), exist_ok=True)
        for i in range(20):
            write_file(self.path("tree/deeper", str(i)), random_bytes(100 + i, 50_000), fsync=False)
        self.cluster.cairn("sync", self.mount)
        self.cluster.cairn("cache", "drop", self.mount)
        report = json.loads(self.cluster.cairn("cache", "warm", self.path("tree"), self.path("big"), "--json"))
        self.assertEqual((report["files"], report["failures"], report["tier"]), (21, 0, "disk"))
        self.assertEqual(report["bytes"], 20 * 50_000 + FILES["big"])
        self.assertIn("21 files", self.cluster.cairn("cache", "warm", self.path("tree"), self.path("big"), "--quiet"))
        self.settle()
        self.kill_chunkservers()
        drop_kernel_caches()
        self.assertTrue(read_file(self.path("big")) == random_bytes(0, FILES["big"]))
        for i in range(20):
            self.assertEqual(read_file(self.path("tree/deeper", str(i))), random_bytes(100 + i, 50_000))
        text = self.cluster.cairn("cache", "status", self.path("tree"))
        for word in ("memory", "disk", "hit rate", "admitted", self.directory):
            self.assertIn(word, text)
        done = self.cluster.cairn("cache", "warm", self.path("middle"), check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("middle", done.stderr)
        self.assertIn("not in a CairnFS mount", self.cluster.cairn("cache", "warm", "/usr", check=False).stderr)
        bad = self.cluster.cairn("mount", self.cluster.metaserver(), self.mount, "-o", "cache_disk=1K", check=False)
        self.assertIn("at least 4M", bad.stderr)


if __name__ == "__main__":
    main()
