#!/usr/bin/env python3
"""Every exchange of exchanges.py against a server: is its answer built as Java's was?

SERVER=java compares the Java server with its own recording. VERBOSE=1 prints what passed, too.
"""

import os
import sys

import player
from bolide_test import golden, procs, tap
import exchanges

# why an answer of bolide may differ from Java's (docs/compat.md), by golden name
DIFFERENT = {
    "broker-43-offsets": "slaves are not part of this version",
    "broker-11-sql": "Java filters by SQL92 only with enablePropertyFilter=true",
    "namesrv-105-same-zone": "Java answers in the old dialect as soon as zones are asked for",
}

# answers whose body must say the same, not only be built alike
SAME_BODY = ("namesrv-103", "namesrv-105", "namesrv-219", "namesrv-224", "namesrv-322",
             "namesrv-901", "broker-202", "broker-203", "broker-204", "broker-208", "broker-300",
             "broker-307", "broker-351", "broker-352", "broker-38")


def setup():
    return procs.server({"brokerClusterName": "DefaultCluster", "brokerName": "broker-a"})


class Comparison:
    def __init__(self, out):
        self.tap, self.failed, self.seen = out, [], set()

    def answer(self, name, target, request, got, options):
        self.seen.add(name)
        if name not in golden.names(name):
            self.tap.result(False, name, "no golden file; run record_golden.py")
            return
        _, lines = golden.read(name)
        if not procs.is_java() and name in DIFFERENT:
            self.tap.skip(name, DIFFERENT[name])
            return
        self.tap.result(*self.judge(name, got, lines, options))

    def judge(self, name, got, lines, options):
        if isinstance(got, Exception):
            return "response" not in lines, name, "no answer: %s" % got
        if "response" not in lines:
            return False, name, "an answer, where Java closes the connection: %r" % got
        want = golden.frame(lines["response"])
        found = golden.compare(got, want, values=options.get("values", True))
        if name.startswith(SAME_BODY) and got.body and want.body and not found:
            found = golden.compare_values(got.body, want.body)
        return not found, name, "\n".join(found[:20])


def main():
    out = tap.Tap()
    try:
        server = setup()
    except tap.Skip as e:
        out.skip("golden exchanges", str(e))
        return out.done()
    run = Comparison(out)
    p = player.Player(server, run.answer)
    try:
        exchanges.play_namesrv(p)
        exchanges.play_broker(p)
    except Exception as e:  # the server died, or a condition was not met
        out.result(False, "the run stopped: %s: %s" % (type(e).__name__, e))
    out.ok(server.running(), "the server still runs")
    p.close()
    server.close()
    return out.done()


if __name__ == "__main__":
    sys.exit(main())
