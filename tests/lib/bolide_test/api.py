"""Requests by name: what RocketMQ's clients and tools send, as one call each."""

import json
import time

from . import record
from .client import Client

(SEND, PULL, QUERY_MESSAGE, QUERY_OFFSET, UPDATE_OFFSET, CREATE_TOPIC, GET_ALL_TOPICS) = (
    10, 11, 12, 14, 15, 17, 21)
(BROKER_CONFIG, RUNTIME_INFO, SEARCH_OFFSET, MAX_OFFSET, MIN_OFFSET, EARLIEST_TIME, VIEW_BY_ID) = (
    26, 28, 29, 30, 31, 32, 33)
HEARTBEAT, UNREGISTER, CONSUMER_LIST, IDS_CHANGED = 34, 35, 38, 40
(PUT_KV, GET_KV, DELETE_KV, REGISTER_BROKER, UNREGISTER_BROKER, ROUTE, CLUSTER_INFO) = (
    100, 101, 102, 103, 104, 105, 106)
(CREATE_GROUP, GET_ALL_GROUPS, TOPIC_STATS, CONSUMER_CONNECTIONS, PRODUCER_CONNECTIONS) = (
    200, 201, 202, 203, 204)
WIPE_WRITE, TOPIC_LIST, DELETE_GROUP, CONSUME_STATS, DELETE_TOPIC = 205, 206, 207, 208, 215
CONSUMED_BY_WHO, RUNNING_INFO, SEND_V2, SEND_BATCH = 300, 307, 310, 320
ADD_WRITE, TOPIC_CONFIG, LITE_PULL = 327, 351, 361
(SUCCESS, SYSTEM_ERROR, SYSTEM_BUSY, NOT_SUPPORTED, MESSAGE_ILLEGAL, NO_PERMISSION, NO_TOPIC) = (
    0, 1, 2, 3, 13, 16, 17)
NOT_FOUND, RETRY_NOW, OFFSET_MOVED, QUERY_NOT_FOUND, NO_GROUP, INVALID = 19, 20, 21, 22, 26, 29
PULL_COMMIT, PULL_SUSPEND, PULL_SUBSCRIPTION, PULL_LITE = 1, 2, 4, 16


class Failed(Exception):
    """An answer with another code than expected."""

    def __init__(self, frame):
        super().__init__("code %d: %s" % (frame.code, frame.remark))
        self.frame = frame


def check(frame, *codes):
    if frame.code not in (codes or (SUCCESS,)):
        raise Failed(frame)
    return frame


class PullResult:
    """`code` is the answer's: 0 found, 19 nothing, 20 filtered, 21 offset moved."""

    def __init__(self, frame):
        self.frame, self.code = frame, frame.code
        self.next = int(frame.ext.get("nextBeginOffset", -1))
        self.min = int(frame.ext.get("minOffset", -1))
        self.max = int(frame.ext.get("maxOffset", -1))
        self.records = record.decode_records(frame.body) if frame.code == SUCCESS else []


class SendResult:
    def __init__(self, frame):
        self.frame, self.code = frame, frame.code
        self.msg_id = frame.ext.get("msgId")
        self.queue_id = int(frame.ext.get("queueId", -1))
        self.queue_offset = int(frame.ext.get("queueOffset", -1))
        self.transaction_id = frame.ext.get("transactionId")


