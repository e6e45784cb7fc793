"""A dev cluster with a mount, for the system tests: made in a temporary directory, and always cleaned up.

  class SomethingTest(ClusterTest):
      chunkservers, policy = 6, "ec(4,2)"
      def test_a_sentence(self): ...           self.cluster, self.mount

The binaries are found in $CAIRN_BIN (ctest sets it). CAIRN_SOAK=1 asks for the long versions: scaled(short, long).
"""

import glob
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

BIN = os.environ.get("CAIRN_BIN") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../build/debug/bin")
CAIRN = os.path.join(BIN, "cairn")
SOAK = os.environ.get("CAIRN_SOAK") == "1"


def scaled(short, long):
    return long if SOAK else short


def wait_until(condition, what, seconds=30):
    """Looks until condition() is true; fails with the sentence after the deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds} s still not: {what}")
        time.sleep(0.01)


def ended(pid):
    """Gone, or a zombie that nobody has reaped yet, with all its threads: the last one takes files and locks along."""
    try:
        fields = read_file(f"/proc/{pid}/stat").rsplit(b")", 1)[1].split()
        return fields[0] == b"Z" and fields[17] in (b"0", b"1")
    except OSError:
        return True


def random_bytes(seed, length):
    return random.Random(seed).randbytes(length)


def write_file(path, data, fsync=True):
    with open(path, "wb") as file:
        file.write(data)
        if fsync:
            file.flush()
            os.fsync(file.fileno())


def read_file(path):
    with open(path, "rb") as file:
        return file.read()


def digest_tree(directory):
    """{relative path: type, mode, link target or content hash} of everything below."""
    out = {}
    for folder, names, files in os.walk(directory):
        for name in names + files:
            path = os.path.join(folder, name)
            info = os.lstat(path)
            if os.path.islink(path):
                what = os.readlink(path)
            elif os.path.isfile(path):
                what = hashlib.sha256(read_file(path)).hexdigest()
            else:
                what = ""
            out[os.path.relpath(path, directory)] = (info.st_mode, what)
    return out


def real_tree(at_most_bytes):
    """Paths of subdirectories of /usr/include, in order of their names, of at most so many bytes."""
    chosen, used = [], 0
    for path in sorted(glob.glob("/usr/include/*")):
        size = sum(os.lstat(os.path.join(folder, name)).st_size for folder, _, names in os.walk(path) for name in names)
        if os.path.isdir(path) and used + size <= at_most_bytes:
            chosen.append(path)
            used += size
    return chosen


class Cluster:
    purge = ["--purge"]

    def __init__(self, chunkservers=6, policy="ec(4,2)", cell=None, environment=None, up=()):
        """environment: variables of every command, and so of every process that it starts. May be changed later. up: more words of dev up."""
        self.environment = dict(environment or {})
        self.base = tempfile.mkdtemp(prefix="cairn-test-", dir=os.environ.get("CAIRN_TEST_DIR"))
        self.directory = os.path.join(self.base, "cluster")
        self.mount = os.path.join(self.base, "mnt")
        self.chunkservers = chunkservers
        self.prepare()
        words = ["dev", "up", "--dir", self.directory, "--mount", self.mount, "--chunkservers", str(chunkservers), "--policy", policy,
                 "--quarantine", "1s", *up]
        try:
            self.cairn(*words, *(["--cell", cell] if cell else []))
        except BaseException:
            self.close(show_logs=True)
            raise

    def prepare(self):
        """What a subclass does before the first start."""

    def cairn(self, *words, check=True, environment=None):
        """Runs a subcommand and returns its standard output; a failure is an exception with its standard error."""
        done = subprocess.run([CAIRN, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240,
                              env={**os.environ, **self.environment, **(environment or {})})
        if check and done.returncode != 0:
            raise AssertionError(f"cairn {' '.join(words)} ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout if check else done

    def dev(self, subcommand, *words, **options):
        return self.cairn("dev", subcommand, "--dir", self.directory, *map(str, words), **options)

    def kill(self, *who):
        self.dev("kill", *who)

    def start(self, *who, **options):
        """options: those of cairn(), like an environment for these processes alone."""
        return self.dev("start", *who, **options)

    def everybody(self):
        """All servers, as kill() and start() name them."""
        return ["metaserver", *range(1, self.chunkservers + 1)]

    def pids(self):
        """Of the running processes: {"metaserver", "mount" or a number: pid}. Asks none of them: they may be dead or stopped."""
        state = json.loads(read_file(os.path.join(self.directory, "cluster.json")))
        found = {"metaserver": state["metaserver"]["pid"], "mount": self.mount_pid()}
        found.update({number: row["pid"] for number, row in enumerate(state["chunkservers"], 1)})
        return {who: pid for who, pid in found.items() if pid and not ended(pid)}

    def pid(self, who):
        return self.pids().get(who, 0)

    def mount_pid(self):
        for entry in glob.glob("/proc/[0-9]*"):
            try:
                words = read_file(os.path.join(entry, "cmdline")).decode(errors="replace").split("\0")
            except OSError:
                continue
            if words[1:2] == ["mount"] and self.mount in words:
                return int(os.path.basename(entry))
        return 0

    def kill_at_once(self, *who):
        """kill -9 of all of them in one moment, as a power cut does it. Returns when they are gone."""
        running = self.pids()
        pids = [running[one] for one in who if one in running]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: all(ended(pid) for pid in pids), "the killed processes are gone")

    def statistics(self):
        """What the mount has done so far."""
        return json.loads(os.getxattr(self.mount, "cairn.statistics"))

    def remount(self):
        """A mount with nothing in memory: reads come from the servers."""
        self.cairn("umount", self.mount)
        self.start("mount")

    def dev_status(self):
        return json.loads(self.dev("status", "--json"))

    def status(self):
        return json.loads(self.cairn("status", "-m", self.metaserver(), "--json"))

    def metaserver(self):
        return self.dev_status()["metaserver"]

    def layout(self, path):
        return json.loads(self.cairn("layout", path, "--json"))

    def number_of(self, server):
        """The number (1..n) of the chunkserver with this ServerId."""
        address = next(row["address"] for row in self.status()["servers"] if row["server"] == server)
        return int(next(row["who"] for row in self.dev_status()["processes"] if row["address"] == address))

    def drain(self, number):
        """Begins to move everything away from this chunkserver (1..n)."""
        node = next(row["server"] for row in self.status()["servers"] if self.number_of(row["server"]) == number)
        self.cairn("node", "drain", str(node), "-m", self.metaserver())

    def end_drains(self):
        nodes = json.loads(self.cairn("node", "list", "-m", self.metaserver(), "--json"))["nodes"]
        for row in nodes:
            if row["state"] == "draining":
                self.cairn("node", "activate", str(row["server"]), "-m", self.metaserver())

    def shard_bytes(self):
        """Disk space of all shards, as du counts it."""
        total = 0
        for folder, _, names in os.walk(self.directory):
            if "/chunkserver-" in folder:
                total += sum(os.lstat(os.path.join(folder, name)).st_blocks * 512 for name in names)
        return total

    def wait_whole(self, seconds=30):
        wait_until(lambda: self.status()["missing_shards"] == 0, "missing_shards is 0", seconds)

    def close(self, show_logs=False):
        """Never raises: takes everything down, by force where it must, and removes the directory."""
        self.end_processes(show_logs)
        shutil.rmtree(self.base, ignore_errors=True)

    def end_processes(self, show_logs):
        if show_logs:
            for log in sorted(glob.glob(os.path.join(self.directory, "logs/*.log"))):
                lines = read_file(log).decode(errors="replace").splitlines()[-25:]
                print(f"--- {os.path.basename(log)}", *lines, sep="\n    ", file=sys.stderr)
        try:
            subprocess.run([CAIRN, "dev", "down", *self.purge, "--dir", self.directory], capture_output=True, timeout=90, check=True)
        except (subprocess.SubprocessError, OSError) as error:
            print(f"dev down failed, ending the processes one by one: {error} {getattr(error, 'stderr', b'')!r}", file=sys.stderr)
            self.end_by_force()

    def end_by_force(self):
        """Only processes whose command line names this cluster's own directory."""
        for entry in glob.glob("/proc/[0-9]*"):
            try:
                line = read_file(os.path.join(entry, "cmdline")).decode(errors="replace")
                if self.base in line and "cairn" in line.split("\0")[0]:
                    os.kill(int(os.path.basename(entry)), signal.SIGKILL)
            except (OSError, ValueError):
                continue
        subprocess.run(["umount", "-l", self.mount], capture_output=True, check=False)


class ClusterTest(unittest.TestCase):
    """One cluster for all tests of the class; its logs are shown when one of them fails."""

    chunkservers, policy, cell, environment = 6, "ec(4,2)", None, None

    @classmethod
    def setUpClass(cls):
        cls.failed = False
        cls.cluster = cls.make_cluster()
        cls.mount = cls.cluster.mount

    @classmethod
    def make_cluster(cls):
        return Cluster(cls.chunkservers, cls.policy, cls.cell, cls.environment)

    @classmethod
    def tearDownClass(cls):
        cls.cluster.close(show_logs=cls.failed)

    def run(self, result=None):
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before:
            type(self).failed = True

    def path(self, *names):
        return os.path.join(self.mount, *names)


def main():
    if not os.access(CAIRN, os.X_OK):
        sys.exit(f"{CAIRN} is not there: build it, or name the folder of the binaries in CAIRN_BIN")
    # A terminated test takes its cluster down too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    unittest.main(verbosity=2)
