#!/usr/bin/env python3
"""Requests between clients: a reply (324, 325) is pushed to the client that asked (326) and stored.

Works against Java, too (SERVER=java).
"""

import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))

from bolide_test import api, procs, record, tap, wire  # noqa: E402

PUSH = 326
CONFIG = {"mappedFileSizeCommitLog": 16777216}


def setup():
    s = procs.server(config=CONFIG)
    s.link = api.Broker(s.broker, timeout=20)
    return s


def teardown(s):
    s.link.close()
    s.close()


def reply_topic(b):
    return api.check(b.request(26)).text() and "DefaultCluster_REPLY_TOPIC"


def properties(client_id, **more):
    pairs = {"CORRELATION_ID": "c-1", "MSG_TYPE": "reply", "TTL": "3000", "UNIQ_KEY": "0A%030d" % time.time_ns()}
    if client_id:
        pairs["REPLY_TO_CLIENT"] = client_id
    pairs.update(more)
    return pairs


def reply(b, client_id, body=b"the answer", topic="DefaultCluster_REPLY_TOPIC", code=325, **more):
    if code == 325:
        return b.start(325, b.send_v2_ext(topic, 0, properties(client_id), group="PG_REPLIER", **more), body)
    ext = {"producerGroup": "PG_REPLIER", "topic": topic, "defaultTopic": "TBW102", "defaultTopicQueueNums": 4,
           "queueId": 0, "sysFlag": 0, "bornTimestamp": int(time.time() * 1000), "flag": 0,
           "properties": record.format_properties(properties(client_id)), "reconsumeTimes": 0,
           "unitMode": False, "batch": False}
    ext.update(more)
    return b.start(324, ext, body)


class Asker(api.Broker):
    """A client that asked: a producer by its heartbeat, which answers pushes with a code."""

    def __init__(self, address, client_id, code=0):
        super().__init__(address, timeout=20)
        self.client_id, self.answer_code = client_id, code
        api.check(self.heartbeat(client_id, producers=["PG_ASKER"]))

    def take(self, timeout=5.0):
        frame = self.next_request(timeout, PUSH)
        if self.answer_code is not None:
            self.send_raw(wire.encode(wire.Frame(self.answer_code, opaque=frame.opaque, flag=1)))
        return frame


def test_pushed_and_stored(env):
    """The client that asked gets the reply with its properties; the replier is answered; it is stored."""
    b = env.link
    for number, code in enumerate((325, 324)):
        before = b.max_offset("DefaultCluster_REPLY_TOPIC", 0)
        with Asker(env.broker, "asker-%d" % code) as asker:
            pending = reply(b, asker.client_id, b"reply %d" % code, code=code)
            pushed = asker.take()
            tap.equal(pushed.body, b"reply %d" % code)
            pairs = record.parse_properties(pushed.ext["properties"])
            tap.equal((pairs["CORRELATION_ID"], pairs["REPLY_TO_CLIENT"]), ("c-1", asker.client_id))
            assert abs(int(pairs["PUSH_REPLY_TIME"]) - time.time() * 1000) < 20000
            tap.equal({k: pushed.ext[k] for k in ("topic", "producerGroup", "defaultTopic", "queueId", "sysFlag",
                                                  "flag", "defaultTopicQueueNums", "reconsumeTimes", "unitMode")},
                      {"topic": "DefaultCluster_REPLY_TOPIC", "producerGroup": "PG_REPLIER",
                       "defaultTopic": "TBW102", "queueId": "0", "sysFlag": "0", "flag": "0",
                       "defaultTopicQueueNums": "4", "reconsumeTimes": "0", "unitMode": "false"})
            assert pushed.ext["bornHost"].startswith("127.0.0.1:"), pushed.ext["bornHost"]
            assert ":" in pushed.ext["storeHost"] and int(pushed.ext["storeTimestamp"]) > 0
            f = api.check(pending.wait(10))
        tap.equal((f.ext["queueId"], f.ext["queueOffset"]), ("0", str(before)))
        assert len(f.ext["msgId"]) == 32, f.ext["msgId"]
        tap.equal((f.ext["MSG_REGION"], f.ext["TRACE_ON"]), ("DefaultRegion", "true"))
        procs.wait_until(lambda: b.max_offset("DefaultCluster_REPLY_TOPIC", 0) > before, 5, "stored")
        stored = b.pull("DefaultCluster_REPLY_TOPIC", 0, before).records[0]
        tap.equal((stored.body, stored.properties["REPLY_TO_CLIENT"]), (b"reply %d" % code, "asker-%d" % code))


