#!/usr/bin/env python3
"""What failed, once more and short: the last lines of each failed test in a JUnit file of ctest, without the logs of servers.

  failures.py FILE.xml [LINES]
"""

import re
import sys
import xml.etree.ElementTree

NOISE = re.compile(r"\s+\d{4}-\d\d-\d\dT[\d:.]+Z? |--- .*\.log$|\[ +(OK|RUN) +\]|\s*$|passed ")


def main(path, lines=40):
    for case in xml.etree.ElementTree.parse(path).iter("testcase"):
        if case.get("status") != "fail":
            continue
        output = [line for line in (case.findtext("system-out") or "").splitlines() if not NOISE.match(line)]
        print(f"\n-- {case.get('name')}, after {float(case.get('time')):.0f} s; the last lines without logs:")
        print("\n".join(f"   {line}" for line in output[-int(lines):]) or "   it printed nothing")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3) or sys.argv[1] in ("-h", "--help"):
        sys.exit(__doc__)
    main(*sys.argv[1:])
