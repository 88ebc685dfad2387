#!/usr/bin/env python3
"""Messages that consumers give back: 36, %RETRY% and %DLQ%, who gives back how often, what they carry.

Works against Java, too (SERVER=java).
"""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))

from bolide_test import api, procs, record, tap  # noqa: E402

SEND_BACK, UPDATE_CONFIG, LOCK, UNLOCK = 36, 25, 41, 42
PROPS = {"TAGS": "T", "KEYS": "a b", "UNIQ_KEY": "0" * 31 + "A", "mine": "ünï"}


def setup():
    s = procs.server()
    s.link = api.Broker(s.broker, timeout=20)
    return s


def teardown(s):
    s.link.close()
    s.close()


def configure(b, **values):
    text = "".join("%s=%s\n" % kv for kv in values.items())
    api.check(b.request(UPDATE_CONFIG, None, text.encode()))


def message(env, topic, group, **more):
    """A group, a topic of one queue, and its first message as a consumer gets it."""
    b = env.link
    api.check(b.create_topic(topic, 1))
    api.check(b.create_group(group, **more))
    sent = b.send(topic, b"body", 0, PROPS, flag=7, g=1600000000123)
    api.check(sent.frame)
    procs.wait_until(lambda: b.max_offset(topic, 0) > 0, 10, "message")
    r, = b.pull(topic, 0, 0).records
    return b, r


def back(b, group, r, level=0, maximum=None, **more):
    ext = {"offset": r if isinstance(r, int) else r.physical_offset, "group": group,
           "delayLevel": level, "originMsgId": "x", "originTopic": "T", "unitMode": False}
    if maximum is not None:
        ext["maxReconsumeTimes"] = maximum
    ext.update(more)
    return b.request(SEND_BACK, ext)


def read_one(b, topic, offset=0, timeout=15):
    """The message at that offset of queue 0, when it is there."""
    end = time.monotonic() + timeout
    while True:
        f = b.pull_start(topic, 0, offset).wait(20)
        if f.code == 0:
            return record.decode_records(f.body)[0]
        assert time.monotonic() < end, "%s: no message at %d: code %d" % (topic, offset, f.code)
        time.sleep(0.05)


def config_of(b, topic):
    return api.check(b.request(351, {"topic": topic})).json()


def test_retry(env):
    """A message that is given back comes again from %RETRY%GROUP, with all it carried."""
    b, r = message(env, "RetryA", "CG_A")
    began = time.time()
    f = back(b, "CG_A", r, 1)
    tap.equal((f.code, f.remark), (0, None), "answer")
    again = read_one(b, "%RETRY%CG_A")
    tap.equal(time.time() - began >= (0 if procs.is_java() else 1), True, "not early")
    tap.equal((again.topic, again.queue_id, again.queue_offset), ("%RETRY%CG_A", 0, 0))
    tap.equal((again.body, again.flag, again.sys_flag), (r.body, r.flag, r.sys_flag))
    tap.equal(again.reconsume_times, 1, "reconsumeTimes")
    tap.equal(again.born_timestamp, r.born_timestamp, "born")
    tap.equal(again.born_host, r.born_host, "born host")
    for key, value in PROPS.items():
        tap.equal(again.properties.get(key), value, "property " + key)
    tap.equal(again.properties.get("RETRY_TOPIC"), "RetryA")
    tap.equal(again.properties.get("ORIGIN_MESSAGE_ID"),
              record.offset_msg_id(*r.store_host, r.physical_offset))
    tap.equal(again.properties.get("WAIT"), "false")
    # what the delay leaves, in Java's way, and a mark of ours
    tap.equal(set(again.properties) - {"BOLIDE_TIMER", record.PROP_CRC},
              set(PROPS) | {"RETRY_TOPIC", "ORIGIN_MESSAGE_ID", "WAIT", "DELAY", "REAL_TOPIC",
                            "REAL_QID", "CLUSTER", "MSG_REGION", "TRACE_ON"}, "property names")
    config = config_of(b, "%RETRY%CG_A")
    tap.equal([config[k] for k in ("readQueueNums", "writeQueueNums", "perm", "topicSysFlag", "order")],
              [1, 1, 6, 0, False], "the retry topic")
    with api.NameServer(env.namesrv) as n:
        procs.wait_until(lambda: n.route("%RETRY%CG_A").code == 0, 10, "route of the retry topic")


def test_second_retry(env):
    """A second retry keeps the first message's id and topic, and counts on."""
    b, r = message(env, "RetryB", "CG_B")
    api.check(back(b, "CG_B", r, 1))
    first = read_one(b, "%RETRY%CG_B")
    api.check(back(b, "CG_B", first, 1))
    second = read_one(b, "%RETRY%CG_B", 1)
    tap.equal(second.reconsume_times, 2, "reconsumeTimes")
    for key in ("RETRY_TOPIC", "ORIGIN_MESSAGE_ID", "UNIQ_KEY", "mine"):
        tap.equal(second.properties.get(key), first.properties[key], key)


