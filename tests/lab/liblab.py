"""A cluster whose machines are network namespaces on one switch, with links of a given rate. Needs root.

    client  meta  h1  h2 ... hN          a namespace each, with its own end of a veth pair, limited in both directions (tc tbf)
      |      |    |   |      |
    [        bridge          ]           in a namespace `switch`

Nothing of it is seen outside of these namespaces but the mount. Names carry this process's id: runs do not meet.
"""

import json
import os
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
os.environ.setdefault("CAIRN_BIN", os.path.join(ROOT, "build", "release", "bin"))
sys.path.insert(0, os.path.join(ROOT, "tests", "system"))
from libcluster import CAIRN, wait_until  # noqa: E402
from libnetwork import run  # noqa: E402
from libservers import Servers, end_mount  # noqa: E402

NETWORK = "10.77.0."


class Machine:
    """A namespace with one address."""

    def __init__(self, switch, name, number, rate):
        self.name, self.namespace = name, f"cairn-lab-{os.getpid()}-{name}"
        self.address = NETWORK + str(number)
        self.link, port = f"cl{os.getpid()}-{number}"[-15:], f"cp{os.getpid()}-{number}"[-15:]
        run("ip", "netns", "add", self.namespace)
        run("ip", "-n", self.namespace, "link", "add", self.link, "type", "veth", "peer", "name", port, "netns", switch)
        run("ip", "-n", self.namespace, "addr", "add", f"{self.address}/24", "dev", self.link)
        for interface in (self.link, "lo"):
            run("ip", "-n", self.namespace, "link", "set", interface, "up")
        run("ip", "-n", switch, "link", "set", port, "master", "bridge", "up")
        if rate:
            for namespace, interface in ((self.namespace, self.link), (switch, port)):
                run("tc", "-n", namespace, "qdisc", "add", "dev", interface, "root", "tbf", "rate", rate, "burst", "256kb", "latency", "100ms")

    def inside(self, *words):
        """As words of a command. nsenter and not ip netns exec, which would hide what is mounted there from everybody else."""
        return ["nsenter", f"--net=/run/netns/{self.namespace}", *words]

    def sent_bytes(self):
        """On its link since it is there; its own loopback does not count."""
        return json.loads(run("ip", "-n", self.namespace, "-j", "-s", "link", "show", "dev", self.link))[0]["stats64"]["tx"]["bytes"]

    def close(self):
        run("ip", "netns", "del", self.namespace, check=False)


class Lab(Servers):
    """with Lab(...) as lab: a metaserver, chunkservers with their workers, and a mount at lab.mount, each on its own machine."""

    def __init__(self, chunkservers=6, policy="ec(4,2)", rate="1gbit"):
        super().__init__("cairn-lab-")
        self.mount = self.path("mnt")
        self.switch = f"cairn-lab-{os.getpid()}-switch"
        self.machines = []
        try:
            run("ip", "netns", "add", self.switch)
            run("ip", "-n", self.switch, "link", "add", "bridge", "type", "bridge")
            run("ip", "-n", self.switch, "link", "set", "bridge", "up")
            self.client, meta = self.machine("client", rate), self.machine("meta", rate)
            self.metaserver = self.start("metaserver", meta.address, "cairn-metaserver", "--policy", policy, within=meta.inside())
            for number in range(1, chunkservers + 1):
                machine = self.machine(f"h{number}", rate)
                self.start(f"chunkserver-{number}", machine.address, "cairn-chunkserver", "--metaserver", self.metaserver, "--host", machine.name,
                           within=machine.inside())
            wait_until(lambda: self.ask("status", "-m", self.metaserver, "--json").count('"up"') == chunkservers, "all chunkservers are up", 60)
            os.mkdir(self.mount)
            self.mount_it()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def machine(self, name, rate):
        self.machines.append(Machine(self.switch, name, len(self.machines) + 1, rate))
        return self.machines[-1]

    def ask(self, *words):
        """What `cairn WORDS` prints, on the client's machine."""
        return run(*self.client.inside(CAIRN, *words), timeout=600)

    def mount_it(self):
        self.ask("mount", self.metaserver, self.mount, "--log", self.log("mount"))

    def remount(self):
        """With nothing in the mount's memory and the kernel's."""
        self.ask("umount", self.mount)
        self.mount_it()

    def sent_bytes(self):
        """By all machines to others."""
        return sum(machine.sent_bytes() for machine in self.machines)

    def close(self):
        if os.path.ismount(self.mount):
            end_mount(self.mount)
        super().close()
        for machine in self.machines:
            machine.close()
        run("ip", "netns", "del", self.switch, check=False)
