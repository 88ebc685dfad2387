#!/usr/bin/env python3
"""`bolide produce` and `bolide consume` against a server, and against raw records."""

import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))

from bolide_test import api, procs, tap  # noqa: E402

FIELDS = {"topic", "queueId", "queueOffset", "msgId", "storeTimestamp", "properties", "body"}


def setup():
    return procs.Server()


def cli(env, *args, status=0, **more):
    code, out, err = procs.run_bolide(*args, "--namesrv", env.namesrv, **more)
    assert code == status, "exit %s of %s: %s" % (code, args, err.strip()[-500:])
    return out, err


def test_one_body(env):
    """produce TOPIC BODY, consume it back with every field."""
    out, _ = cli(env, "produce", "CliOne", "hello world", "--json")
    acked = json.loads(out)
    assert acked.get("msgId") and acked.get("topic") == "CliOne", acked
    out, _ = cli(env, "consume", "CliOne", "--from", "earliest", "--count", 1, "--json")
    m = json.loads(out)
    assert FIELDS <= set(m), "fields missing: %s" % sorted(FIELDS - set(m))
    tap.equal((m["topic"], m["body"]), ("CliOne", "hello world"))
    tap.equal((m["queueId"], m["queueOffset"]), (acked["queueId"], acked["queueOffset"]))
    assert abs(m["storeTimestamp"] / 1000 - time.time()) < 60, m["storeTimestamp"]


def test_lines(env):
    """produce TOPIC - sends a message per line; consume prints each once."""
    lines = ["line %d äöü" % i for i in range(2000)]
    cli(env, "produce", "CliLines", "-", stdin="\n".join(lines).encode() + b"\n")
    out, _ = cli(env, "consume", "CliLines", "--from", "earliest", "--count", len(lines), "--json")
    got = [json.loads(x)["body"] for x in out.splitlines()]
    tap.equal(len(got), len(lines), "messages")
    tap.equal(sorted(got), sorted(lines), "bodies")


def test_plain_output(env):
    """Without --json the body stands on a line."""
    cli(env, "produce", "CliPlain", "just text")
    out, _ = cli(env, "consume", "CliPlain", "--from", "earliest", "--count", 1)
    assert "just text" in out.splitlines(), repr(out)


def test_last_line_without_newline(env):
    """A last line without a newline is a message; an empty input sends none."""
    cli(env, "produce", "CliTail", "-", stdin=b"a\nb")
    cli(env, "produce", "CliTail", "-", stdin=b"")
    out, _ = cli(env, "consume", "CliTail", "--from", "earliest", "--count", 2, "--json")
    tap.equal(sorted(json.loads(x)["body"] for x in out.splitlines()), ["a", "b"])


def test_server_variable(env):
    """BOLIDE_SERVER names the server when --namesrv is not given."""
    code, _, err = procs.run_bolide("produce", "CliEnv", "x", env={"BOLIDE_SERVER": env.namesrv})
    tap.equal(code, 0, "exit status (%s)" % err.strip())


def test_group_goes_on(env):
    """A group goes on where it stopped; another group begins at the beginning."""
    cli(env, "produce", "CliGroup", "-", stdin=b"".join(b"%d\n" % i for i in range(10)))
    first, _ = cli(env, "consume", "CliGroup", "--group", "cli_g", "--from", "earliest", "--count", 4,
                   "--json")
    second, _ = cli(env, "consume", "CliGroup", "--group", "cli_g", "--from", "earliest", "--count", 6,
                    "--json")
    bodies = sorted(int(json.loads(x)["body"]) for x in (first + second).splitlines())
    tap.equal(bodies, list(range(10)), "both parts together")
    other, _ = cli(env, "consume", "CliGroup", "--group", "cli_other", "--from", "earliest", "--count",
                   10, "--json")
    tap.equal(len(other.splitlines()), 10, "messages of another group")


def test_from_latest(env):
    """--from latest gives only what comes after it began."""
    cli(env, "produce", "CliLatest", "old")
    p = procs.Process([procs.bolide_path(), "consume", "CliLatest", "--from", "latest", "--count",
                       "1", "--json", "--namesrv", env.namesrv])
    time.sleep(1.5)
    cli(env, "produce", "CliLatest", "new")
    tap.equal(p.wait(20), 0, "exit status (%s)" % p.stderr())
    tap.equal(json.loads(p.stdout())["body"], "new")
    p.close()


def test_raw_messages(env):
    """Tags, keys, properties and a compressed body sent by another client are shown."""
    import zlib
    with api.Broker(env.broker) as b:
        api.check(b.create_topic("CliRaw", 1))
        api.check(b.send("CliRaw", b"tagged", 0, {"TAGS": "TagA", "KEYS": "k1", "user": "v"}).frame)
        api.check(b.send("CliRaw", zlib.compress(b"z" * 5000), 0, sys_flag=1).frame)
    out, _ = cli(env, "consume", "CliRaw", "--from", "earliest", "--count", 2, "--json")
    got = {len(m["body"]): m for m in map(json.loads, out.splitlines())}
    tap.equal(got[6]["tags"], "TagA", "tags")
    tap.equal(got[6]["keys"], "k1", "keys")
    tap.equal(got[6]["properties"].get("user"), "v", "user property")
    tap.equal(got[5000]["body"], "z" * 5000, "inflated body")


def test_no_server(_):
    """No server: one sentence, exit 1, within seconds."""
    address = "127.0.0.1:%d" % procs.free_port()
    for verb in (["produce", "T", "x"], ["consume", "T", "--count", "1"]):
        code, _, err = procs.run_bolide(*verb, "--namesrv", address, timeout=20)
        tap.equal(code, 1, "exit status of %s" % verb[0])
        tap.equal(len(err.strip().splitlines()), 1, "lines of %r" % err)


def test_bad_topic(env):
    """A topic name with a path trick: one sentence, not zero."""
    code, _, err = procs.run_bolide("produce", "../../etc/passwd", "x", "--namesrv", env.namesrv)
    assert code in (1, 2), "exit status %s" % code
    tap.equal(len(err.strip().splitlines()), 1, "lines of %r" % err)


def test_many_lines(env):
    """100,000 lines through both (1,000,000 when BOLIDE_SOAK is set), in order per queue."""
    count = 1000000 if os.environ.get("BOLIDE_SOAK") else 100000
    data = b"".join(b"%d\n" % i for i in range(count))
    cli(env, "produce", "CliMany", "-", stdin=data, timeout=240, release=True)
    out, _ = cli(env, "consume", "CliMany", "--from", "earliest", "--count", count, "--json",
                 timeout=240, release=True)
    seen, last = set(), {}
    for line in out.splitlines():
        m = json.loads(line)
        seen.add(int(m["body"]))
        queue = m["queueId"]
        assert m["queueOffset"] == last.get(queue, -1) + 1, "queue %d: %d after %d" % (
            queue, m["queueOffset"], last.get(queue, -1))
        last[queue] = m["queueOffset"]
    tap.equal(len(seen), count, "different messages")


def main():
    return tap.run([test_one_body, test_lines, test_plain_output, test_last_line_without_newline,
                    test_server_variable, test_group_goes_on, test_from_latest, test_raw_messages,
                    test_no_server, test_bad_topic, test_many_lines], setup, lambda s: s.close())


if __name__ == "__main__":
    sys.exit(main())
