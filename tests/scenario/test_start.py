#!/usr/bin/env python3
"""Start and stop: ready file, ports, store in use, bad options, SIGTERM."""

import os
import re
import signal
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))

from bolide_test import api, procs, tap  # noqa: E402

ADDRESS = re.compile(r"^127\.0\.0\.1:\d+$")


def one_sentence(text):
    """Errors are one line that names the trouble; no trace, no second line."""
    lines = [line for line in text.strip().splitlines() if line.strip()]
    assert len(lines) == 1, "not one sentence: %r" % text
    assert len(lines[0]) > 15, "says too little: %r" % text
    return lines[0]


def fails(status, *args, mentions=()):
    """Run `bolide ARGS`; it must end at once with this status and one sentence."""
    began = time.monotonic()
    code, out, err = procs.run_bolide(*args)
    assert code == status, "exit status %s of %s, expected %d: %s%s" % (code, args, status, out, err)
    assert time.monotonic() - began < 5, "it took %.1f s to fail" % (time.monotonic() - began)
    text = one_sentence(err)
    for word in mentions:
        assert str(word) in text, "%r does not mention %r" % (text, word)
    return text


def server_args(store, *more):
    return ["server", "--store", store, "--namesrv-port", 0, "--broker-port", 0, *more]


def store_path():
    return os.path.join(procs.temp_dir(), "store")


def test_ready_file(_):
    """The ready file names both addresses, and both serve when it is there."""
    s = procs.Server()
    for key in ("namesrv", "broker"):
        assert ADDRESS.match(s.ready[key]), "%s: %r" % (key, s.ready)
    with api.NameServer(s.namesrv) as n, api.Broker(s.broker) as b:
        route = n.route("TBW102")
        tap.equal(route.code, 0, "route of TBW102 (%s)" % route.remark)
        addresses = [d["brokerAddrs"] for d in route.json()["brokerDatas"]]
        tap.equal(addresses, [{"0": s.broker}], "route")
        r = b.send("ReadyTopic", b"first")
        tap.equal(r.code, 0, "first send (%s)" % r.frame.remark)
    s.close()


def test_loopback_only(_):
    """It listens on loopback, and the VIP port is the broker's port less two."""
    s = procs.Server(broker_port=procs.free_broker_port())
    port = int(s.broker.rsplit(":", 1)[1])
    with api.Broker("127.0.0.1:%d" % (port - 2)) as b:
        r = b.send("VipTopic", b"by the VIP port")
        tap.equal(r.code, 0, "send by the VIP port (%s)" % r.frame.remark)
    with open("/proc/net/tcp") as f:
        listening = [line.split()[1] for line in f if line.split()[3] == "0A"]
    for text in listening:
        host, p = text.split(":")
        if int(p, 16) in (port, port - 2, int(s.namesrv.rsplit(":", 1)[1])):
            tap.equal(host, "0100007F", "address of port %d" % int(p, 16))
    s.close()


def test_given_ports(_):
    """Ports given on the command line are the ones it listens on."""
    ns, broker = procs.free_port(), procs.free_broker_port()
    s = procs.Server(namesrv_port=ns, broker_port=broker)
    tap.equal((s.namesrv, s.broker), ("127.0.0.1:%d" % ns, "127.0.0.1:%d" % broker))
    s.close()


def test_sigterm(_):
    """SIGTERM: exit 0 within a second, also with open connections and a parked pull."""
    s = procs.Server(release=True)
    b, n = api.Broker(s.broker), api.NameServer(s.namesrv)
    api.check(b.create_topic("StopTopic"))
    for i in range(100):
        api.check(b.send("StopTopic", b"%d" % i).frame)
    b.pull_start("StopTopic", 1, 0, hold_ms=15000)
    time.sleep(0.1)
    status, seconds = s.stop()
    tap.equal(status, 0, "exit status (%s)" % s.process.stderr()[-500:])
    assert seconds < 1.0, "it took %.2f s" % seconds
    assert b.wait_closed(2) and n.wait_closed(2), "a connection stayed open"
    # with it a Java broker builds its consume queues anew
    assert os.path.exists(os.path.join(s.store, "abort")), "no abort file after a clean stop"
    b.close()
    n.close()


def test_sigint(_):
    """SIGINT ends it as SIGTERM does."""
    s = procs.Server()
    s.process.signal(signal.SIGINT)
    tap.equal(s.process.wait(5), 0, "exit status")


def test_sigterm_under_load(_):
    """What was acked before SIGTERM is there after the next start."""
    s = procs.Server()
    b = api.Broker(s.broker)
    api.check(b.create_topic("LoadTopic", 1))
    pending = [b.send_start("LoadTopic", b"load %d" % i) for i in range(500)]
    pending[50].wait(10)
    s.process.signal(signal.SIGTERM)
    acked = set()
    for i, p in enumerate(pending):
        try:
            if p.wait(5).code == 0:
                acked.add(b"load %d" % i)
        except Exception:
            pass
    tap.equal(s.process.wait(5), 0, "exit status")
    s.start()
    with api.Broker(s.broker) as c:
        found = [r.body for r in c.read_queue("LoadTopic", 0)]
    assert len(found) == len(set(found)), "a message is there twice"
    assert acked <= set(found), "%d acked messages are lost" % len(acked - set(found))
    s.close()
    b.close()


