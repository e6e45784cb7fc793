#!/usr/bin/env python3
"""kill -9 of the mount: what was fsynced is there after a remount; the rest is old, new or absent, never invented."""

import os

from libcluster import ClusterTest, main, random_bytes, read_file, write_file


class ClientCrashTest(ClusterTest):
    environment = {"CAIRN_SESSION_TTL": "5s"}  # a new mount waits for the end of the dead one's

    def crash(self):
        self.cluster.kill("mount")
        self.cluster.start("mount")

    def test_what_was_fsynced_survives(self):
        os.mkdir(self.path("d"))
        sizes = [0, 10, 2048, 2049, 50_000, 262_144, 1_000_000, 5_000_000]
        for i, size in enumerate(sizes):
            write_file(self.path("d", str(i)), random_bytes(i, size))
        self.crash()
        for i, size in enumerate(sizes):
            self.assertEqual(read_file(self.path("d", str(i))), random_bytes(i, size))

    def test_an_fsync_of_the_root_covers_everything(self):
        for i in range(30):
            write_file(self.path(f"r{i}"), random_bytes(i, 20_000 * i), fsync=False)
        self.cluster.cairn("sync", self.mount)
        self.crash()
        for i in range(30):
            self.assertEqual(read_file(self.path(f"r{i}")), random_bytes(i, 20_000 * i))

    def test_what_was_not_fsynced_is_the_old_or_the_new_and_nothing_else(self):
        old, new = random_bytes(1, 400_000), random_bytes(2, 400_000)
        write_file(self.path("both"), old)
        descriptor = os.open(self.path("both"), os.O_WRONLY)
        for offset in range(0, 400_000, 4000):
            os.pwrite(descriptor, new[offset:offset + 4000], offset)
        write_file(self.path("fresh"), new, fsync=False)
        self.cluster.kill("mount")
        try:
            os.close(descriptor)
        except OSError:
            pass  # the mount is dead: the error is what a program should see
        self.cluster.start("mount")
        now = read_file(self.path("both"))
        self.assertEqual(len(now), 400_000)
        for offset in range(0, 400_000, 4000):
            self.assertIn(now[offset:offset + 4000], (old[offset:offset + 4000], new[offset:offset + 4000]))
        if os.path.exists(self.path("fresh")):
            fresh = read_file(self.path("fresh"))
            self.assertEqual(fresh, new[:len(fresh)])

    def test_the_dead_mount_says_how_to_be_mended(self):
        self.cluster.kill("mount")
        done = self.cluster.cairn("mount", self.cluster.metaserver(), self.mount, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("cairn umount", done.stderr)
        self.cluster.cairn("umount", self.mount)
        self.cluster.start("mount")
        self.assertTrue(os.path.ismount(self.mount))


if __name__ == "__main__":
    main()
