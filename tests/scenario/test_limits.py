#!/usr/bin/env python3
"""Limits of consumers: pulls that are held, per client and in all; heartbeats of 16 MB; ten thousand
connections with a held pull each. The broker answers truthfully, counts what it refused, stays
within its memory and holds no turn for long.

time limit: 180 s
"""

import json
import os
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))

from bolide_test import api, procs, storm, tap  # noqa: E402

HOLDS, HOLDS_PER_CLIENT = 100, 20
CONNECTIONS, QUEUES = 10000, 100
WHOLE_FRAME = (16 << 20) - 1000  # a frame has at most 16 MiB
PARSED = (4 << 20) - 100  # a heartbeat that is looked at has at most 4 MiB
KB_PER_CONNECTION = 12
TOPIC, GROUP = "Limits", "CG_LIMITS"


def setup():
    if procs.is_java():
        raise tap.Skip("the limits are bolide's")
    s = procs.server(config={"maxHolds": HOLDS, "maxHoldsPerClient": HOLDS_PER_CLIENT})
    with api.Broker(s.broker) as b:
        api.check(b.create_topic(TOPIC, 1))
        api.check(b.create_group(GROUP))
    return s


def member(env, client_id):
    b = api.Broker(env.broker)
    api.check(b.heartbeat(client_id, {GROUP: [TOPIC]}))
    return b


def start_pulls(b, count, offset):
    """Which of the pulls were answered at once, and which wait."""
    pulls = [b.pull_start(TOPIC, 0, offset, group=GROUP, hold_ms=20000) for _ in range(count)]
    b.consumer_list(GROUP)  # is answered behind them
    return [p for p in pulls if p.ready()], [p for p in pulls if not p.ready()]


