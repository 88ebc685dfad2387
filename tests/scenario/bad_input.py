"""Bad input: bytes that no client would send, and what may come back.

A case is (name, bytes, outcomes). An outcome is a response code, "closed" (the server ends the
connection) or "silent" (it ignores them or waits for more). Java 5.5.0 drops some unreadable
frames silently; closing the connection is as good.
"""

import json
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))

from bolide_test import wire  # noqa: E402

OPAQUE = 4711
IGNORED = ("silent", "closed")
ERROR = (1, 29)  # Java answers an exception with 1; saying "invalid" (29) is as good


def frame(code, ext=None, body=b"", flag=0):
    return wire.encode(wire.Frame(code, {k: str(v) for k, v in (ext or {}).items()}, body, OPAQUE,
                                  flag))


def header(text, body=b""):
    return wire.pack(text if isinstance(text, bytes) else text.encode(), body)


def raw_ext(pairs, code=30):
    """A JSON header whose extFields may repeat a name."""
    fields = ",".join("%s:%s" % (json.dumps(k), json.dumps(v)) for k, v in pairs)
    return header('{"code":%d,"opaque":%d,"flag":0,"extFields":{%s}}' % (code, OPAQUE, fields))


def binary(ext, code=30, remark_len=0, ext_len=None):
    return wire.pack(struct.pack(">hBhiii", code, 0, 479, OPAQUE, 0, remark_len) + struct.pack(
        ">i", len(ext) if ext_len is None else ext_len) + ext, b"", wire.BINARY)


def pair(key, value, key_len=None, value_len=None):
    k, v = key.encode(), value.encode()
    return (struct.pack(">h", len(k) if key_len is None else key_len) + k
            + struct.pack(">i", len(v) if value_len is None else value_len) + v)


GOOD = {"topic": "BadInput", "queueId": "0"}
GOOD_EXT = pair("topic", "BadInput") + pair("queueId", "0")
NAMES = ["../../etc/passwd", "..", ".", "/etc/passwd", "a/b", "a\\b", "a\nb", "a b", "nul\x00l", "~",
         "*", "$(id)", "%2e/", "ä", "x" * 5000]


