"""Machines that are slower than this one: network namespaces on one switch with links of a given rate, cgroups with a share of a core. Needs root.

    client  meta  h1  h2 ... hN          a namespace each, with its own end of a veth pair, limited in both directions (tc tbf)
      |      |    |   |      |
    [        bridge          ]           in a namespace `switch`

Nothing of it is seen outside of these namespaces but the mount. Names carry this process's id: runs do not meet.
"""

import json
import os
import random
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


class CpuBound:
    """A cgroup of its own, of version 2 or 1, in which processes can be started and then be bound to a share of a core."""

    PERIOD_US = 20_000

    def __init__(self, name):
        root = "/sys/fs/cgroup"
        self.unified = "cpu" in read_words(f"{root}/cgroup.controllers")
        if self.unified:
            with open(f"{root}/cgroup.subtree_control", "w", encoding="ascii") as control:
                control.write("+cpu")
        self.directory = f"{root if self.unified else root + '/cpu'}/cairn-lab-{os.getpid()}-{name}"
        os.mkdir(self.directory)

    def inside(self):
        """As words of a command."""
        return ["sh", "-c", 'echo $$ > "$0" && exec "$@"', f"{self.directory}/cgroup.procs"]

    def set(self, cores):
        """None: no bound."""
        if self.unified:
            self.write("cpu.max", f"{int(cores * self.PERIOD_US) if cores else 'max'} {self.PERIOD_US}")
        else:
            self.write("cpu.cfs_period_us", self.PERIOD_US)
            self.write("cpu.cfs_quota_us", int(cores * self.PERIOD_US) if cores else -1)

    def write(self, name, value):
        with open(f"{self.directory}/{name}", "w", encoding="ascii") as file:
            file.write(str(value))

    def close(self):
        """Once its processes have ended."""
        wait_until(lambda: not read_words(f"{self.directory}/cgroup.procs"), f"{self.directory} is empty")
        os.rmdir(self.directory)


def read_words(path):
    """None of them if there is no such file."""
    if not os.path.exists(path):
        return []
    with open(path, encoding="ascii") as file:
        return file.read().split()


def parse_size(text):
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    return int(float(text[:-1]) * units[text[-1]]) if text[-1] in units else int(text)


def make_csv_files(directory, total, count):
    """CSV files of about equal size; each a block that is repeated, so that making them takes less than reading them."""
    rng = random.Random(1)
    paths = []
    for number in range(count):
        rows = "".join(f"{rng.randrange(10**9)},{rng.choice(['error', 'fine', 'slow'])},{rng.choice(['Bern', 'Biel', 'Zug'])},{rng.gauss(0, 1000)!r}\n" for _ in range(20_000))
        block = rows.encode()
        paths.append(os.path.join(directory, f"part-{number:03}.csv"))
        with open(paths[-1], "wb") as file:
            file.write(b"id,state,city,amount\n")
            for _ in range(max(1, total // count // len(block))):
                file.write(block)
    return paths
