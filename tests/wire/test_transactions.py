#!/usr/bin/env python3
"""Transactions: half messages, 37 in every order, rounds of 39, what is given up and resumed (323).

Works against Java, too (SERVER=java).
"""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))

from bolide_test import api, procs, record, tap  # noqa: E402

END, CHECK, RESUME, UPDATE_CONFIG = 37, 39, 323, 25
COMMIT, ROLLBACK, UNKNOWN = 8, 12, 0
HALF, OP, DISCARD = "RMQ_SYS_TRANS_HALF_TOPIC", "RMQ_SYS_TRANS_OP_HALF_TOPIC", "TRANS_CHECK_MAX_TIME_TOPIC"
GROUP = "PG_SHOP"
# so that a round is soon
FAST = {"transactionCheckInterval": 400, "transactionTimeOut": 300, "transactionCheckMax": 3}


class Half:
    def __init__(self, frame):
        self.id = frame.ext["msgId"]
        self.log = record.decode_offset_msg_id(self.id)[2]
        self.queue = int(frame.ext["queueOffset"])
        self.transaction = frame.ext.get("transactionId")


def setup():
    s = procs.server(FAST)
    s.link = api.Broker(s.broker, timeout=20)
    return s


def teardown(s):
    s.link.close()
    s.close()


def send_half(b, topic, body=b"half", queue=1, key=None, **props):
    properties = {"TRAN_MSG": "true", "PGROUP": GROUP, "UNIQ_KEY": key or os.urandom(16).hex().upper(),
                  "TAGS": "T", "KEYS": "k1"}
    properties.update(props)
    f = api.check(b.send(topic, body, queue, properties, group=GROUP, sys_flag=4).frame)
    return Half(f)


def end(b, half, how, group=GROUP, **more):
    ext = {"producerGroup": group, "tranStateTableOffset": half.queue, "commitLogOffset": half.log,
           "commitOrRollback": how, "fromTransactionCheck": False, "msgId": half.transaction or "x",
           "transactionId": half.transaction or "x"}
    ext.update(more)
    return b.request(END, ext)


def make(env, topic):
    api.check(env.link.create_topic(topic, 2))
    return env.link


def test_commit(env):
    """Invisible under its topic until the commit, which keeps all that was sent."""
    b = make(env, "Orders")
    before = b.max_offset(HALF, 0)
    half = send_half(b, "Orders", key="A" * 32, mine="ünï")
    tap.equal((half.queue, half.transaction), (before, "A" * 32))
    procs.wait_until(lambda: b.max_offset(HALF, 0) == before + 1, 5, "half message")
    stored, = b.pull(HALF, 0, before).records
    tap.equal((stored.topic, stored.queue_id, stored.sys_flag & 0xC, stored.body), (HALF, 0, 0, b"half"))
    tap.equal({k: stored.properties.get(k) for k in ("REAL_TOPIC", "REAL_QID", "__transactionId__",
                                                     "TRAN_MSG", "PGROUP", "mine")},
              {"REAL_TOPIC": "Orders", "REAL_QID": "1", "__transactionId__": "A" * 32,
               "TRAN_MSG": "true", "PGROUP": GROUP, "mine": "ünï"})
    tap.equal(b.max_offset("Orders", 1), 0, "invisible")
    if not procs.is_java():
        table = api.check(b.request(28)).json()["table"]
        tap.equal(table["transactionsOpen_Orders"], "1", "counted by topic")
    api.check(end(b, half, COMMIT))
    procs.wait_until(lambda: b.max_offset("Orders", 1) == 1, 5, "commit")
    r, = b.pull("Orders", 1, 0).records
    tap.equal((r.body, r.sys_flag & 0xC, r.prepared_offset, r.tags, r.keys, r.born_timestamp),
              (b"half", COMMIT, half.log, "T", "k1", stored.born_timestamp))
    tap.equal(set(r.properties) - {record.PROP_CRC},
              set(stored.properties) - {record.PROP_CRC, "REAL_TOPIC", "REAL_QID"})


def test_rollback(env):
    """Nothing is under its topic, and the op topic names it."""
    b = make(env, "Rolled")
    half = send_half(b, "Rolled")
    ops = b.max_offset(OP, 0)
    api.check(end(b, half, ROLLBACK))
    procs.wait_until(lambda: b.max_offset(OP, 0) > ops, 8, "op record")
    bodies = b"".join(r.body for r in b.read_queue(OP, 0, ops))
    tap.equal(str(half.queue) in bodies.decode().split(","), True)
    tap.equal([r.tags for r in b.read_queue(OP, 0, ops)][-1], "d")
    tap.equal(b.max_offset("Rolled", 1), 0)


