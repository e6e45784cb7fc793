"""A cluster whose one mount lives in a network of its own, and a link to it that can be cut.

  this machine's network                       a network namespace
  metaserver, chunkservers, `mount`            `second`
      ADDRESS.1  <------- veth pair, cut() ------->  ADDRESS.2

The mounts are seen everywhere: only the daemon of the second one is in the namespace, the programs that use it need not be. Needs root.
"""

import json
import os
import random
import subprocess

from libcluster import CAIRN, read_file, wait_until
from libmounts import is_mounted
from libservers import Servers, end_mount


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


class CutCluster(Servers):
    """Servers at the other end of the link."""

    def __init__(self, session_ttl, chunkservers=3, policy="ec(2,1)"):
        super().__init__()
        self.mount, self.second, self.link = self.path("mnt"), self.path("second"), None
        try:
            self.link = Link()
            self.metaserver = self.start("metaserver", self.link.address, "cairn-metaserver", "--session-ttl", f"{session_ttl}s", "--policy", policy)
            for number in range(1, chunkservers + 1):
                self.start(f"chunkserver-{number}", self.link.address, "cairn-chunkserver", "--metaserver", self.metaserver, "--host", f"h{number}")
            wait_until(lambda: self.servers_up() == chunkservers, "all chunkservers are up")
            os.mkdir(self.mount)
            os.mkdir(self.second)
            run(CAIRN, "mount", self.metaserver, self.mount, "--log", self.log("mount"))
            self.link.inside(CAIRN, "mount", self.metaserver, self.second, "--log", self.log("second"))
        except BaseException:
            self.close()
            raise

    def log_text(self, who):
        return read_file(self.log(who)).decode(errors="replace")

    def status_text(self):
        return run(CAIRN, "status", "-m", self.metaserver, "--json")

    def servers_up(self):
        return self.status_text().count('"up"')

    def close(self):
        if self.link:
            try:
                self.link.bring_up()
            except (AssertionError, subprocess.SubprocessError) as error:
                print(error)
        for directory in (self.second, self.mount):
            if is_mounted(directory):
                end_mount(directory)
        super().close()
        if self.link:
            self.link.close()
