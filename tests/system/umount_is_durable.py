#!/usr/bin/env python3
"""What `cairn umount` and a stopped mount leave behind is safe; a second mount sees what the first has finished."""

import os
import signal
import subprocess

from libcluster import CAIRN, ClusterTest, ended, main, random_bytes, read_file, wait_until, write_file


class UmountTest(ClusterTest):
    def test_unmounted_data_survives_a_power_cut_of_every_process(self):
        for i in range(20):
            write_file(self.path(f"u{i}"), random_bytes(i, 37_000 * i), fsync=False)
        self.cluster.cairn("umount", self.mount)
        self.assertFalse(os.path.ismount(self.mount))
        self.cluster.kill("metaserver", *range(1, 7))
        self.cluster.dev("up")
        for i in range(20):
            self.assertEqual(read_file(self.path(f"u{i}")), random_bytes(i, 37_000 * i))

    def test_sigterm_flushes_and_unmounts(self):
        write_file(self.path("terminated"), random_bytes(1, 2_000_000), fsync=False)
        pid = int(os.getxattr(self.mount, "cairn.pid"))
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: ended(pid), "the daemon has ended")
        self.assertFalse(os.path.ismount(self.mount))
        self.cluster.start("mount")
        self.assertEqual(read_file(self.path("terminated")), random_bytes(1, 2_000_000))

    def test_what_cannot_be_stored_stays_mounted_until_it_can_or_is_given_up(self):
        data = random_bytes(3, 1_000_000)
        write_file(self.path("waiting"), data, fsync=False)
        self.cluster.kill(1, 2, 3, 4)
        done = self.cluster.cairn("umount", self.mount, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("--force", done.stderr)
        self.assertTrue(os.path.ismount(self.mount))
        self.cluster.start(1, 2, 3, 4)
        self.cluster.cairn("umount", self.mount)
        self.cluster.start("mount")
        self.assertEqual(read_file(self.path("waiting")), data)
        write_file(self.path("given-up"), data, fsync=False)
        self.cluster.kill(1, 2, 3, 4)
        self.cluster.cairn("umount", "--force", self.mount)
        self.assertFalse(os.path.ismount(self.mount))
        self.cluster.dev("up")

    def test_a_busy_mount_says_who_uses_it(self):
        with subprocess.Popen(["cat"], cwd=self.mount, stdin=subprocess.PIPE) as holder:
            done = self.cluster.cairn("umount", self.mount, check=False)
            holder.stdin.close()
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"cat (pid {holder.pid}", done.stderr)
        self.assertTrue(os.path.ismount(self.mount))

    def test_two_mounts_see_each_others_finished_work(self):
        write_file(self.path("first"), b"one")
        self.assertFalse(os.path.exists(self.path("second")))  # remembered as absent by this kernel
        other = os.path.join(self.cluster.base, "other")
        os.mkdir(other)
        self.cluster.cairn("mount", self.cluster.metaserver(), other)
        try:
            self.assertEqual(read_file(os.path.join(other, "first")), b"one")
            write_file(os.path.join(other, "second"), random_bytes(2, 500_000), fsync=False)
            self.assertEqual(read_file(self.path("second")), random_bytes(2, 500_000))
            write_file(self.path("first"), b"changed", fsync=False)
            self.assertEqual(read_file(os.path.join(other, "first")), b"changed")
            os.rename(os.path.join(other, "second"), os.path.join(other, "third"))
            self.assertEqual(sorted(name for name in os.listdir(self.mount) if name in ("second", "third")), ["third"])
            self.assertFalse(os.path.exists(self.path("second")))
        finally:
            self.cluster.cairn("umount", other)

    def test_mistakes_are_answered_with_a_sentence(self):
        for words, expected in [(["mount", "127.0.0.1:1", self.mount], "is mounted there already"),
                                (["mount", "127.0.0.1:1", self.cluster.base], "no metaserver answers"),
                                (["mount", self.cluster.metaserver(), "/does/not/exist"], "mkdir -p"),
                                (["umount", "/tmp"], "no CairnFS is mounted"),
                                (["sync", "/tmp"], "not in a CairnFS mount"),
                                (["status", "-m", "nonsense"], "nonsense"),
                                (["layout", self.path("none")], "none"),
                                (["dev", "kill", "--dir", self.cluster.directory, "9"], "1 to 6"),
                                (["dev", "up", "--dir", self.cluster.directory, "--policy", "ec(2,1)"], "ec(4,2)")]:
            with self.subTest(words=words):
                done = subprocess.run([CAIRN, *words], capture_output=True, text=True, timeout=60)
                self.assertEqual(done.returncode, 1)
                self.assertIn(expected, done.stderr)


if __name__ == "__main__":
    main()
