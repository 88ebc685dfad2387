#!/usr/bin/env python3
"""A consumer storm: members of a concurrent and of an orderly group join and leave (in good form,
by closing the socket, by silence) while messages come; the judge of histories decides.

Nothing acked is lost, no offset has two messages, orderly queues have one owner at a time and keep
their order, what comes twice is explained by commits, no queue is without an owner for 20 s.
make test: 40 consumers for 30 s; make soak: also 100 for 5 minutes at 20,000 messages a second.
SERVER=java works (its locks last 60 s, so queues may wait for longer there).

time limit: 240 s
"""

import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))

from bolide_test import history, procs, storm, tap  # noqa: E402

# Heartbeats every second and a client taken for gone after 5 (looked for every 10): as RocketMQ's
# 30 and 120 s, in a time that a test has. Locks likewise: renewed every 2 s, relied on for 4 s.
CONFIG = {"channelExpiredTimeout": "5000", "lockMaxLiveTime": "8000"}
TIMES = {"heartbeat_ms": 1000, "commit_ms": 2000, "lock_ms": 2000, "lock_lives_ms": 4000,
         "lock_retry_ms": 500, "rebalance_ms": 10000}
BOUNDED = {"queues": 32, "consumers": 40, "rate": 5000, "seconds": 30, "churn_ms": 200, "keys": 512}
LEAST_SENT = {False: 0.3, True: 0.9}  # of what was to be sent, by whether it is the whole storm
WHOLE = {"queues": 60, "consumers": 100, "rate": 20000, "seconds": 300, "churn_ms": 200,
         "keys": 2048}
UNOWNED_MS = 20000


class Env:
    def __init__(self):
        self.seed = tap.seed()
        self.bounded = None  # its history


def start(release):
    config = dict(CONFIG)
    if procs.is_java():
        config.pop("lockMaxLiveTime")
        return procs.server(config=config)
    return procs.server(config=config, release=release)


def blow(env, plan, release):
    """One storm; its history, judged."""
    server = start(release)
    unowned_ms = 80000 if procs.is_java() else UNOWNED_MS
    times = dict(TIMES, lock_lives_ms=30000) if procs.is_java() else TIMES
    r = storm.run(server, "churn", "Storm", env.seed, groups=(storm.GROUP, storm.ORDERED_GROUP),
                  unowned_ms=unowned_ms, drain_seconds=90, **plan, **times)
    tap.Tap().note({k: v for k, v in r.figures.items() if k != "codes"})
    verdict = history.check(r.history)
    tap.Tap().note("judged: %d sent, %d acked, groups %s" % (verdict.sent, verdict.acked,
                                                             verdict.groups))
    assert verdict.good(), verdict
    assert r["drained"], "not everything was asked for %d ms after the end" % r["drain_ms"]
    check_figures(r, plan, verdict)
    if not procs.is_java():
        tap.Tap().note("core turns over 1 ms: %(coreTurnsOverOneMs)d of %(coreTurns)d, the longest "
                       "%(coreTurnMaxMicros)d us" % storm.counters(server))
    server.close()
    return r.history


def check_figures(r, plan, verdict):
    """The storm was one."""
    if not procs.is_java():  # it is "busy" (2) now and then
        tap.equal((r["unknown"], r["refused"], r["codes"]), (0, 0, {}), "answers that failed")
    wanted = plan["rate"] * plan["seconds"]
    assert r["acked"] >= LEAST_SENT[plan is WHOLE] * wanted, "only %d of %d were sent" % (
        r["acked"], wanted)
    for how in ("leaves", "closes", "mutes"):
        assert r[how] >= 3, "only %d %s" % (r[how], how)
    for number in (0, 1):
        g = verdict.groups[number]
        assert g["delivered"] >= verdict.acked and g["again"] > 0, g
        assert g["owned"] >= 3 * plan["queues"], g
    tap.equal(verdict.groups[1]["longest_shared_ms"], 0, "time with two owners in the orderly group")


def test_bounded(env):
    """40 consumers of two groups come and go for 30 s: nothing lost, order kept, no queue forgotten"""
    env.bounded = blow(env, BOUNDED, release=False)


def test_faults_are_found(env):
    """The judge finds each fault that is put into this very history"""
    if env.bounded is None:
        raise tap.Skip("there is no history")
    fault = history.Fault(env.bounded, random)
    bad = os.path.join(procs.temp_dir(), "bad")
    for name, make in (("lost", fault.lost), ("lost", fault.missing), ("twice", fault.twice),
                       ("order", lambda to: fault.order(to, 1)),
                       ("two_owners", lambda to: fault.two_owners(to, 1)),
                       ("again", fault.again), ("start", fault.start),
                       ("no_owner", lambda to: fault.no_owner(to, 1))):
        verdict = history.check(make(bad))
        assert verdict.wrong.get(name), "%s (%s) was not found: %s" % (name, make, verdict)
    fault.close()


def test_whole(env):
    """100 consumers for 5 minutes at 20,000 messages a second (make soak)"""
    if os.environ.get("BOLIDE_SOAK") != "1":
        raise tap.Skip("make soak runs it")
    blow(env, WHOLE, release=True)


def main():
    return tap.run([test_bounded, test_faults_are_found, test_whole], Env)


if __name__ == "__main__":
    sys.exit(main())
