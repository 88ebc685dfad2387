#!/usr/bin/env python3
"""What sends store and what pulls give: limits, filters, permissions, record fields, identifiers.

Works against Java, too (SERVER=java).
"""

import os
import sys
import time
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))

from bolide_test import api, procs, record, tap  # noqa: E402


def setup():
    s = procs.server()
    s.link = api.Broker(s.broker, timeout=20)
    return s


def teardown(s):
    s.link.close()
    s.close()


def visible(b, topic, queue, count):
    procs.wait_until(lambda: b.max_offset(topic, queue) >= count, 10, "%d messages" % count)


def topic(env, name, queues=1, **more):
    api.check(env.link.create_topic(name, queues, **more))
    return env.link


def test_count_limit(env):
    """A pull gives at most 32 messages from Java, whatever it asks for, and 1,024 from bolide (docs/compat.md)."""
    b = topic(env, "LimitCount")
    for i in range(100):
        api.check(b.send("LimitCount", b"%d" % i).frame)
    visible(b, "LimitCount", 0, 100)
    for asked, got in ((1, 1), (5, 5), (32, 32), (1000, 32 if procs.is_java() else 90)):
        r = b.pull("LimitCount", 0, 10, count=asked)
        tap.equal([x.queue_offset for x in r.records], list(range(10, 10 + got)), "asked %d" % asked)
        tap.equal(r.next, 10 + got, "nextBeginOffset")
    tap.equal((r.min, r.max), (0, 100), "min and max offset")


def test_bytes_limit(env):
    """A pull gives at most 256 KiB, but always one message."""
    b = topic(env, "LimitBytes")
    for _ in range(30):
        api.check(b.send("LimitBytes", b"z" * 20000).frame)
    api.check(b.send("LimitBytes", b"z" * 1000000).frame)
    visible(b, "LimitBytes", 0, 31)
    r = b.pull("LimitBytes", 0, 0)
    assert 12 <= len(r.records) <= 13, "%d messages of 20 KB" % len(r.records)
    tap.equal(r.next, len(r.records), "nextBeginOffset")
    tap.equal(len(b.pull("LimitBytes", 0, 30).records), 1, "messages when the first is large")
    # Java 5.5.0 ignores maxMsgBytes
    few = len(b.pull("LimitBytes", 0, 0, maxMsgBytes=70000).records)
    assert few in (3, 4, len(r.records)), "%d messages in 70,000 bytes" % few
    assert b.pull("LimitBytes", 0, 0, maxMsgBytes=1).records, "no message in one byte"


TAGS = ["TagA", "TagB", "TagC", "Äöü", "Aa", "BB", None, "日本"]


def test_tags(env):
    """Tags are filtered by their Java hash: Aa and BB come together, other tags do not come."""
    b = topic(env, "Tags")
    for i in range(40):
        tag = TAGS[i % len(TAGS)]
        api.check(b.send("Tags", b"%d" % i, 0, {"TAGS": tag} if tag else {}).frame)
    visible(b, "Tags", 0, 40)
    for expression, tags in (("TagA", ["TagA"]), ("TagA || TagC", ["TagA", "TagC"]),
                             ("TagA||TagC", ["TagA", "TagC"]), ("Äöü", ["Äöü"]), ("日本", ["日本"]),
                             ("Aa", ["Aa", "BB"]), ("*", TAGS), ("", TAGS)):
        got = b.read_queue("Tags", 0, 0, subscription=expression)
        want = [b"%d" % i for i in range(40) if TAGS[i % len(TAGS)] in tags]
        tap.equal([x.body for x in got], want, "bodies for %r" % expression)


def test_filtered_scan(env):
    """A pull that matches nothing says where to go on (20), and the walk ends at the end."""
    b = topic(env, "Scan")
    for _ in range(10):
        api.check(b.send_batch("Scan", [b"x"] * 300, 0, [{"TAGS": "No"}] * 300).frame)
    api.check(b.send("Scan", b"yes", 0, {"TAGS": "Yes"}).frame)
    visible(b, "Scan", 0, 3001)
    at, turns = 0, 0
    while True:
        r = b.pull("Scan", 0, at, subscription="Yes")
        if r.code == 0:
            break
        tap.equal(r.code, 20, "code at %d" % at)
        assert r.next > at, "nextBeginOffset %d at %d" % (r.next, at)
        at, turns = r.next, turns + 1
        assert turns < 100, "too many turns"
    tap.equal(([x.body for x in r.records], r.next), ([b"yes"], 3001))


