#!/usr/bin/env python3
"""fio writes blocks with checksums and reads them back: sequential and random, 4 KiB to 1 MiB, buffered and direct."""

import os
import subprocess

from libcluster import ClusterTest, main, scaled


class FioVerifyTest(ClusterTest):
    def fio(self, name, *options):
        folder = self.path(name)
        os.makedirs(folder, exist_ok=True)
        words = ["fio", f"--name={name}", f"--directory={folder}", "--ioengine=psync", f"--size={scaled(24, 256)}M", "--verify=crc32c",
                 "--verify_fatal=1", "--verify_state_save=0", "--do_verify=1", "--fallocate=none", "--minimal", *options]
        done = subprocess.run(words, capture_output=True, text=True, timeout=600)
        self.assertEqual(done.returncode, 0, f"{' '.join(words)}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")

    def test_every_pattern_reads_back_what_was_written(self):
        for direct in (0, 1):
            for block in ("4k", "64k", "1M"):
                for pattern in ("write", "randwrite"):
                    size = ["--size=8M"] if block == "4k" and scaled(True, False) else []
                    with self.subTest(direct=direct, block=block, pattern=pattern):
                        self.fio(f"{pattern}-{block}-{direct}", f"--rw={pattern}", f"--bs={block}", f"--direct={direct}", *size)

    def test_mixed_sizes_with_fsync_and_two_writers(self):
        for direct in (0, 1):
            with self.subTest(direct=direct):
                self.fio(f"mixed-{direct}", "--rw=randwrite", "--bsrange=4k-1M", "--numjobs=2", "--fsync=16", f"--direct={direct}")

    def test_it_still_verifies_after_a_remount(self):
        options = ["--rw=randwrite", "--bs=16k"]
        self.fio("kept", *options)
        self.cluster.remount()
        self.fio("kept", *options, "--verify_only=1")


if __name__ == "__main__":
    main()
