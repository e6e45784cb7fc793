"""One side's calls, told as they happen: when a check fails, the last of them are its counterexample."""

import collections
import mmap
import os
import time

from . import calls

# Which arguments are paths: given relative to the hand's directory. Of all other calls none is.
PATHS = {name: (0,) for name in
         "open stat lstat truncate unlink rmdir mkdir listdir readlink chmod chown utime setxattr getxattr removexattr exists read_whole "
         "write_new scan".split()}
PATHS |= {"rename": (0, 1), "link": (0, 1), "symlink": (1,), "rename_new": (0, 1), "exchange": (0, 1), "replace": (0, 2)}
SHOWN = 16   # calls in a counterexample


class Present:
    """The call that is under way, readable by another process: what hangs can be named."""

    def __init__(self):
        self.memory = mmap.mmap(-1, 512)

    def set(self, text):
        data = text.encode(errors="replace")[:500]
        self.memory[:len(data) + 1] = data + b"\0"

    def get(self):
        return self.memory[:].split(b"\0", 1)[0].decode(errors="replace")


class Story:
    def __init__(self):
        self.zero = time.monotonic()
        self.lines = collections.deque(maxlen=SHOWN)

    def add(self, start, end, who, text):
        self.lines.append(f"{(start - self.zero) * 1000:10.3f} .. {(end - self.zero) * 1000:10.3f} ms  {who:3} {text}")


def short(value):
    if isinstance(value, (bytes, bytearray, mmap.mmap)):
        if len(value) > 24:
            return f"{bytes(value[:12])!r}... ({len(value)} bytes)"
        return repr(bytes(value))
    if isinstance(value, os.stat_result):
        return f"(ino {value.st_ino}, mode {value.st_mode:o}, nlink {value.st_nlink}, size {value.st_size}, mtime {value.st_mtime_ns})"
    text = repr(value)
    return text if len(text) <= 160 else text[:150] + "..."


class Hand:
    """hand.pwrite(descriptor, data, 0), hand.stat("name"), ...: any call of os or of calls.py."""

    def __init__(self, who, directory, story, present):
        self.who, self.directory, self.story, self.present = who, directory, story, present

    def path(self, name):
        return os.path.join(self.directory, name)

    def __getattr__(self, name):
        function = getattr(calls, name, None) or getattr(os, name)
        paths = PATHS.get(name, ())

        def told(*arguments, **options):
            text = f"{name}({', '.join(map(short, arguments))}{''.join(f', {key}={value!r}' for key, value in options.items())})"
            given = [self.path(value) if index in paths else value for index, value in enumerate(arguments)]
            self.present.set(f"{self.who} {text}")
            start = time.monotonic()
            try:
                result = function(*given, **options)
            except OSError as error:
                self.story.add(start, time.monotonic(), self.who, f"{text} -> {error.strerror or error}")
                raise
            finally:
                self.present.set("")
            self.story.add(start, time.monotonic(), self.who, text + ("" if result is None else f" -> {short(result)}"))
            return result

        setattr(self, name, told)
        return told
