#!/usr/bin/env python3
"""Messages that expire: __TTL_MS, message.ttl, ttl.topic. Not in RocketMQ (docs/compat.md)."""

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


def topic(b, name, attributes="", queues=1):
    api.check(b.create_topic(name, queues, attributes=attributes))
    return name


def bodies(b, name, **more):
    return [r.body for r in b.read_queue(name, 0, **more)]


def test_topic(env):
    """Expired messages are passed over as if a filter did not want them."""
    b = env.link
    t = topic(b, "TtlTopic", "+message.ttl=1s")
    first = b.send(t, b"old")
    api.check(first.frame)
    tap.equal(bodies(b, t), [b"old"], "at once")
    time.sleep(1.2)
    r = b.pull(t, 0, 0)
    tap.equal((r.code, r.next, r.frame.remark), (20, 1, "NO_MATCHED_MESSAGE"), "the pull")
    api.check(b.send(t, b"new").frame)
    procs.wait_until(lambda: b.max_offset(t, 0) == 2, 5, "the second")
    r = b.pull(t, 0, 0)
    tap.equal((r.code, r.next, [x.body for x in r.records]), (0, 2, [b"new"]), "with a new one")
    tap.equal((b.min_offset(t, 0), b.max_offset(t, 0)), (0, 2), "offsets stay")


def test_own(env):
    """A message's own end counts before the topic's, and in topics that have none."""
    b = env.link
    t = topic(b, "TtlOwn", "+message.ttl=1s")
    u = topic(b, "TtlOwnOnly")
    for name in (t, u):
        api.check(b.send(name, b"short", properties={"__TTL_MS": "300"}).frame)
        api.check(b.send(name, b"long", properties={"__TTL_MS": "60000"}).frame)
        api.check(b.send(name, b"plain").frame)
    time.sleep(0.5)
    tap.equal(bodies(b, t), [b"long", b"plain"], "after 0.5 s")
    tap.equal(bodies(b, u), [b"long", b"plain"], "after 0.5 s, no attribute")
    time.sleep(0.8)
    tap.equal(bodies(b, t), [b"long"], "after 1.3 s")
    tap.equal(bodies(b, u), [b"long", b"plain"], "after 1.3 s, no attribute")
    config = b.request(351, {"topic": u})
    assert b"ttl.property" in api.check(config).body, config.body


def test_bad_values(env):
    b = env.link
    t = topic(b, "TtlBad", "+message.ttl=1h")
    for value in ("x", "0", "-1", "1.5", "99999999999999999999"):
        r = b.send(t, b"x", properties={"__TTL_MS": value})
        tap.equal(r.code, 13, "code for %r" % value)
        assert "__TTL_MS" in r.frame.remark, r.frame.remark
    r = b.send_batch(t, [b"a", b"b"], 0, [{}, {"__TTL_MS": "x"}])
    tap.equal(r.code, 13, "in a batch")
    tap.equal(b.max_offset(t, 0), 0, "messages")
    for change in ("+message.ttl=0s", "+message.ttl=5", "+ttl.topic=a b", "+ttl.topic=TtlBad",
                   "+ttl.topic=SCHEDULE_TOPIC_XXXX", "+ttl.property=maybe", "+message.ttl=3651d"):
        r = b.create_topic(t, 1, attributes=change)
        tap.equal(r.code, 1, "code for %s" % change)
        assert r.remark, change


def test_batch(env):
    b = env.link
    t = topic(b, "TtlBatch", "+message.ttl=60s")
    api.check(b.send_batch(t, [b"a", b"b", b"c"], 0, [{}, {"__TTL_MS": "200"}, {}]).frame)
    time.sleep(0.5)
    tap.equal(bodies(b, t), [b"a", b"c"], "messages")