def framing():
    return [
        ("http", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", ("closed",)),
        ("zeros", b"\0" * 64, ("closed",)),
        ("ones", b"\xff" * 64, ("closed",)),
        ("negative length", struct.pack(">i", -1) + b"x" * 32, ("closed",)),
        ("smallest length", struct.pack(">i", -2147483648) + b"x" * 32, ("closed",)),
        ("length 0", struct.pack(">i", 0) + frame(30, GOOD), ("closed",)),
        ("length 3", struct.pack(">i", 3) + b"abc", IGNORED),
        ("huge length", struct.pack(">i", 2147483647) + b"x" * 32, ("closed",)),
        ("length over 16 MiB", struct.pack(">i", (16 << 20) + 1) + b"x" * 32, ("closed",)),
        ("half a frame", frame(30, GOOD)[:20], ("silent",)),
        ("half a length", b"\0\0", ("silent",)),
        ("header longer than frame", struct.pack(">iI", 40, 1000) + b"x" * 36, ("closed",)),
        ("header of 16 MiB", struct.pack(">iI", 40, 0xFFFFFF) + b"x" * 36, ("closed",)),
        ("serialize type 9", wire.pack(b"{}", b"", 9), IGNORED),
        ("serialize type 255", wire.pack(b"{}", b"", 255), IGNORED),
        ("empty header", wire.pack(b""), IGNORED),
        ("header is not JSON", header("this is not JSON at all"), ("closed",)),
        ("header is an array", header("[1,2,3]"), ("closed",)),
        ("header is a number", header("42"), IGNORED),
        ("header is cut", header('{"code":30,"opaque":4711,"extFields":{"topic":"Bad'), ("closed",)),
        ("header is not UTF-8", header(b'{"code":30,"opaque":4711,"remark":"\xff\xfe\xc0"}'),
         ERROR + ("closed",)),
        ("code is text", header('{"code":"thirty","opaque":4711,"flag":0}'), ("closed",)),
        ("code is too large", header('{"code":99999999999999999999,"opaque":4711}'), ("closed", 3)),
        ("nested header", header('{"code":30,"opaque":4711,"x":' + "[" * 5000 + "]" * 5000 + "}"),
         ("closed",) + ERROR),
        ("extFields is text", header('{"code":30,"opaque":4711,"flag":0,"extFields":"x"}'),
         ("closed",) + ERROR),
        ("nested extFields", header('{"code":30,"opaque":4711,"flag":0,"extFields":{"topic":'
                                    '{"a":{"b":"c"}}}}'), ("closed",) + ERROR + (0,)),
        ("no code", header('{"opaque":4711,"flag":0}'), ("closed", 3, 1)),
        ("garbage after a good frame", frame(30, GOOD) + b"\xff" * 16, (0, "closed")),
    ]


def binary_headers():
    return [
        ("binary: good", binary(GOOD_EXT), (0,)),
        ("binary: cut", wire.pack(b"\0\x1e\0", b"", 1), IGNORED),
        ("binary: negative remark", binary(GOOD_EXT, remark_len=-1), ("closed", 0)),
        ("binary: huge remark", binary(GOOD_EXT, remark_len=2147483647), ("closed",)),
        ("binary: negative map", binary(b"", ext_len=-1), ("closed",) + ERROR),
        ("binary: huge map", binary(GOOD_EXT, ext_len=2147483647), ("closed",)),
        ("binary: negative key", binary(pair("topic", "x", key_len=-1)), ("closed",)),
        ("binary: long key", binary(pair("topic", "x", key_len=32767)), ("closed",)),
        ("binary: negative value", binary(pair("topic", "x", value_len=-1)), ("closed",)),
        ("binary: huge value", binary(pair("topic", "x", value_len=2147483647)), ("closed",)),
        ("binary: map cut short", binary(GOOD_EXT, ext_len=len(GOOD_EXT) - 3), (0, "closed")),
    ]


def requests():
    many = [("f%d" % i, "v") for i in range(10000)]
    return [
        ("unknown code", frame(99999), (3,)),
        ("negative code", frame(-1), (3,)),
        ("largest code", frame(2147483647), (3,)),
        ("no fields", frame(30), ERROR),
        ("a field is missing", frame(30, {"topic": "BadInput"}), ERROR + (0,)),
        ("number is text", frame(30, {"topic": "BadInput", "queueId": "abc"}), ERROR),
        ("number is empty", frame(30, {"topic": "BadInput", "queueId": ""}), ERROR + (0,)),
        ("number is too large", frame(30, {"topic": "BadInput", "queueId": "99999999999"}), ERROR),
        ("number is a float", frame(30, {"topic": "BadInput", "queueId": "1.5"}), ERROR),
        ("repeated field", raw_ext([("topic", "Other"), ("topic", "BadInput"), ("queueId", "0"),
                                    ("queueId", "0")]), (0,)),
        ("10,000 fields", raw_ext(many + list(GOOD.items())), (0, 1, 29, "closed")),
        ("field of 1 MiB", raw_ext([("x", "y" * (1 << 20))] + list(GOOD.items())),
         (0, 1, 29, "closed")),
        ("10,000 fields and no more", raw_ext(many), ERROR + ("closed",)),
        ("response nobody waits for", frame(0, {}, flag=1), ("silent", "closed")),
        ("heartbeat is nested", frame(34, None, b'{"clientID":' + b"[" * 2000 + b"]" * 2000 + b"}"),
         (0, "closed") + ERROR),
        ("heartbeat is a bomb", frame(34, None, b"[" * (1 << 20)), ERROR + ("closed",)),
        ("heartbeat of wrong types", frame(34, None, b'{"clientID":5,"consumerDataSet":"x"}'),
         ERROR + (0,)),
        ("group of wrong types", frame(200, None, b'{"groupName":{"a":1},"retryMaxTimes":"x"}'),
         ERROR + (0,)),
    ]


def names():
    out = []
    for i, name in enumerate(NAMES):
        topic = {"topic": name, "defaultTopic": "TBW102", "readQueueNums": 4, "writeQueueNums": 4,
                 "perm": 6, "topicFilterType": "SINGLE_TAG", "topicSysFlag": 0, "order": "false"}
        out.append(("topic name %d" % i, frame(17, topic), ERROR))
        send = {"a": "PG", "b": name, "c": "TBW102", "d": 4, "e": 0, "f": 0, "g": 1, "h": 0, "i": "",
                "j": 0, "k": "false", "m": "false"}
        out.append(("send to name %d" % i, frame(310, send, b"x"), ERROR))
        out.append(("group name %d" % i, frame(200, None, json.dumps({"groupName": name}).encode()),
                    ERROR))
        out.append(("delete name %d" % i, frame(215, {"topic": name}), ERROR + (0,)))
        out.append(("commit for name %d" % i, frame(15, {
            "consumerGroup": name, "topic": name, "queueId": 0, "commitOffset": 1}),
            (17, 26) + ERROR))
    return out
