#!/usr/bin/env python3
"""kill -9 of the metaserver in the middle of a copy: the copy goes on after its restart, and nothing is missing."""

import os
import subprocess

from libcluster import ClusterTest, main, random_bytes, read_file, real_tree, scaled, wait_until, write_file


class MetaserverRestartTest(ClusterTest):
    def test_a_copy_survives_restarts_of_the_metaserver(self):
        tree = real_tree(scaled(8_000_000, 100_000_000))
        os.mkdir(self.path("tree"))
        copy = subprocess.Popen(["cp", "-a", "-t", self.path("tree"), *tree], stderr=subprocess.PIPE, text=True)
        total = sum(len(files) for source in tree for _, _, files in os.walk(source))
        interrupted = 0
        try:
            for share in (0.2, 0.5, 0.8):
                wait_until(lambda: copy.poll() is not None or
                           sum(len(files) for _, _, files in os.walk(self.path("tree"))) >= share * total,
                           f"{share:.0%} of the files are copied", 120)
                interrupted += copy.poll() is None
                self.cluster.kill("metaserver")
                self.cluster.start("metaserver")
            _, errors = copy.communicate(timeout=180)
        finally:
            copy.kill()
        self.assertEqual((copy.returncode, errors), (0, ""))
        self.assertGreaterEqual(interrupted, 2, "the metaserver was killed while the copy ran")
        for _ in ("as it is in memory", "as it is on the servers"):
            for source in tree:
                subprocess.run(["diff", "-r", "--no-dereference", source, self.path("tree", os.path.basename(source))], check=True)
            self.cluster.remount()

    def test_everything_acknowledged_is_there_after_all_servers_were_killed(self):
        os.mkdir(self.path("acked"))
        for i in range(40):
            write_file(self.path("acked", str(i)), random_bytes(i, 3000 * i))
            os.rename(self.path("acked", str(i)), self.path("acked", f"r{i}"))
        self.cluster.kill("metaserver", *range(1, 7))
        self.cluster.start("metaserver", *range(1, 7))
        self.cluster.remount()
        self.assertEqual(sorted(os.listdir(self.path("acked"))), sorted(f"r{i}" for i in range(40)))
        for i in range(40):
            self.assertEqual(read_file(self.path("acked", f"r{i}")), random_bytes(i, 3000 * i))


if __name__ == "__main__":
    main()
