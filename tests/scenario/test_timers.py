#!/usr/bin/env python3
"""bolide timers: delayed messages are listed, counted, cancelled and moved; also over a kill -9."""

import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))

from bolide_test import api, procs, tap  # noqa: E402

HOUR = 3600000


def setup():
    s = procs.server()
    s.link = api.Broker(s.broker, timeout=20)
    return s


def teardown(s):
    s.link.close()
    s.close()


def now_ms():
    return int(time.time() * 1000)


def send(env, topic, key, due=None, level=None, keys=None, body=b"body", queue=1):
    properties = {"UNIQ_KEY": key}
    if due is not None:
        properties["TIMER_DELIVER_MS"] = str(due)
    if level is not None:
        properties["DELAY"] = str(level)
    if keys is not None:
        properties["KEYS"] = keys
    return api.check(env.link.send(topic, body, queue, properties).frame)


def text(env, *args, code=0):
    """Standard output, or standard error when a failure is expected."""
    status, out, err = procs.run_bolide("timers", *args, "--namesrv", env.namesrv)
    tap.equal(status, code, "exit code (%s)" % err)
    both = [x.decode() if isinstance(x, bytes) else x for x in (out, err)]
    return both[0] if code == 0 else both[1]


def rows(env, *args):
    return [json.loads(line) for line in text(env, *args, "--json").splitlines()]


def keys_of(lines):
    return [line["msgId"] for line in lines]


def listed(env, topic, count):
    procs.wait_until(lambda: len(rows(env, topic)) == count, 10, "%d messages that wait" % count)
    return rows(env, topic)


def test_list(env):
    """Levels and timers of one topic or all, by due time, with what is known of them."""
    due = now_ms() + HOUR
    send(env, "ListA", "A" * 32, due + 5, keys="käse brot", body=b"x" * 1500)
    send(env, "ListA", "B" * 32, due)
    send(env, "ListA", "C" * 32, level=18)
    send(env, "ListB", "D" * 32, due + 1)
    lines = listed(env, "ListA", 3)
    tap.equal(keys_of(lines), ["B" * 32, "A" * 32, "C" * 32])
    a = lines[1]
    tap.equal((a["due"], a["topic"], a["queueId"], a["keys"], a["bodyBytes"], a["recalled"]),
              (due + 5, "ListA", 1, "käse brot", 1500, False))
    tap.equal(keys_of(rows(env, "--from", str(due), "--until", str(due + 2))), ["B" * 32, "D" * 32])
    tap.equal(keys_of(rows(env, "ListA", "--from", str(due + 5), "--limit", "1")), ["A" * 32])
    tap.equal(keys_of(rows(env, "ListA", "--key", "brot")), ["A" * 32])
    tap.equal(keys_of(rows(env, "--key", "D" * 32)), ["D" * 32])
    tap.equal(keys_of(rows(env, "--key", lines[2]["offsetMsgId"])), ["C" * 32])
    table = text(env, "ListA").splitlines()
    tap.equal(len(table), 5)
    tap.equal(table[0].split(), ["DUE", "TOPIC", "QUEUE", "SIZE", "KEY", "KEYS"])
    for line, key in zip(table[1:4], "BAC"):
        tap.equal(line.index("ListA"), table[0].index("TOPIC"), line)
        tap.equal(line.index(key * 32), table[0].index("KEY"), line)
    assert "käse brot" in table[2], table
    tap.equal(table[4], "3 delayed messages of ListA.")