def test_permissions(env):
    """A topic without read permission is not pulled; without write permission it takes sends.

    Clients look at the permission in the route; the broker of RocketMQ does not refuse."""
    b = topic(env, "PermW", perm=2)
    f = b.pull_start("PermW", 0, 0).wait()
    tap.equal(f.code, 16, "pull from a write-only topic (%s)" % f.remark)
    topic(env, "PermR", perm=4)
    tap.equal(b.send("PermR", b"x").code, 0, "send to a read-only topic")
    with api.NameServer(env.namesrv) as n:
        procs.wait_until(lambda: n.route("PermR").code == 0, 10, "route")
        tap.equal(n.route("PermR").json()["queueDatas"][0]["perm"], 4, "permission in the route")


def test_record_fields(env):
    """Everything a message carries comes back; the broker adds what Java's adds."""
    b = topic(env, "Fields", 3)
    props = {"TAGS": "T", "KEYS": "a b", "WAIT": "true", "UNIQ_KEY": "0" * 32, "ünï": "cödé ✓",
             "DUP": "1"}
    born = 1600000000123
    began = int(time.time() * 1000)
    sent = b.send("Fields", b"body", 2, props, flag=-7, reconsume=2, g=born)
    api.check(sent.frame)
    visible(b, "Fields", 2, 1)
    r, = b.pull("Fields", 2, 0).records
    tap.equal((r.topic, r.queue_id, r.queue_offset, r.body), ("Fields", 2, 0, b"body"))
    tap.equal((r.flag, r.reconsume_times, r.born_timestamp, r.prepared_offset), (-7, 2, born, 0))
    tap.equal(r.sys_flag, 0, "sysFlag")
    tap.equal("%s:%d" % r.born_host, b.local, "bornHost")
    assert began - 5000 <= r.store_timestamp <= began + 20000, r.store_timestamp
    for key, value in props.items():
        tap.equal(r.properties.get(key), value, "property " + key)
    added = set(r.properties) - set(props) - {record.PROP_CRC}
    tap.equal(added, {"CLUSTER", "MSG_REGION", "TRACE_ON"}, "added properties")
    tap.equal(sent.msg_id, record.offset_msg_id(*r.store_host, r.physical_offset), "msgId")
    tap.equal(sent.transaction_id, "0" * 32, "transactionId")
    tap.equal("%s:%d" % r.store_host, env.broker, "storeHost")


def test_unique_key(env):
    """A message without a unique key is given one; they differ."""
    b = topic(env, "Unique")
    ids = [b.send("Unique", b"x").transaction_id for _ in range(50)]
    visible(b, "Unique", 0, 50)
    stored = [r.unique_key for r in b.read_queue("Unique", 0)]
    tap.equal(stored, ids, "UNIQ_KEY")
    tap.equal(len(set(ids)), 50, "different ids")
    for i in ids[:3]:
        assert len(i) in (32, 56) and int(i, 16) and i == i.upper(), i


def test_batch_records(env):
    """A batch becomes records of its own: one offset each, one id each, own tags and keys."""
    b = topic(env, "BatchRec", 2)
    props = [{"TAGS": "T%d" % i, "KEYS": "k%d" % i, "UNIQ_KEY": "%032X" % i} for i in range(10)]
    sent = b.send_batch("BatchRec", [b"item %d" % i for i in range(10)], 1, props)
    api.check(sent.frame)
    visible(b, "BatchRec", 1, 10)
    got = b.read_queue("BatchRec", 1)
    tap.equal([(r.queue_offset, r.body, r.tags, r.keys, r.unique_key) for r in got],
              [(i, b"item %d" % i, "T%d" % i, "k%d" % i, "%032X" % i) for i in range(10)])
    tap.equal(sent.queue_offset, 0, "queueOffset")
    tap.equal(sent.msg_id.split(","), [record.offset_msg_id(*r.store_host, r.physical_offset)
                                       for r in got], "msgId")
    for r, one in zip(got, sent.msg_id.split(",")):
        f = b.request(33, {"topic": "BatchRec", "offset": record.decode_offset_msg_id(one)[2]})
        tap.equal(f.body, r.raw, "view by id")


