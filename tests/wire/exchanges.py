"""The exchanges that golden/ holds: played against Java to record them, against any server to compare.

Each step has a name (golden/NAME.txt). They build on one another, so all run in this order, on a
fresh server. `Player.do` is given by the recorder or by the comparison.
"""

import json
import zlib

from bolide_test import api, record, wire

TIME = 1700000000000  # a fixed born time, so that requests repeat
UNIQ = "7F000001000100000000000000%06X"
# what a client answers to 307; relayed by the broker untouched
RUNNING_INFO = (b'{"jstack":"","mqPopTable":{},"mqTable":{{"brokerName":"broker-a","queueId":0,'
                b'"topic":"GoldTopic"}:{"cachedMsgCount":0,"commitOffset":1,"droped":false}},'
                b'"properties":{"PROP_CONSUMER_START_TIMESTAMP":"1700000000000",'
                b'"PROP_CONSUME_TYPE":"CONSUME_PASSIVELY"},"statusTable":{},'
                b'"subscriptionSet":[]}')


def _v2(topic, queue=0, props=None, **more):
    ext = {"a": "PG_GOLD", "b": topic, "c": "TBW102", "d": 4, "e": queue, "f": 0, "g": TIME, "h": 0,
           "i": record.format_properties(props or {}), "j": 0, "k": False, "m": False}
    ext.update(more)
    return ext


def _v1(topic, queue=0, props=None, **more):
    ext = {"producerGroup": "PG_GOLD", "topic": topic, "defaultTopic": "TBW102",
           "defaultTopicQueueNums": 4, "queueId": queue, "sysFlag": 0, "bornTimestamp": TIME,
           "flag": 0, "properties": record.format_properties(props or {}), "reconsumeTimes": 0,
           "unitMode": False, "batch": False}
    ext.update(more)
    return ext


def _pull(topic, queue=0, offset=0, group="CG_GOLD", **more):
    ext = {"consumerGroup": group, "topic": topic, "queueId": queue, "queueOffset": offset,
           "maxMsgNums": 32, "sysFlag": api.PULL_SUBSCRIPTION, "commitOffset": 0,
           "suspendTimeoutMillis": 0, "subscription": "*", "subVersion": 0,
           "expressionType": "TAG"}
    ext.update(more)
    return {k: v for k, v in ext.items() if v is not None}


def _topic(topic, queues=4, **more):
    ext = {"topic": topic, "defaultTopic": "TBW102", "readQueueNums": queues,
           "writeQueueNums": queues, "perm": 6, "topicFilterType": "SINGLE_TAG", "topicSysFlag": 0,
           "order": False}
    ext.update(more)
    return ext


def play_namesrv(p):
    """Name server codes, with a broker that this script plays itself."""
    p.target = "namesrv"
    _kv(p)
    _registration(p)
    _routes(p)
    _lists(p)
    _order_and_zone(p)
    _acting_master(p)
    _bad_namesrv(p)


def _kv(p):
    kv = {"namespace": "GOLD", "key": "k", "value": "v 1"}
    p.do("100-put", 100, kv)
    p.do("101-get", 101, {"namespace": "GOLD", "key": "k"})
    p.do("101-absent", 101, {"namespace": "GOLD", "key": "absent"})
    p.do("219-list", 219, {"namespace": "GOLD"})
    p.do("219-absent", 219, {"namespace": "ABSENT"})
    p.do("102-delete", 102, {"namespace": "GOLD", "key": "k"})
    p.do("101-deleted", 101, {"namespace": "GOLD", "key": "k"})
    p.do("100-missing-key", 100, {"namespace": "GOLD", "value": "v"})


VERSION_1 = {"counter": 1, "stateVersion": 0, "timestamp": TIME}
VERSION_2 = {"counter": 2, "stateVersion": 0, "timestamp": TIME + 1}


def topic_config(name, queues=4, perm=6, order=False):
    return {"attributes": {}, "order": order, "perm": perm, "readQueueNums": queues,
            "topicFilterType": "SINGLE_TAG", "topicName": name, "topicSysFlag": 0,
            "writeQueueNums": queues}


def registration_json(topics, version):
    return json.dumps({"filterServerList": [], "topicConfigSerializeWrapper": {
        "dataVersion": version, "mappingDataVersion": version,
        "topicConfigTable": {t["topicName"]: t for t in topics},
        "topicQueueMappingDetailMap": {}, "topicQueueMappingInfoMap": {}}},
        separators=(",", ":")).encode()


