#!/usr/bin/env python3
"""What a restart keeps: topics, groups, offsets, KV configuration, messages; also after kill -9."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))

from bolide_test import api, procs, record, tap  # noqa: E402

CONFIG = {"mappedFileSizeCommitLog": 16777216}


class State:
    """What a client can see of a server."""

    def __init__(self, s, topics, offsets):
        with api.Broker(s.broker) as b, api.NameServer(s.namesrv) as n:
            self.offsets = {k: b.query_offset(*k, zero_if_not_found=False).ext.get("offset")
                            for k in offsets}
            self.kv = n.get_kv("RESTART", "key").ext.get("value")
            self.records = {}
            for topic, queues in topics.items():
                for q in range(queues):
                    self.records[topic, q] = [r.raw for r in b.read_queue(topic, q)]
            # after the pulls, which create their group
            self.topics = api.check(b.request(21)).json()["topicConfigTable"]
            self.groups = api.check(b.request(201)).json()["subscriptionGroupTable"]
            self.routes = {t: n.route(t).code for t in topics}

    def compare(self, other, what):
        for part in ("topics", "groups", "offsets", "kv", "routes"):
            a, b = getattr(self, part), getattr(other, part)
            assert a == b, "%s differ %s: %s" % (part, what, difference(a, b))
        for key, before in self.records.items():
            after = other.records[key]
            assert before == after, "%s queue %d differs %s: %d messages, then %d" % (
                *key, what, len(before), len(after))


def difference(a, b):
    if not isinstance(a, dict) or not isinstance(b, dict):
        return "%r, then %r" % (a, b)
    return {k: (a.get(k), b.get(k)) for k in set(a) | set(b) if a.get(k) != b.get(k)}


TOPICS = {"RestartA": 4, "RestartOrder": 1, "RestartBatch": 2}
OFFSETS = [("CG_R", "RestartA", q) for q in range(4)] + [("CG_R2", "RestartOrder", 0)]


def fill(s):
    with api.Broker(s.broker) as b, api.NameServer(s.namesrv) as n:
        api.check(b.create_topic("RestartA", 4))
        api.check(b.create_topic("RestartOrder", 1, order=True))
        api.check(b.create_topic("RestartBatch", 2, perm=6))
        api.check(b.create_topic("RestartGone", 2))
        api.check(b.create_group("CG_R", retryMaxTimes=3))
        api.check(b.create_group("CG_R2", consumeMessageOrderly=True))
        for i in range(200):
            api.check(b.send("RestartA", b"message %d" % i, i % 4,
                             {"TAGS": "T%d" % (i % 3), "KEYS": "key%d" % i}).frame)
        for i in range(50):
            api.check(b.send("RestartOrder", os.urandom(2000), 0).frame)
        api.check(b.send_batch("RestartBatch", [b"one", b"two", b"three"], 1).frame)
        for q in range(4):
            api.check(b.update_offset("CG_R", "RestartA", q, 10 + q))
        api.check(b.update_offset("CG_R2", "RestartOrder", 0, 49))
        api.check(n.put_kv("RESTART", "key", "välue"))
        api.check(b.delete_topic("RestartGone"))


def test_clean_restart(_):
    """A clean restart keeps topics, groups, offsets, KV and every record, byte for byte."""
    s = procs.Server(config=CONFIG)
    fill(s)
    before = State(s, TOPICS, OFFSETS)
    tap.equal(sum(len(v) for v in before.records.values()), 253, "messages")
    for turn in range(3):
        tap.equal(s.stop()[0], 0, "exit status")
        s.start()
        before.compare(State(s, TOPICS, OFFSETS), "after restart %d" % (turn + 1))
        assert "RestartGone" not in before.topics, "the deleted topic is back"
    with api.Broker(s.broker) as b:
        r = b.send("RestartA", b"goes on", 0)
        tap.equal((r.code, r.queue_offset), (0, 50), "next queue offset")
    s.close()


def test_kill9_restart(_):
    """kill -9 keeps messages, topics, groups and KV; offsets may be a second old."""
    s = procs.Server(config=CONFIG)
    fill(s)
    import time
    time.sleep(2.5)  # offsets are made durable once a second
    before = State(s, TOPICS, OFFSETS)
    s.kill9()
    s.start()
    before.compare(State(s, TOPICS, OFFSETS), "after kill -9")
    tap.equal(s.stop()[0], 0, "exit status")
    s.close()


def test_topic_again(_):
    """A topic deleted and created again goes on at its old queue offsets, without old messages."""
    s = procs.Server(config=CONFIG)
    with api.Broker(s.broker) as b:
        api.check(b.create_topic("Again", 1))
        for i in range(10):
            api.check(b.send("Again", b"old %d" % i).frame)
        api.check(b.delete_topic("Again"))
        api.check(b.create_topic("Again", 1))
        r = b.send("Again", b"new", 0)
        tap.equal((r.code, r.queue_offset), (0, 10), "first offset after creating it again")
    for _ in range(2):
        with api.Broker(s.broker) as b:
            got = b.read_queue("Again", 0)
            tap.equal([x.body for x in got], [b"new"], "messages")
        s.kill9()
        s.start()
    s.close()


def test_segments_roll(_):
    """Records over several segments: files are named by their first offset and end in a blank."""
    s = procs.Server(config=dict(CONFIG, flushDiskType="ASYNC_FLUSH"))
    with api.Broker(s.broker, timeout=30) as b:
        api.check(b.create_topic("Roll", 1))
        bodies = [os.urandom(1 << 20) for _ in range(40)]
        for body in bodies:
            api.check(b.send("Roll", body).frame)
    tap.equal(s.stop()[0], 0, "exit status")
    folder = os.path.join(s.store, "commitlog")
    names, expect = sorted(os.listdir(folder)), 0
    tap.equal(names[:3], ["%020d" % (i * 16777216) for i in range(3)], "segments")
    seen = 0
    for name in names:
        path = os.path.join(folder, name)
        tap.equal(os.path.getsize(path), 16777216, "size of " + name)
        with open(path, "rb") as f:
            data = f.read()
        records, end = record.scan_segment(data)
        for r in records:
            tap.equal(r.physical_offset, expect + sum(len(x.raw) for x in records[:records.index(r)]),
                      "offset in the record")
        seen += sum(r.topic == "Roll" for r in records)
        if name != names[-1] and records and int(name) + 16777216 < expect + 16777216 * 2:
            rest = data[end:end + 8]
            assert rest[4:] in (b"\xcb\xd4\x31\x94", b"\0\0\0\0"), "end of %s: %s" % (name, rest.hex())
        expect += 16777216
    tap.equal(seen, len(bodies), "records in the files")
    s.start()
    with api.Broker(s.broker, timeout=30) as b:
        got = b.read_queue("Roll", 0)
        tap.equal([hash(r.body) for r in got], [hash(x) for x in bodies], "bodies")
    s.close()


def test_store_layout(_):
    """The store is RocketMQ's: commitlog, config/*.json, lock, abort."""
    s = procs.Server(config=CONFIG)
    fill(s)
    tap.equal(s.stop()[0], 0, "exit status")
    for name in ("commitlog/00000000000000000000", "config/topics.json",
                 "config/subscriptionGroup.json", "config/consumerOffset.json",
                 "bolide/log.checkpoint", "lock", "abort"):
        assert os.path.exists(os.path.join(s.store, name)), "no " + name
    from bolide_test import wire
    with open(os.path.join(s.store, "config", "topics.json"), encoding="utf-8") as f:
        topics = wire.parse_json(f.read())
    tap.equal(topics["topicConfigTable"]["RestartA"]["readQueueNums"], 4, "queues in topics.json")
    assert "RestartGone" not in topics["topicConfigTable"]
    with open(os.path.join(s.store, "config", "consumerOffset.json"), encoding="utf-8") as f:
        offsets = wire.parse_json(f.read())["offsetTable"]
    tap.equal(offsets["RestartA@CG_R"], {str(q): 10 + q for q in range(4)}, "offsets")


