"""Runs `cairn task ...` and gives its answer, or its error as an exception."""

import os
import shutil
import subprocess


class TaskError(RuntimeError):
    """What `cairn` said was wrong: file, offset and server where there are any."""


def find_cairn(cairn=None):
    """The command: as given, else $CAIRN, else on the PATH, else of a build of this tree."""
    tree = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    built = [os.path.join(tree, "build", kind, "bin", "cairn") for kind in ("release", "debug")]
    for place in [cairn, os.environ.get("CAIRN"), shutil.which("cairn"), *built]:
        if place and os.access(place, os.X_OK):
            return place
    raise TaskError("the command cairn is not there: install it, put it on the PATH, or set CAIRN to its path")


def run_cairn(cairn, arguments):
    """Its standard output. The arguments are those behind `cairn task`."""
    try:
        done = subprocess.run([cairn, "task", *arguments], capture_output=True, encoding="utf-8", stdin=subprocess.DEVNULL)
    except OSError as error:
        raise TaskError(f"{cairn}: {error.strerror} (of very many files name their directory or a glob)") from error
    if done.returncode != 0:
        raise TaskError(done.stderr.strip() or f"cairn ended with {done.returncode}")
    return done.stdout


def option_words(options):
    """{"group_by": "city", "count": True} as words of a command line. False and None: not given."""
    words = []
    for name, value in options.items():
        if value is None or value is False:
            continue
        words.append("--" + name.replace("_", "-"))
        if value is not True:
            words.append(",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value))
    return words