def registration_compressed(topics, version):
    """RegisterBrokerBody#encode with compression: length-prefixed parts, deflated."""
    def part(text):
        data = text.encode()
        return len(data).to_bytes(4, "big") + data

    out = part(json.dumps(version, separators=(",", ":"))) + len(topics).to_bytes(4, "big")
    for t in topics:
        out += part("%s %d %d %d %s {}" % (t["topicName"], t["readQueueNums"],
                                           t["writeQueueNums"], t["perm"], t["topicFilterType"]))
    out += part("[]") + (0).to_bytes(4, "big")
    return zlib.compress(out)


def register_ext(name, address, body, broker_id=0, compressed=False, cluster="GoldCluster"):
    return {"brokerName": name, "brokerAddr": address, "clusterName": cluster,
            "haServerAddr": "127.0.0.1:1", "brokerId": broker_id, "compressed": compressed,
            "bodyCrc32": zlib.crc32(body) & 0x7FFFFFFF, "heartbeatTimeoutMillis": 60000}


def _registration(p):
    topics = [topic_config("GoldRouteA"), topic_config("GoldRouteB", 8, 4),
              topic_config("GoldRouteC", 1, 6)]
    body = registration_json(topics, VERSION_1)
    who = {"brokerName": "gold-a", "brokerAddr": "127.0.0.1:31", "clusterName": "GoldCluster",
           "brokerId": 0}
    p.do("322-unknown-broker", 322, who, json.dumps(VERSION_1).encode())
    p.do("103-plain", 103, register_ext("gold-a", "127.0.0.1:31", body), body)
    p.do("322-unchanged", 322, who, json.dumps(VERSION_1).encode())
    p.do("322-changed", 322, who, json.dumps(VERSION_2).encode())
    body2 = registration_compressed(topics, VERSION_2)
    p.do("103-compressed", 103, register_ext("gold-b", "127.0.0.1:32", body2, compressed=True),
         body2)
    p.do("103-slave", 103, register_ext("gold-a", "127.0.0.1:33", body, 1), body)
    p.do("103-bad-crc", 103, dict(register_ext("gold-x", "127.0.0.1:39", body), bodyCrc32=1), body)
    one = registration_json(topics[:1], VERSION_1)
    p.do("103-single-topic", 103, register_ext("gold-y", "127.0.0.1:38", one), one)
    p.do("103-no-body", 103, register_ext("gold-z", "127.0.0.1:37", b""))
    p.do("901-members", 901, {"clusterName": "GoldCluster", "brokerName": "gold-a"})
    p.do("901-absent", 901, {"clusterName": "GoldCluster", "brokerName": "absent"})
    p.do("904-heartbeat", 904, {"clusterName": "GoldCluster", "brokerAddr": "127.0.0.1:31",
                                "brokerName": "gold-a", "brokerId": 0,
                                "heartbeatTimeoutMills": 60000})


def _routes(p):
    p.do("105-standard", 105, {"topic": "GoldRouteA", "acceptStandardJsonOnly": True})
    p.do("105-new-version", 105, {"topic": "GoldRouteB"})
    p.do("105-old-version", 105, {"topic": "GoldRouteC"}, version=317)
    p.do("105-binary-header", 105, {"topic": "GoldRouteC"}, serialize=wire.BINARY)
    p.do("105-unknown", 105, {"topic": "GoldNowhere"})
    p.do("105-no-topic", 105, {})
    p.do("106-cluster", 106)
    p.do("205-wipe", 205, {"brokerName": "gold-a"})
    p.do("105-wiped", 105, {"topic": "GoldRouteA"})
    p.do("327-restore", 327, {"brokerName": "gold-a"})
    p.do("105-restored", 105, {"topic": "GoldRouteA"})
    p.do("205-unknown-broker", 205, {"brokerName": "absent"})
    p.do("216-delete-topic", 216, {"topic": "GoldRouteC"})
    p.do("105-deleted", 105, {"topic": "GoldRouteC"})
    p.do("216-cluster", 216, {"topic": "GoldRouteB", "clusterName": "GoldCluster"})
    route = {"queueDatas": [{"brokerName": "gold-a", "perm": 6, "readQueueNums": 2,
                             "writeQueueNums": 2, "topicSysFlag": 0}],
             "brokerDatas": [{"cluster": "GoldCluster", "brokerName": "gold-a",
                              "brokerAddrs": {"0": "127.0.0.1:31"}}]}
    p.do("217-register-topic", 217, {"topic": "GoldSingle"}, json.dumps(route).encode())
    p.do("105-single", 105, {"topic": "GoldSingle"})


