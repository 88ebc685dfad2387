#!/usr/bin/env python3
"""bolide redrive: dead letters go back, once, and what was asked for; also from a Java server (SERVER=java)."""

import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))

from bolide_test import api, procs, tap  # noqa: E402

SEND_BACK = 36


def setup():
    s = procs.server()
    s.link = api.Broker(s.broker, timeout=20)
    return s


def teardown(s):
    s.link.close()
    s.close()


def bury(env, group, topic, count, first=0, sys_flag=0):
    """`count` messages of the topic become dead letters of the group."""
    b = env.link
    if first == 0:
        api.check(b.create_topic(topic, 2))
        api.check(b.create_group(group))
    at = b.max_offset(topic, 0)
    for i in range(first, first + count):
        api.check(b.send(topic, b"%s %d" % (topic.encode(), i), 0,
                         {"KEYS": "k%d every" % i, "TAGS": "even" if i % 2 == 0 else "odd",
                          "UNIQ_KEY": "%032X" % (i + 1), "own": "p%d" % i}, flag=i,
                         sys_flag=sys_flag).frame)
    procs.wait_until(lambda: b.max_offset(topic, 0) == at + count, 10, "messages")
    for r in b.read_queue(topic, 0, at):
        api.check(b.request(SEND_BACK, {"offset": r.physical_offset, "group": group,
                                        "delayLevel": -1, "originTopic": topic, "unitMode": False,
                                        "originMsgId": r.unique_key}))
    procs.wait_until(lambda: buried(b, group) == first + count, 10, "dead letters")


def buried(b, group):
    return b.max_offset("%DLQ%" + group, 0)


def redrive(env, *args, code=0):
    """The exit code is asserted. The objects of --json, the last with the counts."""
    status, out, err = procs.run_bolide("redrive", *args, "--json", "--namesrv", env.namesrv)
    tap.equal(status, code, "exit code (%s)" % err)
    return [json.loads(line) for line in out.splitlines()]


def bodies(b, topic, queues=2, after=None):
    """What is in the topic beyond `after`, by queue."""
    return sorted(r.body for q in range(queues)
                  for r in b.read_queue(topic, q, (after or {}).get(q, 0)))


def ends(b, topic, queues=2):
    return {q: b.max_offset(topic, q) for q in range(queues)}


def arrived(b, topic, after, count, queues=2):
    procs.wait_until(lambda: sum(ends(b, topic, queues).values()) - sum(after.values()) >= count, 10,
                     "%d messages" % count)
    time.sleep(0.2)
    return bodies(b, topic, queues, after)


def test_all(env):
    """Every dead letter goes back to its topic with what it carried; a repetition sends nothing."""
    b = env.link
    bury(env, "DG_A", "DeadA", 40)
    before = ends(b, "DeadA")
    lines = redrive(env, "DG_A")
    tap.equal({k: lines[-1][k] for k in ("looked", "matched", "sent", "complete", "progressGroup")},
              {"looked": 40, "matched": 40, "sent": 40, "complete": True,
               "progressGroup": "redrive_DG_A"})
    tap.equal(arrived(b, "DeadA", before, 40), sorted(b"DeadA %d" % i for i in range(40)))
    back = {r.flag: r for q in range(2) for r in b.read_queue("DeadA", q, before[q])}
    tap.equal(len(back), 40, "flags")
    r = back[7]
    tap.equal((r.reconsume_times, r.topic, r.properties["KEYS"], r.tags, r.properties["own"]),
              (0, "DeadA", "k7 every", "odd", "p7"))
    assert r.properties["ORIGIN_MESSAGE_ID"], "no first id"
    assert r.unique_key != "%032X" % 8, "it is a message of its own"
    for name in ("RETRY_TOPIC", "DELAY", "WAIT", "REAL_TOPIC"):
        assert name not in r.properties, name
    told = {line["queueOffset"]: line for line in lines[:-1]}
    tap.equal((told[7]["keys"], told[7]["to"], told[7]["status"], told[7]["sentMsgId"]),
              ("k7 every", "DeadA", "SEND_OK", r.unique_key))
    tap.equal(int(api.check(b.query_offset("redrive_DG_A", "%DLQ%DG_A", 0, False)).ext["offset"]), 40,
              "committed")
    after = ends(b, "DeadA")
    tap.equal(redrive(env, "DG_A")[-1]["sent"], 0, "a repetition")
    bury(env, "DG_A", "DeadA", 3, 40)
    after = ends(b, "DeadA")
    tap.equal(redrive(env, "DG_A")[-1]["sent"], 3, "those that came since")
    tap.equal(arrived(b, "DeadA", after, 3), [b"DeadA 40", b"DeadA 41", b"DeadA 42"])
    after = ends(b, "DeadA")
    tap.equal(redrive(env, "DG_A", "--again", "--limit", "5")[-1]["sent"], 5, "again, five of them")
    tap.equal(arrived(b, "DeadA", after, 5), sorted(b"DeadA %d" % i for i in range(5)))
    tap.equal(redrive(env, "DG_A", "--limit", "1")[0]["queueOffset"], 5, "it goes on there")


