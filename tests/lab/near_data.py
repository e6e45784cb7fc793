#!/usr/bin/env python3
"""What near-data tasks save: the same operator at the servers, and reading through a mount, on machines with links of a given rate.

  tests/lab/near_data.py                         2 GB, six servers, ec(4,2), 1 Gbit/s; about two minutes; needs root
  tests/lab/near_data.py --rate '' --bytes 1G    without a limit of the links

Prints seconds and bytes on the links (counted at the interfaces, all machines together) for each operator. Exit code 1 if a table
differs or, with a limit, if the servers needed more than a third of the time or moved more than 1 % of the bytes.
"""

import argparse
import json
import os
import subprocess
import sys
import time

from liblab import CAIRN, Lab, make_csv_files, parse_size

OPERATORS = {
    "wc": (["wc"], "cat {files} | wc"),
    "grep --count": (["grep", "--count", "7[0-9]*3,error"], "cat {files} | grep -c '7[0-9]*3,error'"),
    "stats": (["stats", "--column", "amount"], None),
    "stats --group-by": (["stats", "--column", "amount", "--group-by", "city"], None),
    "checksum": (["checksum"], "cat {files} | cksum -a crc"),
}


def run_sync(lab):
    descriptor = os.open(lab.mount, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
    lab.remount()


def measured(lab, words):
    """(seconds, bytes on the links, what it printed)"""
    before, start = lab.sent_bytes(), time.monotonic()
    done = subprocess.run(lab.client.inside(*words), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{words[:4]}: {done.stderr}")
    return time.monotonic() - start, lab.sent_bytes() - before, done.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rate", default="1gbit", help="of each link, as tc names it; empty: no limit")
    parser.add_argument("--bytes", default="2G")
    parser.add_argument("--files", type=int, default=20)
    parser.add_argument("--policy", default="ec(4,2)")
    parser.add_argument("--chunkservers", type=int, default=6)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows, bad = [], []
    with Lab(options.chunkservers, options.policy, options.rate) as lab:
        paths = make_csv_files(lab.mount, parse_size(options.bytes), options.files)
        run_sync(lab)
        total = sum(os.path.getsize(path) for path in paths)
        for name, (words, shell) in OPERATORS.items():
            near = measured(lab, [CAIRN, "task", "run", *words, *paths])
            lab.remount()
            far = measured(lab, [CAIRN, "task", "try", *words, *paths, "--threads", "2"])
            lab.remount()
            plain = measured(lab, ["sh", "-c", shell.format(files=" ".join(paths))]) if shell else None
            lab.remount()
            row = {"operator": name, "bytes": total, "near_seconds": near[0], "near_bytes_moved": near[1], "mount_seconds": far[0],
                   "mount_bytes_moved": far[1], "program_seconds": plain[0] if plain else None, "equal": near[2] == far[2]}
            rows.append(row)
            best = min(far[0], plain[0]) if plain else far[0]
            if not row["equal"]:
                bad.append(f"{name}: the tables differ")
            if options.rate and (near[1] > total / 100 or near[0] > best / 3):
                bad.append(f"{name}: {best / near[0]:.1f} times sooner, {near[1] / total:.2%} of the bytes moved")
    if options.json:
        print(json.dumps(rows, indent=2))
    else:
        print(f"{total / 1e9:.2f} GB in {options.files} files, {options.policy}, {options.chunkservers} servers, links of {options.rate or 'any rate'}\n")
        print("| operator | near the data | moved | through the mount, cairn task try | moved | through the mount, program | sooner |")
        print("|---|---|---|---|---|---|---|")
        for row in rows:
            best = min(filter(None, (row["mount_seconds"], row["program_seconds"])))
            program = f"{row['program_seconds']:.1f} s" if row["program_seconds"] else ""
            print(f"| `{row['operator']}` | {row['near_seconds']:.1f} s | {row['near_bytes_moved'] / row['bytes']:.2%} | {row['mount_seconds']:.1f} s | "
                  f"{row['mount_bytes_moved'] / row['bytes']:.0%} | {program} | {best / row['near_seconds']:.1f} x |")
    for line in bad:
        print(line, file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
