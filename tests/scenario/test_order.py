#!/usr/bin/env python3
"""Order: queue locks of orderly consumers, also through kill -9 of the broker; ordered topics by the name server.

time limit: 240 s
"""

import json
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))

from bolide_test import api, client, procs, tap  # noqa: E402

LOCK, UNLOCK = 41, 42
QUEUES = 4
COUNT = 1200  # messages of each test, over all queues
LEASE = 60


def locked(b, group, client, topic, queues, code=LOCK):
    """The queues that the client holds now."""
    body = {"clientId": client, "consumerGroup": group, "onlyThisBroker": False,
            "mqSet": [{"brokerName": "broker-a", "queueId": q, "topic": topic} for q in queues]}
    f = api.check(b.request(code, None, json.dumps(body).encode()))
    return sorted(m["queueId"] for m in f.json()["lockOKMQSet"]) if code == LOCK else None


class Desk:
    """What is worked on now, and what was done, by queue: never two at once, never out of order."""

    def __init__(self):
        self.lock = threading.Lock()
        self.busy, self.done, self.wrong = {}, {}, []

    def begin(self, who, queue, offset):
        with self.lock:
            if queue in self.busy:
                self.wrong.append("%s begins %d of queue %d while %s works" % (
                    who, offset, queue, self.busy[queue]))
            self.busy[queue] = who

    def end(self, queue, offset):
        with self.lock:
            self.busy.pop(queue, None)
            done = self.done.setdefault(queue, [])
            # again after a crash is at least once; a gap or a step back over more is not order
            if offset != (done[-1] + 1 if done else 0) and offset not in done:
                self.wrong.append("%d of queue %d after %s" % (offset, queue, done[-1:]))
            done.append(offset)


class Orderly(threading.Thread):
    """An orderly consumer: locks what it may have, works on a queue only while it holds it, commits
    each message, goes on when the broker comes back. `wants` are the queues of its share."""

    def __init__(self, server, group, topic, name, wants, desk):
        super().__init__(daemon=True)
        self.server, self.group, self.topic, self.client = server, group, topic, "c@" + name
        self.wants, self.desk = list(wants), desk
        self.stopping = False
        self.error = None

    def run(self):
        try:
            while not self.stopping:
                try:
                    with api.Broker(self.server.broker, timeout=5) as b:
                        b.heartbeat(self.client, {self.group: [self.topic]})
                        while not self.stopping:
                            self.round(b)
                except (OSError, client.Closed, api.Failed) as e:
                    if isinstance(e, api.Failed) and e.frame.code not in (1, 14):
                        raise
                    time.sleep(0.05)
        except Exception as e:  # told by the test
            self.error = e

    def round(self, b):
        mine = locked(b, self.group, self.client, self.topic, self.wants)
        for q in mine:
            at = b.query_offset(self.group, self.topic, q, False)
            r = b.pull(self.topic, q, int(at.ext["offset"]) if at.code == 0 else 0,
                       group=self.group, count=8)
            for m in r.records:
                self.desk.begin(self.client, q, m.queue_offset)
                time.sleep(0.001)
                self.desk.end(q, m.queue_offset)
                api.check(b.update_offset(self.group, self.topic, q, m.queue_offset + 1))
        if not mine:
            time.sleep(0.02)