def test_holds(env):
    """Pulls over the limit of a client, or of all, are answered at once and counted; the rest wait"""
    clients = [member(env, "client-%d" % i) for i in range(HOLDS // HOLDS_PER_CLIENT + 1)]
    before, held = storm.counters(env), []
    with api.Broker(env.broker) as b:
        offset = b.max_offset(TOPIC, 0)
    for i, c in enumerate(clients):
        quick, waiting = start_pulls(c, HOLDS_PER_CLIENT + 5, offset)
        room = HOLDS_PER_CLIENT if i < len(clients) - 1 else 0
        tap.equal((len(quick), len(waiting)), (HOLDS_PER_CLIENT + 5 - room, room), "pulls of %d" % i)
        tap.equal({p.wait(1).code for p in quick}, {api.NOT_FOUND}, "answers over the limit")
        held += waiting
    after = storm.counters(env)
    tap.equal((after["holds"], after["holdsMax"]), (HOLDS, HOLDS), "holds")
    tap.equal(after["holdsRefused"] - before["holdsRefused"],
              len(clients) * (HOLDS_PER_CLIENT + 5) - HOLDS, "refused")
    with api.Broker(env.broker) as b:
        api.check(b.send(TOPIC, b"wake up", 0).frame)
    tap.equal({p.wait(5).code for p in held}, {api.SUCCESS}, "answers of the held")
    procs.wait_until(lambda: storm.counters(env)["holds"] == 0, 2, "no holds")
    # There is room again, and a connection that goes takes its holds along.
    quick, waiting = start_pulls(clients[0], HOLDS_PER_CLIENT, offset + 1)
    tap.equal((len(quick), len(waiting)), (0, HOLDS_PER_CLIENT), "pulls afterwards")
    clients[0].close()
    procs.wait_until(lambda: storm.counters(env)["holds"] == 0, 2, "no holds of the closed")
    for c in clients[1:]:
        c.close()


def fill(size, head, item, tail):
    count = (size - len(head) - len(tail)) // (len(item % 0) + 8)
    return (head + ",".join(item % i for i in range(count)) + tail).encode()


def large_heartbeats(size):
    """Heartbeats of about `size` bytes, each too much or wrong in its own way."""
    plain = json.dumps(api.heartbeat_body("large", {"CG_LARGE": [TOPIC]}, ["PG_LARGE"]))
    sub = '{"topic":"T%%d","subString":"*","expressionType":"TAG","subVersion":1}'
    group = '{"groupName":"CG_LARGE%d","subscriptionDataSet":[]}'
    return {
        "groups": fill(size, '{"clientID":"large","consumerDataSet":[', group, "]}"),
        "subscriptions": fill(size, '{"clientID":"large","consumerDataSet":[{"groupName":"CG_LARGE",'
                              '"subscriptionDataSet":[', sub.replace("%%", "%"), "]}]}"),
        "producers": fill(size, '{"clientID":"large","producerDataSet":[', '{"groupName":"PG_LARGE%d"}',
                          "]}"),
        "client id": b'{"clientID":"%s"}' % (b"x" * (size - 20)),
        "blanks": plain.encode() + b" " * (size - len(plain)),
        "brackets": b"[" * size,
        "noise": os.urandom(size),
    }


def groups_of(b):
    return sorted(api.check(b.request(api.GET_ALL_GROUPS)).json()["subscriptionGroupTable"])


def test_large_heartbeats(_):
    """Heartbeats of 16 MB are refused with a sentence and change nothing; others are served meanwhile"""
    s = procs.server(release=True)
    with api.Broker(s.broker) as b:
        api.check(b.create_topic(TOPIC, 1))
        api.check(b.create_group(GROUP))
    refuse_all(s, "16 MB", large_heartbeats(WHOLE_FRAME))
    s.close()


def test_parsed_heartbeats(env):
    """Heartbeats of 4 MB, which are looked at, are refused for what is in them"""
    bodies = large_heartbeats(PARSED)
    bodies.pop("blanks")  # a good one
    refuse_all(env, "4 MB", bodies, limit_s=5)


def refuse_all(s, size, bodies, limit_s=1):
    """All at once, each on its connection. limit_s: how long others may wait meanwhile."""
    with api.Broker(s.broker) as b:
        before, counters, rss_kb = groups_of(b), storm.counters(s), s.rss_kb()
        slowest, done = [0.0], threading.Event()
        watcher = threading.Thread(target=watch, args=(s, done, slowest), daemon=True)
        watcher.start()
        links = {name: api.Broker(s.broker, timeout=60) for name in bodies}
        calls = {name: links[name].start(api.HEARTBEAT, None, body) for name, body in bodies.items()}
        for name, call in calls.items():
            f = call.wait(60)
            assert f.code != 0 and f.remark, "%s: code %d %r" % (name, f.code, f.remark)
            tap.Tap().note("%s %s: code %d, %s" % (size, name, f.code, f.remark[:90]))
            api.check(links[name].heartbeat("small", {GROUP: [TOPIC]}))  # the connection is good
            links[name].close()
        done.set()
        watcher.join()
        tap.equal(groups_of(b), before, "groups")
        for group in ("CG_LARGE", "CG_LARGE0"):
            tap.equal(b.consumer_list(group), [], "members of %s" % group)
    after = storm.counters(s)
    tap.Tap().note("others waited %.0f ms at most; resident %d MB, before %d; core turns over 1 ms: %d "
                   "of %d, the longest %d us" % (
                       1000 * slowest[0], s.rss_kb() >> 10, rss_kb >> 10,
                       after["coreTurnsOverOneMs"] - counters["coreTurnsOverOneMs"],
                       after["coreTurns"] - counters["coreTurns"], after["coreTurnMaxMicros"]))
    assert slowest[0] < limit_s, "another client waited for %.2f s" % slowest[0]
    # What a connection's input took is given back (a sanitizer keeps it for a while).
    assert not s.release or s.rss_kb() - rss_kb < 48 << 10, "%d KB" % s.rss_kb()


def watch(s, done, slowest):
    with api.Broker(s.broker) as b:
        while not done.is_set():
            began = time.monotonic()
            b.consumer_list(GROUP)
            slowest[0] = max(slowest[0], time.monotonic() - began)
            time.sleep(0.005)


def cpu_seconds(pid):
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_ten_thousand(_):
    """10,000 connections with a held pull each: memory per connection, idle CPU, and all are woken"""
    s = procs.server(release=True)
    with api.Broker(s.broker) as b:
        api.check(b.create_topic("LimitsIdle", QUEUES))
    empty_kb = s.rss_kb()
    bench = procs.Process([procs.bolide_path(release=True), "bench", "idle", "--connections",
                           CONNECTIONS, "--seconds", 60, "--warmup", 0, "--heartbeats",
                           "--long-polls", "--topic", "LimitsIdle", "--queues", QUEUES, "--server",
                           s.broker, "--json"])
    procs.wait_until(lambda: not bench.running() or storm.counters(s)["holds"] == CONNECTIONS, 40,
                     "%d holds" % CONNECTIONS, 0.2)
    assert bench.running(), bench.stderr()
    rss_kb, cpu = s.rss_kb(), cpu_seconds(s.pid)
    time.sleep(3)
    idle_cpu = (cpu_seconds(s.pid) - cpu) / 3
    before, woken_ms = storm.counters(s), wake_all(s)
    after = storm.counters(s)
    turns = after["coreTurns"] - before["coreTurns"]
    late = after["coreTurnsOverOneMs"] - before["coreTurnsOverOneMs"]
    tap.Tap().note("%.1f KB a connection (%d MB resident), idle %.1f %% of a core, %d woken within "
                   "%.0f ms; turns over 1 ms: %d of %d then, longest %d us since the start" % (
                       (rss_kb - empty_kb) / CONNECTIONS, rss_kb >> 10, 100 * idle_cpu, CONNECTIONS,
                       woken_ms, late, turns, after["coreTurnMaxMicros"]))
    bench.signal(signal.SIGINT)
    tap.equal(bench.wait(20), 0, "exit of bench: %s" % bench.stderr())
    r = json.loads(bench.stdout())
    tap.equal((r["open"], r["lost"], r["errors"]), (CONNECTIONS, 0, 0), "connections")
    assert r["pulls"] >= CONNECTIONS, "only %d pulls were answered" % r["pulls"]
    assert rss_kb - empty_kb <= CONNECTIONS * KB_PER_CONNECTION, "%d KB" % rss_kb
    assert idle_cpu < 0.05, "%.1f %% of a core while nothing happens" % (100 * idle_cpu)
    bench.close()
    s.close()


def wake_all(s):
    """A message to every queue; milliseconds until all pulls that waited were answered and came back."""
    with api.Broker(s.broker) as b:
        began = time.monotonic()
        for p in [b.send_start("LimitsIdle", b"wake up", q) for q in range(QUEUES)]:
            api.check(p.wait(10))

        def woken():
            c = storm.counters(s)
            return c["holds"] == CONNECTIONS and c["msgGetTotalTodayNow"] >= CONNECTIONS

        procs.wait_until(woken, 20, "all have got it and wait again", 0.01)
        return 1000 * (time.monotonic() - began)


def main():
    return tap.run([test_holds, test_large_heartbeats, test_parsed_heartbeats,
                    test_ten_thousand], setup,
                   lambda s: s.close())


if __name__ == "__main__":
    sys.exit(main())