def test_nobody(env):
    """Nobody to push to: 1 with RocketMQ's words; the reply is stored nevertheless."""
    b = env.link
    before = b.max_offset("DefaultCluster_REPLY_TOPIC", 0)
    f = reply(b, "not-there").wait(15)
    tap.equal((f.code, f.remark), (1, "push reply message fail, channel of <not-there> not found."))
    f = reply(b, None).wait(15)
    tap.equal((f.code, f.remark), (1, "reply message properties[REPLY_TO_CLIENT] is null"))
    with api.Broker(env.broker) as consumer:  # consumers are not asked
        api.check(consumer.create_group("CG_ASK"))
        api.check(consumer.heartbeat("only-consumer", {"CG_ASK": ["TBW102"]}))
        f = reply(b, "only-consumer").wait(15)
        tap.equal((f.code, f.remark), (1, "push reply message fail, channel of <only-consumer> not found."))
    with Asker(env.broker, "gone") as asker:
        asker.close()
        asker.wait_closed()
        time.sleep(0.2)
        tap.equal(reply(b, "gone").wait(15).code, 1)
    with Asker(env.broker, "left") as asker:
        api.check(asker.unregister("left", producer="PG_ASKER"))
        tap.equal(reply(b, "left").wait(15).code, 1)
    procs.wait_until(lambda: b.max_offset("DefaultCluster_REPLY_TOPIC", 0) == before + 5, 5, "stored")


def test_client_fails(env):
    """The client answers with an error, or goes while it is asked: 1."""
    b = env.link
    with Asker(env.broker, "bad", code=1) as asker:
        pending = reply(b, "bad")
        asker.take()
        f = pending.wait(15)
        tap.equal((f.code, f.remark), (1, "push reply message to badfail."))
    with Asker(env.broker, "going", code=None) as asker:
        pending = reply(b, "going")
        asker.take()
        asker.close()
        f = pending.wait(15)
        tap.equal((f.code, f.remark), (1, "push reply message to goingfail."))


def test_newest_connection(env):
    """A client id on two connections: the newest is asked; when it goes, the answer says so."""
    b = env.link
    with Asker(env.broker, "twice") as old, Asker(env.broker, "twice") as new:
        pending = reply(b, "twice")
        new.take()
        api.check(pending.wait(15))
        try:
            old.next_request(0.3, PUSH)
            raise AssertionError("the older connection was asked, too")
        except TimeoutError:
            pass


def test_checks(env):
    """The topic is checked as for a send: unknown, forbidden, impossible queue."""
    b = env.link
    f = reply(b, "x", topic="No@Topic").wait(15)
    assert f.code != 0 and "illegal characters" in f.remark, f.remark
    f = reply(b, "x", topic="SCHEDULE_TOPIC_XXXX").wait(15)
    tap.equal((f.code, f.remark), (16, "Sending message to topic[SCHEDULE_TOPIC_XXXX] is forbidden."))
    f = b.request(325, b.send_v2_ext("DefaultCluster_REPLY_TOPIC", 77, properties("x")), b"x")
    assert f.code != 0 and "queueId[77] is illegal" in f.remark, f.remark
    f = b.request(325, b.send_v2_ext("NoTopicForReplies", 0, properties("x"), default_topic="NoDefault"), b"x")
    tap.equal(f.code, api.NO_TOPIC)


def test_many(env):
    """Many replies at once: each is pushed to its client once and answered."""
    b = env.link
    askers = [Asker(env.broker, "many-%d" % i) for i in range(8)]
    got = {a.client_id: [] for a in askers}

    def serve(asker):
        for _ in range(50):
            got[asker.client_id].append(asker.take(20).body)

    threads = [threading.Thread(target=serve, args=(a,)) for a in askers]
    for t in threads:
        t.start()
    pendings = [reply(b, askers[i % 8].client_id, b"%d" % i) for i in range(400)]
    for p in pendings:
        api.check(p.wait(30))
    for t in threads:
        t.join(30)
    for n, a in enumerate(askers):
        tap.equal(sorted(got[a.client_id], key=int), [b"%d" % i for i in range(n, 400, 8)])
        a.close()


def test_not_stored(env):
    """storeReplyMessageEnable=false: pushed and answered with id 0, not stored."""
    s = procs.server(config=dict(CONFIG, storeReplyMessageEnable="false"))
    try:
        with api.Broker(s.broker, timeout=20) as b, Asker(s.broker, "asker") as asker:
            pending = reply(b, "asker")
            asker.take()
            f = api.check(pending.wait(10))
            tap.equal((f.ext["msgId"], f.ext["queueId"], f.ext["queueOffset"]), ("0", "0", "0"))
            tap.equal(b.max_offset("DefaultCluster_REPLY_TOPIC", 0), 0)
            if not procs.is_java():
                table = api.check(b.request(28)).json()["table"]
                tap.equal((table["repliesPushed"], table["repliesWaiting"]), ("1", "0"))
    finally:
        s.close()


def test_stop_while_pushing(env):
    """A server that is stopped while a client is being asked ends in time."""
    if procs.is_java():
        raise tap.Skip("a test of bolide's end")
    s = procs.Server(config=CONFIG)
    try:
        with api.Broker(s.broker, timeout=20) as b, Asker(s.broker, "slow", code=None) as asker:
            for _ in range(20):
                reply(b, "slow")
            asker.take()
            status, seconds = s.stop()
            tap.equal(status, 0)
            assert seconds < 5, seconds
    finally:
        s.close()


if __name__ == "__main__":
    sys.exit(tap.run([test_pushed_and_stored, test_nobody, test_client_fails, test_newest_connection, test_checks,
                      test_many, test_not_stored, test_stop_while_pushing], setup, teardown))