def _lists(p):
    p.do("206-topics", 206)
    p.do("224-by-cluster", 224, {"cluster": "GoldCluster"})
    p.do("224-absent", 224, {"cluster": "absent"})
    p.do("304-system-topics", 304)
    p.do("311-unit", 311)
    p.do("312-unit-sub", 312)
    p.do("313-unit-sub-ununit", 313)
    p.do("319-config", 319)
    p.do("318-black-listed", 318, None, b"kvConfigPath=/tmp/other")
    p.do("104-unregister", 104, {"brokerName": "gold-b", "brokerAddr": "127.0.0.1:32",
                                 "clusterName": "GoldCluster", "brokerId": 0})


def _order_and_zone(p):
    """Ordered topics come back at registration; a zone appears in the route."""
    order = {"namespace": "ORDER_TOPIC_CONFIG", "key": "GoldRouteA"}
    p.do("100-order", 100, dict(order, value="gold-a:4"))
    body = registration_json([topic_config("GoldZoneA"), topic_config("GoldZoneB")], VERSION_1)
    ext = dict(register_ext("gold-zone", "127.0.0.1:41", body), __ZONE_NAME="zone1",
               __ZONE_MODE="true")
    p.do("103-order-and-zone", 103, ext, body)
    p.do("105-zone", 105, {"topic": "GoldZoneA"})
    p.do("105-same-zone", 105, {"topic": "GoldZoneA", "__ZONE_NAME": "zone1", "__ZONE_MODE": "true"})
    p.do("105-other-zone", 105, {"topic": "GoldZoneA", "__ZONE_NAME": "zone2",
                                 "__ZONE_MODE": "true"})
    p.do("318-order", 318, None, b"orderMessageEnable=true\n")
    p.do("105-order", 105, {"topic": "GoldRouteA"})
    p.do("318-no-order", 318, None, b"orderMessageEnable=false\n")
    p.do("102-order", 102, order)
    p.do("318-unknown-key", 318, None, b"noSuchKey=1\n")


def _acting_master(p):
    """A slave that acts as master: shown as id 0, without the right to write."""
    p.do("318-acting", 318, None, b"supportActingMaster=true\n")
    body = registration_json([topic_config("GoldActA"), topic_config("GoldActB", 2, 7)], VERSION_1)
    ext = dict(register_ext("gold-act", "127.0.0.1:42", body, 1), enableActingMaster=True)
    p.do("103-acting", 103, ext, body)
    p.do("105-acting", 105, {"topic": "GoldActA"})
    p.do("105-acting-inherit", 105, {"topic": "GoldActB"})
    p.do("106-acting", 106)
    p.do("318-no-acting", 318, None, b"supportActingMaster=false\n")
    p.do("105-not-acting", 105, {"topic": "GoldActA"})


def _bad_namesrv(p):
    p.do("unknown-code", 99999)
    p.do("unsupported-310", 310, _v2("GoldTopic"), b"x")


def play_broker(p):
    p.target = "broker"
    _topics(p)
    _sends(p)
    _bad_sends(p)
    _members(p)
    _pulls(p)
    _offsets(p)
    _groups(p)
    _stats(p)
    _leave(p)


def _topics(p):
    p.do("17-create", 17, _topic("GoldTopic"))
    p.do("17-again", 17, _topic("GoldTopic"))
    p.do("17-update", 17, _topic("GoldTopic", 8))
    p.do("17-order", 17, _topic("GoldOrder", 2, order=True))
    p.do("17-second", 17, _topic("GoldGone", 2))
    p.do("17-bad-name", 17, _topic("bad name"))
    p.do("17-path", 17, _topic("../../gold"))
    p.do("17-empty", 17, _topic(""))
    p.do("17-long", 17, _topic("x" * 128))
    p.do("17-system", 17, _topic("TBW102"))
    p.do("17-bad-attribute", 17, _topic("GoldAttr", attributes="+foo=bar"))
    p.do("17-bad-filter-type", 17, _topic("GoldFilter", topicFilterType="JUNK"))
    p.do("351-config", 351, {"topic": "GoldTopic"})
    p.do("351-unknown", 351, {"topic": "GoldNowhere"})
    p.do("215-delete", 215, {"topic": "GoldGone"})
    p.do("351-deleted", 351, {"topic": "GoldGone"})
    p.do("215-unknown", 215, {"topic": "GoldNowhere"})
    p.do("215-system", 215, {"topic": "TBW102"})
    p.do("21-topics", 21)
    p.do("21-page", 21, {"topicSeq": 0, "maxTopicNum": 2})


