#!/usr/bin/env python3
"""The name server: brokers that come and go, by a played broker and by processes of their own."""

import os
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "wire"))

from bolide_test import api, procs, tap, wire  # noqa: E402
import exchanges  # noqa: E402


def setup():
    return procs.server()


def register(env, name, address, topics, broker_id=0, version=1, compressed=False):
    link = api.NameServer(env.namesrv)
    configs = [exchanges.topic_config(t) for t in topics]
    data_version = {"counter": version, "stateVersion": 0, "timestamp": exchanges.TIME + version}
    make = exchanges.registration_compressed if compressed else exchanges.registration_json
    body = make(configs, data_version)
    api.check(link.request(103, exchanges.register_ext(name, address, body, broker_id, compressed),
                           body))
    return link


def addresses(n, topic):
    f = n.route(topic)
    return {} if f.code else {d["brokerName"]: d["brokerAddrs"] for d in f.json()["brokerDatas"]}


def test_dropped_connection(env):
    """A broker whose connection drops is out of the routes at once."""
    with api.NameServer(env.namesrv) as n:
        link = register(env, "drop-a", "127.0.0.1:51", ["DropTopic", "DropOther"])
        other = register(env, "drop-b", "127.0.0.1:52", ["DropTopic", "DropMore"])
        procs.wait_until(lambda: len(addresses(n, "DropTopic")) == 2, 3, "two brokers")
        began = time.monotonic()
        link.close()
        procs.wait_until(lambda: addresses(n, "DropTopic") == {"drop-b": {"0": "127.0.0.1:52"}}, 3,
                         "drop-a is out")
        print("# out after %.0f ms" % ((time.monotonic() - began) * 1000))
        tap.equal(n.route("DropOther").code, 17, "code of a topic only drop-a had")
        other.close()


def test_reset_connection(env):
    """The same when the connection ends in a reset."""
    body = exchanges.registration_json(
        [exchanges.topic_config(t) for t in ("ResetTopic", "ResetOther")],
        {"counter": 1, "stateVersion": 0, "timestamp": exchanges.TIME})
    ext = {k: str(v) for k, v in exchanges.register_ext("reset-a", "127.0.0.1:53", body).items()}
    host, port = env.namesrv.split(":")
    with api.NameServer(env.namesrv) as n:
        sock = socket.create_connection((host, int(port)))
        sock.sendall(wire.encode(wire.Frame(103, ext, body, 1)))
        procs.wait_until(lambda: addresses(n, "ResetTopic"), 3, "the broker")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
        procs.wait_until(lambda: n.route("ResetTopic").code == 17, 3, "the broker is out")


def test_last_channel_counts(env):
    """After a broker registered on a second connection, the end of the first changes nothing."""
    with api.NameServer(env.namesrv) as n:
        first = register(env, "move-a", "127.0.0.1:54", ["MoveTopic", "MoveOther"])
        second = register(env, "move-a", "127.0.0.1:54", ["MoveTopic", "MoveOther"])
        first.close()
        time.sleep(0.5)
        tap.equal(addresses(n, "MoveTopic"), {"move-a": {"0": "127.0.0.1:54"}}, "addresses")
        second.close()
        procs.wait_until(lambda: n.route("MoveTopic").code == 17, 3, "the broker is out")


def test_unregister(env):
    """104 takes a broker out while its connection stays."""
    with api.NameServer(env.namesrv) as n:
        link = register(env, "bye-a", "127.0.0.1:55", ["ByeTopic", "ByeOther"])
        api.check(link.request(104, {"brokerName": "bye-a", "brokerAddr": "127.0.0.1:55",
                                     "clusterName": "GoldCluster", "brokerId": 0}))
        procs.wait_until(lambda: n.route("ByeTopic").code == 17, 3, "the broker is out")
        assert "bye-a" not in n.cluster_info().json()["brokerAddrTable"]
        link.close()


def test_changed_topics(env):
    """A newer data version replaces the queue counts; an unchanged one is not read again."""
    with api.NameServer(env.namesrv) as n:
        link = register(env, "change-a", "127.0.0.1:56", ["ChangeTopic", "ChangeOther"])
        more = [exchanges.topic_config("ChangeTopic", 16), exchanges.topic_config("ChangeNew")]

        def again(version):
            body = exchanges.registration_json(more, {"counter": version, "stateVersion": 0,
                                                      "timestamp": exchanges.TIME + version})
            api.check(link.request(103, exchanges.register_ext("change-a", "127.0.0.1:56", body),
                                   body))

        again(1)
        tap.equal(n.route("ChangeTopic").json()["queueDatas"][0]["readQueueNums"], 4, "queues")
        again(2)
        tap.equal(n.route("ChangeTopic").json()["queueDatas"][0]["readQueueNums"], 16, "queues")
        tap.equal(n.route("ChangeNew").code, 0, "code of the new topic")
        link.close()


