#!/usr/bin/env python3
"""The house's rules that a script can see: who includes whom, that every source and test is built, where waiting is allowed, and that the tests
exist which the failure model names.

  tests/tree_test.py         prints each offender; exit code 1 if there is one
"""

import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# A folder may include itself and these. The longest matching folder counts.
MAY_INCLUDE = {
    "common/base": [],
    "common/meta": ["common/base", "common/stripe"],
    "common/probes": ["common/base"],
    "common/programs": ["common/base", "common/sandbox", "common/tasks"],
    "common/sandbox": ["common/base"],
    "common/stripe": ["common/base", "common/meta", "common/probes"],
    "common/tasks": ["common/base"],
    "common/rpc": ["common"],
    "metaserver": ["common", "metaserver"],
    "metaserver/store": ["common"],
    "metaserver/state": ["common", "metaserver/store"],
    "metaserver/ops": ["common", "metaserver/store", "metaserver/state"],
    "metaserver/log": ["common", "metaserver/store", "metaserver/state"],
    "metaserver/sessions": ["common", "metaserver/store", "metaserver/state", "metaserver/log"],
    "metaserver/servers": ["common", "metaserver/store", "metaserver/state", "metaserver/log"],
    "metaserver/jobs": ["common", "metaserver/store", "metaserver/state", "metaserver/log", "metaserver/sessions", "metaserver/servers"],
    "chunkserver": ["common"],
    "chunkserver/worker": ["common", "client", "chunkserver"],
    "client": ["common", "client"],
    "client/cache": ["common"],
    "client/inodes": ["common", "client/write", "client/read", "client/sessions"],
    "tools": ["common", "client"],
    "tests": ["common", "metaserver", "chunkserver", "client", "tools"],
}
# Generated Thrift types stop here.
SEES_THRIFT = re.compile(r"^(common/rpc/|(metaserver|chunkserver(/worker)?)/service[^/]*$|tests/)")
THRIFT_HEADER = re.compile(r"^(\w+_types|Metaserver|Chunkserver|TaskWorker)\.h$")
# Code that a simulation runs waits through common/base alone.
SIMULATED = re.compile(r"^(common/(stripe|rpc|meta|tasks)|metaserver|chunkserver|client)/")
NOT_SIMULATED = re.compile(r"^client/fuse/|/main\.cc$|rocks_store")
RAW_WAIT = re.compile(r"\bstd::(thread|mutex|condition_variable|this_thread)\b|\b(usleep|sleep_for|sleep_until)\s*\(")


def tracked():
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard"], check=True, capture_output=True, text=True)
    return [path for path in listed.stdout.split("\n") if path and os.path.exists(os.path.join(ROOT, path))]


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def folder_of(path):
    fitting = [folder for folder in MAY_INCLUDE if path.startswith(folder + "/")]
    return max(fitting, key=len) if fitting else None


def include_offences(path, text):
    own = folder_of(path)
    for included in re.findall(r'^\s*#include\s+["<]([^">]+)[">]', text, re.MULTILINE):
        if THRIFT_HEADER.match(included):
            if not SEES_THRIFT.match(path):
                yield f"{path}: includes the generated {included}; only common/rpc and service.cc may"
            continue
        target = folder_of(included)
        if target is None or own is None or target == own:
            continue
        if not any(included.startswith(allowed + "/") for allowed in MAY_INCLUDE[own]):
            yield f"{path}: includes {included}, but {own} may include only {', '.join(MAY_INCLUDE[own]) or 'itself'}"


def wait_offences(path, text):
    if not SIMULATED.match(path) or NOT_SIMULATED.search(path):
        return
    for number, line in enumerate(text.split("\n"), 1):
        if RAW_WAIT.search(line.split("//")[0]):
            yield f"{path}:{number}: waits around common/base, so no simulation can run it: {line.strip()}"


def unbuilt(paths):
    lists = {}
    for path in paths:
        if os.path.basename(path) == "CMakeLists.txt" or path.endswith(".cmake"):
            folder = os.path.dirname(path)
            lists[folder] = lists.get(folder, "") + read(path)
    for path in paths:
        if not path.endswith(".cc") and not re.match(r"tests/system/\w+\.(py|sh)$", path):
            continue
        folder, found = os.path.dirname(path), False
        while True:
            text = lists.get(folder, "")
            name = os.path.relpath(path, folder or ".")
            stem = os.path.splitext(name)[0]
            if re.search(rf"(^|[\s/(\"])({re.escape(name)}|{re.escape(stem)})([\s)\"]|$)", text):
                found = True
            if found or not folder:
                break
            folder = os.path.dirname(folder)
        if not found and not os.path.basename(path).startswith("lib"):
            yield f"{path}: no CMakeLists.txt names it, so nothing builds or runs it"


# Each row of the first table ends with its tests: a program or script of tests/, or one test of GoogleTest as Suite.Name.
def failure_model_offences(paths):
    page = "docs/failure_model.md"
    tests = [path for path in paths if path.startswith("tests/")]
    programs = {os.path.splitext(os.path.basename(path))[0] for path in tests}
    named = set()
    for path in tests:
        if path.endswith(".cc"):
            named.update(".".join(pair) for pair in re.findall(r"^TEST(?:_F|_P)?\((\w+), *(\w+)\)", read(path), re.MULTILINE))
    table = read(page).split("## One row for each fault")[1].split("\n## ")[0]
    for row in [line for line in table.split("\n") if line.startswith("| ")][1:]:
        cited = re.findall(r"`([^`]+)`", row.strip("| ").split(" | ")[-1])
        if not cited:
            yield f"{page}: no test for: {row.split(' | ')[0].strip('| ')}"
        for test in cited:
            if test not in named and test not in programs and not os.path.isdir(os.path.join(ROOT, test)):
                yield f"{page}: there is no test {test}"


def main():
    paths = tracked()
    offences = list(unbuilt(paths)) + list(failure_model_offences(paths))
    for path in paths:
        if path.endswith((".cc", ".h")):
            text = read(path)
            offences += include_offences(path, text)
            offences += wait_offences(path, text)
    for offence in offences:
        print(offence)
    print(f"{len(paths)} files, {len(offences)} offences")
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main())