def batch_body(n=3):
    return b"".join(record.batch_item(b"batch %d" % i, record.format_properties(
        {"UNIQ_KEY": UNIQ % (0x100 + i), "TAGS": "TagA"})) for i in range(n))


def _sends(p):
    p.do("310-plain", 310, _v2("GoldTopic", props={"UNIQ_KEY": UNIQ % 1}), b"plain body")
    p.do("310-tags-keys", 310, _v2("GoldTopic", props={
        "TAGS": "TagA", "KEYS": "k1 k2", "WAIT": "true", "UNIQ_KEY": UNIQ % 2, "user": "väl",
        "empty": ""}), b"tags and keys")
    p.do("310-no-unique-key", 310, _v2("GoldTopic"), b"no unique key")
    p.do("310-compressed", 310, _v2("GoldTopic", props={"UNIQ_KEY": UNIQ % 3}, f=1),
         zlib.compress(b"compressed " * 1000))
    p.do("310-flag", 310, _v2("GoldTopic", props={"UNIQ_KEY": UNIQ % 4}, h=0x12345678), b"flag")
    p.do("310-auto-topic", 310, _v2("GoldAuto", 1, {"UNIQ_KEY": UNIQ % 5}), b"auto")
    p.do("310-any-queue", 310, _v2("GoldOrder", -1, {"UNIQ_KEY": UNIQ % 6}), b"any queue",
         values=False)
    p.do("310-binary-header", 310, _v2("GoldTopic", props={"UNIQ_KEY": UNIQ % 7}), b"binary",
         serialize=wire.BINARY)
    p.do("310-retry-topic", 310, _v2("%RETRY%CG_GOLD_R", props={"UNIQ_KEY": UNIQ % 8}), b"retry")
    p.do("10-plain", 10, _v1("GoldTopic", props={"UNIQ_KEY": UNIQ % 9}), b"long names")
    p.do("320-batch", 320, _v2("GoldTopic", 1, m=True), batch_body())
    p.do("310-batch-flag", 310, _v2("GoldTopic", 1, m=True), batch_body(2))
    p.do("310-half", 310, _v2("GoldTopic", 2, {
        "TRAN_MSG": "true", "PGROUP": "PG_GOLD", "UNIQ_KEY": UNIQ % 10}, f=4), b"half message")
    p.do("310-delay", 310, _v2("GoldTopic", 2, {"DELAY": "1", "UNIQ_KEY": UNIQ % 11}), b"delayed")


def _bad_sends(p):
    p.do("310-no-body", 310, _v2("GoldTopic"))
    p.do("310-bad-queue", 310, _v2("GoldTopic", 99), b"x")
    p.do("310-bad-topic", 310, _v2("bad topic!"), b"x")
    p.do("310-long-topic", 310, _v2("x" * 128), b"x")
    p.do("310-empty-topic", 310, _v2(""), b"x")
    p.do("310-forbidden-topic", 310, _v2("SCHEDULE_TOPIC_XXXX"), b"x")
    p.do("310-no-auto-topic", 310, _v2("GoldNever", c="NONE"), b"x")
    p.do("310-long-properties", 310, _v2("GoldTopic", props={"big": "p" * 32768}), b"x")
    p.do("310-missing-fields", 310, {"b": "GoldTopic"}, b"x")
    p.do("310-no-fields", 310, None, b"x")
    p.do("310-queue-not-a-number", 310, _v2("GoldTopic", "abc"), b"x")
    p.do("10-missing-fields", 10, {"topic": "GoldTopic"}, b"x")
    p.do("320-bad-batch", 320, _v2("GoldTopic", 3, m=True), b"\x00\x00\x00\x05junk!")
    p.do("320-retry-topic", 320, _v2("%RETRY%CG_GOLD_R", 0, m=True), batch_body())
    p.do("unknown-code", 99999)
    p.do("retired-code", 13)


