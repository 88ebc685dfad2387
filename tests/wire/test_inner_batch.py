#!/usr/bin/env python3
"""Topics with queue.type=BatchCQ: a batch stays one record, its queue has one entry for several offsets.

Works against Java, too (SERVER=java), but for what Java loses.
"""

import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))

from bolide_test import api, procs, record, tap  # noqa: E402

NEED_UNWRAP, INNER_BATCH = 0x40, 0x80


def setup():
    s = procs.server(config={"mappedFileSizeCommitLog": 16777216})
    s.link = api.Broker(s.broker, timeout=20)
    return s


def teardown(s):
    s.link.close()
    s.close()


def topic(b, name, queues=1):
    api.check(b.create_topic(name, queues, attributes="+queue.type=BatchCQ"))


def send(b, name, bodies, key=None, queue=0, properties=None, **more):
    """As the official client sends a MessageBatch: the unique key is in the header."""
    items = [record.batch_item(x, record.format_properties({"UNIQ_KEY": "%s-%d" % (key, i)}))
             for i, x in enumerate(bodies)]
    pairs = dict(properties or {})
    if key:
        pairs["UNIQ_KEY"] = key
    ext = b.send_v2_ext(name, queue, pairs, batch=True, **more)
    return api.SendResult(b.request(api.SEND_BATCH, ext, b"".join(items)))


def unwrap(body):
    out, at = [], 0
    while at < len(body):
        total, = struct.unpack_from(">i", body, at)
        length, = struct.unpack_from(">i", body, at + 16)
        out.append(body[at + 20:at + 20 + length])
        at += total
    return out


def visible(b, name, count, queue=0):
    procs.wait_until(lambda: b.max_offset(name, queue) >= count, 10, "%d messages" % count)


def test_one_record(env):
    """A batch is one record with its flags and properties; the answer has the key of the batch."""
    b = env.link
    topic(b, "InnerOne")
    at = 0
    for number, count in enumerate((3, 1, 5)):
        r = send(b, "InnerOne", [b"%d-%d" % (number, i) for i in range(count)], "KEY%d" % number)
        api.check(r.frame)
        tap.equal(r.queue_offset, at)
        tap.equal(r.frame.ext["batchUniqId"], "KEY%d" % number)
        assert "," not in r.msg_id, r.msg_id
        at += count
    visible(b, "InnerOne", 9)
    r = b.pull("InnerOne", 0, 0)
    tap.equal([x.queue_offset for x in r.records], [0, 3, 4])
    tap.equal(r.next, 9)
    for number, x in enumerate(r.records):
        assert x.sys_flag & NEED_UNWRAP and x.sys_flag & INNER_BATCH, hex(x.sys_flag)
        tap.equal(x.properties["INNER_NUM"], str((3, 1, 5)[number]))
        tap.equal(x.properties["INNER_BASE"], str((0, 3, 4)[number]))
        tap.equal(unwrap(x.body), [b"%d-%d" % (number, i) for i in range((3, 1, 5)[number])])
    tap.equal((b.min_offset("InnerOne", 0), b.max_offset("InnerOne", 0)), (0, 9))


