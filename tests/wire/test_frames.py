#!/usr/bin/env python3
"""Frames: header formats, opaque, one-way, pieces and bundles, order, response header."""

import os
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))

from bolide_test import api, procs, tap, wire  # noqa: E402

MAX = {"topic": "FrameTopic", "queueId": "0"}


def setup():
    s = procs.server()
    with api.Broker(s.broker) as b:
        api.check(b.create_topic("FrameTopic", 4))
    return s


def test_response_header(env):
    """A response copies the opaque, sets flag bit 0 and names a language and a version."""
    for address in (env.broker, env.namesrv):
        with api.Broker(address) as b:
            data = wire.encode(wire.Frame(99999, opaque=0x7ABCDEF0))
            f = b.start_raw(data, 0x7ABCDEF0).wait(5)
            tap.equal(f.flag & 3, 1, "flag")
            tap.equal(f.opaque, 0x7ABCDEF0, "opaque")
            assert f.language in wire.LANGUAGES, "language %r" % f.language
            assert f.version >= 401, "version %d" % f.version
            assert all(isinstance(v, str) for v in f.ext.values())


def test_negative_opaque(env):
    """An opaque below zero is copied, too."""
    with api.Broker(env.broker) as b:
        f = b.start_raw(wire.encode(wire.Frame(30, MAX, opaque=-5)), -5).wait(5)
        tap.equal((f.code, f.opaque), (0, -5))


def test_binary_header(env):
    """A ROCKETMQ binary header is understood on both ports."""
    with api.Broker(env.broker) as b:
        f = b.request(30, MAX, serialize=wire.BINARY)
        tap.equal((f.code, f.ext.get("offset")), (0, "0"))
    with api.NameServer(env.namesrv) as n:
        procs.wait_until(lambda: n.request(105, {"topic": "FrameTopic"},
                                           serialize=wire.BINARY).code == 0, 10, "route")


def test_numbers_in_ext(env):
    """extFields with JSON numbers and booleans, as the C++ client sends them."""
    header = (b'{"code":30,"extFields":{"topic":"FrameTopic","queueId":0,"committed":true,'
              b'"AccessKey":"","OnsChannel":null},"flag":0,"language":"CPP","opaque":77,"version":333}')
    with api.Broker(env.broker) as b:
        tap.equal(b.start_raw(wire.pack(header), 77).wait(5).code, 0)


def test_header_oddities(env):
    """Unknown keys, any order, blanks, escapes and an unknown language are tolerated."""
    headers = [
        b'{"version":479,"opaque":88,"language":"KLINGON","flag":0,"code":30,"new":{"a":[1,2]},'
        b'"extFields":{"topic":"FrameTopic","queueId":"0","extra":"x"}}',
        b' { "opaque" : 88 , "code" : 30 , "flag" : 0 , "extFields" : { "topic" : '
        b'"Frame\\u0054opic" , "queueId" : "0" } } ',
        b'{"code":30,"opaque":88,"flag":0,"remark":null,"serializeTypeCurrentRPC":"JSON",'
        b'"extFields":{"topic":"FrameTopic","queueId":"0"}}']
    with api.Broker(env.broker) as b:
        for h in headers:
            f = b.start_raw(wire.pack(h), 88).wait(5)
            assert f.code == 0, "%s: %r" % (h, f)


def test_one_way_gets_nothing(env):
    """No answer to a one-way request, not even an error."""
    with api.Broker(env.broker) as b:
        for code, ext in ((99999, {}), (30, {}), (30, MAX), (310, {"b": "FrameTopic"}), (38, {})):
            b.oneway(code, ext)
        tap.equal(b.request(30, MAX).code, 0)
        time.sleep(0.2)
        assert b.incoming.empty(), "answered: %r" % b.incoming.get()


def test_byte_by_byte(env):
    """A frame that comes one byte at a time is answered."""
    with api.Broker(env.broker) as b:
        data = wire.encode(wire.Frame(30, MAX, opaque=9))
        p = b.start_raw(b"", 9)
        for i in range(len(data)):
            b.send_raw(data[i:i + 1])
        tap.equal(p.wait(5).code, 0)


def test_bundle(env):
    """A thousand requests in one write all get their answer."""
    with api.Broker(env.broker) as b:
        waiting, out = [], b""
        for i in range(1000):
            waiting.append(b.start_raw(b"", 1000 + i))
            out += wire.encode(wire.Frame(30 if i % 2 else 31, MAX, opaque=1000 + i))
        b.send_raw(out)
        for i, p in enumerate(waiting):
            f = p.wait(10)
            assert f.code == 0 and f.opaque == 1000 + i, f


def test_late_answer_does_not_block(env):
    """A parked pull does not hold up what follows on its connection."""
    with api.Broker(env.broker) as b:
        parked = b.pull_start("FrameTopic", 1, 0, hold_ms=1500)
        began = time.monotonic()
        tap.equal(b.request(30, MAX).code, 0)
        assert time.monotonic() - began < 1, "answered after %.2f s" % (time.monotonic() - began)
        assert not parked.ready(), "the pull was not parked"
        tap.equal(parked.wait(10).code, 19)


def test_large_frame(env):
    """A 4 MiB body is taken and comes back whole."""
    body = os.urandom(1 << 20) * 4
    with api.Broker(env.broker, timeout=30) as b:
        r = b.send("FrameTopic", body, 2)
        tap.equal(r.code, 0, "code (%s)" % r.frame.remark)
        back = procs.wait_until(lambda: b.pull("FrameTopic", 2, r.queue_offset).records, 10, "pull")
        assert back[0].body == body, "the body came back changed"


def test_empty_fields(env):
    """A frame without a body and one with an empty body are the same."""
    with api.Broker(env.broker) as b:
        header = b'{"code":99999,"opaque":5,"flag":0}'
        for data in (wire.pack(header), struct.pack(">iI", 4 + len(header), len(header)) + header):
            tap.equal(b.start_raw(data, 5).wait(5).code, 3)


if __name__ == "__main__":
    sys.exit(tap.run([test_response_header, test_negative_opaque, test_binary_header,
                      test_numbers_in_ext, test_header_oddities, test_one_way_gets_nothing,
                      test_byte_by_byte, test_bundle, test_late_answer_does_not_block,
                      test_large_frame, test_empty_fields], setup, lambda s: s.close()))
