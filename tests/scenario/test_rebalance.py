#!/usr/bin/env python3
"""A thousand consumers of one group on a thousand queues: how long after a change until every queue
has one owner and all members know the same members.

Each consumer is a connection of its own that heartbeats, gets notices (40), asks for the members
(38), takes its share by RocketMQ's average, asks where to begin (14) and pulls (11). SERVER=java
measures the Java server; the limit is bolide's.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))

from bolide_test import procs, storm, tap  # noqa: E402

CONSUMERS = QUEUES = 1000
LIMIT_MS = 2000
STEPS = ("all_join_ms", "one_leaves_ms", "one_joins_ms", "tenth_closes_ms", "tenth_joins_ms")


def setup():
    tap.seed()
    return procs.server() if procs.is_java() else procs.server(release=True)


def measure(env, topic, group, **more):
    r = storm.run(env, "rebalance", topic, 1, QUEUES, groups=(group, None), consumers=CONSUMERS,
                  heartbeat_ms=5000, drain_seconds=30, **more)
    tap.Tap().note("%s; %d notices, 38 asked %d times, %d MB came in" % (
        ", ".join("%s %.0f" % (s, r[s]) for s in STEPS), r["notices"], r["asked_members"],
        r["bytes_in"] >> 20))
    tap.equal((r["anomalies"], r["codes"]), (0, {}), "answers that failed")
    tap.equal(r.status, 0, "a step that did not settle, or not for good")
    if procs.is_java():
        return
    late = {s: r[s] for s in STEPS if not 0 <= r[s] <= LIMIT_MS}
    tap.equal(late, {}, "steps over %d ms" % LIMIT_MS)


def test_at_once(env):
    """1,000 join at once, one leaves and joins, 100 are closed and come back: each settles in 2 s"""
    measure(env, "Rebalance", "CG_REBALANCE")


def test_one_by_one(env):
    """1,000 join within 5 seconds, notices all the while: settled 2 s after the last join"""
    measure(env, "RebalanceSlow", "CG_REBALANCE_SLOW", spread_ms=5000)
    if procs.is_java():
        return
    c = storm.counters(env)
    tap.Tap().note("core turns over 1 ms: %(coreTurnsOverOneMs)d of %(coreTurns)d, the longest "
                   "%(coreTurnMaxMicros)d us" % c)


def main():
    return tap.run([test_at_once, test_one_by_one], setup, lambda s: s.close())


if __name__ == "__main__":
    sys.exit(main())
