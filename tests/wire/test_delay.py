#!/usr/bin/env python3
"""Delayed messages: levels, timers, recall; when they come and what they carry.

Works against Java, too (SERVER=java).
"""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))

from bolide_test import api, procs, record, tap  # noqa: E402

# How late a message may be on a busy machine; Java looks once a second, bolide at the millisecond.
LATE_MS = 4000 if procs.is_java() else 1500
OURS = {"BOLIDE_TIMER", record.PROP_CRC}
ADDED = {"CLUSTER", "MSG_REGION", "TRACE_ON", "UNIQ_KEY"}
RECALL = 370


def setup():
    s = procs.server({"recallMessageEnable": "true", "messageDelayLevel": "1s 2s 3s"})
    s.link = api.Broker(s.broker, timeout=20)
    return s


def teardown(s):
    s.link.close()
    s.close()


def now_ms():
    return int(time.time() * 1000)


def topic(env, name, queues=1):
    api.check(env.link.create_topic(name, queues))
    return env.link


def arrived(b, name, queue=0, count=1, seconds=20):
    """Waits until `count` messages are there."""
    procs.wait_until(lambda: b.max_offset(name, queue) >= count, seconds, "%d messages of %s" % (count, name))
    return b.read_queue(name, queue)


def on_time(r, due_ms, what):
    late = r.store_timestamp - due_ms
    assert 0 <= late <= LATE_MS, "%s: %d ms after its time" % (what, late)


def test_levels(env):
    """DELAY: the level's time, the real topic and queue, and what RocketMQ leaves of the properties."""
    b = topic(env, "Levels", 2)
    for level in (1, 2, 3, 9):
        sent = b.send("Levels", b"%d" % level, 1, {"DELAY": str(level), "TAGS": "t", "UNIQ_KEY": "K%d" % level})
        api.check(sent.frame)
        tap.equal(sent.frame.ext.get("queueId"), "1", "queueId")
        tap.equal(sent.frame.ext.get("recallHandle"), None, "no handle")
    began = now_ms()
    got = {r.body: r for r in arrived(b, "Levels", 1, 4)}
    for level in (1, 2, 3, 9):
        r = got[b"%d" % level]
        assert r.store_timestamp >= began - 1000 + 1000 * min(level, 3), "early"
        tap.equal((r.topic, r.queue_id), ("Levels", 1))
        tap.equal(set(r.properties) - OURS, ADDED | {"DELAY", "TAGS", "REAL_TOPIC", "REAL_QID"},
                  "properties of level %d" % level)
        tap.equal((r.properties["DELAY"], r.properties["REAL_TOPIC"], r.properties["REAL_QID"]),
                  (str(min(level, 3)), "Levels", "1"))
    tags = b.read_queue("Levels", 1, subscription="t")
    tap.equal(len(tags), 4, "messages by their tag")


def test_timers(env):
    """TIMER_DELAY_SEC, TIMER_DELAY_MS and TIMER_DELIVER_MS: not early, and their properties."""
    b = topic(env, "Timers")
    for name, value in (("TIMER_DELAY_SEC", 1), ("TIMER_DELAY_MS", 1234), ("TIMER_DELIVER_MS", None)):
        before = now_ms()
        value = before + 1500 if value is None else value
        sent = b.send("Timers", name.encode(), 0, {name: str(value), "KEYS": "k"})
        api.check(sent.frame)
        assert sent.frame.ext.get("recallHandle"), "no recallHandle"
        due = value if name == "TIMER_DELIVER_MS" else before + value * (1000 if name.endswith("SEC") else 1)
        count = b.max_offset("Timers", 0)
        r = arrived(b, "Timers", 0, count + 1)[-1]
        on_time(r, due, name)
        tap.equal(set(r.properties) - OURS,
                  ADDED | {name, "KEYS", "TIMER_OUT_MS", "TIMER_ENQUEUE_MS", "TIMER_DEQUEUE_MS", "REAL_TOPIC",
                           "REAL_QID"}, "properties of " + name)
        out = int(r.properties["TIMER_OUT_MS"])
        assert out % 1000 == 0 and due - 1000 <= out <= due + 200, "TIMER_OUT_MS %d for %d" % (out, due)


