#!/usr/bin/env python3
"""The comparison itself: differences that would break a client are noticed, others are not."""

import copy
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))

from bolide_test import golden, record, tap, wire  # noqa: E402


def answer(name):
    return golden.frame(golden.read(name)[1]["response"])


def differs(name, change):
    want = answer(name)
    got = copy.deepcopy(want)
    change(got)
    return golden.compare(got, want)


def replace(old, new):
    def change(f):
        assert old in f.body, "%r is not in %r" % (old, f.body[:200])
        f.body = f.body.replace(old, new)
    return change


def test_same(_):
    """Every golden answer fits itself."""
    for name in golden.names():
        lines = golden.read(name)[1]
        if "response" in lines:
            f = golden.frame(lines["response"])
            tap.equal(golden.compare(f, f), [], name)


def test_header(_):
    """Code, remark, flag, header fields."""
    changes = [("code", lambda f: setattr(f, "code", 2)),
               ("flag", lambda f: setattr(f, "flag", 0)),
               ("remark", lambda f: setattr(f, "remark", "FOUND IT")),
               ("no remark", lambda f: setattr(f, "remark", None)),
               ("lost field", lambda f: f.ext.pop("nextBeginOffset")),
               ("more fields", lambda f: f.ext.update(offsetDelta="0")),
               ("value", lambda f: f.ext.update(nextBeginOffset="4")),
               ("number", lambda f: f.ext.update(maxOffset=7))]
    for what, change in changes:
        assert differs("broker-11-found", change), "%s: not noticed" % what


def test_bodies(_):
    """Dialect, missing and additional keys, types, records."""
    cases = [
        ("namesrv-105-old-version", b'{0:"', b'{"0":"'),
        ("namesrv-105-standard", b'{"0":"', b'{0:"'),
        ("namesrv-105-standard", b'"perm":6,', b""),
        ("namesrv-105-standard", b'"perm":6', b'"perm":"6"'),
        ("namesrv-105-standard", b'"filterServerTable":{},', b'"filterServerTable":{},"x":1,'),
        ("broker-202-stats", b'{"brokerName":"broker-a",', b'{'),
        ("broker-203-consumers", b'"language":"OTHER"', b'"language":7'),
        ("broker-28-runtime", b'"putTps"', b'"putTPS"'),
        ("broker-38-members", b'["127.0.0.1@gold"]', b'"127.0.0.1@gold"'),
    ]
    for name, old, new in cases:
        assert differs(name, replace(old, new)), "%s: %r for %r is not noticed" % (name, new, old)
    cut = lambda f: setattr(f, "body", f.body[:len(record.decode_record(f.body).raw)])
    assert differs("broker-11-found", cut), "missing records are not noticed"
    assert differs("broker-11-found", lambda f: setattr(f, "body", b"")), "no body: not noticed"
    assert differs("broker-15-commit", lambda f: setattr(f, "body", b"{}")), "a body: not noticed"


def test_what_may_differ(_):
    """Names, numbers and addresses of another run are no difference."""
    tap.equal(differs("broker-310-bad-queue", lambda f: setattr(
        f, "remark", f.remark.rsplit(":", 1)[0] + ":5")), [])
    tap.equal(differs("namesrv-206-topics", lambda f: setattr(
        f, "body", b'{"topicList":["Other"]}')), [])
    tap.equal(differs("broker-310-no-body", lambda f: (
        setattr(f, "remark", "no body"), setattr(f, "code", 29))), [])


def test_dialect(_):
    """The parser of fastjson's dialect: bare keys, objects as keys, nested; and what is no JSON."""
    v = wire.parse_json('{{"b":"x","q":1}:{"n":[1,2.5,-3e2,true,null]},7:"s\\u0041"}')
    tap.equal(len(v), 2)
    (key, inner), = [(k, w) for k, w in v.items() if isinstance(k, wire.ObjectKey)]
    tap.equal((key.as_dict(), inner), ({"b": "x", "q": 1}, {"n": [1, 2.5, -300.0, True, None]}))
    tap.equal(v["7"], "sA")
    for text in ("{", '{"a":}', "[1,2", '{"a":1}x', "{1 2}", "nope", ""):
        try:
            wire.parse_json(text)
        except (ValueError, IndexError):
            continue
        raise AssertionError("%r was taken" % text)


if __name__ == "__main__":
    sys.exit(tap.run([test_same, test_header, test_bodies, test_what_may_differ, test_dialect]))
