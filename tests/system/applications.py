#!/usr/bin/env python3
"""Ordinary programs on two mounts of one cluster at once: SQLite, git, make, and a log that is followed.

Each test prints how fast it was across two mounts, on one mount, and on a local directory.

What holds for SQLite: in DELETE mode it needs fcntl locks and files that other processes change under it. In WAL mode its processes share
memory by a mapped file (-shm), without a call between a store and a load, which no two kernels can have; sqlite.org says the same ("all
processes must be on the same host computer"). So WAL is tested with all connections on one mount, and the other mount opens the database
when they have closed it; then the log is folded into the database, and everything must be there.
"""

import contextlib
import hashlib
import multiprocessing
import multiprocessing.connection
import os
import shutil
import sqlite3
import subprocess
import tempfile
import time

from libcluster import main, scaled, wait_until
from libmounts import TwoMountsTest

GIT = {**os.environ, "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org", "GIT_COMMITTER_NAME": "a",
       "GIT_COMMITTER_EMAIL": "a@example.org", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
DEADLINE = 240   # seconds that a program may take


def run(*words, check=True, cwd=None):
    done = subprocess.run(words, cwd=cwd, env=GIT, capture_output=True, text=True, timeout=DEADLINE, check=False)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(words)} ended with {done.returncode}: {done.stdout[-500:]}{done.stderr[-1500:]}")
    return done


def in_processes(*works):
    """works: (function, arguments...). Runs them at once and returns what they return; a failure of one is the failure of all at once."""
    forked = multiprocessing.get_context("fork")
    running = []
    try:
        for number, work in enumerate(works):
            pipe, theirs = forked.Pipe()
            process = forked.Process(target=answer, args=(theirs, number, *work), daemon=True)
            process.start()
            theirs.close()
            running.append((process, pipe))
        answers = {}
        while len(answers) < len(running):   # in the order of their ends: the first failure is told, and nobody waits for the others
            ended = multiprocessing.connection.wait([pipe for _, pipe in running if pipe not in answers], DEADLINE)
            if not ended:
                raise AssertionError(f"a program has not ended after {DEADLINE} s")
            for pipe in ended:
                kind, answers[pipe] = pipe.recv()
                if kind == "wrong":
                    raise AssertionError(answers[pipe])
        return [answers[pipe] for _, pipe in running]
    finally:
        for process, _ in running:
            process.kill()
            process.join(5)


def answer(pipe, number, function, *arguments):
    try:
        pipe.send(("ok", function(*arguments)))
    except Exception as error:   # told to the test
        pipe.send(("wrong", f"program {number}: {type(error).__name__}: {error}"))


def insert(path, who, rows, mode):
    """One transaction a row, with a read of what is there. Returns the longest time of one."""
    connection = sqlite3.connect(path, timeout=DEADLINE, isolation_level=None)
    connection.execute(f"pragma journal_mode={mode}")
    longest, last = 0.0, 0
    for number in range(rows):
        started = time.monotonic()
        connection.execute("begin immediate")
        count, total = connection.execute("select count(*), total(length(filling)) from rows").fetchone()
        if count < last or total != 500 * count:
            raise AssertionError(f"{count} rows of {total} bytes, after {last} rows had been there")
        connection.execute("insert into rows values (?, ?, ?)", (who, number, chr(97 + number % 26) * 500))
        connection.execute("update sums set value = value + ?", (number,))
        connection.execute("commit")
        last = count + 1
        longest = max(longest, time.monotonic() - started)
    connection.close()
    return longest


def watch(path, writers, rows):
    """Counts only ever grow, and the sum fits the rows within each transaction."""
    connection = sqlite3.connect(path, timeout=DEADLINE, isolation_level=None)
    last, looks, ends = -1, 0, time.monotonic() + DEADLINE - 20
    while last < writers * rows:
        if time.monotonic() > ends:
            raise AssertionError(f"the reader sees {last} of {writers * rows} rows for ever")
        connection.execute("begin")
        count, total = connection.execute("select count(*), total(number) from rows").fetchone()
        kept, = connection.execute("select value from sums").fetchone()
        connection.execute("commit")
        if count < last or kept != total:
            raise AssertionError(f"{count} rows after {last}; their sum is {total}, and {kept} is kept in the other table")
        last, looks = count, looks + 1
        time.sleep(0.01)
    connection.close()
    return looks


def make_database(path, mode):
    connection = sqlite3.connect(path, isolation_level=None)
    got, = connection.execute(f"pragma journal_mode={mode}").fetchone()
    connection.execute("create table rows (who text, number integer, filling text, primary key (who, number))")
    connection.execute("create table sums (value integer)")
    connection.execute("insert into sums values (0)")
    connection.close()
    return got