def test_at_once(env):
    """A time that is over is now."""
    b = topic(env, "Over")
    for i, properties in enumerate(({"TIMER_DELIVER_MS": "5"}, {"TIMER_DELAY_MS": "0"}, {"DELAY": "0"}, {"DELAY": "-1"})):
        api.check(b.send("Over", b"x", 0, properties).frame)
        r = arrived(b, "Over", 0, i + 1)[-1]
        for name, value in properties.items():
            tap.equal(r.properties.get(name), value)


def test_refused(env):
    """What is no time is refused with 13 and stores nothing."""
    b = topic(env, "Refused")
    rows = [{"TIMER_DELAY_SEC": "x"}, {"TIMER_DELIVER_MS": ""}, {"TIMER_DELIVER_MS": "1e9"}]
    far = 4 * 86400 if procs.is_java() else 400 * 366 * 86400
    rows += [{"TIMER_DELAY_SEC": str(far)}, {"TIMER_DELIVER_MS": str(now_ms() + far * 1000)}]
    if not procs.is_java():  # Java delivers at once what is negative or overflows
        rows += [{"TIMER_DELAY_MS": "-1"}, {"TIMER_DELAY_SEC": "9223372036854775807"}]
    for properties in rows:
        if "" in properties.values():
            continue
        f = b.send("Refused", b"x", 0, properties).frame
        tap.equal(f.code, 13, "%s (%s)" % (properties, f.remark))
        assert "timer message illegal, the delay time should not be bigger than the max delay" in f.remark, f.remark
    tap.equal(b.max_offset("Refused", 0), 0, "messages")


def test_recall(env):
    """A message that was taken back does not come; its neighbour does."""
    b = topic(env, "Recalled")
    due = now_ms() + 4500
    handles = []
    for key in ("A" * 32, "B" * 32):
        sent = b.send("Recalled", key[:1].encode(), 0, {"TIMER_DELIVER_MS": str(due), "UNIQ_KEY": key})
        api.check(sent.frame)
        handles.append(sent.frame.ext["recallHandle"])
    f = b.request(RECALL, {"producerGroup": "PG", "topic": "Recalled", "recallHandle": handles[0]})
    api.check(f)
    tap.equal(f.ext.get("msgId"), "A" * 32)
    r = arrived(b, "Recalled", 0, 1)
    tap.equal([x.body for x in r], [b"B"])
    time.sleep(2)
    tap.equal(b.max_offset("Recalled", 0), 1, "messages")


def test_order(env):
    """Messages of a queue that are due at the same time come in the order in which they were sent."""
    b = topic(env, "Order")
    due = now_ms() + 2500
    for i in range(50):
        api.check(b.send("Order", b"%d" % i, 0, {"TIMER_DELIVER_MS": str(due)}).frame)
    got = [int(r.body) for r in arrived(b, "Order", 0, 50)]
    if not procs.is_java():
        tap.equal(got, list(range(50)))
    tap.equal(sorted(got), list(range(50)))


def test_batches(env):
    """A batch is not delayed: 13 when it asks for a level."""
    b = topic(env, "Batches")
    f = b.send_batch("Batches", [b"a", b"b"], 0, [{}, {}], i="DELAY\x012\x02").frame
    tap.equal(f.code, 13, f.remark)
    api.check(b.send_batch("Batches", [b"a", b"b"], 0, [{"DELAY": "2"}, {}]).frame)
    tap.equal(len(arrived(b, "Batches", 0, 2)), 2, "messages at once")


def test_system_topics(env):
    """Nobody sends to the topic of delayed messages."""
    tap.equal(env.link.send("SCHEDULE_TOPIC_XXXX", b"x").frame.code, 16)
    if not procs.is_java():
        tap.equal(env.link.send("rmq_sys_wheel_timer", b"x").frame.code, 16)


if __name__ == "__main__":
    sys.exit(tap.run([test_levels, test_timers, test_at_once, test_refused, test_recall, test_order, test_batches,
                      test_system_topics], setup, teardown))
