"""Is this one directory, seen twice? The parts of coherence_check.py.

  history.py     is there an order of these operations that explains every answer?
  calls.py       system calls that os lacks
  hand.py        one side's calls, with a story of what was done: the counterexample
  workers.py     processes on both sides that act at the same moment
  place.py       what a check gets: two directories, a budget of time, and a way to say what was wrong
  run.py         every check in a process of its own, with a deadline

The checks: registers.py (concurrent reads and writes of one value), appends.py, winners.py (races that one may win), names.py,
trees.py, files.py, mapped.py, locks.py, models.py (random calls beside a model of one directory in memory).
"""
