#!/usr/bin/env python3
"""How a near-data job gets faster with more servers, when the servers' processors are what it waits for.

  tests/lab/scaling.py                        1, 2, 4 and 6 servers of 0.2 core each, 0.5 GB; some minutes; needs root
  tests/lab/scaling.py --servers 1,2 --bytes 100M --cores 0.5

Each server, its chunkserver and its worker of tasks together, is bound by a cgroup while the job runs. The files are striped over all
servers, `ec(6,0)`, which is shortened to (N,0) where there are only N. Prints the seconds of the job (the best of the rounds) and the
efficiency, seconds of one server / (N * seconds of N). Exit code 1 if a table differs or the efficiency is below 0.8.
"""

import argparse
import json
import os
import subprocess
import sys
import time

from liblab import CpuBound, make_csv_files, parse_size
from libcluster import CAIRN, wait_until
from libservers import Servers, end_mount

JOB = ["stats", "--column", "amount", "--group-by", "city"]


class Bounded(Servers):
    """A metaserver without a bound, and so many chunkservers, each of which can be bound."""

    def __init__(self, count):
        super().__init__("cairn-lab-")
        self.mount, self.bounds = self.path("mnt"), []
        try:
            self.metaserver = self.start("metaserver", "127.0.0.1", "cairn-metaserver", "--policy", "ec(6,0)")
            for number in range(1, count + 1):
                self.bounds.append(CpuBound(f"h{number}"))
                self.start(f"chunkserver-{number}", "127.0.0.1", "cairn-chunkserver", "--metaserver", self.metaserver, "--host", f"h{number}",
                           within=self.bounds[-1].inside())
            wait_until(lambda: self.ask("status", "-m", self.metaserver, "--json").count('"up"') == count, "all chunkservers are up", 60)
            os.mkdir(self.mount)
            self.ask("mount", self.metaserver, self.mount, "--log", self.log("mount"))
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def ask(self, *words):
        return subprocess.run([CAIRN, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, timeout=600).stdout

    def close(self):
        if os.path.ismount(self.mount):
            end_mount(self.mount)
        super().close()
        for bound in self.bounds:
            bound.close()


def measure(count, options):
    """(the best of the rounds in seconds, the table)"""
    with Bounded(count) as cluster:
        paths = make_csv_files(cluster.mount, parse_size(options.bytes), options.files)
        cluster.ask("sync", cluster.mount)
        table = cluster.ask("task", "run", *JOB, *paths)  # everything is in the servers' page caches
        for bound in cluster.bounds:
            bound.set(options.cores)
        seconds = []
        for _ in range(options.rounds):
            start = time.monotonic()
            if cluster.ask("task", "run", *JOB, *paths) != table:
                raise RuntimeError("the same job gave another table")
            seconds.append(time.monotonic() - start)
        for bound in cluster.bounds:
            bound.set(None)
        return min(seconds), table


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--servers", default="1,2,4,6")
    parser.add_argument("--cores", type=float, default=0.2, help="of each server")
    parser.add_argument("--bytes", default="500M")
    parser.add_argument("--files", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows, tables = [], set()
    for count in map(int, options.servers.split(",")):
        seconds, table = measure(count, options)
        tables.add(table.replace("\r", ""))
        one = rows[0]["seconds"] * rows[0]["servers"] if rows else seconds * count
        rows.append({"servers": count, "seconds": seconds, "efficiency": one / (count * seconds)})
    if options.json:
        print(json.dumps(rows, indent=2))
    else:
        print(f"`{' '.join(JOB)}` over {options.bytes}B in {options.files} files, {options.cores} core a server\n")
        print("| servers | seconds | efficiency |\n|---|---|---|")
        for row in rows:
            print(f"| {row['servers']} | {row['seconds']:.1f} | {row['efficiency']:.2f} |")
    if len(tables) != 1:
        print("the tables differ", file=sys.stderr)
    return 1 if len(tables) != 1 or min(row["efficiency"] for row in rows) < 0.8 else 0


if __name__ == "__main__":
    sys.exit(main())
