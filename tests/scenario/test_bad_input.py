#!/usr/bin/env python3
"""Bad input is answered with an error or a closed connection; memory is bounded; others go on.

Works against Java, too (SERVER=java). PRINT=1 prints every outcome.
"""

import os
import random
import socket
import struct
import sys
import threading
import time
# threads

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))

from bolide_test import api, procs, tap, wire  # noqa: E402
import bad_input  # noqa: E402

PRINT = os.environ.get("PRINT")


class Bystander:
    """A client that works all the time; the tests must not disturb it."""

    def __init__(self, address):
        self.link = api.Broker(address)
        api.check(self.link.create_topic("Bystander", 1))
        self.acked, self.errors, self.worst = 0, [], 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._stop.wait(0.01):
            try:
                p = self.link.send_start("Bystander", b"%d" % self.acked)
                f = p.wait(10)
                self.worst = max(self.worst, p.seconds)
                if f.code:
                    self.errors.append("%d %s" % (f.code, f.remark))
                else:
                    self.acked += 1
            except Exception as e:
                self.errors.append(repr(e))
                return

    def finish(self):
        self._stop.set()
        self._thread.join(15)
        found = len(self.link.read_queue("Bystander", 0))
        self.link.close()
        return found


class Env:
    pass


def setup():
    env = Env()
    env.server = procs.server()
    with api.Broker(env.server.broker) as b:
        api.check(b.create_topic("BadInput", 4))
    env.bystander = Bystander(env.server.broker)
    return env


def outcome(address, data, patience=0.7):
    """What comes back for these bytes: a response code, "closed" or "silent"."""
    b = api.Broker(address)
    p = b.start_raw(b"", bad_input.OPAQUE)
    try:
        b.send_raw(data)
        end = time.monotonic() + (5 if data else patience)
        while time.monotonic() < end:
            if p.ready():
                return p.wait(0).code
            if b.closed.is_set():
                return "closed"
            if time.monotonic() > end - 5 + patience and not p.ready() and len(data) < 64:
                break
            time.sleep(0.002)
        return "silent"
    except Exception as e:
        if b.closed.wait(0.2) or "Closed" in type(e).__name__:
            return "closed"
        raise
    finally:
        b.close()


def run_cases(cases, addresses):
    wrong = []
    for name, data, allowed in cases:
        for address in addresses:
            try:
                got = outcome(address, data)
            except ConnectionRefusedError:
                raise AssertionError("the server is gone after case %r" % name) from None
            if PRINT:
                print("#   %-28s %r" % (name, got))
            if got not in allowed:
                wrong.append("%s: %r, expected %s" % (name, got, " or ".join(map(str, allowed))))
    assert not wrong, "\n".join(wrong)


def test_framing(env):
    """Garbage, half frames, negative and huge lengths, headers that are none."""
    run_cases(bad_input.framing(), [env.server.broker])


def test_framing_namesrv(env):
    """The same at the name server's port."""
    cases = [(n, d, a + (3,)) for n, d, a in bad_input.framing()]
    run_cases(cases, [env.server.namesrv])


def test_binary_headers(env):
    """Binary headers with lengths that lie."""
    run_cases(bad_input.binary_headers(), [env.server.broker])


def test_requests(env):
    """Unknown codes, missing, repeated and wrong fields, 10,000 fields, nested bodies."""
    run_cases(bad_input.requests(), [env.server.broker])


def test_names(env):
    """Topic and group names with path tricks make nothing."""
    run_cases(bad_input.names(), [env.server.broker])
    with api.Broker(env.server.broker) as b:
        topics = api.check(b.request(21)).json()["topicConfigTable"]
        groups = api.check(b.request(201)).json()["subscriptionGroupTable"]
    good = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%|_-")
    bad = [n for n in [*topics, *groups] if not set(n) <= good]
    tap.equal(bad, [], "names that should not be")
    if getattr(env.server, "store", None):
        above = os.path.dirname(os.path.realpath(env.server.store))
        tap.equal([x for x in os.listdir(above) if x in ("etc", "passwd")], [], "files outside")


def test_body_over_limit(env):
    """A body over maxMessageSize is refused with 13; a frame near 16 MiB is read and refused."""
    with api.Broker(env.server.broker, timeout=30) as b:
        for size in ((4 << 20) + 1, 8 << 20, (16 << 20) - 4096):
            r = b.send("BadInput", b"z" * size)
            assert r.code in (13, 1), "%d bytes: %d %s" % (size, r.code, r.frame.remark)
        tap.equal(b.send("BadInput", b"z" * (4 << 20)).code, 0, "code of 4 MiB")