def test_damaged_json(_):
    """A damaged config file is not read as empty: topics are still there."""
    s = procs.Server(config=CONFIG)
    fill(s)
    s.stop()
    path = os.path.join(s.store, "config", "topics.json")
    with open(path, "r+b") as f:
        f.truncate(os.path.getsize(path) // 2)
    s.start()
    with api.Broker(s.broker) as b:
        topics = api.check(b.request(21)).json()["topicConfigTable"]
    missing = [t for t in TOPICS if t not in topics]
    tap.equal(missing, [], "topics lost")
    s.close()


def test_json_edited(_):
    """A config file that somebody else changed wins: a topic added there is served."""
    s = procs.Server(config=CONFIG)
    fill(s)
    s.stop()
    path = os.path.join(s.store, "config", "topics.json")
    with open(path, encoding="utf-8") as f:
        text = f.read()
    at = text.index('"RestartA"')
    entry = ('"EditedIn":{"attributes":{},"order":false,"perm":6,"readQueueNums":3,"topicFilterType"'
             ':"SINGLE_TAG","topicName":"EditedIn","topicSysFlag":0,"writeQueueNums":3},')
    with open(path, "w", encoding="utf-8") as f:
        f.write(text[:at] + entry + text[at:])
    s.start()
    with api.Broker(s.broker) as b:
        config = b.request(351, {"topic": "EditedIn"})
        tap.equal(config.code, 0, "code (%s)" % config.remark)
        tap.equal(config.json()["readQueueNums"], 3, "queues")
        tap.equal(len(b.read_queue("RestartA", 0)), 50, "messages")
    s.close()


def main():
    return tap.run([test_clean_restart, test_kill9_restart, test_topic_again, test_segments_roll,
                    test_store_layout, test_damaged_json, test_json_edited], procs.bolide_path)


if __name__ == "__main__":
    sys.exit(main())