def test_default_level(env):
    """delayLevel 0 is level 3 for the first time, in the system topic until then."""
    b, r = message(env, "RetryC", "CG_C")
    before = b.max_offset("SCHEDULE_TOPIC_XXXX", 2)
    api.check(back(b, "CG_C", r, 0))
    procs.wait_until(lambda: b.max_offset("SCHEDULE_TOPIC_XXXX", 2) == before + 1, 5, "level 3")
    time.sleep(1)
    tap.equal(b.max_offset("%RETRY%CG_C", 0), 0, "it comes after 10 seconds")


def test_limits(env):
    """maxReconsumeTimes of the consumer, else retryMaxTimes of the group; -1 is at once."""
    b, r = message(env, "RetryD", "CG_D", retryMaxTimes=0)
    api.check(back(b, "CG_D", r, 1))
    dead = read_one(b, "%DLQ%CG_D")
    tap.equal(dead.reconsume_times, 1, "reconsumeTimes")
    tap.equal((dead.properties["RETRY_TOPIC"], dead.properties["DELAY"], dead.body),
              ("RetryD", "0", r.body))
    config = config_of(b, "%DLQ%CG_D")
    tap.equal([config[k] for k in ("readQueueNums", "writeQueueNums", "perm", "topicSysFlag", "order")],
              [1, 1, 6, 0, False], "the dead letter topic")
    api.check(back(b, "CG_D", r, 1, maximum=1))
    tap.equal(read_one(b, "%RETRY%CG_D").reconsume_times, 1, "the consumer allows more")
    api.check(back(b, "CG_D", r, -1, maximum=100))
    tap.equal(read_one(b, "%DLQ%CG_D", 1).reconsume_times, 1, "delayLevel -1")
    api.check(back(b, "CG_D", r, 1, maximum=-1))
    tap.equal(read_one(b, "%DLQ%CG_D", 2).reconsume_times, 1, "maxReconsumeTimes -1")


def test_old_client(env):
    """Clients before 3.4.9 do not mean their maxReconsumeTimes."""
    b, r = message(env, "RetryE", "CG_E", retryMaxTimes=0)
    ext = {"offset": r.physical_offset, "group": "CG_E", "delayLevel": 1, "maxReconsumeTimes": 50,
           "originTopic": "RetryE"}
    api.check(b.request(SEND_BACK, ext, version=120))
    tap.equal(read_one(b, "%DLQ%CG_E").reconsume_times, 1)


def test_no_retries(env):
    """A group with retryQueueNums 0 keeps nothing, and is told that all is well."""
    b, r = message(env, "RetryF", "CG_F", retryQueueNums=0)
    tap.equal(back(b, "CG_F", r, 1).code, 0)
    tap.equal(b.request(351, {"topic": "%RETRY%CG_F"}).code, 17, "retry topic")


def test_no_message(env):
    """An offset without a message: 1."""
    b, r = message(env, "RetryG", "CG_G")
    for offset in (r.physical_offset + 10 ** 9, -5) + (() if procs.is_java() else (
            r.physical_offset + 1, r.physical_offset - 1)):
        f = back(b, "CG_G", offset, 1)
        tap.equal((f.code, f.remark), (1, "look message by offset failed, %d" % offset))


def test_unit_mode(env):
    """unitMode makes a retry topic that units subscribe to."""
    b, r = message(env, "RetryH", "CG_H")
    api.check(back(b, "CG_H", r, 1, unitMode=True))
    tap.equal(config_of(b, "%RETRY%CG_H")["topicSysFlag"], 2)


def test_permission(env):
    """A retry topic, or a broker, that may not be written: 16."""
    b, r = message(env, "RetryI", "CG_I")
    api.check(b.create_topic("%RETRY%CG_I", 1, perm=4))
    f = back(b, "CG_I", r, 1)
    tap.equal((f.code, f.remark), (16, "the topic[%RETRY%CG_I] sending message is forbidden"))
    configure(b, brokerPermission=4)
    f = back(b, "CG_I", r, 1)
    configure(b, brokerPermission=6)
    tap.equal((f.code, f.remark), (16, "the broker[127.0.0.1] sending message is forbidden"))


def test_unknown_group(env):
    """A group that is not there and may not be made: 26."""
    b, r = message(env, "RetryJ", "CG_J")
    configure(b, autoCreateSubscriptionGroup="false")
    f = back(b, "CG_NEVER", r, 1)
    configure(b, autoCreateSubscriptionGroup="true")
    tap.equal((f.code, f.remark),
              (26, "subscription group not exist, CG_NEVER \nSee "
                   "https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details."))
    f = back(b, "CG_NEW", r, 1)
    tap.equal(f.code, 0, "made when it may be (%s)" % f.remark)


