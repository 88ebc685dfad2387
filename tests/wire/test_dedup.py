#!/usr/bin/env python3
"""Sends that were stored before: topic attribute dedup.window. Not in RocketMQ (docs/compat.md)."""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))

from bolide_test import api, procs, tap  # noqa: E402


def setup():
    s = procs.server()
    s.link = api.Broker(s.broker, timeout=20)
    return s


def teardown(s):
    s.link.close()
    s.close()


def topic(b, name, queues=4, attributes="+dedup.window=10m"):
    api.check(b.create_topic(name, queues, attributes=attributes))
    return name


def keyed(key, **more):
    return dict({"UNIQ_KEY": key}, **more)


def same(first, again, what):
    """The whole answer, but for what belongs to the call."""
    api.check(first.frame)
    api.check(again.frame)
    tap.equal(again.frame.ext, first.frame.ext, what)


def test_retried(env):
    """A retried send gets the first message's answer, and nothing is stored."""
    b = env.link
    t = topic(b, "DedupRetried")
    first = b.send(t, b"one", 1, keyed("7F000001A"))
    same(first, b.send(t, b"one", 1, keyed("7F000001A")), "same queue")
    same(first, b.send(t, b"one", 3, keyed("7F000001A")), "another queue")
    same(first, b.send_v1(t, b"one", 2, keyed("7F000001A")), "code 10")
    tap.equal([b.max_offset(t, q) for q in range(4)], [0, 1, 0, 0], "messages")
    other = b.send(t, b"two", 1, keyed("7F000001B"))
    tap.equal(other.queue_offset, 1, "another key")
    u = topic(b, "DedupOther")
    tap.equal(b.send(u, b"one", 1, keyed("7F000001A")).queue_offset, 0, "the key in another topic")
    tap.equal(b.max_offset(u, 1), 1, "is stored")


def test_without_window(env):
    """Topics without the attribute take what comes."""
    b = env.link
    t = topic(b, "DedupNone", attributes="")
    tap.equal([b.send(t, b"x", 0, keyed("K")).queue_offset for _ in range(3)], [0, 1, 2], "offsets")


def test_together(env):
    """Many of the same at once, on several connections, before the first is durable."""
    t = topic(env.link, "DedupTogether")
    links = [api.Broker(env.broker, timeout=20) for _ in range(4)]
    try:
        calls = [(k, link.send_start(t, b"x", i % 4, keyed("T%d" % k)))
                 for k in range(50) for i, link in enumerate(links)]
        answers = {}
        for k, call in calls:
            r = api.SendResult(call.wait(20))
            api.check(r.frame)
            answers.setdefault(k, set()).add((r.queue_id, r.queue_offset, r.msg_id))
        tap.equal({k: len(v) for k, v in answers.items()}, {k: 1 for k in range(50)}, "answers")
        tap.equal(sum(env.link.max_offset(t, q) for q in range(4)), 50, "messages")
    finally:
        for link in links:
            link.close()


def test_batch(env):
    """Each message of a batch counts by its own key; what is missing is completed."""
    b = env.link
    t = topic(b, "DedupBatch")
    keys = [keyed("B%d" % i) for i in range(3)]
    first = b.send_batch(t, [b"0", b"1", b"2"], 2, keys)
    same(first, b.send_batch(t, [b"0", b"1", b"2"], 2, keys), "the batch again")
    tap.equal(b.max_offset(t, 2), 3, "messages")
    part = b.send_batch(t, [b"1", b"9"], 0, [keys[1], keyed("B9")])
    api.check(part.frame)
    ids = first.msg_id.split(",")
    tap.equal(part.msg_id.split(",")[0], ids[1], "id of the known one")
    tap.equal((part.queue_id, part.queue_offset), (2, 1), "where the known one is")
    tap.equal(b.max_offset(t, 2), 4, "messages with the new one")
    one = b.send(t, b"9", 1, keyed("B9"))
    tap.equal((one.queue_id, one.queue_offset), (2, 3), "one of a batch, alone")