class Broker(Client):
    """A connection to a broker with the requests of the official clients."""

    # -- sending
    def send_v2_ext(self, topic, queue=0, properties=None, group="PG_TEST", sys_flag=0, flag=0,
                    default_topic="TBW102", queues=4, batch=False, reconsume=0, **more):
        text = properties if isinstance(properties, str) else record.format_properties(
            properties or {})
        ext = {"a": group, "b": topic, "c": default_topic, "d": queues, "e": queue, "f": sys_flag,
               "g": int(time.time() * 1000), "h": flag, "i": text, "j": reconsume, "k": False,
               "m": batch}
        ext.update(more)
        return ext

    def send_start(self, topic, body, queue=0, properties=None, **more):
        return self.start(SEND_V2, self.send_v2_ext(topic, queue, properties, **more), body)

    def send(self, topic, body, queue=0, properties=None, **more):
        """Send one message; the answer whatever its code."""
        return SendResult(self.send_start(topic, body, queue, properties, **more).wait(
            self.timeout))

    def send_v1(self, topic, body, queue=0, properties=None, group="PG_TEST", sys_flag=0, flag=0):
        ext = {"producerGroup": group, "topic": topic, "defaultTopic": "TBW102",
               "defaultTopicQueueNums": 4, "queueId": queue, "sysFlag": sys_flag,
               "bornTimestamp": int(time.time() * 1000), "flag": flag,
               "properties": record.format_properties(properties or {}), "reconsumeTimes": 0,
               "unitMode": False, "batch": False}
        return SendResult(self.request(SEND, ext, body))

    def send_oneway(self, topic, body, queue=0, properties=None, **more):
        self.oneway(SEND_V2, self.send_v2_ext(topic, queue, properties, **more), body)

    def send_batch(self, topic, bodies, queue=0, properties=None, **more):
        """Bodies in one batch; `properties` is a list beside them, or None."""
        items = [record.batch_item(b, record.format_properties((properties or [{}] * len(bodies))[i]))
                 for i, b in enumerate(bodies)]
        ext = self.send_v2_ext(topic, queue, None, batch=True, **more)
        return SendResult(self.request(SEND_BATCH, ext, b"".join(items)))

    # -- pulling
    def pull_ext(self, topic, queue, offset, group="CG_TEST", count=32, sys_flag=PULL_SUBSCRIPTION,
                 hold_ms=0, subscription="*", commit=0, version=0, **more):
        ext = {"consumerGroup": group, "topic": topic, "queueId": queue, "queueOffset": offset,
               "maxMsgNums": count, "sysFlag": sys_flag, "commitOffset": commit,
               "suspendTimeoutMillis": hold_ms, "subVersion": version, "expressionType": "TAG"}
        if subscription is not None:
            ext["subscription"] = subscription
        ext.update(more)
        return ext

    def pull_start(self, topic, queue, offset, code=PULL, **more):
        if more.get("hold_ms"):
            more["sys_flag"] = more.get("sys_flag", PULL_SUBSCRIPTION) | PULL_SUSPEND
        return self.start(code, self.pull_ext(topic, queue, offset, **more))

    def pull(self, topic, queue, offset, timeout=None, code=PULL, **more):
        return PullResult(self.pull_start(topic, queue, offset, code=code, **more).wait(
            timeout or self.timeout + more.get("hold_ms", 0) / 1000))

    def read_queue(self, topic, queue, offset=None, **more):
        """Every record of a queue from `offset` (default: its minimum) to its end."""
        out = []
        at = self.min_offset(topic, queue) if offset is None else offset
        while True:
            r = self.pull(topic, queue, at, **more)
            if r.code == NOT_FOUND:
                return out
            check(r.frame, SUCCESS, RETRY_NOW, OFFSET_MOVED)
            out += r.records
            at = r.next

    # -- offsets
    def query_offset(self, group, topic, queue, zero_if_not_found=None):
        return self.request(QUERY_OFFSET, {"consumerGroup": group, "topic": topic, "queueId": queue,
                                           "setZeroIfNotFound": zero_if_not_found})

    def update_offset(self, group, topic, queue, offset):
        return self.request(UPDATE_OFFSET, {"consumerGroup": group, "topic": topic,
                                            "queueId": queue, "commitOffset": offset})

    def max_offset(self, topic, queue, committed=True):
        return int(check(self.request(MAX_OFFSET, {"topic": topic, "queueId": queue,
                                                   "committed": committed})).ext["offset"])

    def min_offset(self, topic, queue):
        return int(check(self.request(MIN_OFFSET, {"topic": topic, "queueId": queue})).ext["offset"])

    def search_offset(self, topic, queue, time_ms, boundary=None):
        return int(check(self.request(SEARCH_OFFSET, {
            "topic": topic, "queueId": queue, "timestamp": time_ms,
            "boundaryType": boundary})).ext["offset"])

    # -- topics and groups
    def create_topic(self, topic, queues=4, perm=6, order=False, **more):
        ext = {"topic": topic, "defaultTopic": "TBW102", "readQueueNums": queues,
               "writeQueueNums": queues, "perm": perm, "topicFilterType": "SINGLE_TAG",
               "topicSysFlag": 0, "order": order}
        ext.update(more)
        return self.request(CREATE_TOPIC, ext)

    def delete_topic(self, topic):
        return self.request(DELETE_TOPIC, {"topic": topic})

    def create_group(self, group, **more):
        config = {"groupName": group, "consumeEnable": True, "consumeFromMinEnable": True,
                  "consumeBroadcastEnable": True, "retryQueueNums": 1, "retryMaxTimes": 16,
                  "brokerId": 0, "whichBrokerWhenConsumeSlowly": 1,
                  "notifyConsumerIdsChangedEnable": True}
        config.update(more)
        return self.request(CREATE_GROUP, None, json.dumps(config).encode())

    def delete_group(self, group, clean_offset=False):
        return self.request(DELETE_GROUP, {"groupName": group, "cleanOffset": clean_offset})

    # -- membership
    def heartbeat(self, client_id, consumers=None, producers=None, fingerprint=0, **more):
        body = heartbeat_body(client_id, consumers, producers, fingerprint)
        return self.request(HEARTBEAT, None, json.dumps(body).encode(), **more)

    def unregister(self, client_id, producer=None, consumer=None):
        return self.request(UNREGISTER, {"clientID": client_id, "producerGroup": producer,
                                         "consumerGroup": consumer})

    def consumer_list(self, group):
        """Client ids of the group; [] when the broker says it has none."""
        f = self.request(CONSUMER_LIST, {"consumerGroup": group})
        return f.json()["consumerIdList"] if f.code == SUCCESS else []


