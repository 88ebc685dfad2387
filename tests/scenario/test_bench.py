#!/usr/bin/env python3
"""`bolide bench`: that it counts what the server stored, and measures what happened.

Works against Java, too (SERVER=java).
"""

import json
import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))

from bolide_test import api, procs, tap  # noqa: E402

MODES = (("sync", ["--connections", 8], 1), ("async", ["--connections", 2, "--window", 50], 1),
         ("batch", ["--batch", 10, "--window", 3], 10))
RATE, STALL = 1000, 0.3  # messages/s, seconds
# Of what is due while the server stands still, some is late by the whole stall. A machine with
# other work may make it longer, never shorter.
STALL_SEEN_US = 0.29e6


def setup():
    return procs.server({"autoCreateTopicEnable": "true"})


def bench(env, kind, *args, status=0, where=True, timeout=60):
    """Run it: (its JSON object, what it said)."""
    to = ["--namesrv", env.namesrv] if where else []
    code, out, err = procs.run_bolide("bench", kind, *args, *to, "--json", timeout=timeout)
    assert code == status, "exit %s of %s: %s%s" % (code, args, out, err.strip()[-500:])
    return json.loads(out), err


def ends(env, topic, queues=4):
    with api.Broker(env.broker) as b:
        return [b.max_offset(topic, q) for q in range(queues)]


def check_latency(r):
    us = r["latency_us"]
    assert 0 < us["p50"] <= us["p90"] <= us["p99"] <= us["p99_9"] <= us["max"], us
    assert 0 < us["mean"] <= us["max"], us