def heartbeat(client_id, groups, version=1):
    return {"clientID": client_id, "consumerDataSet": [
        {"consumeFromWhere": "CONSUME_FROM_LAST_OFFSET", "consumeType": "CONSUME_PASSIVELY",
         "groupName": g, "messageModel": "CLUSTERING", "unitMode": False,
         "subscriptionDataSet": [api.subscription(t, e, version) for t, e in subs]}
        for g, subs in groups.items()], "heartbeatFingerprint": 0, "withoutSub": False,
        "producerDataSet": [{"groupName": "PG_GOLD"}]}


def _members(p):
    beat = heartbeat("127.0.0.1@gold", {"CG_GOLD": [("GoldTopic", "*"), ("GoldTags", "TagA || TagB")]})
    p.do("34-first", 34, None, json.dumps(beat).encode())
    p.do("34-again", 34, None, json.dumps(beat).encode())
    p.do("34-v2", 34, None, json.dumps(dict(beat, heartbeatFingerprint=1234567)).encode())
    p.do("34-v2-same", 34, None, json.dumps(dict(beat, heartbeatFingerprint=1234567)).encode())
    p.do("34-v2-without-sub", 34, None, json.dumps(
        dict(beat, heartbeatFingerprint=1234567, withoutSub=True)).encode())
    p.do("34-v2-other", 34, None, json.dumps(
        dict(beat, heartbeatFingerprint=7654321, withoutSub=True)).encode())
    cpp = json.dumps(beat).replace('"CONSUME_PASSIVELY"', "1").replace('"CLUSTERING"', "1").replace(
        '"CONSUME_FROM_LAST_OFFSET"', "0").replace('"subVersion": 1', '"subVersion": "2"')
    p.do("34-cpp-dialect", 34, None, cpp.encode())
    p.do("34-no-body", 34)
    p.do("34-junk", 34, None, b"{{{")
    p.do("38-members", 38, {"consumerGroup": "CG_GOLD"})
    p.do("38-unknown", 38, {"consumerGroup": "CG_ABSENT"})
    p.do("38-no-group", 38)
    p.do("203-consumers", 203, {"consumerGroup": "CG_GOLD"})
    p.do("203-unknown", 203, {"consumerGroup": "CG_ABSENT"})
    p.do("204-producers", 204, {"producerGroup": "PG_GOLD", "topic": "GoldTopic"})
    p.do("204-unknown", 204, {"producerGroup": "PG_ABSENT", "topic": "GoldTopic"})
    p.answer_next(wire.Frame(0, None, RUNNING_INFO))
    p.do("307-relayed", 307, {"consumerGroup": "CG_GOLD", "clientId": "127.0.0.1@gold",
                              "jstackEnable": False})
    p.do("307-unknown", 307, {"consumerGroup": "CG_ABSENT", "clientId": "x"})