def test_queues(env):
    """Retries are spread over the retry topic's queues."""
    b, r = message(env, "RetryK", "CG_K", retryQueueNums=3)
    for _ in range(40):
        api.check(back(b, "CG_K", r, 1))
    tap.equal(config_of(b, "%RETRY%CG_K")["readQueueNums"], 3, "queues")
    procs.wait_until(lambda: sum(b.max_offset("%RETRY%CG_K", q) for q in range(3)) == 40, 15, "40 retries")
    assert all(b.max_offset("%RETRY%CG_K", q) for q in range(3)), "a queue has none"


def test_batch_member(env):
    """A message of a batch is given back by itself."""
    b, _ = message(env, "RetryL", "CG_L")
    api.check(b.send_batch("RetryL", [b"one", b"two", b"three"], 0,
                           [{"KEYS": "k%d" % i} for i in range(3)]).frame)
    procs.wait_until(lambda: b.max_offset("RetryL", 0) == 4, 10, "batch")
    two = b.pull("RetryL", 0, 2).records[0]
    api.check(back(b, "CG_L", two, 1))
    again = read_one(b, "%RETRY%CG_L")
    tap.equal((again.body, again.properties["KEYS"], again.reconsume_times), (b"two", "k1", 1))


def test_orderly(env):
    """An orderly consumer sends what it gave up on to the retry topic: it holds locks, so it is dead."""
    b, r = message(env, "RetryM", "CG_M")
    body = ('{"clientId":"me","consumerGroup":"CG_M","mqSet":[{"brokerName":"broker-a","queueId":0,'
            '"topic":"RetryM"}],"onlyThisBroker":false}').encode()
    api.check(b.request(LOCK, None, body))
    props = dict(PROPS, RETRY_TOPIC="RetryM", DELAY="3", ORIGIN_MESSAGE_ID="first")
    sent = b.send("%RETRY%CG_M", r.body, 0, props, reconsume=3, l=2147483647)
    api.check(sent.frame)
    dead = read_one(b, "%DLQ%CG_M")
    tap.equal((dead.reconsume_times, dead.properties["DELAY"], dead.properties["RETRY_TOPIC"],
               dead.properties["ORIGIN_MESSAGE_ID"]), (3, "-1", "RetryM", "first"))
    api.check(b.request(UNLOCK, None, body))
    api.check(b.send("%RETRY%CG_M", r.body, 0, dict(props, DELAY="1"), reconsume=3, l=16).frame)
    tap.equal(read_one(b, "%RETRY%CG_M").reconsume_times, 3, "without locks it is retried")


POLICY = {"type": "EXPONENTIAL",
          "exponentialRetryPolicy": {"initial": 300, "max": 900, "multiplier": 2}}


def test_policy(env):
    """A group's retry policy decides when delayLevel is 0 (Java: only for POP; docs/compat.md)."""
    b, r = message(env, "RetryN", "CG_N", groupRetryPolicy=POLICY)
    stored = b.request(352, {"group": "CG_N"}).json()["groupRetryPolicy"]
    tap.equal((stored["type"], stored["exponentialRetryPolicy"]["max"]), ("EXPONENTIAL", 900))
    api.check(back(b, "CG_N", r, 0))
    if procs.is_java():
        time.sleep(2)
        tap.equal(b.max_offset("%RETRY%CG_N", 0), 0, "level 3 takes 10 seconds")
        return
    for times, delay in enumerate((300, 600, 900, 900)):
        was = r
        r = read_one(b, "%RETRY%CG_N", times)
        took = r.store_timestamp - int(r.properties.get("TIMER_ENQUEUE_MS", was.store_timestamp))
        assert delay - 5 <= took <= delay + 2000, "retry %d took %d ms" % (times, took)
        api.check(back(b, "CG_N", r, 0))
    b.create_group("CG_N", groupRetryPolicy={"type": "CUSTOMIZED", "customizedRetryPolicy": {
        "next": [60000, 60000, 0]}})
    api.check(back(b, "CG_N", r, 0))
    tap.equal(procs.wait_until(lambda: b.max_offset("%RETRY%CG_N", 0), 1, "at once") > 0, True)


if __name__ == "__main__":
    sys.exit(tap.run([test_retry, test_second_retry, test_default_level, test_limits,
                      test_old_client, test_no_retries, test_no_message, test_unit_mode,
                      test_permission, test_unknown_group, test_queues, test_batch_member,
                      test_orderly, test_policy],
                     setup, teardown))