def test_random_bytes(env):
    """Connections with random bytes, and good frames with flipped bits."""
    good = bad_input.frame(30, bad_input.GOOD)
    for i in range(3000 if os.environ.get("BOLIDE_SOAK") else 150):
        data = bytearray(random.randbytes(random.randrange(1, 400)) if i % 2 else good)
        if i % 2 == 0:
            for _ in range(random.randrange(1, 8)):
                data[random.randrange(len(data))] ^= 1 << random.randrange(8)
        try:
            s = socket.create_connection(split(env.server.broker), 5)
            s.sendall(bytes(data))
            s.shutdown(socket.SHUT_WR)
            s.settimeout(5)
            while s.recv(65536):
                pass
        except OSError as e:
            assert "timed out" not in str(e), "case %d hangs: %s" % (i, bytes(data).hex())
        finally:
            s.close()
    with api.Broker(env.server.broker) as b:
        tap.equal(b.request(30, bad_input.GOOD).code, 0)


def split(address):
    host, port = address.split(":")
    return host, int(port)


def optimised():
    """A server of its own, without sanitizers, whose memory is looked at."""
    if procs.is_java():
        raise tap.Skip("a JVM's memory says nothing here")
    return procs.Server(release=True)


def test_announced_memory(_):
    """200 connections that announce 16 MiB each and send little cost little."""
    server = optimised()
    before, socks = server.rss_kb(), []
    for _ in range(200):
        s = socket.create_connection(split(server.broker), 5)
        s.sendall(struct.pack(">iI", (16 << 20) - 8, 100) + b"{" + b" " * 4000)
        socks.append(s)
    time.sleep(0.5)
    grown = server.rss_kb() - before
    for s in socks:
        s.close()
    server.close()
    assert grown < 32 * 1024, "%d KB for 200 announced frames" % grown


def test_half_sent_frames(_):
    """40 connections that send 12 MiB of a 16 MiB frame each: the whole stays bounded."""
    server = optimised()
    before, socks = server.rss_kb(), []
    chunk = b" " * (1 << 20)
    for _ in range(40):
        s = socket.create_connection(split(server.broker), 5)
        s.settimeout(0.3)
        try:
            s.sendall(struct.pack(">iI", (16 << 20) - 8, 100))
            for _ in range(12):
                s.sendall(chunk)
        except OSError:  # refused or not read further: both are bounds
            pass
        socks.append(s)
    grown = server.rss_kb() - before
    with api.Broker(server.broker) as b:
        answered = b.send("Beside", b"x").code
    for s in socks:
        s.close()
    server.close()
    print("# 40 half-sent frames of 16 MiB: %d MB" % (grown // 1024))
    assert grown < 768 * 1024, "%d KB" % grown
    tap.equal(answered, 0, "code of a send meanwhile")


def test_reader_that_does_not_read(_):
    """Clients that ask for megabytes and never read them: memory stays bounded."""
    server = optimised()
    with api.Broker(server.broker, timeout=30) as b:
        api.check(b.create_topic("Fat", 1))
        for _ in range(20):
            api.check(b.send("Fat", os.urandom(1 << 20)).frame)
        ext = {k: ("true" if v is True else str(v)) for k, v in b.pull_ext("Fat", 0, 0).items()}
    before, socks = server.rss_kb(), []
    request = wire.encode(wire.Frame(11, ext, b"", 1))
    for _ in range(20):
        s = socket.create_connection(split(server.broker), 5)
        s.setblocking(False)
        try:
            for _ in range(200):
                s.send(request)
        except BlockingIOError:
            pass
        socks.append(s)
    time.sleep(1.5)
    grown = server.rss_kb() - before
    with api.Broker(server.broker) as b:
        began = time.monotonic()
        answered = b.send("Beside", b"x").code
        took = time.monotonic() - began
    for s in socks:
        s.close()
    server.close()
    print("# 20 clients that do not read, 200 pulls each: %d MB" % (grown // 1024))
    assert grown < 512 * 1024, "%d KB" % grown
    assert answered == 0 and took < 1, "a send meanwhile: %d after %.1f s" % (answered, took)


def test_many_connections(env):
    """500 connections open and close; descriptors are given back."""
    for _ in range(5):
        socks = [socket.create_connection(split(env.server.broker), 5) for _ in range(100)]
        for s in socks:
            s.close()
    if procs.is_java():
        return
    folder = "/proc/%d/fd" % env.server.pid
    procs.wait_until(lambda: len(os.listdir(folder)) < 100, 5, "descriptors given back")


def test_bystander(env):
    """The client that worked all the while had no error and no long wait."""
    found = env.bystander.finish()
    print("# bystander: %d messages, slowest answer %.0f ms" % (
        env.bystander.acked, env.bystander.worst * 1000))
    tap.equal(env.bystander.errors[:5], [], "errors")
    tap.equal(found, env.bystander.acked, "messages of the bystander")
    assert env.bystander.acked > 100, env.bystander.acked
    assert env.bystander.worst < (5 if procs.is_java() else 1), env.bystander.worst
    assert env.server.running()


def main():
    tap.seed()
    return tap.run([test_framing, test_framing_namesrv, test_binary_headers, test_requests,
                    test_names, test_body_over_limit, test_random_bytes, test_announced_memory,
                    test_half_sent_frames, test_reader_that_does_not_read,
                    test_many_connections, test_bystander], setup,
                   lambda env: env.server.close())


if __name__ == "__main__":
    sys.exit(main())