def test_port_taken(_):
    """A port that is taken: one sentence with the port, exit 1."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        fails(1, "server", "--store", store_path(), "--namesrv-port", port, "--broker-port", 0,
              mentions=[port])
        fails(1, "server", "--store", store_path(), "--namesrv-port", 0, "--broker-port", port,
              mentions=[port])


def test_store_not_writable(_):
    """A store folder that cannot be made: one sentence with the path, exit 1."""
    folder = procs.temp_dir()
    path = os.path.join(folder, "file", "store")
    with open(os.path.join(folder, "file"), "w") as f:
        f.write("a file where a folder should be")
    fails(1, *server_args(path), mentions=[os.path.join(folder, "file")])
    if os.geteuid() != 0:
        locked = procs.temp_dir()
        os.chmod(locked, 0o555)
        fails(1, *server_args(os.path.join(locked, "store")), mentions=[locked])


def test_store_in_use(_):
    """A store that another process has: one sentence, exit 1; the first goes on."""
    s = procs.Server()
    fails(1, *server_args(s.store), mentions=[s.store])
    with api.Broker(s.broker) as b:
        tap.equal(b.send("StillHere", b"x").code, 0)
    s.close()


def test_unknown_option(_):
    """An unknown option: one sentence that names it, exit 2."""
    fails(2, *server_args(store_path(), "--stoer", "x"), mentions=["stoer"])
    fails(2, "server", "--broker-prot=1", mentions=["broker-prot", "broker-port"])


def test_bad_values(_):
    """Bad values of options and of configuration keys: one sentence, exit 2."""
    fails(2, "server", "--store", store_path(), "--broker-port", "many", mentions=["broker-port"])
    fails(2, "server", "--store", store_path(), "--broker-port", "70000", mentions=["broker-port"])
    fails(2, "server", "--store", store_path(), "--namesrv-port", "-1", mentions=["namesrv-port"])
    for key, value in (("flushDiskType", "SOMETIMES"), ("mappedFileSizeCommitLog", "big"),
                       ("maxMessageSize", "-1"), ("autoCreateTopicEnable", "perhaps")):
        path = os.path.join(procs.temp_dir(), "broker.conf")
        with open(path, "w") as f:
            f.write("%s=%s\n" % (key, value))
        fails(2, *server_args(store_path(), "-c", path), mentions=[key])


def test_configuration_file(_):
    """A missing file is an error; comments, blanks and CRLF are taken; unknown keys only warn."""
    gone = os.path.join(procs.temp_dir(), "absent.conf")
    code, _, err = procs.run_bolide(*server_args(store_path(), "-c", gone))
    assert code in (1, 2), code
    assert gone in one_sentence(err)
    s = procs.Server(config={"# a comment": "", "  brokerName ": " conf-name \r",
                             "flushDiskTyp": "ASYNC_FLUSH"})
    with api.NameServer(s.namesrv) as n:
        names = list(n.cluster_info().json()["brokerAddrTable"])
    tap.equal(names, ["conf-name"], "broker names")
    said = s.process.stderr() + s.process.stdout()
    assert "flushDiskTyp" in said and "flushDiskType" in said, "no warning: %r" % said
    s.close()


def test_beyond_loopback(_):
    """Listening beyond loopback needs --insecure: else one sentence, exit 2."""
    fails(2, *server_args(store_path(), "--listen", "0.0.0.0"), mentions=["insecure"])
    s = procs.Server(args=["--listen", "0.0.0.0", "--insecure"])
    with api.Broker("127.0.0.1:" + s.broker.rsplit(":", 1)[1]) as b:
        tap.equal(b.send("Insecure", b"x").code, 0)
    s.close()


def test_help_and_version(_):
    """version, help, help VERB: exit 0, on standard output; an unknown verb: exit 2."""
    for args in (["version"], ["help"], ["help", "server"], ["help", "produce"], ["server", "--help"]):
        code, out, _ = procs.run_bolide(*args)
        assert code == 0 and out.strip(), "%s: exit %s, %r" % (args, code, out)
    code, out, err = procs.run_bolide("servre")
    tap.equal(code, 2, "exit status of an unknown verb")
    assert "server" in err, "no suggestion: %r" % err


def test_ready_file_unwritable(_):
    """A ready file that cannot be written: one sentence, exit 1."""
    path = os.path.join(procs.temp_dir(), "no", "such", "ready")
    fails(1, *server_args(store_path(), "--ready-file", path), mentions=[path])


def test_two_servers(_):
    """Two servers on free ports do not disturb one another."""
    a, b = procs.Server(), procs.Server()
    assert a.broker != b.broker and a.namesrv != b.namesrv
    for s in (a, b):
        with api.NameServer(s.namesrv) as n:
            table = n.cluster_info().json()["brokerAddrTable"]
            tap.equal([d["brokerAddrs"]["0"] for d in table.values()], [s.broker], "addresses")
    a.close()
    b.close()


def test_first_send(_):
    """From exec to the first accepted send on an empty store (printed; bound 1 s here)."""
    s = procs.Server(release=True, start=False)
    began = time.monotonic()
    s.start()
    with api.Broker(s.broker) as b:
        api.check(b.send("FirstSend", b"x").frame)
    print("# exec to first accepted send: %.1f ms" % ((time.monotonic() - began) * 1000))
    assert time.monotonic() - began < 1
    s.close()


def main():
    return tap.run([test_ready_file, test_loopback_only, test_given_ports, test_sigterm,
                    test_sigint, test_sigterm_under_load, test_port_taken,
                    test_store_not_writable, test_store_in_use, test_unknown_option,
                    test_bad_values, test_configuration_file, test_beyond_loopback,
                    test_help_and_version, test_ready_file_unwritable, test_two_servers,
                    test_first_send], procs.bolide_path)


if __name__ == "__main__":
    sys.exit(main())