def test_pull_within(env):
    """A pull that begins within a batch gets the whole batch; counts are those of messages."""
    b = env.link
    topic(b, "InnerWithin")
    for number in range(10):
        api.check(send(b, "InnerWithin", [b"%d" % i for i in range(4)], "K%d" % number).frame)
    visible(b, "InnerWithin", 40)
    for offset in range(40):
        r = b.pull("InnerWithin", 0, offset, count=1)
        tap.equal([x.queue_offset for x in r.records], [offset // 4 * 4], "from %d" % offset)
        tap.equal(r.next, offset // 4 * 4 + 4)
    r = b.pull("InnerWithin", 0, 2, count=9)
    tap.equal([x.queue_offset for x in r.records], [0, 4], "nine messages at most")
    tap.equal(r.next, 8)
    tap.equal(b.pull("InnerWithin", 0, 40).code, api.NOT_FOUND)
    tap.equal(b.pull("InnerWithin", 0, 41).next, 40)


def test_tags_and_keys(env):
    """A batch has the tags and keys of its header, as auto-batching producers set them."""
    b = env.link
    topic(b, "InnerTags")
    for number in range(4):
        api.check(send(b, "InnerTags", [b"a", b"b"], "TK%d" % number,
                       properties={"TAGS": "T%d" % (number % 2), "KEYS": "order-%d" % number}).frame)
    visible(b, "InnerTags", 8)
    r = b.pull("InnerTags", 0, 0, subscription="T1")
    tap.equal([x.queue_offset for x in r.records], [2, 6])

    def found(key="order-2", **more):
        f = b.request(12, dict({"topic": "InnerTags", "key": key, "maxNum": 32, "beginTimestamp": 0,
                                "endTimestamp": 1 << 60}, **more))
        return record.decode_records(f.body) if f.code == 0 else f.code

    procs.wait_until(lambda: isinstance(found(), list), 10, "the key")
    tap.equal([x.queue_offset for x in found()], [4])
    tap.equal([x.queue_offset for x in found("TK1", _UNIQUE_KEY_QUERY="true")], [2], "unique key")
    tap.equal([x.queue_offset for x in found(indexType="K", lastKey="x")], [4], "indexType and lastKey of 5.5")
    tap.equal(found("order-9", indexType="K"), api.QUERY_NOT_FOUND)
    if procs.is_java():
        tap.equal([x.queue_offset for x in found("T1", indexType="T")], [2, 6], "by tag")
    else:
        tap.equal(found("T1", indexType="T"), api.SYSTEM_ERROR, "docs/compat.md")


def test_held(env):
    """A held pull is woken by a batch."""
    b = env.link
    topic(b, "InnerHeld")
    with api.Broker(env.broker) as other:
        api.check(send(b, "InnerHeld", [b"0", b"1"], "H0").frame)
        visible(b, "InnerHeld", 2)
        waiting = other.pull_start("InnerHeld", 0, 2, hold_ms=15000)
        api.check(send(b, "InnerHeld", [b"2", b"3"], "H1").frame)
        tap.equal([x.queue_offset for x in api.PullResult(waiting.wait(10)).records], [2])


def test_ordinary_topic(env):
    """In other topics the same batch is taken apart."""
    b = env.link
    api.check(b.create_topic("InnerNot", 1))
    r = send(b, "InnerNot", [b"0", b"1", b"2"], "N0")
    api.check(r.frame)
    tap.equal(len(r.msg_id.split(",")), 3)
    f = b.create_topic("InnerNot", 1, attributes="+queue.type=BatchCQ")
    tap.equal((f.code, f.remark), (1, "attempt to update an unchangeable attribute. key: queue.type"))
    assert "batchUniqId" not in r.frame.ext
    visible(b, "InnerNot", 3)
    tap.equal([x.body for x in b.read_queue("InnerNot", 0, 0)], [b"0", b"1", b"2"])


def test_singles(env):
    """Single messages, and batches without a key, are readable between batches."""
    if procs.is_java():
        raise tap.Skip("Java accepts them and gives them to nobody")
    b = env.link
    topic(b, "InnerSingles")
    api.check(send(b, "InnerSingles", [b"0", b"1"], "S0").frame)
    tap.equal(api.check(b.send("InnerSingles", b"2", 0).frame).ext["queueOffset"], "2")
    api.check(b.send_batch("InnerSingles", [b"3", b"4"], 0).frame)
    api.check(send(b, "InnerSingles", [b"5", b"6"], "S1").frame)
    visible(b, "InnerSingles", 7)
    records = b.read_queue("InnerSingles", 0, 0)
    tap.equal([(x.queue_offset, bool(x.sys_flag & INNER_BATCH)) for x in records],
              [(0, True), (2, False), (3, False), (4, False), (5, True)])


def test_refused(env):
    """INNER_NUM is not for senders; a batch has 32,767 messages at most; a broken one is refused."""
    b = env.link
    topic(b, "InnerBad")
    tap.equal(b.send("InnerBad", b"x", 0, {"INNER_NUM": "3"}).code, api.MESSAGE_ILLEGAL)
    if procs.is_java():
        return
    ext = b.send_v2_ext("InnerBad", 0, {"UNIQ_KEY": "B0"}, batch=True)
    tap.equal(b.request(api.SEND_BATCH, ext, b"\0\0\0\x09nonsense").code, api.MESSAGE_ILLEGAL)
    body = record.batch_item(b"", "") * 32768
    f = b.request(api.SEND_BATCH, ext, body)
    tap.equal(f.code, api.MESSAGE_ILLEGAL, f.remark)
    tap.equal(b.max_offset("InnerBad", 0), 0)
    f = api.check(b.request(api.SEND_BATCH, ext, record.batch_item(b"", "") * 32767))
    visible(b, "InnerBad", 32767)
    tap.equal(b.pull("InnerBad", 0, 32000).next, 32767)


def test_restart(env):
    """Queues of batches are there after a stop, a kill -9, and without the index."""
    if procs.is_java():
        raise tap.Skip("a test of bolide's index")
    import shutil
    import time
    s = procs.Server(config={"mappedFileSizeCommitLog": 16777216})
    try:
        for round_number in range(4):
            with api.Broker(s.broker, timeout=20) as b:
                if not round_number:
                    topic(b, "InnerAgain")
                else:
                    tap.equal([x.raw for x in b.read_queue("InnerAgain", 0, 0)], before, "round %d" % round_number)
                base = b.max_offset("InnerAgain", 0)
                tap.equal(base, round_number * 1200)
                for i in range(300):
                    r = send(b, "InnerAgain", [b"%d" % k for k in range(i % 7 + 1)], "R%d" % i)
                    api.check(r.frame)
                    tap.equal(r.queue_offset, base)
                    base += i % 7 + 1
                    if base == (round_number + 1) * 1200:
                        break
                else:
                    rest = (round_number + 1) * 1200 - base
                    if rest:
                        api.check(send(b, "InnerAgain", [b"r"] * rest, "REST").frame)
                visible(b, "InnerAgain", (round_number + 1) * 1200)
                before = [x.raw for x in b.read_queue("InnerAgain", 0, 0)]
            if round_number == 1:
                time.sleep(1.5)
                s.kill9()
            else:
                s.stop()
            if round_number == 2:
                shutil.rmtree(os.path.join(s.store, "bolide", "index"), ignore_errors=True)
                shutil.rmtree(os.path.join(s.store, "bolide", "queues"), ignore_errors=True)
            code, out, err = procs.run_bolide("log", "verify", s.store)
            tap.equal(code, 0, "verify: %s %s" % (out[-500:], err[-300:]))
            s.start()
    finally:
        s.close()


if __name__ == "__main__":
    sys.exit(tap.run([test_one_record, test_pull_within, test_tags_and_keys, test_held, test_ordinary_topic,
                      test_singles, test_refused, test_restart], setup, teardown))
