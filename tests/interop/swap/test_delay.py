#!/usr/bin/env python3
"""A Java broker stores delayed messages and is stopped; bolide delivers each once, none early.

# time limit: 300 s
"""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))

from bolide_test import api, procs, tap  # noqa: E402


def now_ms():
    return int(time.time() * 1000)


def test_takeover(env):
    """What Java delivered does not come again, what it did not deliver comes at its time."""
    levels = {"messageDelayLevel": "1s 5s 60s"}
    java = procs.JavaServer(extra=levels)
    procs.wait_serving(java)
    server = None
    try:
        due = {}
        with api.Broker(java.broker, timeout=30) as b:
            api.check(b.create_topic("Moved", 1))

            def send(name, properties, at):
                api.check(b.send("Moved", name.encode(), 0, dict(properties, UNIQ_KEY=name)).frame)
                due[name] = at

            for i in range(3):
                send("soon-level-%d" % i, {"DELAY": "1"}, now_ms() + 1000)
                send("soon-timer-%d" % i, {"TIMER_DELAY_SEC": "1"}, now_ms() + 1000)
            for i in range(3):
                send("late-level-%d" % i, {"DELAY": "3"}, now_ms() + 60000)
                at = now_ms() + 60000
                send("late-timer-%d" % i, {"TIMER_DELIVER_MS": str(at)}, at)
            procs.wait_until(lambda: b.max_offset("Moved", 0) >= 6, 30, "messages that Java delivers")
            time.sleep(3)
        java.stop()
        server = procs.Server(store=java.store, config=dict(levels, mappedFileSizeCommitLog="16777216"))
        with api.Broker(server.broker, timeout=30) as b:
            early = [r.body.decode() for r in b.read_queue("Moved", 0)][6:]
            tap.equal(early, [], "messages that came again")
            procs.wait_until(lambda: b.max_offset("Moved", 0) >= 12, 120, "messages that bolide delivers", 0.2)
            time.sleep(3)
            records = b.read_queue("Moved", 0)
            tap.equal(sorted(r.body.decode() for r in records), sorted(due), "messages")
            for r in records:
                early = due[r.body.decode()] - r.store_timestamp
                assert early <= 0, "%s came %d ms early" % (r.body.decode(), early)
            print("# late by at most %d ms" % max(r.store_timestamp - due[r.body.decode()] for r in records[6:]))
    finally:
        if server:
            server.close()
        java.close()


if __name__ == "__main__":
    sys.exit(tap.run([test_takeover]))