def test_dry_run(env):
    """--dry-run says what would go and where, and changes nothing."""
    b = env.link
    bury(env, "DG_B", "DeadB", 10)
    before = ends(b, "DeadB")
    for _ in range(2):
        lines = redrive(env, "DG_B", "--dry-run", "--tag", "odd")
        tap.equal([(x["queueOffset"], x["to"]) for x in lines[:-1]],
                  [(i, "DeadB") for i in range(1, 10, 2)])
        tap.equal((lines[-1]["matched"], lines[-1]["sent"]), (5, 0))
    tap.equal(ends(b, "DeadB"), before, "sent")
    tap.equal(b.query_offset("redrive_DG_B", "%DLQ%DG_B", 0, False).code, 22, "committed")
    status, out, _ = procs.run_bolide("redrive", "DG_B", "--dry-run", "--namesrv", env.namesrv)
    text = out
    assert status == 0 and "10 of 10 dead letters of DG_B would be sent" in text, text
    assert "keys k3 every tags odd -> DeadB" in text, text


def test_filters(env):
    """Key, id, tag and time choose; each filter remembers for itself; --to names another topic."""
    b = env.link
    bury(env, "DG_C", "DeadC", 10)
    time.sleep(0.3)
    middle = int(time.time() * 1000)
    time.sleep(0.3)
    bury(env, "DG_C", "DeadC", 10, 10)
    api.check(b.create_topic("OtherC", 2))
    procs.wait_until(lambda: api.NameServer(env.namesrv).route("OtherC").code == 0, 10, "route")
    none = {0: 0, 1: 0}
    tap.equal(redrive(env, "DG_C", "--key", "k4", "--to", "OtherC")[-1]["sent"], 1, "key")
    tap.equal(arrived(b, "OtherC", none, 1), [b"DeadC 4"])
    tap.equal(redrive(env, "DG_C", "--key", "k4", "--to", "OtherC")[-1]["sent"], 0, "key again")
    tap.equal(redrive(env, "DG_C", "--key", "every", "--dry-run")[-1]["matched"], 20, "every key")
    tap.equal(redrive(env, "DG_C", "--key", "%032X" % 3, "--to", "OtherC")[0]["queueOffset"], 2,
              "message id")
    tap.equal(redrive(env, "DG_C", "--until", str(middle), "--dry-run")[-1]["matched"], 10, "until")
    lines = redrive(env, "DG_C", "--from", str(middle), "--tag", "even", "--to", "OtherC")
    tap.equal([x["queueOffset"] for x in sorted(lines[:-1], key=lambda x: x["queueOffset"])],
              [10, 12, 14, 16, 18], "from, tag")
    tap.equal(redrive(env, "DG_C", "--dry-run")[-1]["matched"], 20, "without a filter all are left")


