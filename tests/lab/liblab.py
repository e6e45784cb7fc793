"""A cluster whose machines are network namespaces on one switch, with links of a given rate. Needs root.

    client  meta  h1  h2 ... hN          a namespace each, with its own end of a veth pair, limited in both directions (tc tbf)
      |      |    |   |      |
    [        bridge          ]           in a namespace `switch`

Nothing of it is seen outside of these namespaces but the mount. Names carry this process's id: runs do not meet.
"""

import json
import os
import subprocess
import tempfile
import time

BIN = os.environ.get("CAIRN_BIN") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "build", "release", "bin")
CAIRN = os.path.join(BIN, "cairn")
NETWORK = "10.77.0."


def run(*words, check=True, timeout=600):
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def wait_until(condition, what, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"after {seconds} s still not: {what}")
        time.sleep(0.02)


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


class Lab:
    """with Lab(...) as lab: a metaserver, chunkservers with their workers, and a mount at lab.mount, each on its own machine."""

    def __init__(self, chunkservers=6, policy="ec(4,2)", rate="1gbit"):
        self.base = tempfile.mkdtemp(prefix="cairn-lab-", dir=os.environ.get("CAIRN_TEST_DIR"))
        self.mount = os.path.join(self.base, "mnt")
        self.switch = f"cairn-lab-{os.getpid()}-switch"
        self.machines, self.processes = [], []
        try:
            run("ip", "netns", "add", self.switch)
            run("ip", "-n", self.switch, "link", "add", "bridge", "type", "bridge")
            run("ip", "-n", self.switch, "link", "set", "bridge", "up")
            self.client, meta = self.machine("client", rate), self.machine("meta", rate)
            self.metaserver = self.start(meta, "metaserver", "cairn-metaserver", "--policy", policy)
            for number in range(1, chunkservers + 1):
                self.start(self.machine(f"h{number}", rate), f"chunkserver-{number}", "cairn-chunkserver", "--metaserver", self.metaserver, "--host", f"h{number}")
            wait_until(lambda: self.ask("status", "-m", self.metaserver, "--json").count('"up"') == chunkservers, "all chunkservers are up")
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

    def start(self, machine, who, program, *words):
        """HOST:PORT."""
        data, port_file = os.path.join(self.base, who), os.path.join(self.base, f"{who}.port")
        os.mkdir(data)
        with open(os.path.join(self.base, f"{who}.log"), "wb") as log:
            self.processes.append(subprocess.Popen(machine.inside(os.path.join(BIN, program), "--data", data, "--listen", f"{machine.address}:0",
                                                                  "--port-file", port_file, *words), stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        wait_until(lambda: os.path.exists(port_file) and open(port_file, encoding="ascii").read().endswith("\n"), f"{who} listens")
        return open(port_file, encoding="ascii").read().split()[0]

    def ask(self, *words):
        """What `cairn WORDS` prints, on the client's machine."""
        return run(*self.client.inside(CAIRN, *words))

    def mount_it(self):
        self.ask("mount", self.metaserver, self.mount, "--log", os.path.join(self.base, "mount.log"))

    def remount(self):
        """With nothing in the mount's memory and the kernel's."""
        self.ask("umount", self.mount)
        self.mount_it()

    def sent_bytes(self):
        """By all machines to others."""
        return sum(machine.sent_bytes() for machine in self.machines)

    def close(self):
        """Never raises."""
        if os.path.ismount(self.mount):
            if subprocess.run(self.client.inside(CAIRN, "umount", self.mount), capture_output=True, check=False).returncode != 0:
                subprocess.run(["umount", "-l", self.mount], capture_output=True, check=False)
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)
        for machine in self.machines:
            machine.close()
        run("ip", "netns", "del", self.switch, check=False)
        subprocess.run(["rm", "-rf", "--one-file-system", self.base], check=False)