class NameServer(Client):
    def route(self, topic, **more):
        return self.request(ROUTE, {"topic": topic, "acceptStandardJsonOnly": True}, **more)

    def cluster_info(self):
        return self.request(CLUSTER_INFO)

    def topics(self):
        return check(self.request(TOPIC_LIST)).json()["topicList"]

    def put_kv(self, namespace, key, value):
        return self.request(PUT_KV, {"namespace": namespace, "key": key, "value": value})

    def get_kv(self, namespace, key):
        return self.request(GET_KV, {"namespace": namespace, "key": key})


def subscription(topic, expression="*", version=None):
    tags = [] if expression == "*" else [t.strip() for t in expression.split("||")]
    return {"classFilterMode": False, "codeSet": [record.java_hash(t) for t in tags],
            "expressionType": "TAG", "subString": expression,
            "subVersion": version or int(time.time() * 1000), "tagsSet": tags, "topic": topic}


def heartbeat_body(client_id, consumers=None, producers=None, fingerprint=0):
    """`consumers` maps a group to its subscriptions (subscription()) or topic names."""
    groups = []
    for group, subs in (consumers or {}).items():
        groups.append({
            "consumeFromWhere": "CONSUME_FROM_LAST_OFFSET", "consumeType": "CONSUME_PASSIVELY",
            "groupName": group, "messageModel": "CLUSTERING", "unitMode": False,
            "subscriptionDataSet": [s if isinstance(s, dict) else subscription(s) for s in subs]})
    return {"clientID": client_id, "consumerDataSet": groups,
            "heartbeatFingerprint": fingerprint, "withoutSub": False,
            "producerDataSet": [{"groupName": g} for g in producers or []]}
