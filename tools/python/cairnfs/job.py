"""A job that was submitted, shaped like multiprocessing.pool.AsyncResult."""

import json
import time

from .command import TaskError, run_cairn
from .table import Table

LONGEST_PAUSE = 0.5  # seconds between two looks


class Job:
    """Made by Cluster.submit(). It goes on at the servers, whether or not this object lives."""

    def __init__(self, cairn, metaserver, number):
        self.number = number
        self._cairn = cairn
        self._metaserver = metaserver

    def status(self):
        """What `cairn task show --json` says, as a dict: phase, bytes, bytes_done, counters, servers, ..."""
        return json.loads(self._ask("show", "--json"))

    def ready(self):
        return self.status()["phase"] in ("done", "failed", "cancelled")

    def successful(self):
        """Of a job that is ready."""
        phase = self.status()["phase"]
        if phase not in ("done", "failed", "cancelled"):
            raise ValueError(f"job {self.number} is not ready")
        return phase == "done"

    def wait(self, timeout=None):
        """Until it is ready, or so many seconds."""
        end = None if timeout is None else time.monotonic() + timeout
        pause = 0.02
        while not self.ready() and (end is None or time.monotonic() < end):
            time.sleep(pause if end is None else max(0.0, min(pause, end - time.monotonic())))
            pause = min(2 * pause, LONGEST_PAUSE)

    def get(self, timeout=None):
        """Its Table. TimeoutError if it is not ready by then, TaskError if it failed."""
        self.wait(timeout)
        status = self.status()
        if status["phase"] == "cancelled":
            raise TaskError(f"job {self.number} was cancelled")
        if status["phase"] == "failed":
            raise TaskError(f"job {self.number}: {status['failure']}")
        if status["phase"] != "done":
            raise TimeoutError(f"job {self.number} is not ready after {timeout} s")
        return Table.from_json_lines(self._ask("result", "--json"))

    def cancel(self):
        """Ends it; nothing of it remains."""
        self._ask("cancel")

    def _ask(self, verb, *flags):
        where = ["-m", self._metaserver] if self._metaserver else []
        return run_cairn(self._cairn, [verb, *where, *flags, str(self.number)])