def _pulls(p):
    p.wait_dispatched("GoldTopic", 0, 6)
    p.do("11-found", 11, _pull("GoldTopic"))
    p.do("361-found", 361, _pull("GoldTopic", sysFlag=api.PULL_SUBSCRIPTION | api.PULL_LITE))
    p.do("11-one", 11, _pull("GoldTopic", offset=1, maxMsgNums=1))
    p.do("11-zero-max", 11, _pull("GoldTopic", maxMsgNums=0))
    p.do("11-bytes-limit", 11, _pull("GoldTopic", maxMsgBytes=262144))
    p.do("11-tag", 11, _pull("GoldTopic", subscription="TagA"))
    p.do("11-no-tag-matches", 11, _pull("GoldTopic", subscription="TagZ"))
    p.do("11-by-heartbeat", 11, _pull("GoldTopic", sysFlag=0, subscription=None, subVersion=1))
    p.do("11-not-latest", 11, _pull("GoldTopic", sysFlag=0, subscription=None, subVersion=1 << 60))
    p.do("11-batch-queue", 11, _pull("GoldTopic", 1))
    p.do("11-at-end", 11, _pull("GoldTopic", offset=7))
    p.do("11-beyond-end", 11, _pull("GoldTopic", offset=100))
    p.do("11-negative", 11, _pull("GoldTopic", offset=-1))
    p.do("11-empty-queue", 11, _pull("GoldTopic", 3))
    p.do("11-empty-queue-7", 11, _pull("GoldTopic", 3, 7))
    p.do("11-bad-queue", 11, _pull("GoldTopic", 99))
    p.do("11-unknown-topic", 11, _pull("GoldNowhere"))
    p.do("11-unknown-group", 11, _pull("GoldTopic", group="CG_UNSEEN", sysFlag=0))
    p.do("11-unsubscribed-topic", 11, _pull("GoldAuto", sysFlag=0, subscription=None))
    p.do("11-sql", 11, _pull("GoldTopic", expressionType="SQL92", subscription="a > 1"))
    p.do("11-missing-fields", 11, {"topic": "GoldTopic"})
    p.do("11-commit", 11, _pull("GoldTopic", offset=2, commitOffset=2,
                                sysFlag=api.PULL_SUBSCRIPTION | api.PULL_COMMIT))
    p.do("33-view", 33, {"topic": "GoldTopic", "offset": p.offset_of("310-plain")})
    p.do("33-no-record", 33, {"topic": "GoldTopic", "offset": p.offset_of("310-plain") + 1})
    p.do("33-beyond", 33, {"offset": 99999999})
    p.do("12-key", 12, {"topic": "GoldTopic", "key": "k1", "maxNum": 32, "beginTimestamp": 0,
                        "endTimestamp": 9999999999999})
    p.do("12-unique-key", 12, {"topic": "GoldTopic", "key": UNIQ % 1, "maxNum": 32,
                               "beginTimestamp": 0, "endTimestamp": 9999999999999,
                               "_UNIQUE_KEY_QUERY": "true"})
    p.do("12-absent", 12, {"topic": "GoldTopic", "key": "zz", "maxNum": 32, "beginTimestamp": 0,
                           "endTimestamp": 9999999999999})


def _offsets(p):
    q = {"consumerGroup": "CG_GOLD", "topic": "GoldTopic", "queueId": 0}
    p.do("14-committed-by-pull", 14, q)
    p.do("15-commit", 15, dict(q, commitOffset=3))
    p.do("14-committed", 14, q)
    p.do("15-back", 15, dict(q, commitOffset=1))
    p.do("14-back", 14, q)
    p.do("14-young-queue", 14, dict(q, queueId=1))
    p.do("14-young-no-zero", 14, dict(q, queueId=1, setZeroIfNotFound=False))
    p.do("14-bad-queue", 14, dict(q, queueId=99))
    p.do("14-unknown-topic", 14, dict(q, topic="GoldNowhere"))
    p.do("15-unknown-topic", 15, dict(q, topic="GoldNowhere", commitOffset=1))
    p.do("15-unknown-group", 15, dict(q, consumerGroup="CG_NEVER", commitOffset=1))
    where = {"topic": "GoldTopic", "queueId": 0}
    p.do("29-begin", 29, dict(where, timestamp=0))
    p.do("29-future", 29, dict(where, timestamp=9999999999999))
    p.do("29-future-upper", 29, dict(where, timestamp=9999999999999, boundaryType="UPPER"))
    p.do("29-unknown-topic", 29, {"topic": "GoldNowhere", "queueId": 0, "timestamp": 0})
    p.do("30-committed", 30, dict(where, committed=True))
    p.do("30-assigned", 30, dict(where, committed=False))
    p.do("30-unknown-topic", 30, {"topic": "GoldNowhere", "queueId": 0})
    p.do("31-min", 31, where)
    p.do("31-unknown-topic", 31, {"topic": "GoldNowhere", "queueId": 0})
    p.do("32-earliest", 32, where)
    p.do("32-empty", 32, {"topic": "GoldTopic", "queueId": 3})
    p.do("30-missing-fields", 30)


def _groups(p):
    config = {"groupName": "CG_GOLD2", "consumeEnable": True, "retryMaxTimes": 3,
              "retryQueueNums": 2}
    p.do("200-create", 200, None, json.dumps(config).encode())
    p.do("200-update", 200, None, json.dumps(dict(config, retryMaxTimes=5)).encode())
    p.do("200-bad-name", 200, None, json.dumps({"groupName": "bad group!"}).encode())
    p.do("200-path", 200, None, json.dumps({"groupName": "../../gold"}).encode())
    p.do("200-empty-name", 200, None, json.dumps({"groupName": ""}).encode())
    p.do("200-junk", 200, None, b'{"x"')
    p.do("201-groups", 201)
    p.do("201-page", 201, {"groupSeq": 0, "maxGroupNum": 2})
    p.do("352-config", 352, {"group": "CG_GOLD2"})
    p.do("207-delete", 207, {"groupName": "CG_GOLD2", "cleanOffset": True})
    p.do("207-unknown", 207, {"groupName": "CG_ABSENT2"})


