#!/usr/bin/env python3
"""`cairn task try` against coreutils, Python's csv, math and statistics, and sqlite3: random files with awkward borders, splits of
1 byte and more. No cluster: plain files.

  tests/tools/task_try.py [TestName]        binaries from $CAIRN_BIN, or build/debug/bin
"""

import csv
import hashlib
import io
import json
import math
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import unittest

BIN = os.environ.get("CAIRN_BIN") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../build/debug/bin")
SPLITS = ["1", "7", "4K", "1M"]
C_LOCALE = {**os.environ, "LC_ALL": "C"}


def run(*arguments):
    return subprocess.run([os.path.join(BIN, "cairn"), "task", "try", *arguments], capture_output=True, check=False)


def table_of(*arguments):
    """The rows as dicts; fails the test if the command does."""
    done = run(*arguments)
    if done.returncode != 0:
        raise AssertionError(done.stderr.decode())
    return list(csv.DictReader(io.StringIO(done.stdout.decode(), newline="")))


def random_text(rng, pieces):
    parts = [b"foo", b"bar baz ", b"\n", b"\r\n", b"\n\n", b"\t", b"\v", "é".encode(), "€uro".encode(), b"\x01", b"\xc3", b"word" * 20, b" x\n"]
    return b"".join(rng.choice(parts) for _ in range(pieces))


def random_rows(rng, count):
    labels = ["x", "", "a,b", "new\nline", '"', 'he said "no"', "\r\n", "é", "\n\n1,2\n", "y", "long " * 50]
    for i in range(count):
        value = rng.choice([rng.gauss(0, 1), rng.uniform(-1e6, 1e6), rng.expovariate(1e-3) * 1e12, rng.randrange(-50, 50), 0.1])
        yield [i, rng.choice(labels), "" if rng.random() < 0.05 else repr(value), rng.randrange(1000)]


