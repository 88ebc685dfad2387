#!/usr/bin/env python3
"""The bytes the official Java 5.5.0 client and broker sent, played back in their order."""

import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))

from bolide_test import api, golden, procs, record, tap, wire  # noqa: E402
import exchanges  # noqa: E402

NAME_SERVER = ["broker-registers-plain-103", "broker-registers-plain-322", "client-105",
               "client-105-2"]
BROKER = ["client-34", "client-310", "client-310-2", "client-320", "client-34-2", "client-38",
          "client-14", "client-14-2", "client-hb2-34", "client-hb2-34-2", "client-35",
          "client-35-2"]


NAME_SERVER_CODES = {100, 101, 102, 103, 105, 106, 205, 206, 216, 219, 224, 327}


def setup():
    return procs.server({"brokerClusterName": "DefaultCluster", "brokerName": "broker-a"})


def replay(link, name, **how):
    _, lines = golden.read(name)
    request, want = golden.frame(lines["request"]), golden.frame(lines["response"])
    got = link.start_raw(lines["request"], request.opaque).wait(10)
    found = golden.compare(got, want, **how)
    assert not found, "%s: %s" % (name, "; ".join(found[:10]))


def test_name_server(env):
    """A Java broker's registration and a client's route requests, byte for byte."""
    with api.NameServer(env.namesrv) as link:
        for name in NAME_SERVER:  # 322: its data version is that of a later registration
            replay(link, name, values=not name.endswith("322"))


def test_compressed_registration(env):
    """A Java broker's compressed registration that says it is not compressed is answered."""
    with api.NameServer(env.namesrv) as link:
        _, lines = golden.read("broker-registers-compressed-103")
        got = link.start_raw(lines["request"], golden.frame(lines["request"]).opaque).wait(10)
        assert got.code in (0, 1), got
        assert link.request(api.TOPIC_LIST).code == 0


def test_broker(env):
    """What a producer and a consumer sent to the broker, byte for byte."""
    with api.Broker(env.broker) as link:
        link.create_topic("GoldJava", 4)
        for queue in range(4):
            api.check(link.send("GoldJava", b"in every queue", queue).frame)
        for queue in range(4):
            procs.wait_until(lambda: link.max_offset("GoldJava", queue) > 0, 5, "message visible")
        for name in BROKER:
            replay(link, name, values=False)


def test_mqadmin(env):
    """The requests of mqadmin 5.5.0's commands, byte for byte."""
    consumer = exchanges.prepare_mqadmin(env)
    links = {"namesrv": api.NameServer(env.namesrv), "broker": api.Broker(env.broker)}
    for queue in range(4):
        procs.wait_until(lambda: consumer.max_offset("AdminTopic", queue) == 2, 5, "messages visible")
    procs.wait_until(lambda: links["namesrv"].request(105, {"topic": "AdminTopic"}).code == 0, 5,
                     "route")
    wrong, played = [], 0
    for command, _ in exchanges.MQADMIN:
        for name in golden.names("mqadmin-%s-" % command):
            code = int(name.rsplit("-", 1)[1])
            if code == 33:  # its offset is of another store
                continue
            try:
                replay(links["namesrv" if code in NAME_SERVER_CODES else "broker"], name,
                       values=False)
            except AssertionError as e:
                wrong.append(str(e))
            played += 1
    for link in (consumer, *links.values()):
        link.close()
    assert not wrong, "\n".join(wrong)
    assert played >= 30, "only %d requests" % played


def test_one_way(env):
    """One-way sends and commits take effect and get no answer."""
    with api.Broker(env.broker) as link:
        link.create_topic("GoldJava", 4)
        before = link.max_offset("GoldJava", queue_of("client-310-oneway"))
        for name in ("client-310-oneway", "client-15-oneway"):
            link.send_raw(golden.read(name)[1]["request"])
        procs.wait_until(lambda: link.max_offset(
            "GoldJava", queue_of("client-310-oneway")) == before + 1, 5, "one-way message stored")
        assert link.incoming.empty(), "an answer to a one-way request: %r" % link.incoming.get()


def queue_of(name):
    return int(golden.frame(golden.read(name)[1]["request"]).ext["e"])


def test_records(_):
    """Every golden record decodes, and its CRCs are right."""
    for name in golden.names("record-"):
        raw = golden.read(name)[1]["record"]
        r = record.decode_record(raw)
        assert r.raw == raw, name
    crc = record.decode_record(golden.read("record-property-crc")[1]["record"])
    assert record.PROP_CRC in crc.properties, "the record has no property CRC"
    damaged = bytearray(crc.raw)
    damaged[15] ^= 1
    try:
        record.decode_record(bytes(damaged))
    except ValueError:
        return
    raise AssertionError("a changed queue id is not noticed")


def test_frame_codec(_):
    """Every golden request and answer survives decode and encode in both header formats."""
    for name in golden.names():
        for data in golden.read(name)[1].values():
            if data[4:8] in (b"\xda\xa3\x20\xa7", b"\xda\xa3\x20\xab"):
                continue
            f = golden.frame(data)
            for kind in (wire.JSON, wire.BINARY):
                if kind == wire.BINARY and not -32768 <= f.code <= 32767:
                    continue
                f.serialize = kind
                again = wire.decode(wire.encode(f)[4:])
                assert (again.code, again.opaque, again.flag, again.remark or None, again.body) == (
                    f.code, f.opaque, f.flag, f.remark or None, f.body), name
                assert {k: v for k, v in again.ext.items() if v} == {
                    k: v for k, v in f.ext.items() if v}, name
                assert struct.unpack(">i", wire.encode(f)[:4])[0] == len(wire.encode(f)) - 4


if __name__ == "__main__":
    sys.exit(tap.run([test_name_server, test_compressed_registration, test_broker, test_mqadmin, test_one_way,
                      test_records, test_frame_codec], setup, lambda s: s.close()))