def _stats(p):
    p.do("26-config", 26)
    p.do("28-runtime", 28)
    p.do("202-stats", 202, {"topic": "GoldTopic"})
    p.do("202-unknown", 202, {"topic": "GoldNowhere"})
    p.do("208-group", 208, {"consumerGroup": "CG_GOLD"})
    p.do("208-topic", 208, {"consumerGroup": "CG_GOLD", "topic": "GoldTopic"})
    p.do("208-unknown", 208, {"consumerGroup": "CG_ABSENT"})
    p.do("300-groups", 300, {"topic": "GoldTopic"})
    p.do("300-unknown", 300, {"topic": "GoldNowhere"})
    p.do("305-system-topics", 305)
    p.do("43-offsets", 43)


def _leave(p):
    p.do("35-leave", 35, {"clientID": "127.0.0.1@gold", "producerGroup": "PG_GOLD",
                          "consumerGroup": "CG_GOLD"})
    p.do("38-after-leave", 38, {"consumerGroup": "CG_GOLD"})
    p.do("35-unknown", 35, {"clientID": "absent", "consumerGroup": "CG_ABSENT"})


# mqadmin commands and their arguments, recorded in this order; BROKER and MSGID are filled in
MQADMIN = [
    ("clusterList", []), ("brokerStatus", ["-b", "BROKER"]), ("topicList", ["-c"]),
    ("topicRoute", ["-t", "AdminTopic"]), ("topicStatus", ["-t", "AdminTopic"]),
    ("topicClusterList", ["-t", "AdminTopic"]),
    ("updateTopic", ["-b", "BROKER", "-t", "AdminNew", "-r", "4", "-w", "4"]),
    ("updateTopicPerm", ["-b", "BROKER", "-t", "AdminNew", "-p", "4"]),
    ("updateSubGroup", ["-b", "BROKER", "-g", "CG_ADMIN_NEW", "-r", "5"]),
    ("consumerProgress", ["-g", "CG_ADMIN"]), ("consumerConnection", ["-g", "CG_ADMIN"]),
    ("producerConnection", ["-g", "PG_ADMIN", "-t", "AdminTopic"]),
    ("consumerStatus", ["-g", "CG_ADMIN"]), ("queryMsgById", ["-t", "AdminTopic", "-i", "MSGID"]),
    ("queryMsgByKey", ["-t", "AdminTopic", "-k", "adminkey"]),
    ("queryMsgByOffset", ["-b", "broker-a", "-t", "AdminTopic", "-i", "0", "-o", "0"]),
    ("getBrokerConfig", ["-b", "BROKER"]), ("getConsumerConfig", ["-g", "CG_ADMIN"]),
    ("updateKvConfig", ["-s", "ADMIN", "-k", "k", "-v", "v"]),
    ("deleteKvConfig", ["-s", "ADMIN", "-k", "k"]),
    ("deleteSubGroup", ["-b", "BROKER", "-g", "CG_ADMIN_NEW"]),
    ("deleteTopic", ["-c", "DefaultCluster", "-t", "AdminNew"]),
    ("wipeWritePerm", ["-b", "broker-a"]), ("addWritePerm", ["-b", "broker-a"]),
]


def prepare_mqadmin(server):
    """A topic with messages, and a consumer that answers; returns its connection."""
    b = api.Broker(server.broker, on_request=lambda _: wire.Frame(0, None, RUNNING_INFO))
    api.check(b.create_topic("AdminTopic", 4))
    for i in range(8):
        api.check(b.send("AdminTopic", b"admin %d" % i, i % 4, {"KEYS": "adminkey"}).frame)
    beat = heartbeat("127.0.0.1@admin", {"CG_ADMIN": [("AdminTopic", "*")]})
    beat["producerDataSet"] = [{"groupName": "PG_ADMIN"}]
    api.check(b.request(34, None, json.dumps(beat).encode()))
    for queue in range(4):
        api.check(b.update_offset("CG_ADMIN", "AdminTopic", queue, 1))
    return b
