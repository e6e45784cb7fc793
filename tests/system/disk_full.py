#!/usr/bin/env python3
"""Disks fill up: writers are told ENOSPC, nothing acknowledged is lost, and room is given back by deleting.

Each chunkserver lies on a small tmpfs of its own, and in another cluster the metaserver. Full are: one chunkserver, two, all
of them; the metaserver.
"""

import errno
import os
import shutil
import subprocess
import time

from libcluster import Cluster, ClusterTest, main, random_bytes, read_file, wait_until, write_file

MIB = 1 << 20
DISK = 448 * MIB  # of which the chunkserver keeps 64 MiB back, and the metaserver places nothing on the last 256
PIECE = 8 * MIB


class TmpfsCluster(Cluster):
    """Chunkservers (and the metaserver) lie on file systems of the test's own."""

    purge = []  # a folder that is a file system cannot be removed yet

    def __init__(self, sizes, **options):
        self.sizes = sizes  # {folder of the cluster: bytes}
        super().__init__(**options)

    def prepare(self):
        for folder, size in self.sizes.items():
            path = os.path.join(self.directory, folder)
            os.makedirs(path)
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "cairn-test", path], check=True)

    def free(self, folder):
        info = os.statvfs(os.path.join(self.directory, folder))
        return info.f_bavail * info.f_frsize

    def close(self, show_logs=False):
        self.end_processes(show_logs)
        for folder in self.sizes:
            subprocess.run(["umount", "-l", os.path.join(self.directory, folder)], capture_output=True, check=False)
        super().close()


