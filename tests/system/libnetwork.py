"""A cluster whose one mount lives in a network of its own, and a link to it that can be cut.

  this machine's network                       a network namespace
  metaserver, chunkservers, `mount`            `second`
      ADDRESS.1  <------- veth pair, cut() ------->  ADDRESS.2

The mounts are seen everywhere: only the daemon of the second one is in the namespace, the programs that use it need not be. Needs root.
"""

import json
import os
import random
import signal
import subprocess
import tempfile

from libcluster import BIN, CAIRN, ended, read_file, wait_until
from libmounts import is_mounted, mounters


def run(*words, check=True, timeout=60):
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(words)} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


class Link:
    """The namespace and the pair of interfaces. Names have this process's id in them: runs do not meet."""

    NOBODY = "02:00:00:00:00:01"   # a link address that no interface has: what is sent there is dropped without a word

    def __init__(self):
        self.namespace = f"cairn-cut-{os.getpid()}"
        self.ours, self.theirs = f"cco{os.getpid()}", f"cct{os.getpid()}"
        run("ip", "netns", "add", self.namespace)
        try:
            run("ip", "link", "add", self.ours, "type", "veth", "peer", "name", self.theirs, "netns", self.namespace)
            self.address, other = self.free_addresses()
            run("ip", "addr", "add", f"{self.address}/30", "dev", self.ours)
            run("ip", "link", "set", self.ours, "up")
            self.inside("ip", "addr", "add", f"{other}/30", "dev", self.theirs)
            self.inside("ip", "link", "set", self.theirs, "up")
            self.neighbours = ((run, self.ours, other, self.link_address(self.inside, self.theirs)),
                               (self.inside, self.theirs, self.address, self.link_address(run, self.ours)))
        except BaseException:
            self.close()
            raise

    @staticmethod
    def free_addresses():
        taken = run("ip", "-4", "addr", "show")
        while True:
            first = f"10.{random.randrange(200, 250)}.{random.randrange(256)}."
            if first not in taken:
                return first + "1", first + "2"

    def inside(self, *words, **options):
        """nsenter and not ip netns exec, which would hide what is mounted there from everybody else."""
        return run("nsenter", f"--net=/run/netns/{self.namespace}", *words, **options)

    @staticmethod
    def link_address(where, interface):
        return json.loads(where("ip", "-j", "link", "show", "dev", interface))[0]["address"]

    def cut(self):
        """Packets are lost in both directions, and nobody is told: as when a cable is pulled behind a switch."""
        for where, interface, address, _ in self.neighbours:
            where("ip", "neigh", "replace", address, "lladdr", self.NOBODY, "dev", interface, "nud", "permanent")

    def heal(self):
        for where, interface, address, right in self.neighbours:
            where("ip", "neigh", "replace", address, "lladdr", right, "dev", interface, "nud", "permanent")

    def take_down(self):
        """The mount's own interface goes: its calls fail at once, as when the cable is pulled out of this machine."""
        self.inside("ip", "link", "set", self.theirs, "down")

    def bring_up(self):
        self.inside("ip", "link", "set", self.theirs, "up")
        self.heal()

    def close(self):
        run("ip", "link", "del", self.ours, check=False)
        run("ip", "netns", "del", self.namespace, check=False)


class CutCluster:
    """Servers by hand, because a dev cluster listens on 127.0.0.1 alone."""

    def __init__(self, session_ttl, chunkservers=3, policy="ec(2,1)"):
        self.base = tempfile.mkdtemp(prefix="cairn-test-", dir=os.environ.get("CAIRN_TEST_DIR"))
        self.mount, self.second = os.path.join(self.base, "mnt"), os.path.join(self.base, "second")
        self.processes, self.link = [], None
        try:
            self.link = Link()
            self.metaserver = self.start("metaserver", "cairn-metaserver", "--session-ttl", f"{session_ttl}s", "--policy", policy)
            for number in range(1, chunkservers + 1):
                self.start(f"chunkserver-{number}", "cairn-chunkserver", "--metaserver", self.metaserver, "--host", f"h{number}")
            wait_until(lambda: self.servers_up() == chunkservers, "all chunkservers are up")
            os.mkdir(self.mount)
            os.mkdir(self.second)
            run(CAIRN, "mount", self.metaserver, self.mount, "--log", self.log("mount"))
            self.link.inside(CAIRN, "mount", self.metaserver, self.second, "--log", self.log("second"))
        except BaseException:
            self.close()
            raise

    def log(self, who):
        return os.path.join(self.base, f"{who}.log")

    def log_text(self, who):
        return read_file(self.log(who)).decode(errors="replace")

    def start(self, who, program, *words):
        """HOST:PORT."""
        data, port_file = os.path.join(self.base, who), os.path.join(self.base, f"{who}.port")
        os.mkdir(data)
        with open(self.log(who), "wb") as log:
            self.processes.append(subprocess.Popen([os.path.join(BIN, program), "--data", data, "--listen", f"{self.link.address}:0",
                                                    "--port-file", port_file, *words], stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        wait_until(lambda: os.path.exists(port_file) and read_file(port_file).endswith(b"\n"), f"{who} listens")
        return read_file(port_file).decode().split()[0]

    def status_text(self):
        return run(CAIRN, "status", "-m", self.metaserver, "--json")

    def servers_up(self):
        return self.status_text().count('"up"')

    def close(self):
        """Never raises."""
        if self.link:
            try:
                self.link.bring_up()
            except (AssertionError, subprocess.SubprocessError) as error:
                print(error)
        for directory in (self.second, self.mount):
            if is_mounted(directory):
                self.end_mount(directory)
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)
        if self.link:
            self.link.close()
        subprocess.run(["rm", "-rf", "--one-file-system", self.base], check=False)

    @staticmethod
    def end_mount(directory):
        pids = mounters(directory)
        try:
            subprocess.run([CAIRN, "umount", directory], capture_output=True, timeout=30, check=True)
        except (subprocess.SubprocessError, OSError):
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            subprocess.run(["umount", "-l", directory], capture_output=True, check=False)
        wait_until(lambda: all(ended(pid) for pid in pids), "the mount's daemon has ended")
