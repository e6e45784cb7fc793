#!/usr/bin/env python3
"""Are A and B the same directory, whatever programs do on both sides at once?

  coherence_check.py A B                        every check, some seconds each
  coherence_check.py A B --quick                about a minute
  coherence_check.py A B --rounds 5000 --only created-is-seen,register-data
  coherence_check.py --list

A and B are one directory seen through two mounts. Prints a line for each check, and for one that failed its counterexample: the calls with
their times, on which side, and what they returned. Exit code 0: all passed, 1: one failed, 2: it could not be run.
"""

import argparse
import json
import os
import random
import sys
import time

from libcoherence import appends, files, locks, mapped, models, names, registers, trees, winners  # noqa: F401 (they register their checks)
from libcoherence.place import CHECKS
from libcoherence.run import Settings, run


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("a", nargs="?", metavar="A")
    parser.add_argument("b", nargs="?", metavar="B")
    parser.add_argument("--seconds", type=float, default=2, help="of each check (2); every check does at least two rounds")
    parser.add_argument("--rounds", type=int, default=0, help="of each check, however long they take")
    parser.add_argument("--quick", action="store_true", help="0.4 s a check, without the long ones")
    parser.add_argument("--only", help="names or their beginnings, with commas")
    parser.add_argument("--skip", default="", help="names or their beginnings, with commas")
    parser.add_argument("--seed", type=int, help="repeats the random choices of a run; not its timing")
    parser.add_argument("--processes", type=int, default=2, help="on each side, in checks of many processes (2)")
    parser.add_argument("--json", metavar="FILE", help="the outcomes for programs")
    parser.add_argument("--control", action="store_true", help="A and B are two directories on purpose: every check must fail")
    parser.add_argument("--list", action="store_true", help="what is checked")
    return parser.parse_args()


def begins_with_one(name, words):
    return any(word and name.startswith(word) for word in words.split(","))


def chosen(args):
    checks = [one for one in CHECKS.values() if not args.only or begins_with_one(one.name, args.only)]
    checks = [one for one in checks if not begins_with_one(one.name, args.skip)]
    return [one for one in checks if not (args.quick and one.long)]


def show(outcome):
    print(f"{outcome.result:8}{outcome.name:38}{outcome.rounds:8} rounds {outcome.seconds:7.1f} s"
          + (f"  ({outcome.text})" if outcome.result == "skipped" else ""), flush=True)
    if outcome.result == "FAILED":
        print("    " + outcome.text.replace("\n", "\n    "), flush=True)


def main():
    args = arguments()
    checks = chosen(args)
    if args.list:
        for one in checks:
            print(f"{one.name:38}{one.promise}")
        return 0
    if not args.b or not os.path.isdir(args.a) or not os.path.isdir(args.b):
        print("coherence_check: A and B must be directories (--help)", file=sys.stderr)
        return 2
    if not checks:
        print("coherence_check: no check has such a name (--list)", file=sys.stderr)
        return 2
    seed = args.seed if args.seed is not None else random.randrange(1 << 30)
    settings = Settings(args.a, args.b, 0.4 if args.quick else args.seconds, args.rounds, seed, args.processes, args.control)
    started, outcomes = time.monotonic(), []
    for one in checks:
        outcomes.append(run(one, settings))
        show(outcomes[-1])
    failed = [one.name for one in outcomes if one.result == "FAILED"]
    print(f"{len(outcomes)} checks, {len(failed)} failed, {time.monotonic() - started:.0f} s, seed {seed}")
    if args.json:
        with open(args.json, "w") as file:
            json.dump({"seed": seed, "checks": [one.as_json() for one in outcomes]}, file, indent=1)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
