"""A cluster as a place to run operators, shaped like multiprocessing.Pool."""

import os

from .command import find_cairn, option_words, run_cairn
from .job import Job
from .table import Table

# Operators whose rows say which file they are about, and depend on that file alone: one job serves all files.
ROWS_OF_ONE_FILE = ("checksum", "grep", "wc")


class Cluster:
    """metaserver: "HOST:PORT", then files are counted from the filesystem's root; without it they lie under a mount.
    cairn: the command's path, if it is not on the PATH."""

    def __init__(self, metaserver=None, *, cairn=None):
        self._metaserver = metaserver
        self._cairn = find_cairn(cairn)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None  # nothing is held here: jobs live at the servers

    def map(self, operator, files, *arguments, **options):
        """One result for each file, in the order of files, as Pool.map: a dict where the operator makes one row of a file
        (wc, checksum, grep with count=True), else the Table of that file. arguments: what stands before the files, as
        grep's pattern."""
        names = [os.fspath(file) for file in files]
        if self._metaserver:  # as the table names them
            names = ["/" + os.path.normpath(name).lstrip("/") for name in names]
        distinct = list(dict.fromkeys(names))
        if not distinct:
            return []
        if operator in ROWS_OF_ONE_FILE:
            results = {name: Table() for name in distinct}
            for row in self.run(operator, distinct, *arguments, **options):
                results[row["file"]].append(row)
        else:
            jobs = {name: self.submit(operator, [name], *arguments, **options) for name in distinct}
            results = {name: job.get() for name, job in jobs.items()}
        single = operator in ("checksum", "wc") or (operator == "grep" and options.get("count") is True)
        return [results[name][0] if single else results[name] for name in names]

    def run(self, operator, files, *arguments, out=None, **options):
        """The Table of one job over all files (paths, directories, globs). arguments as above. out: a path that the table
        is written to as CSV, whole or not at all; then nothing is returned."""
        words = self._words(operator, files, arguments, options)
        if out is not None:
            run_cairn(self._cairn, ["run", operator, "--quiet", "--out", os.fspath(out), *words])
            return None
        return Table.from_json_lines(run_cairn(self._cairn, ["run", operator, "--quiet", "--json", *words]))

    def submit(self, operator, files, *arguments, **options):
        """A Job that runs at the servers. As run()."""
        files = list(files)
        words = self._words(operator, files, arguments, options)
        number = int(run_cairn(self._cairn, ["run", operator, "--detach", *words]))
        return Job(self._cairn, self._metaserver or metaserver_of(files), number)

    map_async = submit

    def _words(self, operator, files, arguments, options):
        where = ["-m", self._metaserver] if self._metaserver else []
        return [*where, *option_words(options), "--", *map(str, arguments), *map(os.fspath, files)]


def metaserver_of(files):
    """The address of the mount that the first of the files lies in."""
    at = os.path.abspath(os.fspath(files[0]))
    while True:
        try:
            return os.getxattr(at, "cairn.metaserver").decode()
        except OSError:
            if at == "/":
                return None  # cairn finds the only mount, or says what is wrong
            at = os.path.dirname(at)