class TaskTry(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="cairn-task-")
        self.addCleanup(self.folder.cleanup)
        self.rng = random.Random(11)

    def path(self, name, data=None):
        path = os.path.join(self.folder.name, name)
        if data is not None:
            with open(path, "wb") as file:
                file.write(data)
        return path

    def text_files(self):
        datas = [b"", b"\n", b"no line end", b"a\r\n\r", random_text(self.rng, 800), random_text(self.rng, 900) + b"end"]
        return [self.path(f"t{i}", data) for i, data in enumerate(datas)]

    def csv_files(self, count=300):
        paths, rows = [], []
        for i, ending in enumerate(["\r\n", "\n", "\n"]):
            part = list(random_rows(self.rng, count if i else 0))  # the first one has a header alone
            out = io.StringIO(newline="")
            writer = csv.writer(out, lineterminator=ending)
            writer.writerow(["id", "label", "amount", "small"])
            writer.writerows(part)
            paths.append(self.path(f"c{i}.csv", out.getvalue().encode()))
            rows += part
        return paths, rows

    def each_split(self, *arguments, splits=SPLITS):
        """The table, which is the same for all splits and threads."""
        tables = [table_of(*arguments, "--split", split, "--threads", threads) for split, threads in zip(splits, ["3", "1", "2", "2"])]
        for table in tables[1:]:
            self.assertEqual(table, tables[0])
        return tables[0]

    def test_wc_is_that_of_coreutils(self):
        files = self.text_files()
        for row in self.each_split("wc", *files):
            expected = subprocess.run(["wc", "-lwc", row["file"]], env=C_LOCALE, capture_output=True, check=True).stdout.split()[:3]
            self.assertEqual([row["lines"], row["words"], row["bytes"]], [field.decode() for field in expected], row["file"])

    def test_grep_is_that_of_coreutils(self):
        files = self.text_files()
        for pattern in ["foo", "^$", "r .*x$", "wordword", "o|é"]:
            for flags, own in [([], []), (["-v"], ["--invert"]), (["-i"], ["--ignore-case"])]:
                rows = self.each_split("grep", "--count", "--bytes", *own, pattern, *files, splits=["5", "1M"])
                for row in rows:
                    theirs = subprocess.run(["grep", "-a", "-c", "-E", *flags, pattern, row["file"]], env=C_LOCALE, capture_output=True, check=False)
                    self.assertEqual(int(row["count"]), int(theirs.stdout), (pattern, flags, row["file"]))

    def test_grep_gives_lines_with_their_offsets(self):
        files = self.text_files()
        rows = self.each_split("grep", "--replace", "foo", *files)
        expected = []
        for path in files:
            offset = 0
            with open(path, "rb") as file:
                for line in file:
                    if b"foo" in line:
                        expected.append((path, offset, line.removesuffix(b"\n").decode(errors="replace")))
                    offset += len(line)
        self.assertEqual([(row["file"], int(row["offset"]), row["line"]) for row in rows], expected)

    def test_checksums_are_those_of_others(self):
        files = self.text_files()
        for row in self.each_split("checksum", "--algorithm", "sha256", *files):
            with open(row["file"], "rb") as file:
                self.assertEqual(row["checksum"], "sha256:" + hashlib.sha256(file.read()).hexdigest())
        digits = self.path("digits", b"123456789")
        self.assertEqual(self.each_split("checksum", digits)[0]["checksum"], "crc32c:e3069283")
        self.each_split("checksum", *files)
        rows = self.each_split("checksum", "--algorithm", "xxh3", files[0])
        self.assertEqual(rows[0]["checksum"], "xxh3:2d06800538d394c2", "of no bytes, as the xxHash specification has it")

    def test_stats_are_those_of_python(self):
        paths, rows = self.csv_files()
        (row,) = self.each_split("stats", "--column", "amount", "--quantiles", "0,0.25,0.5,0.99,1", "--histogram", "-100:100:4", *paths)
        values = [float(amount) for _, _, amount, _ in rows if amount != ""]
        self.check_figures(row, values, len(rows) - len(values))
        for q in [0, 0.25, 0.5, 0.99, 1]:
            truth = sorted(values)[math.floor(q * (len(values) - 1))]
            self.assertLessEqual(abs(float(row[f"q{q}"]) - truth), abs(truth) / 256)
        self.assertEqual(int(row["below_-100"]), sum(value < -100 for value in values))
        for low in [-100, -50, 0, 50]:
            self.assertEqual(int(row[f"from_{low}"]), sum(low <= value < low + 50 for value in values))
        self.assertEqual(int(row["from_100"]), sum(value >= 100 for value in values))

    def check_figures(self, row, values, missing):
        self.assertEqual((int(row["count"]), int(row["missing"])), (len(values), missing))
        self.assertEqual(float(row["sum"]), math.fsum(values))
        self.assertEqual(float(row["mean"]), math.fsum(values) / len(values))
        self.assertEqual((float(row["min"]), float(row["max"])), (min(values), max(values)))
        truth = statistics.variance(values)
        self.assertLessEqual(abs(float(row["variance"]) - truth), 4 * math.ulp(truth))

    def test_groups_are_those_of_python(self):
        paths, rows = self.csv_files()
        found = self.each_split("stats", "--column", "amount", "--group-by", "label", *paths)
        self.assertEqual([row["group"] for row in found], sorted({label for _, label, _, _ in rows}, key=str.encode))
        for row in found:
            amounts = [amount for _, label, amount, _ in rows if label == row["group"]]
            self.check_figures(row, [float(amount) for amount in amounts if amount], amounts.count(""))

    def test_top_is_that_of_sqlite(self):
        paths, rows = self.csv_files()
        database = sqlite3.connect(":memory:")
        database.execute("create table t (id int, label text, amount real, small int)")
        database.executemany("insert into t values (?, ?, nullif(?, ''), ?)", rows)
        found = self.each_split("top", "--column", "label", "--frequent", "--rows", "5", *paths)
        expected = database.execute("select label, count(*) n from t group by label order by n desc, label limit 5").fetchall()
        self.assertEqual([(row["value"], int(row["count"])) for row in found], expected)
        for flags, order in [([], "desc"), (["--smallest"], "asc")]:
            found = self.each_split("top", "--column", "small", "--rows", "20", *flags, *paths)
            expected = database.execute(f"select small, id from t order by small {order}, rowid limit 20").fetchall()
            self.assertEqual([(int(row["value"]), int(row["record"].split(",")[0])) for row in found], expected)

    def test_dedup_report_counts_blocks_as_a_dictionary_does(self):
        kinds = [self.rng.randbytes(4096) for _ in range(5)] + [bytes(4096)]
        datas = [b"", bytes(10_000), *(b"".join(self.rng.choice(kinds) for _ in range(n)) + self.rng.randbytes(n * 37) for n in (30, 40))]
        datas += [datas[2], datas[3][:-1], datas[2]]
        paths = [self.path(f"d{i}", data) for i, data in enumerate(datas)]
        for block in (512, 4096, 5000):
            found, zeros = {}, 0
            for path, data in zip(paths, datas, strict=True):
                for offset in range(0, len(data), block):
                    piece = data[offset:offset + block]
                    found.setdefault(piece, []).append((path, offset))
                    zeros += len(piece) if piece.strip(b"\0") == b"" else 0
            sizes = sum(map(len, datas)), sum(map(len, found))
            (row,) = self.each_split("dedup-report", "--block", str(block), *paths, splits=["777", "4K", "1M"])
            names = ["blocks", "unique_blocks", "bytes", "unique_bytes", "duplicate_bytes", "zero_bytes", "files", "duplicate_files", "duplicate_file_bytes"]
            self.assertEqual([int(row[name]) for name in names],
                             [sum(map(len, found.values())), len(found), *sizes, sizes[0] - sizes[1], zeros, len(paths), 2, 2 * len(datas[2])])
            self.assertEqual([float(row[name]) for name in ("ratio", "sampled", "error")], [sizes[0] / sizes[1], 1, 0])
            most = sorted(((1 - len(places)) * len(piece), places[0], len(places)) for piece, places in found.items() if len(places) > 1)
            rows = self.each_split("dedup-report", "--block", str(block), "--rows", "4", *paths, splits=["777", "1M"])
            self.assertEqual([(-int(row["duplicate_bytes"]), (row["file"], int(row["offset"])), int(row["count"])) for row in rows], most[:4])
        rows = self.each_split("dedup-report", "--files", *paths, splits=["777", "1M"])
        self.assertEqual([(row["file"], row["same_as"]) for row in rows], [(paths[4], paths[2]), (paths[6], paths[2])])

    def test_bsearch_finds_what_grep_finds_in_what_sort_sorted(self):
        source = self.path("unsorted", b"".join(b"%d %s\n" % (self.rng.randrange(3000), b"x" * self.rng.randrange(200)) for _ in range(20_000)))
        lines, numbers = self.path("lines"), self.path("numbers.csv")
        for flags, own in [([], []), (["-r"], ["--reverse"])]:
            with open(lines, "wb") as out:
                subprocess.run(["sort", *flags, source], env=C_LOCALE, stdout=out, check=True)
            for key in ["0 ", "1234 ", "2999 ", "17 xxx", "5", "99999", "~"]:
                found = self.each_split("bsearch", "--prefix", *own, key, lines, splits=["1M"])
                theirs = subprocess.run(["grep", "-b", "-e", "^" + key, lines], env=C_LOCALE, capture_output=True, check=False).stdout.decode()
                self.assertEqual([f"{row['offset']}:{row['line']}" for row in found], theirs.splitlines(), (flags, key))
        values = sorted(self.rng.randrange(-500, 500) / 4 for _ in range(20_000))
        with open(numbers, "w", newline="", encoding="utf-8") as out:
            csv.writer(out).writerows([["id", "v"], ["none", ""], *([i, value] for i, value in enumerate(values))])
        for key in ["0", "-125", "17.25", "1e2", "3.1"]:
            found = self.each_split("bsearch", "--column", "v", "--numeric", key, numbers, splits=["1M"])
            self.assertEqual([row["line"] for row in found], [f"{i},{value}" for i, value in enumerate(values) if value == float(key)])
        done = run("bsearch", "17", source)
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        self.assertRegex(done.stderr.decode(), "unsorted: offset [0-9]+: the file is not sorted: \"[0-9]+ x*\" stands behind")

    def sorted_text(self, *arguments):
        """What sort gives, which is the same for all splits, threads and sizes of memory."""
        texts = set()
        for split, threads, memory in [("7", "3", "64K"), ("4K", "2", "64K"), ("1M", "1", "64M")]:
            done = run("sort", *arguments, "--split", split, "--threads", threads, "--memory", memory)
            self.assertEqual(done.returncode, 0, done.stderr.decode())
            texts.add(done.stdout)
        (text,) = texts
        return text

    def test_sort_is_that_of_coreutils(self):
        files = [*self.text_files(), self.path("many", b"".join(b"%d\n" % self.rng.randrange(20_000) for _ in range(20_000)))]
        for flags, own in [([], []), (["-r"], ["--reverse"]), (["-u"], ["--unique"]), (["-u", "-r"], ["--unique", "--reverse"])]:
            theirs = subprocess.run(["sort", "-s", *flags, *files], env=C_LOCALE, capture_output=True, check=True).stdout
            self.assertEqual(self.sorted_text(*own, *files), theirs, flags)
        rows = [f"{self.rng.choice('abc')};{self.rng.randrange(-99, 99) / 4};{i}" for i in range(3000)]
        plain = self.path("rows", "".join(row + "\n" for row in rows).encode())
        first = self.path("c0.csv", ("k;v;i\r\n" + "".join(row + "\r\n" for row in rows[:1300])).encode())
        second = self.path("c1.csv", ("k;v;i\n" + "\n".join(rows[1300:])).encode())
        for flags, own in [(["-k2,2g"], ["--column", "v", "--numeric"]), (["-k1,1"], ["--column", "k"]), (["-k2,2gr"], ["--column", "v", "--numeric", "--reverse"]),
                           (["-u", "-k2,2g"], ["--column", "v", "--numeric", "--unique"])]:
            theirs = subprocess.run(["sort", "-s", "-t;", *flags, plain], env=C_LOCALE, capture_output=True, check=True).stdout
            self.assertEqual(self.sorted_text(*own, "--delimiter", ";", first, second), b"k;v;i\n" + theirs, flags)
        out = self.path("sorted.csv")
        self.assertEqual(run("sort", "--column", "v", "--numeric", "--delimiter", ";", first, second, "--out", out).returncode, 0)
        found = table_of("bsearch", "--column", "v", "--numeric", "--delimiter", ";", "0", out)
        self.assertEqual([row["line"] for row in found], [row for row in rows if float(row.split(";")[1]) == 0])
        lines = [json.loads(line)["line"] for line in self.sorted_text("--json", plain).decode().splitlines()]
        self.assertEqual(lines, sorted(rows))
        done = run("sort", "--column", "v", "--delimiter", ";", first, self.path("other.csv", b"v;k;i\n"))
        self.assertIn("other.csv has another header than", done.stderr.decode())

    def test_json_says_the_same(self):
        paths, _ = self.csv_files()
        for op in [["stats", "--column", "amount", "--group-by", "label"], ["top", "--column", "amount"]]:
            lines = run(*op, "--json", *paths).stdout.decode().splitlines()
            rows = [{name: "" if value is None else value for name, value in json.loads(line).items()} for line in lines]
            for row, other in zip(rows, table_of(*op, *paths), strict=True):
                for name, value in row.items():
                    self.assertEqual(value, type(value)(other[name]), name)

    def test_errors_name_file_and_offset_whatever_the_split_is(self):
        good = self.path("good.csv", b'a,b\n1,"x\ny"\n')
        for data, message in [
            (b"a,b\n1,2\nword,3\n", 'offset 8: column "a": "word" is no number'),
            (b'a,b\n1,5" disk\n2,3\n', "offset 7: a quote within a field"),
            (b'a,b\n1,"x\n2,3\n4,5\n', "offset 6: the quote that opens here is not closed"),
            (b"a,b\n1,2\n1,2,3\n", "offset 8: the record has 3 fields, the header 2"),
            (b"b,c\n1,2\n", 'has no column "a"; its columns are: b, c'),
        ]:
            bad = self.path("bad.csv", data)
            for split in ["1", "3", "1M"]:
                done = run("stats", "--column", "a", "--split", split, good, bad)
                self.assertEqual((done.returncode, done.stdout), (1, b""))
                self.assertIn(bad, done.stderr.decode())
                self.assertIn(message, done.stderr.decode())
        done = run("grep", "x", self.path("latin", b"ok\n\xe9x\n"))
        self.assertIn("latin: offset 3: this line matches, but is not UTF-8", done.stderr.decode())
        for arguments, status, message in [
            (["wc", self.folder.name], 1, "is not a regular file"),
            (["wc", self.path("absent")], 1, "No such file"),
            (["grep", "a(", good], 1, "missing )"),
            (["stats", good], 2, "--column"),
            (["wc", good, "--split", "0"], 1, "--split"),
            (["count", good], 2, ""),
        ]:
            done = run(*arguments)
            self.assertEqual((done.returncode, done.stdout), (status, b""), arguments)
            self.assertIn(message, done.stderr.decode())

    def exec_output(self, *arguments):
        done = run("exec", *arguments)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        return done.stdout

    def test_exec_of_lines_is_the_program_on_the_whole_files(self):
        lines = [b"%d,%s,%d" % (i, bytes(self.rng.choice(b"abc") for _ in range(self.rng.randrange(30))), i * 7 % 100) for i in range(2000)]
        paths = [self.path("a", b"\n".join(lines[:900]) + b"\n"), self.path("b", b"\n".join(lines[900:])), self.path("empty", b"")]
        program = "{ print NR > 0 ? $3 : 0 }"
        wanted = b"".join(subprocess.run(["awk", "-F,", program, path], capture_output=True, check=True).stdout for path in paths)
        for split in ["7", "4K", "1M"]:
            # One run for each line is slow: few lines then.
            files = paths if split != "7" else [self.path("few", b"\n".join(lines[:12]))]
            expected = wanted if split != "7" else subprocess.run(["awk", "-F,", program, *files], capture_output=True, check=True).stdout
            self.assertEqual(self.exec_output(f"awk -F, '{program}'", *files, "--split", split, "--threads", "2"), expected)

    def test_exec_puts_parts_together_with_a_second_program(self):
        words = [self.rng.choice(["red", "green", "blue"]) for _ in range(5000)]
        path = self.path("words", "".join(word + "\n" for word in words).encode())
        merge = "awk '{ n[$2] += $1 } END { for (k in n) print k, n[k] }' | sort"
        wanted = "".join(f"{word} {words.count(word)}\n" for word in sorted(set(words))).encode()
        self.assertEqual(self.exec_output("sort | uniq -c", "--merge", merge, path, "--split", "4K"), wanted)
        self.assertEqual(len(self.exec_output("sort | uniq -c", path, "--split", "4K").splitlines()) % 3, 0)

    def test_exec_ships_a_script(self):
        script = self.path("sum.py", b"#!/usr/bin/python3 -S\nimport os, sys\nprint(os.environ['CAIRN_FILE'], os.environ['CAIRN_BEGIN'], "
                                     b"sum(map(int, sys.stdin)), sys.argv[1:])\n")
        path = self.path("numbers", b"1\n2\n3\n")
        out = self.path("out.txt")
        self.exec_output("--program", script, "/job/program --x", path, "--out", out)
        with open(out, encoding="utf-8") as file:
            self.assertEqual(file.read(), f"{path} 0 6 ['--x']\n")

    def test_exec_that_fails_says_where_and_why(self):
        path = self.path("f", b"good\nbad\ngood\n")
        script = "while read line; do if [ $line = bad ]; then echo no such line >&2; exit 3; fi; done"
        for arguments, message in [
            ([script, path, "--split", "5"], f"{path}: offset 5 .. 14: the program: exit code 3; it said: no such line"),
            ([script, path], f"{path}: offset 0 .. 14: the program: exit code 3"),
            (["cat", path, "--merge", "cat; exit 4"], "--merge: the program: exit code 4"),
            (["kill -SEGV $$", path], "ended by signal 11"),
            (["yes", path, "--time", "300ms", "--threads", "1"], "300ms of wall time"),
            (["sleep 10", path, "--time", "300ms"], "300ms of wall time"),
            (["cat /etc/shadow", path], "No such file or directory"),
            (["no-such-program", path], "exit code 127"),
            (["cat", path, "--memory", "1"], "--memory: from 16M to 64G"),
            (["", path], "the command is empty"),
        ]:
            done = run("exec", *arguments)
            self.assertEqual((done.returncode, done.stdout), (1, b""), arguments)
            self.assertIn(message, done.stderr.decode())
        done = run("exec", "--program", self.path("absent"), "/job/program", path)
        self.assertNotEqual(done.returncode, 0)

    def test_an_output_is_whole_or_not_there(self):
        good, out = self.path("good.csv", b"a\n1\n2\n"), self.path("out.csv")
        command = ["stats", "--column", "a", good, "--out", out]
        self.assertEqual(run(*command).returncode, 0)
        with open(out, newline="", encoding="utf-8") as file:
            self.assertEqual(file.read(), "count,missing,sum,min,max,mean,variance\n2,0,3,1,2,1.5,0.5\n")
        again = run(*command)
        self.assertEqual(again.returncode, 1)
        self.assertIn("exists; --force replaces it", again.stderr.decode())
        self.assertEqual(run("wc", good, "--out", out, "--force").returncode, 0)
        self.assertEqual(run("top", "--column", "b", good, "--out", self.path("other")).returncode, 1)
        self.assertEqual(sorted(os.listdir(self.folder.name)), ["good.csv", "out.csv"])


if __name__ == "__main__":
    unittest.main(verbosity=2 if sys.stdout.isatty() else 1)