def test_compressed(env):
    """A compressed body comes back as it was, its flag too."""
    b = topic(env, "Zip")
    body = zlib.compress(b"text " * 4000)
    api.check(b.send("Zip", body, sys_flag=0x301).frame)
    visible(b, "Zip", 0, 1)
    r, = b.pull("Zip", 0, 0).records
    tap.equal((r.body, r.sys_flag, r.plain_body()), (body, 0x301, b"text " * 4000))


def test_wait_false(env):
    """WAIT=false is answered and stored."""
    b = topic(env, "NoWait")
    for _ in range(20):
        tap.equal(b.send("NoWait", b"x", 0, {"WAIT": "false"}).code, 0)
    visible(b, "NoWait", 0, 20)
    tap.equal(len(b.read_queue("NoWait", 0)), 20)


def test_auto_topic(env):
    """A first send creates the topic with min(client's, template's) queues, and its route."""
    b = env.link
    for asked, queues in ((4, 4), (2, 2), (100, 8)):
        name = "Auto%d" % asked
        r = b.send(name, b"x", 0, queues=asked)
        tap.equal(r.code, 0, "code (%s)" % r.frame.remark)
        config = b.request(351, {"topic": name}).json()
        tap.equal((config["readQueueNums"], config["writeQueueNums"], config["perm"]),
                  (queues, queues, 6), "queues for %d" % asked)
        with api.NameServer(env.namesrv) as n:
            procs.wait_until(lambda: n.route(name).code == 0, 5, "route of " + name)


def test_search_by_time(env):
    """29 finds the first message not older than the time, 32 and 31 the beginning."""
    b = topic(env, "Time")
    for i in range(5):
        api.check(b.send("Time", b"%d" % i).frame)
        time.sleep(0.03)
    visible(b, "Time", 0, 5)
    times = [r.store_timestamp for r in b.read_queue("Time", 0)]
    for i, t in enumerate(times):
        tap.equal(b.search_offset("Time", 0, t), i, "offset at the time of message %d" % i)
        tap.equal(b.search_offset("Time", 0, t + 1), min(i + 1, 5), "offset just after %d" % i)
        tap.equal(b.search_offset("Time", 0, t, "UPPER"), i, "upper boundary at message %d" % i)
    tap.equal(b.search_offset("Time", 0, 0), 0)
    tap.equal(b.search_offset("Time", 0, times[-1] + 60000), 5)
    f = api.check(b.request(32, {"topic": "Time", "queueId": 0}))
    tap.equal(int(f.ext["timestamp"]), times[0], "earliest store time")


def test_offsets_flow(env):
    """Commits by 15, by a pull and one-way; 14 sees each; 208 counts the difference."""
    b = topic(env, "Flow", 2)
    for i in range(20):
        api.check(b.send("Flow", b"%d" % i, i % 2).frame)
    visible(b, "Flow", 1, 10)
    api.check(b.create_group("CG_FLOW"))
    api.check(b.update_offset("CG_FLOW", "Flow", 0, 4))
    b.pull("Flow", 1, 6, group="CG_FLOW", commit=6, sys_flag=api.PULL_SUBSCRIPTION | api.PULL_COMMIT)
    for queue, offset in ((0, "4"), (1, "6")):
        tap.equal(b.query_offset("CG_FLOW", "Flow", queue).ext.get("offset"), offset)
    b.oneway(15, {"consumerGroup": "CG_FLOW", "topic": "Flow", "queueId": 0, "commitOffset": 9})
    procs.wait_until(lambda: b.query_offset("CG_FLOW", "Flow", 0).ext["offset"] == "9", 5, "one-way")
    stats = api.check(b.request(208, {"consumerGroup": "CG_FLOW", "topic": "Flow"})).json()
    lag = {k.as_dict()["queueId"]: v["brokerOffset"] - v["consumerOffset"]
           for k, v in stats["offsetTable"].items()}
    tap.equal(lag, {0: 1, 1: 4}, "lag")


if __name__ == "__main__":
    sys.exit(tap.run([test_count_limit, test_bytes_limit, test_tags, test_filtered_scan,
                      test_permissions, test_record_fields, test_unique_key, test_batch_records,
                      test_compressed, test_wait_false, test_auto_topic, test_search_by_time,
                      test_offsets_flow], setup, teardown))
