"""What is measured: a local directory, a FUSE pass-through of it, and a CairnFS mount. Each is a context manager."""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time

from . import accounting

PASSTHROUGH_SOURCE = "/usr/share/doc/libfuse3-dev/examples/passthrough_ll.c"


class Failed(Exception):
    """A sentence for the user that says what is missing and how to mend it."""


def wait_until(condition, seconds, what):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Failed(f"{what}: not within {seconds} s")
        time.sleep(0.02)


class Subject:
    name = ""
    client_pids = ()
    server_pids = ()
    earlier_peak_mib = 0.0      # of clients that have ended since the start

    def __init__(self, base):
        self.base = base
        self.directory = None

    def drop_caches(self):
        """Every cache between the program and the disk."""
        accounting.drop_kernel_caches()

    def second(self):
        """The same directory by another mount of the same cluster, or None where there is no such thing."""
        return None

    def end_second(self):
        pass

    def drop_memory(self):
        """The kernel's caches and those of processes, but not what is cached on a disk."""
        self.drop_caches()

    @contextlib.contextmanager
    def local_cache(self):
        """Within it, what is read is cached on a local disk, if the subject can do that."""
        yield

    def pids(self):
        return list(self.client_pids) + list(self.server_pids)


class Local(Subject):
    name = "local"

    def __enter__(self):
        self.directory = os.path.join(self.base, "local")
        os.makedirs(self.directory)
        return self

    def second(self):
        return self.directory

    def __exit__(self, *_):
        shutil.rmtree(self.directory)


class Passthrough(Subject):
    """libfuse's own example where Debian ships its source, else bindfs."""

    name = "passthrough"

    def __enter__(self):
        self.backing = os.path.join(self.base, "backing")
        self.directory = os.path.join(self.base, "passthrough")
        os.makedirs(self.backing)
        os.makedirs(self.directory)
        command = self.command()
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: os.path.ismount(self.directory), 10, f"the mount of {command[0]}")
        self.client_pids = [self.process.pid]
        return self

    def command(self):
        if os.path.exists(PASSTHROUGH_SOURCE):
            binary = os.path.join(self.base, "passthrough_ll")
            flags = subprocess.run(["pkg-config", "--cflags", "--libs", "fuse3"], check=True, capture_output=True,
                                   text=True).stdout.split()
            built = subprocess.run(["gcc", "-O2", "-w", "-D_GNU_SOURCE", PASSTHROUGH_SOURCE, "-o", binary, *flags])
            if built.returncode == 0:
                return [binary, "-f", "-o", f"source={self.backing},cache=always,timeout=60", self.directory]
        if shutil.which("bindfs"):
            return ["bindfs", "-f", "--multithreaded", self.backing, self.directory]
        raise Failed("no FUSE pass-through to compare with: apt-get install libfuse3-dev bindfs, or leave out "
                     "--subjects passthrough")

    def __exit__(self, *_):
        subprocess.run(["umount", self.directory], check=False)
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.backing)


class Cairn(Subject):
    """A dev cluster of one metaserver and six chunkservers on this machine, mounted with ec(4,2)."""

    name = "cairn"

    def __init__(self, base, program, policy, chunkservers):
        super().__init__(base)
        self.program = program
        self.policy = policy
        self.chunkservers = chunkservers
        self.other = os.path.join(base, "cairn-second")
        self.mount_options = []

    def cairn(self, *arguments):
        done = subprocess.run([self.program, *arguments], capture_output=True, text=True)
        if done.returncode != 0:
            raise Failed(f"cairn {' '.join(arguments)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def __enter__(self):
        self.cluster = os.path.join(self.base, "cluster")
        self.directory = os.path.join(self.base, "cairn")
        os.makedirs(self.directory)
        self.cairn("dev", "up", "--dir", self.cluster, "--mount", self.directory, "--chunkservers", str(self.chunkservers),
                   "--policy", self.policy)
        self.read_pids()
        return self

    def second(self):
        if not os.path.ismount(self.other):
            os.makedirs(self.other, exist_ok=True)
            self.cairn("mount", self.metaserver, self.other)
        return self.other

    def end_second(self):
        """What is measured alone must be alone: another mount costs the first one its exclusive lease."""
        if os.path.ismount(self.other):
            self.cairn("umount", self.other)

    def read_pids(self):
        status = json.loads(self.cairn("dev", "status", "--dir", self.cluster, "--json"))
        self.metaserver = status["metaserver"]
        self.client_pids = [int(os.getxattr(self.directory, "cairn.pid"))]
        self.server_pids = [entry["pid"] for entry in status["processes"] if entry["who"] != "mount"]

    @contextlib.contextmanager
    def local_cache(self):
        """A disk cache that holds the big file; its drop_caches keeps the directory."""
        directory = os.path.join(self.base, "block-cache")
        self.mount_options = ["-o", f"cache_dir={directory},cache_disk=4G,cache_keep_free=64M"]
        self.drop_caches()
        try:
            yield
        finally:
            self.mount_options = []
            self.drop_caches()
            shutil.rmtree(directory, ignore_errors=True)

    def drop_caches(self):
        """The client's too, by a fresh mount; the time of the new daemon starts at zero, so rows read CPU afterwards."""
        self.earlier_peak_mib = max(self.earlier_peak_mib, *map(accounting.peak_mib, self.client_pids))
        self.cairn("umount", self.directory)
        self.cairn("mount", self.metaserver, self.directory, *self.mount_options)
        self.client_pids = [int(os.getxattr(self.directory, "cairn.pid"))]
        accounting.drop_kernel_caches()

    def __exit__(self, *_):
        subprocess.run([self.program, "umount", self.other], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        subprocess.run([self.program, "dev", "down", "--dir", self.cluster, "--purge"], check=False,
                       stdout=subprocess.DEVNULL)


def work_directory(parent):
    return tempfile.mkdtemp(prefix="cairn-bench-", dir=parent)