def test_compressed(env):
    """A compressed body goes back as it is."""
    import zlib
    b = env.link
    api.check(b.create_topic("DeadD", 1))
    api.check(b.create_group("DG_D"))
    body = zlib.compress(b"text " * 1000)
    api.check(b.send("DeadD", body, sys_flag=0x301).frame)
    procs.wait_until(lambda: b.max_offset("DeadD", 0) == 1, 10, "message")
    r, = b.pull("DeadD", 0, 0).records
    api.check(b.request(SEND_BACK, {"offset": r.physical_offset, "group": "DG_D", "delayLevel": -1,
                                    "originTopic": "DeadD"}))
    procs.wait_until(lambda: buried(b, "DG_D") == 1, 10, "dead letter")
    tap.equal(redrive(env, "DG_D")[-1]["sent"], 1)
    r, = arrived_records(b, "DeadD", 1)
    tap.equal((r.body, r.sys_flag), (body, 0x301))


def arrived_records(b, topic, at):
    procs.wait_until(lambda: b.max_offset(topic, 0) > at, 10, "message")
    return b.read_queue(topic, 0, at)


def test_failures(env):
    """Each kind of failure has its exit code and one sentence."""
    b = env.link

    def fails(code, text, *args, namesrv=env.namesrv):
        status, _, err = procs.run_bolide("redrive", *args, "--namesrv", namesrv)
        tap.equal((status, err.count("\n")), (code, 1), err)
        assert text in err, err

    fails(3, "has no dead letters", "DG_NONE")
    fails(1, "", "DG_NONE", namesrv="127.0.0.1:%d" % procs.free_port())
    fails(2, "one GROUP")
    fails(2, "--from", "G", "--from", "soon")
    fails(2, "already", "G", "--to", "%DLQ%G")
    fails(2, "--limit", "G", "--limit", "0")
    bury(env, "DG_E", "DeadE", 3)
    fails(4, "does not exist", "DG_E", "--to", "NoSuchTopic")
    tap.equal(redrive(env, "DG_E", "--dry-run")[-1]["matched"], 3, "nothing was passed")
    api.check(b.send("%DLQ%DG_E", b"by hand", 0, {}).frame)
    api.check(b.request(SEND_BACK, {"offset": b.pull("DeadE", 0, 0).records[0].physical_offset,
                                    "group": "DG_E", "delayLevel": -1, "originTopic": "DeadE"}))
    procs.wait_until(lambda: buried(b, "DG_E") == 5, 10, "dead letters")
    before = ends(b, "DeadE")
    fails(5, "--to", "DG_E")
    tap.equal(len(arrived(b, "DeadE", before, 3)), 3, "what was before it")
    tap.equal([x["queueOffset"] for x in redrive(env, "DG_E", "--dry-run")[:-1]], [3, 4])
    tap.equal(redrive(env, "DG_E", "--to", "DeadE")[-1]["sent"], 2, "all others")


def test_many(env):
    """Thousands, with a kill -9 in between: none is lost, few come twice."""
    b = env.link
    count = 3000
    api.check(b.create_topic("DeadF", 2))
    api.check(b.create_topic("%DLQ%DG_F", 1))
    api.check(b.create_group("DG_F"))
    for at in range(0, count, 100):
        api.check(b.send_batch("%DLQ%DG_F", [b"%d" % i for i in range(at, at + 100)], 0,
                               [{"RETRY_TOPIC": "DeadF"}] * 100).frame)
    procs.wait_until(lambda: buried(b, "DG_F") == count, 20, "dead letters")
    p = procs.Process([procs.bolide_path(), "redrive", "DG_F", "--namesrv", env.namesrv])
    procs.wait_until(lambda: sum(ends(b, "DeadF").values()) > 0 or not p.running(), 20, "first")
    p.kill()
    time.sleep(0.5)
    first = sum(ends(b, "DeadF").values())
    rest = redrive(env, "DG_F")[-1]["sent"]
    got = [int(x) for x in arrived(b, "DeadF", {0: 0, 1: 0}, first + rest)]
    tap.equal(sorted(set(got)), list(range(count)), "each at least once")
    assert len(got) - count <= 1024, "%d came twice" % (len(got) - count)


if __name__ == "__main__":
    sys.exit(tap.run([test_all, test_dry_run, test_filters, test_compressed, test_failures,
                      test_many], setup, teardown))
