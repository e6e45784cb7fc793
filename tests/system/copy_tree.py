#!/usr/bin/env python3
"""A real tree is copied in, compared, compared again from the servers, and removed."""

import os
import subprocess

from libcluster import ClusterTest, main, real_tree, scaled


class CopyTreeTest(ClusterTest):
    def compare(self, tree):
        for source in tree:
            subprocess.run(["diff", "-r", "--no-dereference", source, self.path("tree", os.path.basename(source))], check=True)

    def test_a_copied_tree_is_equal_before_and_after_a_remount(self):
        tree = real_tree(scaled(12_000_000, 400_000_000))
        os.mkdir(self.path("tree"))
        subprocess.run(["cp", "-a", "-t", self.path("tree"), *tree], check=True)
        self.compare(tree)
        self.cluster.remount()
        self.compare(tree)
        for source in tree[:20]:
            there, here = os.lstat(source), os.lstat(self.path("tree", os.path.basename(source)))
            self.assertEqual((there.st_mode, there.st_uid, there.st_gid, there.st_mtime_ns),
                             (here.st_mode, here.st_uid, here.st_gid, here.st_mtime_ns))
        self.assertEqual(self.cluster.status()["missing_shards"], 0)
        subprocess.run(["rm", "-r", self.path("tree")], check=True)
        self.assertEqual(os.listdir(self.mount), [])


if __name__ == "__main__":
    main()
