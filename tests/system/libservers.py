"""Server processes that are started by hand, each with a data directory and a log: a dev cluster listens on 127.0.0.1 alone."""

import os
import signal
import subprocess
import tempfile

from libcluster import BIN, CAIRN, ended, read_file, wait_until
from libmounts import mounters


class Servers:
    """Below one temporary directory, `base`."""

    def __init__(self, prefix="cairn-test-"):
        self.base = tempfile.mkdtemp(prefix=prefix, dir=os.environ.get("CAIRN_TEST_DIR"))
        self.processes = []

    def path(self, *names):
        return os.path.join(self.base, *names)

    def log(self, who):
        return self.path(f"{who}.log")

    def start(self, who, address, program, *words, within=()):
        """HOST:PORT. within: the words of a command that runs it elsewhere, as in a network namespace."""
        data, port_file = self.path(who), self.path(f"{who}.port")
        os.mkdir(data)
        with open(self.log(who), "wb") as log:
            self.processes.append(subprocess.Popen([*within, os.path.join(BIN, program), "--data", data, "--listen", f"{address}:0",
                                                    "--port-file", port_file, *words], stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        wait_until(lambda: os.path.exists(port_file) and read_file(port_file).endswith(b"\n"), f"{who} listens")
        return read_file(port_file).decode().split()[0]

    def close(self):
        """Ends them and removes the directory. Never raises."""
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)
        subprocess.run(["rm", "-rf", "--one-file-system", self.base], check=False)


def end_mount(directory):
    """By cairn umount, or by force."""
    pids = mounters(directory)
    try:
        subprocess.run([CAIRN, "umount", directory], capture_output=True, timeout=30, check=True)
    except (subprocess.SubprocessError, OSError):
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        subprocess.run(["umount", "-l", directory], capture_output=True, check=False)
    wait_until(lambda: all(ended(pid) for pid in pids), "the mount's daemon has ended")
