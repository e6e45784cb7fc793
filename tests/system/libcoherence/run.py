"""Every check in a process of its own, with a deadline: one that hangs or crashes does not take the others along."""

import faulthandler
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from dataclasses import asdict, dataclass

from . import calls
from .place import Place, Skipped
from .workers import Wrong

APPEARS = 5    # seconds until the check's own directory must be seen on B: being seen at once is the matter of other checks
HANGS = 120    # seconds over its time after which a check hangs


@dataclass
class Settings:
    a: str
    b: str
    seconds: float
    rounds: int
    seed: int
    per_side: int
    control: bool   # A and B are two directories on purpose: every check must fail


@dataclass
class Outcome:
    name: str
    result: str     # passed, FAILED or skipped
    rounds: int
    seconds: float
    text: str       # counterexample, or why it was skipped

    def as_json(self):
        return asdict(self)


def make_directories(settings, name):
    directory = tempfile.mkdtemp(prefix=f"{name}-", dir=settings.a)
    os.chmod(directory, 0o755)
    other = os.path.join(settings.b, os.path.basename(directory))
    if settings.control:
        os.makedirs(other, exist_ok=True)
    deadline = time.monotonic() + APPEARS
    while not calls.exists(other):
        if time.monotonic() > deadline:
            raise Wrong(f"{directory} was made on A, and {other} is not there after {APPEARS} s")
        time.sleep(0.05)
    return directory, other


def body(check, settings, pipe, dump):
    """In the check's own process."""
    os.setpgid(0, 0)
    calls.die_with_parent()
    faulthandler.dump_traceback_later(settings.seconds + HANGS - 5, file=dump)
    place, result, text = None, "passed", ""
    try:
        place = Place(*make_directories(settings, check.name), settings.seed, settings.seconds, settings.rounds, settings.per_side)
        check.run(place)
    except Skipped as why:
        result, text = "skipped", str(why)
    except Wrong as wrong:
        result, text = "FAILED", str(wrong)
    except OSError as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        story = place.story.lines if place else []
        result, text = "FAILED", "\n".join([f"{error} ({os.path.basename(where.filename)}:{where.lineno})", *story])
    except Exception:
        result, text = "FAILED", traceback.format_exc(limit=-4)
    pipe.send((result, place.done if place else 0, text))
    if place:
        shutil.rmtree(place.sides[0], ignore_errors=True)
        if settings.control:
            shutil.rmtree(place.sides[1], ignore_errors=True)
    sys.stdout.flush()
    os._exit(0)


def run(check, settings):
    forked = multiprocessing.get_context("fork")
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as dump:
        pipe, theirs = forked.Pipe()
        process = forked.Process(target=body, args=(check, settings, theirs, dump))
        process.start()
        theirs.close()
        allowed = settings.seconds + HANGS if not settings.rounds else None
        try:
            if pipe.poll(allowed):
                result, rounds, text = pipe.recv()
                process.join(30)
            else:
                dump.seek(0)
                result, rounds, text = "FAILED", 0, f"it hangs:\n{dump.read()}"
        except EOFError:
            process.join(5)
            result, rounds, text = "FAILED", 0, f"its process ended with {process.exitcode}"
        finally:
            end_group(process)
    return Outcome(check.name, result, rounds, round(time.monotonic() - started, 2), text)


def end_group(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.join(5)
