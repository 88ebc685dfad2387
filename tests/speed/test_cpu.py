#!/usr/bin/env python3
"""CPU per message of the release build beside the bare echo server's: bench/check, its lines as tests."""

import os
import re
import subprocess
import sys

CHECK = os.path.join(os.environ["BOLIDE_SOURCE"], "bench", "check")
LINE = re.compile(r"^bench/check: (\w+) +(.*): (good|TOO MUCH)$")


def main():
    run = subprocess.run([sys.executable, CHECK], stdout=subprocess.PIPE, text=True, timeout=170)
    found = [m.groups() for m in map(LINE.match, run.stdout.splitlines()) if m]
    for number, (kind, figures, verdict) in enumerate(found, 1):
        print("%s %d - %s: %s" % ("ok" if verdict == "good" else "not ok", number, kind, figures))
    if not found:
        print("not ok 1 - bench/check gave no figures, exit code %d" % run.returncode)
    print("1..%d" % max(len(found), 1))
    return run.returncode


if __name__ == "__main__":
    sys.exit(main())