def test_repeated(env):
    """An end that is repeated changes nothing; the other one is refused, soon and late."""
    b = make(env, "Twice")
    committed, rolled = send_half(b, "Twice"), send_half(b, "Twice")
    for _ in range(3):
        tap.equal(end(b, committed, COMMIT).code, 0)
        tap.equal(end(b, rolled, ROLLBACK).code, 0)
        tap.equal(b.max_offset("Twice", 1), 1, "once")
        time.sleep(0.2)
        if procs.is_java():  # it stores the message each time
            return
    late = end(b, rolled, COMMIT)
    tap.equal((late.code, "rolled back" in late.remark), (1, True), late)
    late = end(b, committed, ROLLBACK)
    tap.equal((late.code, "committed" in late.remark), (1, True), late)
    tap.equal(b.max_offset("Twice", 1), 1)
    pipelined = send_half(b, "Twice")
    ext = {"producerGroup": GROUP, "tranStateTableOffset": pipelined.queue, "msgId": "x",
           "commitLogOffset": pipelined.log, "commitOrRollback": COMMIT}
    calls = [b.start(END, ext) for _ in range(20)] + [b.start(END, dict(ext, commitOrRollback=ROLLBACK))]
    tap.equal([c.wait(10).code for c in calls], [0] * 20 + [1])
    tap.equal(b.max_offset("Twice", 1), 2)


def test_unknown(env):
    """0 changes nothing."""
    b = make(env, "Unknown")
    half = send_half(b, "Unknown")
    if not procs.is_java():  # which never answers it
        tap.equal(end(b, half, UNKNOWN).code, 0)
    tap.equal(b.max_offset("Unknown", 1), 0)
    api.check(end(b, half, COMMIT))
    procs.wait_until(lambda: b.max_offset("Unknown", 1) == 1, 5, "commit")


def test_wrong(env):
    """Wrong groups and offsets are refused with RocketMQ's texts, and nothing changes."""
    b = make(env, "Wrong")
    half = send_half(b, "Wrong")
    procs.wait_until(lambda: b.max_offset(HALF, 0) > half.queue, 5, "half message")
    tap.equal((lambda f: (f.code, f.remark))(end(b, half, COMMIT, group="PG_OTHER")),
              (1, "The producer group wrong"))
    tap.equal((lambda f: (f.code, f.remark))(end(b, half, COMMIT, tranStateTableOffset=half.queue + 1)),
              (1, "The transaction state table offset wrong"))
    for offset in (half.log + 1, half.log + (1 << 40), -1, (1 << 63) - 1):
        f = end(b, half, COMMIT, commitLogOffset=offset)
        tap.equal((f.code, f.remark), (1, "Find prepared transaction message failed"), offset)
    sent = b.send("Wrong", b"plain", 0)
    plain = record.decode_offset_msg_id(sent.frame.ext["msgId"])[2]
    f = end(b, half, COMMIT, commitLogOffset=plain, tranStateTableOffset=0)
    tap.equal(f.code, 1, f)
    tap.equal(b.max_offset("Wrong", 1), 0)
    api.check(end(b, half, COMMIT))


def test_reject(env):
    """rejectTransactionMessage."""
    b = make(env, "Rejected")
    api.check(b.request(UPDATE_CONFIG, None, b"rejectTransactionMessage=true\n"))
    f = b.send("Rejected", b"x", 0, {"TRAN_MSG": "true", "PGROUP": GROUP}).frame
    api.check(b.request(UPDATE_CONFIG, None, b"rejectTransactionMessage=false\n"))
    tap.equal((f.code, "sending transaction message is forbidden" in f.remark), (16, True), f)


def test_check(env):
    """A producer of the group is asked, with the message under its real name, and its answer counts."""
    b = make(env, "Asked")
    with api.Broker(env.broker, timeout=20) as producer, api.Broker(env.broker, timeout=20) as other:
        api.check(producer.heartbeat("shop@1", producers=[GROUP]))
        api.check(other.heartbeat("other@1", producers=["PG_OTHER"]))
        half = send_half(b, "Asked", key="C" * 32)
        asked = producer.next_request(timeout=40, code=CHECK)
        while asked.ext["msgId"] != "C" * 32:  # of other tests
            asked = producer.next_request(timeout=40, code=CHECK)
        tap.equal(asked.ext["transactionId"], "C" * 32)
        tap.equal(asked.ext["topic"], HALF)
        r = record.decode_record(asked.body)
        tap.equal((r.topic, r.queue_id, r.body, r.properties["TRANSACTION_CHECK_TIMES"]),
                  ("Asked", 1, b"half", r.properties["TRANSACTION_CHECK_TIMES"] if procs.is_java() else "1"))
        half.log, half.queue = int(asked.ext["commitLogOffset"]), int(asked.ext["tranStateTableOffset"])
        tap.equal(record.decode_offset_msg_id(asked.ext["offsetMsgId"])[2], half.log)
        api.check(end(b, half, COMMIT, fromTransactionCheck=True))
        procs.wait_until(lambda: b.max_offset("Asked", 1) == 1, 5, "commit")
        tap.equal(other.requests.qsize() if hasattr(other, "requests") else 0, 0, "not another group")