def test_compressed(env):
    """Compressed registration gives the same route as plain."""
    with api.NameServer(env.namesrv) as n:
        a = register(env, "same-a", "127.0.0.1:57", ["SamePlain", "SameOther"])
        b = register(env, "same-b", "127.0.0.1:58", ["SameZip", "SameOther"], compressed=True)
        plain, packed = (n.route(t).json()["queueDatas"][0] for t in ("SamePlain", "SameZip"))
        plain.pop("brokerName"), packed.pop("brokerName")
        tap.equal(packed, plain, "queue data")
        a.close()
        b.close()


def test_slave(env):
    """A slave's addresses stand beside its master's; its topics do not replace the master's."""
    with api.NameServer(env.namesrv) as n:
        m = register(env, "pair-a", "127.0.0.1:59", ["PairTopic", "PairOther"])
        s = register(env, "pair-a", "127.0.0.1:60", ["PairTopic", "PairSlaveOnly"], 1, 9)
        tap.equal(addresses(n, "PairTopic"), {"pair-a": {"0": "127.0.0.1:59", "1": "127.0.0.1:60"}})
        tap.equal(n.route("PairSlaveOnly").code, 17, "code of a topic only the slave has")
        m.close()
        procs.wait_until(lambda: addresses(n, "PairTopic") == {"pair-a": {"1": "127.0.0.1:60"}}, 3,
                         "only the slave")
        s.close()


def test_many_brokers(env):
    """A hundred brokers with a hundred topics; half of them vanish at once."""
    with api.NameServer(env.namesrv) as n:
        names = ["ManyTopic%d" % i for i in range(100)]
        links = [register(env, "many-%d" % i, "127.0.0.1:%d" % (1000 + i), names)
                 for i in range(100)]
        tap.equal(len(addresses(n, "ManyTopic0")), 100, "brokers")
        for link in links[:50]:
            link.close()
        procs.wait_until(lambda: len(addresses(n, "ManyTopic99")) == 50, 5, "half of them out")
        for link in links[50:]:
            link.close()
        procs.wait_until(lambda: n.route("ManyTopic5").code == 17, 5, "all out")


def test_separate_processes(_):
    """bolide namesrv and bolide broker apart: the killed broker is out at once and comes back."""
    if procs.is_java():
        raise tap.Skip("about bolide's own processes")
    work, ns_port, port = procs.temp_dir(), procs.free_port(), procs.free_broker_port()
    conf = os.path.join(work, "broker.conf")
    with open(conf, "w", encoding="utf-8") as f:
        f.write("namesrvAddr=127.0.0.1:%d\nlistenPort=%d\nbrokerName=apart\nstorePathRootDir=%s\n" % (
            ns_port, port, os.path.join(work, "store")))

    def start(*args):
        ready = os.path.join(procs.temp_dir(), "ready")
        p = procs.Process([procs.bolide_path(), *args, "--ready-file", ready])
        procs.wait_until(lambda: p.running() and os.path.exists(ready), 20,
                         "%s ready (%s)" % (args[0], p.stderr()[-300:]))
        return p

    ns = start("namesrv", "--namesrv-port", ns_port, "--set",
               "kvConfigPath=" + os.path.join(work, "kv.json"))
    broker = start("broker", "-c", conf)
    with api.NameServer("127.0.0.1:%d" % ns_port) as n:
        procs.wait_until(lambda: "apart" in addresses(n, "TBW102"), 10, "the broker registers")
        broker.kill()
        procs.wait_until(lambda: n.route("TBW102").code == 17, 2, "the killed broker is out")
        broker.close()
        broker = start("broker", "-c", conf)
        procs.wait_until(lambda: "apart" in addresses(n, "TBW102"), 10, "the broker is back")
    ns.kill()
    ns.close()
    time.sleep(0.5)
    with api.Broker("127.0.0.1:%d" % port) as b:  # works without a name server
        api.check(b.send("Alone", b"x").frame)
    ns = start("namesrv", "--namesrv-port", ns_port, "--set",
               "kvConfigPath=" + os.path.join(work, "kv.json"))
    with api.NameServer("127.0.0.1:%d" % ns_port) as n:
        procs.wait_until(lambda: "apart" in addresses(n, "TBW102"), 35, "registered at the new one")
    broker.close()
    ns.close()


def main():
    return tap.run([test_dropped_connection, test_reset_connection, test_last_channel_counts,
                    test_unregister, test_changed_topics, test_compressed, test_slave,
                    test_many_brokers, test_separate_processes], setup, lambda s: s.close())


if __name__ == "__main__":
    sys.exit(main())