def test_window_ends(env):
    """Beyond the window it is a new message."""
    b = env.link
    t = topic(b, "DedupShort", 1, "+dedup.window=1s")
    tap.equal(b.send(t, b"x", 0, keyed("W")).queue_offset, 0, "first")
    tap.equal(b.send(t, b"x", 0, keyed("W")).queue_offset, 0, "at once")
    time.sleep(1.3)
    tap.equal(b.send(t, b"x", 0, keyed("W")).queue_offset, 1, "later")


def test_attribute(env):
    """Good values, bad values, and off again."""
    b = env.link
    for value in ("600s", "10m", "1h", "30d", "1500ms"):
        api.check(b.create_topic("DedupAttr", 1, attributes="+dedup.window=" + value))
    for value in ("10", "0s", "-1s", "31d", "10 m", "x", "500ms", "99999999999999999999s", ""):
        r = b.create_topic("DedupAttr", 1, attributes="+dedup.window=" + value)
        tap.equal(r.code, 1, "code for %r" % value)
        assert "dedup.window" in r.remark and "1s to 30d" in r.remark, r.remark
    r = b.create_topic("%RETRY%DedupGroup", 1, attributes="+dedup.window=10m")
    tap.equal(r.code, 1, "code for a retry topic")
    assert "retry" in r.remark, r.remark
    tap.equal(b.send("DedupAttr", b"x", 0, keyed("A")).queue_offset, 0, "first")
    tap.equal(b.send("DedupAttr", b"x", 0, keyed("A")).queue_offset, 0, "known")
    api.check(b.create_topic("DedupAttr", 1, attributes="-dedup.window"))
    tap.equal(b.send("DedupAttr", b"x", 0, keyed("A")).queue_offset, 1, "without the attribute")


def test_deleted_topic(env):
    """A key goes with its message."""
    b = env.link
    t = topic(b, "DedupGone", 1)
    tap.equal(b.send(t, b"x", 0, keyed("G")).queue_offset, 0, "first")
    api.check(b.delete_topic(t))
    topic(b, t, 1)
    tap.equal(b.send(t, b"x", 0, keyed("G")).queue_offset, 1, "in the topic made again")


def test_delayed(env):
    """A delayed message is answered and delivered once."""
    b = env.link
    t = topic(b, "DedupDelayed", 1)
    props = keyed("D", TIMER_DELAY_MS="300")
    first = b.send(t, b"x", 0, props)
    same(first, b.send(t, b"x", 0, props), "while it waits")
    procs.wait_until(lambda: b.max_offset(t, 0) == 1, 10, "delivery")
    same(first, b.send(t, b"x", 0, props), "after its delivery")
    time.sleep(0.5)
    tap.equal(b.max_offset(t, 0), 1, "messages")


def test_restart(_):
    """A stop and a kill -9 keep the keys: of sends before a snapshot, and after it."""
    s = procs.server({"snapshotIntervalMs": "300"})
    try:
        b = api.Broker(s.broker, timeout=20)
        t = topic(b, "DedupRestart")
        answers = {}
        for step in range(4):
            for i in range(200):
                key = "R%d-%d" % (step, i)
                r = b.send(t, b"x", i % 4, keyed(key))
                api.check(r.frame)
                answers[key] = r.frame.ext
            b.close()
            if step == 2:
                time.sleep(1)  # snapshots
            s.stop() if step == 1 else s.kill9()
            s.start()
            b = api.Broker(s.broker, timeout=20)
            for key, ext in answers.items():
                r = b.send(t, b"x", 0, keyed(key))
                api.check(r.frame)
                tap.equal((r.queue_id, r.queue_offset, r.msg_id),
                          (int(ext["queueId"]), int(ext["queueOffset"]), ext["msgId"]), key)
        tap.equal(sum(b.max_offset(t, q) for q in range(4)), 800, "messages")
        b.close()
    finally:
        s.close()


if __name__ == "__main__":
    if procs.is_java():
        print("1..0 # skip RocketMQ has no dedup.window")
        sys.exit(0)
    sys.exit(tap.run([test_retried, test_without_window, test_together, test_batch,
                      test_window_ends, test_attribute, test_deleted_topic, test_delayed,
                      test_restart], setup, teardown))