def test_hold(env):
    """A held pull gets what comes, whether or not something expired before it."""
    b = env.link
    t = topic(b, "TtlHold", "+message.ttl=300ms")
    api.check(b.send(t, b"old").frame)
    time.sleep(0.5)
    other = api.Broker(env.broker, timeout=20)
    try:
        r = other.pull(t, 0, 0)
        call = other.pull_start(t, 0, r.next, hold_ms=5000)
        time.sleep(0.2)
        api.check(b.send(t, b"new").frame)
        r = api.PullResult(call.wait(10))
        tap.equal([x.body for x in r.records], [b"new"], "messages")
    finally:
        other.close()


def test_tags(env):
    b = env.link
    t = topic(b, "TtlTags", "+message.ttl=400ms")
    api.check(b.send(t, b"old", properties={"TAGS": "A"}).frame)
    time.sleep(0.6)
    for tag in ("A", "B", "A"):
        api.check(b.send(t, tag.encode(), properties={"TAGS": tag}).frame)
    tap.equal(bodies(b, t, subscription="A"), [b"A", b"A"], "of tag A")


def test_queries_show_it(env):
    """An operator finds an expired message, with its end."""
    b = env.link
    t = topic(b, "TtlQuery", "+message.ttl=200ms")
    sent = b.send(t, b"old", properties={"KEYS": "ttl-key"})
    api.check(sent.frame)
    time.sleep(0.4)
    tap.equal(bodies(b, t), [], "for consumers")
    r = b.request(33, {"offset": int(sent.msg_id[-16:], 16)})
    assert b"__EXPIRES_AT" in api.check(r).body, "by id"
    now = int(time.time() * 1000)
    r = b.request(12, {"topic": t, "key": "ttl-key", "maxNum": 10, "beginTimestamp": 0,
                       "endTimestamp": now + 1000})
    assert b"ttl-key" in api.check(r).body, "by key"


def moved(b, name):
    """Messages in a topic that may not be there yet."""
    try:
        return b.max_offset(name, 0)
    except api.Failed:
        return 0


def test_moved(env):
    """What nobody consumed goes to the named topic, once."""
    b = env.link
    t = topic(b, "TtlMoved", "+message.ttl=500ms,+ttl.topic=TtlMovedTo")
    for i in range(5):
        api.check(b.send(t, b"%d" % i, properties={"TAGS": "x", "own": str(i)}).frame)
    api.check(b.create_group("TtlGroup"))
    api.check(b.update_offset("TtlGroup", t, 0, 2))
    procs.wait_until(lambda: moved(b, "TtlMovedTo") == 3, 10, "three messages")
    time.sleep(0.5)
    records = b.read_queue("TtlMovedTo", 0)
    tap.equal([r.body for r in records], [b"2", b"3", b"4"], "bodies")
    tap.equal([r.properties["__EXPIRED_FROM"].split("@")[:3] for r in records],
              [[t, "0", str(i)] for i in (2, 3, 4)], "where from")
    tap.equal([r.properties["own"] for r in records], ["2", "3", "4"], "properties")


def test_moved_over_kills(_):
    """Each once, whatever dies meanwhile."""
    s = procs.server({"snapshotIntervalMs": "300"})
    try:
        b = api.Broker(s.broker, timeout=20)
        topic(b, "TtlTo")
        t = topic(b, "TtlKill", "+message.ttl=600ms,+ttl.topic=TtlTo")
        sent = 0
        for _ in range(6):
            until = time.time() + 0.5
            while time.time() < until:
                api.check(b.send(t, b"%d" % sent).frame)
                sent += 1
            b.close()
            s.kill9()
            s.start()
            b = api.Broker(s.broker, timeout=20)
        procs.wait_until(lambda: b.max_offset("TtlTo", 0) >= sent, 20, "all of %d" % sent)
        time.sleep(1)
        got = sorted(int(r.body) for r in b.read_queue("TtlTo", 0))
        tap.equal(got, list(range(sent)), "messages")
        b.close()
    finally:
        s.close()


if __name__ == "__main__":
    if procs.is_java():
        print("1..0 # skip RocketMQ has no TTL")
        sys.exit(0)
    sys.exit(tap.run([test_topic, test_own, test_bad_values, test_batch, test_hold, test_tags,
                      test_queries_show_it, test_moved, test_moved_over_kills], setup, teardown))