class DiskFullTest(ClusterTest):
    chunkservers, policy, cell = 5, "ec(3,2)", "64K"

    @classmethod
    def make_cluster(cls):
        return TmpfsCluster({f"chunkserver-{n}": DISK for n in range(1, cls.chunkservers + 1)},
                            chunkservers=cls.chunkservers, policy=cls.policy, cell=cls.cell)

    def setUp(self):
        self.addCleanup(self.clear)

    def clear(self):
        for name in os.listdir(self.mount):
            path = self.path(name)
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
        wait_until(lambda: all(self.cluster.free(folder) > DISK - 32 * MIB for folder in self.cluster.sizes),
                   "the room of deleted files is given back", 60)

    def fill_up(self, server, leave=0):
        """Somebody else's file takes the room of one disk."""
        folder = f"chunkserver-{server}"
        ballast = os.path.join(self.cluster.directory, folder, "ballast")
        with open(ballast, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, self.cluster.free(folder) - leave)
        self.addCleanup(lambda: os.path.exists(ballast) and os.unlink(ballast))
        return ballast

    def write_until_full(self, folder):
        """Names of the files that were acknowledged, and the errno that ended it."""
        os.makedirs(self.path(folder), exist_ok=True)
        for number in range(200):
            began = time.monotonic()
            try:
                write_file(self.path(folder, str(number)), random_bytes(number, PIECE))
            except OSError as error:
                self.assertLess(time.monotonic() - began, 60, "the refusal came too late")
                os.unlink(self.path(folder, str(number)))  # or its bytes would wait for room
                return number, error.errno
        return 200, 0

    def check(self, folder, count):
        for number in range(count):
            self.assertTrue(read_file(self.path(folder, str(number))) == random_bytes(number, PIECE), f"{folder}/{number}")

    def test_all_disks_are_full(self):
        count, refused = self.write_until_full("all")
        self.assertEqual(errno.errorcode.get(refused), "ENOSPC")
        self.assertGreater(count, 20, "before that they were used")
        print(f"({count * PIECE // MIB} MiB fitted)", end=" ", flush=True)
        self.check("all", count)
        wait_until(lambda: self.free_bytes() < 10 * PIECE, "df says that there is no room", 15)
        print(f"status: {self.cluster.status()['what']}", end=" ", flush=True)
        self.refused("one-more")
        self.cluster.kill(*range(1, self.chunkservers + 1))
        self.cluster.dev("up")
        self.cluster.remount()
        self.check("all", count)  # also when a full server has started again
        for number in range(count // 2):
            os.unlink(self.path("all", str(number)))
        self.wait_until_writing_works("after deleting")
        for number in range(count // 2, count):
            self.assertTrue(read_file(self.path("all", str(number))) == random_bytes(number, PIECE))

    def free_bytes(self):
        info = os.statvfs(self.mount)
        return info.f_bavail * info.f_frsize

    def refused(self, name):
        with self.assertRaises(OSError) as raised:
            write_file(self.path(name), random_bytes(1, PIECE))
        self.assertEqual(errno.errorcode[raised.exception.errno], "ENOSPC")
        os.unlink(self.path(name))

    def wait_until_writing_works(self, name):
        def works():
            try:
                write_file(self.path(name), random_bytes(9, PIECE))
                return True
            except OSError as error:
                self.assertEqual(errno.errorcode[error.errno], "ENOSPC")
                return False
        wait_until(works, "deleting files frees space", 240)
        self.assertEqual(read_file(self.path(name)), random_bytes(9, PIECE))

    def test_full_servers_are_gone_round(self):
        """ec(3,2) on five servers: one or two full ones shorten the code, three leave too few domains."""
        ballast = []
        for full in (1, 2, 3):
            ballast.append(self.fill_up(full))
            wait_until(lambda: sum(row["free_bytes"] < PIECE for row in self.cluster.status()["servers"]) == full,
                       "the metaserver knows", 15)
            path = self.path(f"with-{full}-full")
            if full < 3:
                write_file(path, random_bytes(full, PIECE))
                self.assertEqual(read_file(path), random_bytes(full, PIECE))
            else:
                self.refused("with-3-full")
        self.cluster.remount()
        for full in (1, 2):
            self.assertEqual(read_file(self.path(f"with-{full}-full")), random_bytes(full, PIECE))
        for path in ballast:
            os.unlink(path)
        self.wait_until_writing_works("room again")


class MetaserverFullTest(ClusterTest):
    chunkservers, policy = 3, "ec(1,2)"

    @classmethod
    def make_cluster(cls):
        return TmpfsCluster({"metaserver": 192 * MIB}, chunkservers=cls.chunkservers, policy=cls.policy)

    def test_the_metaservers_disk_is_full(self):
        os.mkdir(self.path("d"))
        for number in range(50):
            write_file(self.path("d", f"before-{number}"), random_bytes(number, 3000))
        ballast = os.path.join(self.cluster.directory, "metaserver", "ballast")
        with open(ballast, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, self.cluster.free("metaserver"))
        acknowledged, refused = 0, None
        deadline = time.monotonic() + 60
        while refused is None:
            self.assertLess(time.monotonic(), deadline, "nothing is refused")
            began = time.monotonic()
            try:
                write_file(self.path("d", f"during-{acknowledged}"), random_bytes(acknowledged, 1500))
                acknowledged += 1
            except OSError as error:
                refused = errno.errorcode[error.errno]
            self.assertLess(time.monotonic() - began, 30, "a call hangs")
        self.assertEqual(refused, "ENOSPC")
        status = self.cluster.status()
        print(f"({acknowledged} files fitted; status: {status['what']}, {status['troubles']})", end=" ", flush=True)
        self.assertTrue(status["troubles"], "status says what is to be mended")
        self.check(acknowledged)
        os.unlink(self.path("d", "before-0"))  # ends are let through
        self.cluster.kill_at_once("metaserver", "mount")
        os.unlink(ballast)
        self.cluster.dev("up")
        self.assertFalse(os.path.exists(self.path("d", "before-0")))
        self.check(acknowledged)
        write_file(self.path("d", "after"), random_bytes(7, 5000))
        wait_until(lambda: not self.cluster.status()["troubles"], "status is content again", 15)

    def check(self, acknowledged):
        for number in range(1, 50):
            self.assertEqual(read_file(self.path("d", f"before-{number}")), random_bytes(number, 3000))
        for number in range(acknowledged):
            self.assertEqual(read_file(self.path("d", f"during-{number}")), random_bytes(number, 1500))


if __name__ == "__main__":
    main()