def fill(s, topic, group):
    with api.Broker(s.broker) as b:
        api.check(b.create_topic(topic, QUEUES, order=True))
        api.check(b.create_group(group, consumeMessageOrderly=True))
        for q in range(QUEUES):
            for at in range(0, COUNT // QUEUES, 100):
                api.check(b.send_batch(topic, [b"%d" % i for i in range(at, at + 100)], q).frame)


def finish(desk, consumers, timeout):
    def all_done():
        assert not desk.wrong, desk.wrong[:3]
        for c in consumers:
            assert c.error is None, c.error
        return all(set(desk.done.get(q, [])) == set(range(COUNT // QUEUES)) for q in range(QUEUES))

    try:
        procs.wait_until(all_done, timeout, "all messages", 0.1)
    finally:
        for c in consumers:
            c.stopping = True
        for c in consumers:
            c.join(10)


def test_two_consumers(_):
    """Two consumers that both want every queue never work on one at the same time, and keep the order."""
    s = procs.Server()
    fill(s, "OrderTwo", "OG_TWO")
    desk = Desk()
    both = [Orderly(s, "OG_TWO", "OrderTwo", n, range(QUEUES), desk) for n in "ab"]
    for c in both:
        c.start()
    finish(desk, both, 60)
    s.close()


def test_broker_restart(_):
    """kill -9 of the broker: who held a queue goes on, who comes first afterwards does not get it."""
    s = procs.Server()
    fill(s, "OrderKill", "OG_KILL")
    desk = Desk()
    holder = Orderly(s, "OG_KILL", "OrderKill", "holder", range(QUEUES), desk)
    holder.start()
    procs.wait_until(lambda: len(desk.done.get(0, [])) > 20, 30, "first messages")
    first = Orderly(s, "OG_KILL", "OrderKill", "other", range(QUEUES), desk)
    first.start()
    for _turn in range(3):
        s.kill9()
        s.start()
        with api.Broker(s.broker) as b:
            tap.equal(locked(b, "OG_KILL", "c@third", "OrderKill", range(QUEUES)), [], "a third")
        time.sleep(0.3)
    finish(desk, [holder, first], 60)
    s.close()


def test_consumer_restart(_):
    """A consumer that says goodbye leaves its queues at once; one that dies, when its lease ends (make soak)."""
    s = procs.Server()
    fill(s, "OrderLeave", "OG_LEAVE")
    with api.Broker(s.broker) as b:
        tap.equal(locked(b, "OG_LEAVE", "c@1", "OrderLeave", range(QUEUES)), list(range(QUEUES)))
        began = time.monotonic()
        locked(b, "OG_LEAVE", "c@1", "OrderLeave", [1, 2], UNLOCK)
        tap.equal(locked(b, "OG_LEAVE", "c@2", "OrderLeave", range(QUEUES)), [1, 2], "what was left")
    with api.Broker(s.broker) as b:  # another connection: c@1 is gone
        tap.equal(locked(b, "OG_LEAVE", "c@2", "OrderLeave", [0]), [], "not before the lease ends")
        if os.environ.get("BOLIDE_SOAK"):  # unit tests do it with a clock of theirs
            time.sleep(max(0, began + LEASE - 2 - time.monotonic()))
            tap.equal(locked(b, "OG_LEAVE", "c@2", "OrderLeave", [0]), [], "shortly before")
            time.sleep(4)
            tap.equal(locked(b, "OG_LEAVE", "c@2", "OrderLeave", [0, 3]), [0, 3], "after it")
    s.close()


def test_order_by_name_server(_):
    """With orderMessageEnable, ORDER_TOPIC_CONFIG is in the topic's route, also after a restart."""
    s = procs.Server(config={"orderMessageEnable": "true"})
    with api.Broker(s.broker) as b, api.NameServer(s.namesrv) as n:
        api.check(b.create_topic("OrderKv", 4, order=True))
        api.check(n.put_kv("ORDER_TOPIC_CONFIG", "OrderKv", "broker-a:2"))
        procs.wait_until(lambda: n.route("OrderKv").code == 0, 10, "route")
        tap.equal(n.route("OrderKv").json()["orderTopicConf"], "broker-a:2")
    s.kill9()
    s.start()
    with api.NameServer(s.namesrv) as n:
        procs.wait_until(lambda: n.route("OrderKv").code == 0, 10, "route")
        tap.equal(n.route("OrderKv").json()["orderTopicConf"], "broker-a:2", "after kill -9")
        api.check(n.request(102, {"namespace": "ORDER_TOPIC_CONFIG", "key": "OrderKv"}))
        tap.equal(n.route("OrderKv").json().get("orderTopicConf"), None, "deleted")
    s.close()


if __name__ == "__main__":
    sys.exit(tap.run([test_two_consumers, test_broker_restart, test_consumer_restart,
                      test_order_by_name_server]))