def test_count(env):
    """How many are due in each minute, hour, day."""
    base = (now_ms() // (24 * HOUR) + 3) * 24 * HOUR
    for i in range(12):
        send(env, "Count", "%032X" % i, base + i * HOUR // 4)
    listed(env, "Count", 12)
    tap.equal([(x["from"] - base, x["count"]) for x in rows(env, "Count", "--count", "hour")],
              [(0, 4), (HOUR, 4), (2 * HOUR, 4)])
    tap.equal([x["count"] for x in rows(env, "Count", "--count", "minute")], [1] * 12)
    tap.equal([x["count"] for x in rows(env, "--count", "day", "--from", str(base),
                                        "--until", str(base + 24 * HOUR))], [12])
    lines = text(env, "Count", "--count", "hour", "--from", str(base + HOUR)).splitlines()
    tap.equal(len(lines), 3)
    assert lines[0].endswith("Z  4  " + "#" * 40), lines
    tap.equal(lines[2], "8 delayed messages of Count.")


def test_cancel(env):
    """By unique key and by the broker's id; a cancelled message does not come, also not after a kill -9."""
    due = now_ms() + 6000
    for key in "ABC":
        send(env, "Cancel", key * 32, due)
    send(env, "Cancel", "L" * 32, level=2)
    ids = {x["msgId"]: x["offsetMsgId"] for x in listed(env, "Cancel", 4)}
    tap.equal(text(env, "Cancel", "--cancel", "A" * 32), "1 message of Cancel cancelled.\n")
    tap.equal(rows(env, "Cancel", "--cancel", ids["B" * 32])[0]["cancelled"], 1)
    tap.equal(rows(env, "Cancel", "--cancel", "L" * 32)[0]["cancelled"], 1)
    tap.equal(keys_of(listed(env, "Cancel", 1)), ["C" * 32])
    env.link.close()
    env.kill9()
    env.start()
    env.link = api.Broker(env.broker, timeout=20)
    tap.equal(keys_of(listed(env, "Cancel", 1)), ["C" * 32])
    assert "no delayed message" in text(env, "Cancel", "--cancel", "A" * 32, code=5)
    procs.wait_until(lambda: env.link.max_offset("Cancel", 1) > 0, 15, "the one that is left")
    time.sleep(1.5)
    tap.equal([r.unique_key for r in env.link.read_queue("Cancel", 1)], ["C" * 32])


def test_move(env):
    """Earlier, later, now; each comes once, then."""
    due = now_ms() + HOUR
    for key in "ABC":
        send(env, "Move", key * 32, due)
    listed(env, "Move", 3)
    later = now_ms() + 3000
    assert "moved to 20" in text(env, "Move", "--move", "A" * 32, "--to", str(later))
    tap.equal(rows(env, "Move", "--move", "B" * 32, "--to", "2001-01-01T00:00:00Z")[0]["moved"], 1)
    tap.equal(rows(env, "Move", "--move", "C" * 32, "--to", str(due + HOUR))[0]["dueTime"], due + HOUR)
    procs.wait_until(lambda: env.link.max_offset("Move", 1) == 1, 5, "the one that is due now")
    lines = listed(env, "Move", 2)
    tap.equal([(x["msgId"], x["due"]) for x in lines], [("A" * 32, later), ("C" * 32, due + HOUR)])
    procs.wait_until(lambda: env.link.max_offset("Move", 1) == 2, 10, "the one that was moved")
    got = env.link.read_queue("Move", 1)
    tap.equal([r.unique_key for r in got], ["B" * 32, "A" * 32])
    assert 0 <= got[1].store_timestamp - later < 1000, got[1].store_timestamp - later
    tap.equal(got[1].properties["TIMER_DELIVER_MS"], str(later))
    tap.equal(keys_of(rows(env, "Move")), ["C" * 32])


def test_many(env):
    """Thousands over many answers, none twice, in order."""
    base = now_ms() + HOUR
    waiting = []
    for i in range(3000):
        waiting.append(env.link.send_start("Many", b"x", 0, {
            "UNIQ_KEY": "%032X" % i, "TIMER_DELIVER_MS": str(base + i * 7919 % 3000)}))
    for w in waiting:
        api.check(w.wait(60))
    lines = listed(env, "Many", 3000)
    tap.equal([x["due"] for x in lines], [base + i for i in range(3000)])
    tap.equal(len(set(keys_of(lines))), 3000)


def test_failures(env):
    """Each kind has its exit code."""
    send(env, "Fail", "A" * 32, now_ms() + HOUR)
    listed(env, "Fail", 1)
    assert "does not exist" in text(env, "NoSuchTopic", code=3)
    assert "does not exist" in text(env, "NoSuchTopic", "--cancel", "x", code=3)
    text(env, "Fail", "--cancel", "nothing", code=5)
    text(env, "Fail", "--move", "nothing", "--to", str(now_ms()), code=5)
    assert "timerMaxDelaySec" in text(env, "Fail", "--move", "A" * 32, "--to", "2999-01-01", code=4)
    for args in (("--cancel", "x"), ("Fail", "--move", "x"), ("Fail", "--to", "2026-01-01"),
                 ("Fail", "--cancel", "x", "--limit", "1"), ("Fail", "--count", "week"),
                 ("Fail", "--count", "day", "--key", "x"), ("Fail", "Other"),
                 ("Fail", "--from", "never"), ("Fail", "--cancel", "")):
        text(env, *args, code=2)
    status, _, err = procs.run_bolide("timers", "--namesrv", "127.0.0.1:%d" % procs.free_port())
    tap.equal(status, 1, err)
    tap.equal(keys_of(rows(env, "Fail")), ["A" * 32], "nothing was changed")


if __name__ == "__main__":
    sys.exit(tap.run([test_list, test_count, test_cancel, test_move, test_many, test_failures],
                     setup, teardown))
