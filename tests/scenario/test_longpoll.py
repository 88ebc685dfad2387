#!/usr/bin/env python3
"""Parked pulls: woken by the append, answered when the hold is over, filtered by tag.

Works against Java, too (SERVER=java).
"""

import os
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))

from bolide_test import api, procs, tap  # noqa: E402
# threads

# Java scans for expired holds every 5 s
LATE = 5.5 if procs.is_java() else 0.5


def setup():
    s = procs.server()
    with api.Broker(s.broker) as b:
        for topic in ("HoldTopic", "HoldTags"):
            api.check(b.create_topic(topic, 8))
    return s


def at_end(b, topic, queue):
    return b.max_offset(topic, queue)


def test_wake_latency(env):
    """A parked pull is answered by the next message at once."""
    with api.Broker(env.broker) as consumer, api.Broker(env.broker) as producer:
        took = []
        for i in range(30):
            offset = at_end(producer, "HoldTopic", 0)
            p = consumer.pull_start("HoldTopic", 0, offset, hold_ms=10000)
            time.sleep(0.02)
            assert not p.ready(), "the pull did not wait: %r" % p.wait()
            api.check(producer.send("HoldTopic", b"wake %d" % i, 0).frame)
            acked = time.monotonic()
            r = api.PullResult(p.wait(5))
            tap.equal((r.code, [x.body for x in r.records]), (0, [b"wake %d" % i]))
            tap.equal(r.next, offset + 1, "nextBeginOffset")
            took.append(max(0.0, p.done_at - acked))
        print("# ack to woken pull: median %.2f ms, worst %.2f ms" % (
            statistics.median(took) * 1000, max(took) * 1000))
        limit = 1.0 if procs.is_java() else 0.05
        assert statistics.median(took) < limit, "median %.3f s" % statistics.median(took)


def test_hold_timeout(env):
    """A hold with nothing to give ends with 19 after suspendTimeoutMillis, not before."""
    with api.Broker(env.broker) as b:
        for hold in (300, 1200):
            p = b.pull_start("HoldTopic", 1, 0, hold_ms=hold)
            f = p.wait(hold / 1000 + LATE + 2)
            tap.equal(f.code, 19, "code (%s)" % f.remark)
            tap.equal(f.ext["nextBeginOffset"], "0", "nextBeginOffset")
            assert hold / 1000 - 0.01 <= p.seconds <= hold / 1000 + LATE, "held %.2f s" % p.seconds


def test_no_suspend_flag(env):
    """Without the suspend flag 19 comes at once, whatever the hold time."""
    with api.Broker(env.broker) as b:
        p = b.start(11, b.pull_ext("HoldTopic", 1, 0, hold_ms=10000))
        tap.equal(p.wait(5).code, 19)
        assert p.seconds < 0.5, "answered after %.2f s" % p.seconds


def test_filter_keeps_sleeping(env):
    """A message with another tag does not end the hold; one with the tag does."""
    with api.Broker(env.broker) as c, api.Broker(env.broker) as p:
        parked = c.pull_start("HoldTags", 0, 0, hold_ms=10000, subscription="TagB")
        time.sleep(0.05)
        api.check(p.send("HoldTags", b"other", 0, {"TAGS": "TagA"}).frame)
        time.sleep(0.4)
        assert not parked.ready(), "woken by another tag: %r" % parked.wait()
        api.check(p.send("HoldTags", b"mine", 0, {"TAGS": "TagB"}).frame)
        r = api.PullResult(parked.wait(6))
        tap.equal([x.body for x in r.records], [b"mine"], "messages")
        tap.equal(r.next, 2, "nextBeginOffset")


def test_many_parked(env):
    """A hundred pulls on one connection and eight queues are all woken."""
    with api.Broker(env.broker) as c, api.Broker(env.broker) as p:
        ends = [at_end(p, "HoldTopic", q) for q in range(8)]
        parked = [(q, c.pull_start("HoldTopic", q, ends[q], hold_ms=10000, group="CG_%d" % (i % 5)))
                  for i in range(13) for q in range(8)]
        time.sleep(0.1)
        for q in range(8):
            api.check(p.send("HoldTopic", b"queue %d" % q, q).frame)
        for q, pending in parked:
            r = api.PullResult(pending.wait(8))
            tap.equal([x.body for x in r.records], [b"queue %d" % q], "queue %d" % q)


def test_batch_wakes(env):
    """A batch wakes the hold, which gets all of it."""
    with api.Broker(env.broker) as c, api.Broker(env.broker) as p:
        offset = at_end(p, "HoldTopic", 2)
        parked = c.pull_start("HoldTopic", 2, offset, hold_ms=10000)
        time.sleep(0.05)
        api.check(p.send_batch("HoldTopic", [b"1", b"2", b"3"], 2).frame)
        r = api.PullResult(parked.wait(5))
        got = [x.body for x in r.records]
        assert got and got == [b"1", b"2", b"3"][:len(got)], got
        if not procs.is_java():
            tap.equal(len(got), 3, "messages of the batch")


def test_oneway_wakes(env):
    """A one-way message wakes the hold."""
    with api.Broker(env.broker) as c, api.Broker(env.broker) as p:
        offset = at_end(p, "HoldTopic", 3)
        parked = c.pull_start("HoldTopic", 3, offset, hold_ms=10000)
        time.sleep(0.05)
        p.send_oneway("HoldTopic", b"one-way", 3)
        tap.equal([x.body for x in api.PullResult(parked.wait(6)).records], [b"one-way"])


def test_topic_deleted(env):
    """Deleting the topic answers a parked pull with an error or 19, in time."""
    with api.Broker(env.broker) as b:
        api.check(b.create_topic("HoldGone", 1))
        parked = b.pull_start("HoldGone", 0, 0, hold_ms=2000)
        time.sleep(0.05)
        api.check(b.delete_topic("HoldGone"))
        f = parked.wait(2 + LATE + 2)
        assert f.code in (17, 19, 21), f


def test_closed_while_parked(env):
    """A connection that closes with a parked pull harms nobody."""
    with api.Broker(env.broker) as other:
        end = at_end(other, "HoldTopic", 4)
        for _ in range(20):
            b = api.Broker(env.broker)
            b.pull_start("HoldTopic", 4, end, hold_ms=10000)
            b.close()
        time.sleep(0.1)
        api.check(other.send("HoldTopic", b"to nobody", 4).frame)
        procs.wait_until(lambda: at_end(other, "HoldTopic", 4) == end + 1, 5, "message visible")
        tap.equal(other.pull("HoldTopic", 4, end).records[0].body, b"to nobody")


def main():
    return tap.run([test_wake_latency, test_hold_timeout, test_no_suspend_flag,
                    test_filter_keeps_sleeping, test_many_parked, test_batch_wakes,
                    test_oneway_wakes, test_topic_deleted, test_closed_while_parked],
                   setup, lambda s: s.close())


if __name__ == "__main__":
    sys.exit(main())
