#!/usr/bin/env python3
"""Two mounts of one cluster are one directory (coherence_check.py); and before that, the checker itself is checked.

It must find nothing on a local directory mounted twice, which is coherent because it is one, and something in every check on two directories
that have nothing to do with each other.
"""

import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest

from libcluster import SOAK, main, scaled, wait_until
from libcoherence.history import Append, Look, Operation, explain, explain_log
from libmounts import TwoMountsTest

CHECKER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "coherence_check.py")
# What one process cannot see on one side alone: there is nothing to disagree about.
NEEDS_FUSE = {"register-two-blocks"}


def run_checker(a, b, *words):
    """(exit code, outcomes, what it printed). Tells at once which checks failed: a run that is cut short says something too."""
    printed = []
    with tempfile.NamedTemporaryFile("r", suffix=".json") as file:
        with subprocess.Popen([sys.executable, CHECKER, a, b, "--json", file.name, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True) as checker:
            for line in checker.stdout:
                printed.append(line)
                if line.startswith("FAILED") and "--control" not in words:
                    print(f"\n    {line.strip()}", end=" ", flush=True)
        outcomes = json.loads(file.read() or '{"checks": []}')["checks"]
    print(f"({printed[-1].strip() if printed else 'it printed nothing'})", end=" ", flush=True)
    return checker.returncode, outcomes, "".join(printed)


def failures(printed):
    """The counterexamples alone."""
    return "\n".join(line for line in printed.splitlines() if not line.startswith(("passed", "skipped")))


class HistoryTest(unittest.TestCase):
    """What decides whether answers have an order."""

    @staticmethod
    def history(*rows):
        return [Operation(*row) for row in rows]

    def test_a_read_during_a_write_may_have_either_value(self):
        for value in (0, 1):
            self.assertIsNone(explain(self.history((1, 4, "A", "write", 1), (2, 3, "B", "read", value)), 0))

    def test_a_read_after_a_write_has_its_value(self):
        wrong = explain(self.history((1, 2, "A", "write", 1), (3, 4, "B", "read", 0)), 0)
        self.assertIn("although A had written 1 and returned 1000.000 ms before", wrong)

    def test_two_readers_do_not_see_a_write_come_and_go(self):
        wrong = explain(self.history((1, 9, "A", "write", 1), (2, 3, "B", "read", 1), (4, 5, "C", "read", 0)), 0)
        self.assertIn("C read 0 after B had read the newer 1", wrong)

    def test_values_from_nowhere_and_from_the_future_are_wrong(self):
        self.assertIn("nobody wrote", explain(self.history((1, 2, "A", "read", 7)), 0))
        self.assertIn("before", explain(self.history((1, 2, "A", "read", 7), (3, 4, "B", "write", 7)), 0))

    def test_readers_that_see_two_writes_in_different_orders_are_wrong(self):
        writes = (1, 20, "A", "write", 1), (1, 20, "B", "write", 2)
        reads = (2, 3, "C", "read", 1), (4, 5, "C", "read", 2), (6, 7, "D", "read", 1)
        self.assertIsNotNone(explain(self.history(*writes, *reads), 0))
        self.assertIsNone(explain(self.history(*writes, *reads[:2]), 0))

    def test_a_history_made_from_an_order_has_one(self):
        dice = random.Random(1)
        for _ in range(200):
            operations, value = [], 0
            for number in range(60):
                moment = number + dice.random()
                kind = dice.choice(("write", "read"))
                value = number + 1 if kind == "write" else value
                operations.append(Operation(moment - 3 * dice.random(), moment + 3 * dice.random(), f"P{number % 6}", kind, value))
            self.assertIsNone(explain(operations, 0))

    def test_a_log_must_be_complete_and_in_order(self):
        appends = [Append(1, 2, "A", "a", 10), Append(3, 4, "B", "b", 10)]
        self.assertIsNone(explain_log(appends, [Look(5, 6, "C", 20)], {"a": 0, "b": 10}))
        self.assertIn("not in the log", explain_log(appends, [], {"a": 0}))
        self.assertIn("before a of A", explain_log(appends, [], {"a": 10, "b": 0}))
        self.assertIn("although B had appended up to 20", explain_log(appends, [Look(5, 6, "C", 10)], {"a": 0, "b": 10}))
        self.assertIn("began to append only later", explain_log(appends, [Look(2.1, 2.2, "C", 15)], {"a": 0, "b": 10}))


class CheckerTest(unittest.TestCase):
    """The checker on directories whose coherence is known."""

    def setUp(self):
        self.base = tempfile.mkdtemp(prefix="cairn-test-", dir=os.environ.get("CAIRN_TEST_DIR"))
        self.addCleanup(shutil.rmtree, self.base, ignore_errors=True)

    def directory(self, name):
        path = os.path.join(self.base, name)
        os.mkdir(path)
        return path

    @unittest.skipUnless(os.geteuid() == 0, "a bind mount needs root")
    def test_one_local_directory_mounted_twice_is_coherent(self):
        backing, sides = self.directory("backing"), [self.directory("a"), self.directory("b")]
        with contextlib.ExitStack() as mounted:
            for side in sides:
                subprocess.run(["mount", "--bind", backing, side], check=True)
                mounted.callback(subprocess.run, ["umount", "-l", side], check=False)
            # A stat of ext4 beside a chown may show the new user with the old group.
            code, outcomes, printed = run_checker(*sides, "--skip", "register-owner", *scaled(["--quick"], ["--seconds", "5"]))
            self.assertEqual(code, 0, failures(printed))
            self.assertGreaterEqual(sum(one["result"] == "passed" for one in outcomes), 100)
            self.assertEqual(os.listdir(backing), [], "the checker leaves nothing behind")

    def test_every_check_fails_on_two_directories(self):
        code, outcomes, _ = run_checker(self.directory("a"), self.directory("b"), "--quick", "--control")
        self.assertEqual(code, 1)
        self.assertEqual({one["name"] for one in outcomes if one["result"] == "passed"}, set(), "these checks look at one side only")
        self.assertEqual({one["name"] for one in outcomes if one["result"] == "skipped"} - NEEDS_FUSE - {"register-owner", "permissions-hold"}, set())
        self.assertEqual([one for one in outcomes if one["result"] == "FAILED" and not one["text"].strip()], [], "a failure says what was wrong")


class CoherenceTest(TwoMountsTest):
    def test_two_mounts_are_one_directory(self):
        code, _, printed = run_checker(self.mount, self.second, "--quick")
        self.assertEqual(code, 0, "\n" + failures(printed))

    @unittest.skipUnless(SOAK, "CAIRN_SOAK=1")
    def test_for_long(self):
        code, _, printed = run_checker(self.mount, self.second, "--seconds", "20", "--processes", "3")
        self.assertEqual(code, 0, "\n" + failures(printed))

    def test_while_servers_are_killed_and_started(self):
        """Calls wait meanwhile; what they answer is still the truth. At most one chunkserver is away, which costs no data."""
        done = threading.Event()
        disturber = threading.Thread(target=self.disturb, args=(done,))
        disturber.start()
        try:
            words = scaled(["--quick", "--only", "register-data,register-replaced,append-kept,append-tail,entry-stat,entry-renamed,model-,one-winner-create,one-winner-rename"], ["--seconds", "15"])
            code, _, printed = run_checker(self.mount, self.second, *words)
        finally:
            done.set()
            disturber.join()
            self.cluster.dev("up")
        self.assertEqual(code, 0, "\n" + failures(printed))

    def disturb(self, done):
        dice = random.Random(1)
        while not done.wait(2 + 4 * dice.random()):
            who = dice.choice(["metaserver", 1 + dice.randrange(self.chunkservers)])
            self.cluster.kill(who)
            done.wait(dice.random())
            self.cluster.start(who)
            wait_until(lambda: self.cluster.pid(who), f"{who} runs again")


if __name__ == "__main__":
    main()