def test_counts(env):
    """Each mode and header kind: the messages it counts are those that the queues got, evenly."""
    for mode, more, batch in MODES:
        for headers in ("binary", "json"):
            topic = "Bench_%s_%s" % (mode, headers)
            r, err = bench(env, "send", "--topic", topic, "--mode", mode, "--headers", headers,
                           "--count", 2000, "--size", 100, "--properties", 20, *more)
            assert "made 1 topic %s with 4 queues" % topic in err, err
            tap.equal((r["messages"], r["sent_total"], r["good_total"], r["errors"]),
                      (2000, 2000, 2000, 0), topic)
            tap.equal((r["mode"], r["headers"], r["frames"]), (mode, headers, 2000 // batch), topic)
            tap.equal(ends(env, topic), [500] * 4, topic)
            check_latency(r)
            assert r["cpu_us_per_message"] > 0 and r["rate_per_s"] > 0, r


def test_messages_are_whole(env):
    """What is stored has the size asked for, the properties of a Java client, and keys that differ."""
    for topic in ("Bench_sync_binary", "Bench_batch_json"):
        keys = set()
        with api.Broker(env.broker) as b:
            records = [r for q in range(4) for r in b.read_queue(topic, q)]
        for r in records:
            tap.equal((len(r.body), r.properties["WAIT"], len(r.properties["pad"])),
                      (100, "true", 20))
            keys.add(r.properties["UNIQ_KEY"])
        tap.equal((len(records), len(keys)), (2000, 2000), topic)


def test_by_time(env):
    """With warm-up and at the end of its time nothing is lost or counted twice."""
    r, _ = bench(env, "send", "--topic", "BenchTime", "--mode", "async", "--seconds", 1)
    tap.equal(sum(ends(env, "BenchTime")), r["good_total"])
    tap.equal((r["errors"], r["sent_total"]), (0, r["good_total"]))
    assert r["messages"] < r["good_total"], "the warm-up was counted"
    assert abs(r["seconds"] - 1) < 0.5, r["seconds"]


def test_queues_and_topics(env):
    """--queues gives a topic the queues it lacks; --topics goes round all of them."""
    _, err = bench(env, "send", "--topic", "Bench_sync_json", "--queues", 12, "--count", 1200)
    assert "gave 1 topic Bench_sync_json the 12 queues it lacked" in err, err
    tap.equal(ends(env, "Bench_sync_json", 12), [600] * 4 + [100] * 8)
    _, err = bench(env, "send", "--topic", "BenchMany", "--topics", 11, "--queues", 2, "--count",
                   220, "--mode", "async")
    assert "made 11 topics BenchMany with 2 queues" in err, err
    for i in range(11):
        tap.equal(ends(env, "BenchMany-%d" % i, 2), [10, 10], "topic %d" % i)


def test_server_alone(env):
    """--server needs no name server."""
    r, _ = bench(env, "send", "--server", env.broker, "--topic", "BenchServer", "--count", 40,
                 where=False)
    tap.equal((r["messages"], r["server"]), (40, env.broker))
    tap.equal(ends(env, "BenchServer"), [10] * 4)


def test_pull(env):
    """pull counts every message of the topic, from where it is told, with either header kind."""
    topic = "Bench_async_binary"
    for headers in ("binary", "json"):
        for more in ([], ["--connections", 4, "--max-messages", 7], ["--max-bytes", 1]):
            r, _ = bench(env, "pull", "--topic", topic, "--headers", headers, *more)
            tap.equal((r["messages"], r["good_total"], r["errors"], r["gaps"]), (2000, 2000, 0, 0),
                      "%s %s" % (headers, more))
            check_latency(r)
    with api.Broker(env.broker) as b:
        tap.equal(r["bytes"], sum(len(x.raw) for q in range(4) for x in b.read_queue(topic, q)))
    r, _ = bench(env, "pull", "--topic", topic, "--from", 490)
    tap.equal(r["messages"], 40)
    r, _ = bench(env, "pull", "--topic", topic, "--from", "end")
    tap.equal((r["messages"], r["errors"]), (0, 0))
    r, _ = bench(env, "pull", "--topic", topic, "--loop", "--count", 9000)
    assert 9000 <= r["messages"] < 9200, r["messages"]
    _, err = fails(env, 1, "pull", "--topic", "BenchNone")
    assert "BenchNone" in err and "17" in err, err


def fails(env, status, *args):
    code, out, err = procs.run_bolide("bench", *args, "--namesrv", env.namesrv)
    assert code == status, "exit %s of %s: %s%s" % (code, args, out, err)
    return out, err


def test_e2e(env):
    """e2e receives each message that was acked, once, and each takes longer than its ack could."""
    for more in (["--headers", "binary"], ["--headers", "json", "--mode", "batch", "--batch", 5],
                 ["--connections", 3, "--queues", 7]):
        r, _ = bench(env, "e2e", "--topic", "BenchE2e", "--rate", 500, "--seconds", 1,
                     "--size", 64, *more)
        tap.equal((r["errors"], r["messages"]), (0, 500), str(more))
        tap.equal((r["received_total"], r["good_total"]), (r["sent_total"], r["sent_total"]))
        check_latency(r)
        assert r["ack_latency_us"]["p50"] > 0, r


def stall(env, at, *args):
    """Run a bench while the server stands still for a time, `at` seconds after the first ack."""
    if procs.is_java():
        raise tap.Skip("a Java server is stopped by its own scripts only")
    child = procs.Process([procs.bolide_path(), "bench", *[str(a) for a in args], "--namesrv",
                           env.namesrv, "--json"])
    topic = args[args.index("--topic") + 1]
    procs.wait_until(lambda: started(env, topic), 10, "first message", 0.002)
    time.sleep(at)
    os.kill(env.pid, signal.SIGSTOP)
    time.sleep(STALL)
    os.kill(env.pid, signal.SIGCONT)
    tap.equal(child.wait(30), 0, child.stderr())
    r = json.loads(child.stdout())
    child.close()
    return r


def started(env, topic):
    with api.Broker(env.broker) as b:
        f = b.request(api.MAX_OFFSET, {"topic": topic, "queueId": 0, "committed": True})
        return f.code == 0 and int(f.ext["offset"]) > 0


def check_stall(us):
    """Of 2,000 due 300 were late, evenly from 0 to 300 ms: the last 5 % by 200 ms and more."""
    assert us["max"] >= STALL_SEEN_US, us
    assert us["p99"] >= 0.2e6, us
    assert us["mean"] >= 0.9 * (STALL * RATE) * (STALL / 2 * 1e6) / (2 * RATE), us


def test_stall_counts_in_full(env):
    """Open loop: every message due in a stall is late by the rest of it, and none is left out."""
    for topic, more in (("BenchStall1", []), ("BenchStall2", ["--mode", "async", "--window", 9])):
        r = stall(env, 0.3, "send", "--topic", topic, "--rate", RATE, "--seconds", 2, "--warmup", 0,
                  *more)
        tap.equal((r["messages"], r["errors"]), (2 * RATE, 0), topic)
        check_stall(r["latency_us"])


def test_stall_at_the_end(env):
    """What was due when the time ran out is sent and counted still."""
    r = stall(env, 0.85, "send", "--topic", "BenchStall3", "--rate", RATE, "--seconds", 1,
              "--warmup", 0)
    tap.equal((r["messages"], r["errors"], r["seconds"]), (RATE, 0, 1.0))
    assert r["latency_us"]["max"] >= STALL_SEEN_US, r["latency_us"]


def test_stall_reaches_the_consumer(env):
    """e2e counts a stall from the time each message was due, too."""
    r = stall(env, 0.3, "e2e", "--topic", "BenchStall4", "--rate", RATE, "--seconds", 2,
              "--warmup", 0, "--window", 9)
    tap.equal((r["messages"], r["errors"], r["received_total"]), (2 * RATE, 0, 2 * RATE))
    check_stall(r["latency_us"])


def test_refused(env):
    """A server that refuses: each message by code, what it said, exit status 1."""
    for mode, more, _ in MODES:  # RocketMQ's own topics take no messages of others
        r, err = bench(env, "send", "--topic", "SELF_TEST_TOPIC", "--queues", 1, "--mode", mode,
                       "--count", 60, *more, status=1)
        tap.equal((r["messages"], r["errors"], r["errors_by_code"]), (0, 60, {"16": 60}), mode)
        assert "code 16" in err and "the server said: " in err, err


def test_read_only(env):
    """A topic that may not be written to is said to be one, as official clients do."""
    with api.Broker(env.broker) as b, api.NameServer(env.namesrv) as ns:
        api.check(b.create_topic("BenchReadOnly", 4, perm=4))
        procs.wait_until(lambda: ns.route("BenchReadOnly").code == 0, 10, "the topic's route")
    _, err = fails(env, 1, "send", "--topic", "BenchReadOnly")
    assert "topic BenchReadOnly may not be written to" in err, err
    r, _ = bench(env, "pull", "--topic", "BenchReadOnly")
    tap.equal((r["messages"], r["errors"]), (0, 0))


def test_wrong_use(env):
    """Bad arguments: exit status 2 and a sentence that helps."""
    for status, args, says in (
            (2, ["send", "--mode", "quick"], "sync, async or batch"),
            (2, ["sent"], "did you mean send"),
            (2, ["send", "--conections", 3], "--connections"),
            (2, ["pull", "--topic", "Bench_async_binary", "--connections", 9], "4 queues are read"),
            (2, ["pull", "--topic", "Bench_async_binary", "--queues", 9], "the topic has 4"),
            (2, ["send", "--server", "127.0.0.1"], "HOST:PORT"),
            (1, ["send", "--server", "127.0.0.1:1"], "nobody answers at 127.0.0.1:1")):
        out, err = fails(env, status, *args)
        tap.equal(out, "", "standard output of %s" % args)
        assert says in err, "%s says %r" % (args, err)
        tap.equal(len(err.splitlines()), 1, "lines of %r" % err)
    code, out, _ = procs.run_bolide("help", "bench")
    assert code == 0 and "--rate" in out, out


def test_page(env):
    """Without --json a page for people."""
    code, out, err = procs.run_bolide("bench", "send", "--topic", "BenchPage", "--count", 100,
                                      "--namesrv", env.namesrv)
    tap.equal(code, 0, err)
    assert "100 messages in " in out and "p99.9" in out and env.broker in out, out


def test_interrupt(env):
    """SIGINT ends it early, with what it has."""
    child = procs.Process([procs.bolide_path(), "bench", "send", "--topic", "BenchInterrupt",
                           "--seconds", "60", "--warmup", "0", "--namesrv", env.namesrv, "--json"])
    procs.wait_until(lambda: started(env, "BenchInterrupt"), 10, "first message")
    child.signal(signal.SIGINT)
    tap.equal(child.wait(10), 0, child.stderr())
    r = json.loads(child.stdout())
    tap.equal(sum(ends(env, "BenchInterrupt")), r["good_total"])
    assert 0 < r["seconds"] < 30, r["seconds"]
    child.close()


def null_server(*args):
    child = procs.Process([procs.bolide_path(), "bench", "null", *args])
    line = procs.wait_until(lambda: child.stdout().partition("\n")[0], 10, "its address")
    return child, line.rpartition(" ")[2]


def test_null(_):
    """The null server answers each request; with --hop a consumer gets what a producer sent."""
    child, address = null_server()
    for mode, more, _batch in MODES:
        for headers in ("binary", "json"):
            r, _ = bench(None, "send", "--server", address, "--mode", mode, "--headers", headers,
                         "--count", 5000, *more, where=False)
            tap.equal((r["messages"], r["errors"]), (5000, 0), mode)
    child.signal(signal.SIGTERM)
    tap.equal(child.wait(5), 0)
    child.close()
    child, address = null_server("--hop")
    for more in (["--headers", "json"], ["--mode", "batch", "--batch", 4]):
        r, _ = bench(None, "e2e", "--server", address, "--rate", 500, "--seconds", 1, "--warmup", 0,
                     *more, where=False)
        tap.equal((r["messages"], r["received_total"], r["errors"]), (500, 500, 0), str(more))
    child.close()


def test_echo(_):
    """echo starts a null server for itself and ends it."""
    for more in ([], ["--hop", "--rate", 2000]):
        r, _ = bench(None, "echo", "--count", 1000, *more, where=False)
        tap.equal((r["messages"], r["errors"]), (1000, 0), str(more))


def test_null_answers_are_as_long(env):
    """The null server's answers have the size of the server's own."""
    if procs.is_java():
        raise tap.Skip("they are bolide's")
    child, address = null_server()
    lens = []
    for to in (env.broker, address):
        with api.Broker(to) as b:
            one = b.send("BenchServer", b"x" * 100, 0, {"UNIQ_KEY": "A" * 32}).frame
            batch = b.send_batch("BenchServer", [b"x"] * 5, 0).frame
            lens.append((len(json.dumps(one.ext)), len(batch.ext["msgId"])))
    child.close()
    # the offset's digits differ
    assert abs(lens[0][0] - lens[1][0]) <= 8 and lens[0][1] == lens[1][1], lens


def test_idle(env):
    """idle holds its connections, with heartbeats and pulls that wait."""
    r, err = bench(env, "idle", "--connections", 60, "--seconds", 1, "--warmup", 0)
    tap.equal((r["open"], r["lost"], r["errors"]), (60, 0, 0))
    r, err = bench(env, "idle", "--connections", 60, "--seconds", 1, "--warmup", 0, "--heartbeats",
                   "--long-polls", "--topic", "BenchIdle", "--queues", 3)
    tap.equal((r["open"], r["lost"], r["errors"], r["heartbeats"], r["pulls"]), (60, 0, 0, 60, 0))
    assert "60 connections are open" in err, err


def test_lost_server(_):
    """A server that dies: what was under way is said to be lost, and the run ends."""
    if procs.is_java():
        raise tap.Skip("a Java server is stopped by its own scripts only")
    s = procs.Server(config={"flushDiskType": "ASYNC_FLUSH"})
    child = procs.Process([procs.bolide_path(), "bench", "send", "--topic", "BenchLost", "--mode",
                           "async", "--connections", "3", "--seconds", "60", "--warmup", "0",
                           "--namesrv", s.namesrv, "--json"])
    procs.wait_until(lambda: started(s, "BenchLost"), 10, "first message")
    s.kill9()
    tap.equal(child.wait(10), 0, child.stderr())
    r = json.loads(child.stdout())
    lost = r["errors_by_code"].get("lost", 0)
    assert lost > 0 and r["good_total"] + lost == r["sent_total"], r
    assert "closed the connection" in child.stderr(), child.stderr()
    child.close()
    s.start()
    stored = sum(ends(s, "BenchLost"))
    assert r["good_total"] <= stored <= r["sent_total"], (stored, r)
    s.close()


def main():
    return tap.run([test_counts, test_messages_are_whole, test_by_time, test_queues_and_topics,
                    test_server_alone, test_pull, test_e2e, test_stall_counts_in_full,
                    test_stall_at_the_end, test_stall_reaches_the_consumer, test_refused, test_read_only,
                    test_wrong_use, test_page, test_interrupt, test_null, test_echo,
                    test_null_answers_are_as_long, test_idle, test_lost_server],
                   setup, lambda s: s.close())


if __name__ == "__main__":
    sys.exit(main())