def test_given_up(env):
    """After transactionCheckMax rounds it is in the discard topic, from where 323 brings it back."""
    b = make(env, "Dead")
    half = send_half(b, "Dead", key="D" * 32)

    def found():
        if DISCARD not in api.check(b.request(21)).json()["topicConfigTable"]:
            return []
        return [r for r in b.read_queue(DISCARD, 0) if r.unique_key == "D" * 32]
    given_up = procs.wait_until(found, 60, "given up")[0]
    tap.equal(given_up.properties["REAL_TOPIC"], "Dead")
    if not procs.is_java():  # which commits it all the same
        f = end(b, half, COMMIT)
        tap.equal(f.code, 1, "too late: " + str(f))
    before = b.max_offset(HALF, 0)
    given_id = record.offset_msg_id(*given_up.store_host, given_up.physical_offset)
    api.check(b.request(RESUME, {"topic": DISCARD, "msgId": given_id}))
    procs.wait_until(lambda: b.max_offset(HALF, 0) > before, 5, "half again")
    resumed = [r for r in b.read_queue(HALF, 0, before) if r.unique_key == "D" * 32][-1]
    tap.equal(resumed.properties["TRANSACTION_CHECK_TIMES"], "0")
    half.log, half.queue = resumed.physical_offset, resumed.queue_offset
    api.check(end(b, half, COMMIT))
    procs.wait_until(lambda: b.max_offset("Dead", 1) == 1, 5, "commit")
    if not procs.is_java():  # which takes any message and id
        for bad in (half.id, "00" * 16, "zz", ""):
            tap.equal(b.request(RESUME, {"topic": DISCARD, "msgId": bad}).code, 1, bad)


def test_immunity(env):
    """CHECK_IMMUNITY_TIME_IN_SECONDS: not asked before, and later only an asked one may end it."""
    b = make(env, "Immune")
    half = send_half(b, "Immune", CHECK_IMMUNITY_TIME_IN_SECONDS="1")
    time.sleep(1.2)
    f = end(b, half, COMMIT)
    tap.equal(f.code, 604, f)
    if procs.is_java():
        return
    api.check(end(b, half, COMMIT, fromTransactionCheck=True))
    tap.equal(b.max_offset("Immune", 1), 1)


def test_delay(env):
    """A delay counts from the commit on (Java 5.5.0 never delivers it)."""
    if procs.is_java():
        return
    b = make(env, "Later")
    half = send_half(b, "Later", DELAY="1")
    tap.equal(half.queue >= 0 and b.max_offset(HALF, 0) > half.queue, True, "a half message first")
    time.sleep(0.5)
    began = time.time()
    api.check(end(b, half, COMMIT))
    tap.equal(b.max_offset("Later", 1), 0)
    procs.wait_until(lambda: b.max_offset("Later", 1) == 1, 10, "delivery")
    tap.equal(time.time() - began >= 0.99, True, "a second after the commit")
    tap.equal(b.pull("Later", 1, 0).records[0].body, b"half")


def test_restart(env):
    """Open ones stay open over kill -9, ended ones ended."""
    if procs.is_java():
        return
    s = procs.Server(config=dict(FAST, transactionCheckMax=1000), start=False)
    try:
        s.start()
        with api.Broker(s.broker, timeout=20) as b:
            api.check(b.create_topic("Orders", 2))
            halves = [send_half(b, "Orders", b"%d" % n) for n in range(30)]
            for n, half in enumerate(halves):
                if n % 3 < 2:
                    api.check(end(b, half, (COMMIT, ROLLBACK)[n % 3]))
        for again in range(3):
            s.kill9()
            s.start()
            with api.Broker(s.broker, timeout=20) as b:
                tap.equal(b.max_offset("Orders", 1), 10 + again * 3, "commits")
                for n, half in enumerate(halves):
                    if n % 3 < 2:
                        code = end(b, half, (ROLLBACK, COMMIT)[n % 3]).code
                        tap.equal(code, 1, "half %d has ended" % n)
                        tap.equal(end(b, half, (COMMIT, ROLLBACK)[n % 3]).code, 0)
                for half in halves[2 + 9 * again:9 + 9 * again:3]:
                    api.check(end(b, half, COMMIT))
    finally:
        s.close()


if __name__ == "__main__":
    sys.exit(tap.run([test_commit, test_rollback, test_repeated, test_unknown, test_wrong, test_reject,
                      test_check, test_given_up, test_immunity, test_delay, test_restart],
                     setup, teardown))
