"""A dev cluster with two mounts, for the tests of what programs on both see.

  class SomethingTest(TwoMountsTest):
      def test_a_sentence(self): ...           self.mount, self.second
"""

import glob
import os
import signal
import subprocess

from libcluster import CAIRN, Cluster, ClusterTest, read_file


class TwoMounts(Cluster):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.second = os.path.join(self.base, "second")
        self.second_log = os.path.join(self.directory, "logs/second.log")
        os.mkdir(self.second)
        try:
            self.mount_second()
        except BaseException:
            self.close(show_logs=True)
            raise

    def mount_second(self):
        self.cairn("mount", self.metaserver(), self.second, "--log", self.second_log)

    def end_processes(self, show_logs):
        self.end_second()
        super().end_processes(show_logs)

    def end_second(self):
        """Never raises."""
        if not hasattr(self, "second") or not is_mounted(self.second):
            return
        try:
            subprocess.run([CAIRN, "umount", self.second], capture_output=True, timeout=60, check=True)
        except (subprocess.SubprocessError, OSError):
            for pid in mounters(self.second):
                os.kill(pid, signal.SIGKILL)
            subprocess.run(["umount", "-l", self.second], capture_output=True, check=False)


def is_mounted(directory):
    """Without a look into the mount, as os.path.ismount does it, which a mount that is cut off may not answer."""
    return any(line.split()[4] == os.fsencode(directory) for line in read_file("/proc/self/mountinfo").splitlines())


def mounters(directory):
    """Processes `cairn mount ... DIRECTORY`."""
    found = []
    for entry in glob.glob("/proc/[0-9]*"):
        try:
            words = read_file(os.path.join(entry, "cmdline")).decode(errors="replace").split("\0")
        except OSError:
            continue
        if words[1:2] == ["mount"] and directory in words:
            found.append(int(os.path.basename(entry)))
    return found


class TwoMountsTest(ClusterTest):
    @classmethod
    def make_cluster(cls):
        return TwoMounts(cls.chunkservers, cls.policy, cls.cell, cls.environment)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.second = cls.cluster.second

    def path_on_second(self, *names):
        return os.path.join(self.second, *names)