def contents(path):
    connection = sqlite3.connect(path, timeout=DEADLINE)
    found = (connection.execute("pragma integrity_check").fetchall(), connection.execute("select who, number from rows").fetchall(),
             connection.execute("select value from sums").fetchall())
    connection.close()
    return found


class ApplicationsTest(TwoMountsTest):
    def setUp(self):
        self.figures = []
        self.local = tempfile.mkdtemp(prefix="cairn-test-", dir=os.environ.get("CAIRN_TEST_DIR"))
        self.addCleanup(shutil.rmtree, self.local, ignore_errors=True)
        self.count = 0

    def places(self):
        """(what, a directory by two ways): two mounts, one, and a local directory; each a fresh one."""
        for what, one, other in (("two mounts", self.mount, self.second), ("one mount", self.mount, self.mount),
                                 ("local", self.local, self.local)):
            self.count += 1
            name = f"{self._testMethodName}-{self.count}"
            os.mkdir(os.path.join(one, name))
            yield what, os.path.join(one, name), os.path.join(other, name)

    @contextlib.contextmanager
    def timed(self, what, amount, unit):
        started = time.monotonic()
        yield
        self.figures.append(f"{what} {amount / (time.monotonic() - started):.1f}")
        print(f"({self.figures[-1]} {unit})", end=" ", flush=True)

    def exactly(self, path, who, rows):
        integrity, got, total = contents(path)
        self.assertEqual(integrity, [("ok",)])
        self.assertEqual(sorted(got), sorted((one, number) for one in who for number in range(rows)))
        self.assertEqual(total, [(len(who) * rows * (rows - 1) // 2,)])

    def test_sqlite_with_a_rollback_journal(self):
        rows = scaled(25, 400)
        for what, one, other in self.places():
            make_database(f"{one}/db", "delete")
            with self.timed(what, 4 * rows, "transactions/s"):
                in_processes(*((insert, f"{where}/db", who, rows, "delete") for where, who in ((one, "a"), (other, "b"), (one, "c"), (other, "d"))),
                             (watch, f"{other}/db", 4, rows))
            for where in (one, other):
                self.exactly(f"{where}/db", "abcd", rows)
            self.assertEqual(sorted(os.listdir(other)), ["db"])

    def test_sqlite_with_a_write_ahead_log(self):
        """All at once on one mount, then all at once on the other."""
        rows = scaled(25, 400)
        for what, one, other in self.places():
            if make_database(f"{one}/db", "wal") != "wal":
                self.skipTest("this SQLite cannot use a log here")
            with self.timed(what, 4 * rows, "transactions/s"):
                in_processes((insert, f"{one}/db", "a", rows, "wal"), (insert, f"{one}/db", "b", rows, "wal"), (watch, f"{one}/db", 2, rows))
                in_processes((insert, f"{other}/db", "c", rows, "wal"), (insert, f"{other}/db", "d", rows, "wal"), (watch, f"{other}/db", 4, rows))
            for where in (one, other):
                self.exactly(f"{where}/db", "abcd", rows)

    def test_git_push_races(self):
        """Every push that was accepted is in the history, whichever mount it came from."""
        pushes = scaled(4, 30)
        for what, one, other in self.places():
            run("git", "init", "-q", "--bare", "-b", "main", f"{one}/bare")
            run("git", "clone", "-q", f"{one}/bare", f"{one}/first")
            commit(f"{one}/first", "start")
            run("git", "push", "-q", "origin", "HEAD:main", cwd=f"{one}/first")
            with self.timed(what, 3 * pushes, "pushes/s"):
                accepted = in_processes(*((push_often, where, who, pushes) for where, who in ((one, "a"), (other, "b"), (other, "c"))))
            wanted = sorted(subject for of_one in accepted for subject in of_one)
            for where in (other, one):
                run("git", "fsck", "--strict", "--full", cwd=f"{where}/bare")
                subjects = run("git", "log", "--format=%s", "main", cwd=f"{where}/bare").stdout.split()
                self.assertEqual(sorted(subjects), sorted([*wanted, "start"]))
            self.assertEqual(len(wanted), 3 * pushes)

    def test_make_while_the_other_mount_reads(self):
        """The program is right, and what the other mount reads in the meantime is each source as it is, each object whole in the end."""
        sources = scaled(12, 80)
        for what, one, other in self.places():
            make_project(one, sources)
            expected = {f"part{number}.c": digest(f"{one}/part{number}.c") for number in range(sources)}
            with self.timed(what, sources, "objects/s"):
                in_processes((run, "make", "-s", "-j4", "-C", one), (read_sources, other, expected, f"{other}/program"))
            self.assertEqual(run(f"{other}/program").stdout.strip(), str(sum(range(sources))))
            objects = sorted(name for name in os.listdir(one) if name.endswith(".o"))
            self.assertEqual(len(objects), sources + 1)
            self.assertEqual([digest(f"{other}/{name}") for name in objects], [digest(f"{one}/{name}") for name in objects])
            self.assertEqual(run("make", "-q", "-C", other, check=False).returncode, 0, "for the other mount too, nothing is to be made")
            with open(f"{other}/part3.c", "a", encoding="ascii") as file:   # and back: changed there, made here
                file.write("int more(void) { return 1; }\n")
            self.assertEqual(run("make", "-q", "-C", one, check=False).returncode, 1, "a source that changed on the other mount is new here")

    def test_a_log_is_followed(self):
        """Appended on one mount by two programs, followed on the other as tail -f does: all lines, each whole, each program's in order."""
        lines = scaled(300, 5000)
        for what, one, other in self.places():
            open(f"{one}/log", "w").close()
            with self.timed(what, 2 * lines, "lines/s"):
                found = in_processes((follow, f"{other}/log", 2 * lines), (log, f"{one}/log", "a", lines), (log, f"{one}/log", "b", lines))[0]
            for who in "ab":
                mine = [line for line in found if line.startswith(who)]
                self.assertEqual(mine, [f"{who} {number} {'.' * (number % 90)}" for number in range(lines)])
            self.assertEqual(len(found), 2 * lines)


def commit(directory, subject):
    with open(f"{directory}/{subject}", "w", encoding="ascii") as file:
        file.write(subject * 100)
    run("git", "add", "-A", cwd=directory)
    run("git", "commit", "-q", "-m", subject, cwd=directory)


def push_often(where, who, pushes):
    """The subjects that were accepted; who is refused takes the others' commits and tries again."""
    clone = f"{where}/clone-{who}"
    run("git", "clone", "-q", f"{where}/bare", clone)
    accepted, ends = [], time.monotonic() + DEADLINE - 10
    for number in range(pushes):
        commit(clone, f"{who}{number}")
        while run("git", "push", "-q", "origin", "HEAD:main", check=False, cwd=clone).returncode != 0:
            if time.monotonic() > ends:
                raise AssertionError(f"push {number} of {who} is refused for ever")
            run("git", "pull", "-q", "--rebase", "origin", "main", cwd=clone)
        accepted.append(f"{who}{number}")
    return accepted


def make_project(directory, sources):
    for number in range(sources):
        with open(f"{directory}/part{number}.c", "w", encoding="ascii") as file:
            file.write('#include "common.h"\n' + f"int part{number}(void) {{ return {number}; }}\n" + f"/* {'x' * 97} */\n" * 40)
    with open(f"{directory}/common.h", "w", encoding="ascii") as file:
        file.write("#include <stdio.h>\n" + "".join(f"int part{number}(void);\n" for number in range(sources)))
    with open(f"{directory}/main.c", "w", encoding="ascii") as file:
        file.write('#include "common.h"\nint main(void) { printf("%d\\n", ' + " + ".join(f"part{number}()" for number in range(sources)) + "); }\n")
    with open(f"{directory}/Makefile", "w", encoding="ascii") as file:
        file.write("program: $(patsubst %.c,%.o,$(wildcard *.c))\n\tgcc -o $@ $^\n%.o: %.c common.h\n\tgcc -c -o $@ $<\n")


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def read_sources(directory, expected, until):
    """Hashes everything again and again until the program is there."""
    ends = time.monotonic() + DEADLINE - 10
    while not os.path.exists(until):
        if time.monotonic() > ends:
            raise AssertionError(f"{until} is not there for the other mount")
        for name in os.listdir(directory):
            with contextlib.suppress(FileNotFoundError):   # the assembler's temporaries come and go
                found = digest(f"{directory}/{name}")
                if found != expected.get(name, found):
                    raise AssertionError(f"{name} is not what it is")


def log(path, who, lines):
    with open(path, "ab", buffering=0) as file:
        for number in range(lines):
            file.write(f"{who} {number} {'.' * (number % 90)}\n".encode())


def follow(path, lines):
    """Reads what is new of a file that stays open, as it comes; half a line waits for its rest."""
    data = b""
    with open(path, "rb", buffering=0) as file:
        def all_there():
            nonlocal data
            data += file.read(1 << 16) or b""
            if data.count(b"\0"):
                raise AssertionError(f"zeros that nobody wrote, at {data.index(0)} of {len(data)}")
            return data.count(b"\n") >= lines
        wait_until(all_there, f"{lines} lines in the followed log", DEADLINE - 10)
    return data.decode().splitlines()


if __name__ == "__main__":
    main()
