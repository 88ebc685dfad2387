#!/usr/bin/env python3
"""What administrators do to groups: resets (222, 220), status (221, 223), copies (314), queues (321),
and queues given out by the broker (400, 401, 402).

Works against Java, too (SERVER=java).
"""

import json
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))

from bolide_test import api, procs, tap, wire  # noqa: E402

(RESET, STATUS, CLONE, BROWSE, CORRECTION, ASSIGN, SET_MODE, ALL_MODES, PRODUCERS) = (
    222, 223, 314, 321, 308, 400, 401, 402, 328)
RESET_CLIENT, STATUS_CLIENT = 220, 221


def setup():
    s = procs.server()
    s.link = api.Broker(s.broker, timeout=20)
    return s


def teardown(s):
    s.link.close()
    s.close()


def filled(env, name, counts):
    """A topic with so many messages in its queues."""
    b = env.link
    api.check(b.create_topic(name, len(counts)))
    for queue, count in enumerate(counts):
        for i in range(count):
            api.check(b.send(name, b"%d" % i, queue).frame)
        procs.wait_until(lambda q=queue, n=count: b.max_offset(name, q) >= n, 10, "messages")
    return b


def group(env, name):
    api.check(env.link.create_group(name))
    return name


def table(body):
    """{queue: offset} of a body whose keys are queues."""
    text = body.decode()
    found = {}
    for key, value in re.findall(r"\{([^{}]*)\}:(-?\d+)", text):
        found[int(re.search(r'"?queueId"?:(\d+)', key).group(1))] = int(value)
    return found


def reset(b, group_name, topic, timestamp=-1, **more):
    ext = {"topic": topic, "group": group_name, "timestamp": timestamp, "isForce": True}
    ext.update(more)
    return b.request(RESET, ext)


def committed(b, group_name, topic, queue):
    f = b.query_offset(group_name, topic, queue, False)
    return int(f.ext["offset"]) if f.code == 0 else -1


def pull(b, group_name, topic, queue, offset, **more):
    return b.pull(topic, queue, offset, group=group_name, **more)


def test_reset_to_the_end(env):
    """222 by time -1: every queue to its end; the offsets say so, and the next pull is sent there, once."""
    b = filled(env, "ResetEnd", [5, 3])
    g = group(env, "CG_RESET_END")
    f = api.check(reset(b, g, "ResetEnd"))
    tap.equal(table(f.body), {0: 5, 1: 3}, "answer")
    tap.equal([committed(b, g, "ResetEnd", q) for q in (0, 1)], [5, 3], "committed")
    r = pull(b, g, "ResetEnd", 0, 1)
    tap.equal((r.code, r.next, r.min, r.max), (21, 5, 0, 5), "first pull")
    tap.equal(r.frame.remark, "OFFSET_RESET", "remark")
    r = pull(b, g, "ResetEnd", 0, 1)
    tap.equal((r.code, r.next), (0, 5), "second pull")


def test_reset_by_time(env):
    """222 by time: the first message at or behind it; before all is the beginning."""
    b = filled(env, "ResetTime", [3])
    time.sleep(0.05)
    middle = int(time.time() * 1000)
    time.sleep(0.05)
    for _ in range(4):
        api.check(b.send("ResetTime", b"late").frame)
    procs.wait_until(lambda: b.max_offset("ResetTime", 0) >= 7, 10, "messages")
    g = group(env, "CG_RESET_TIME")
    tap.equal(table(api.check(reset(b, g, "ResetTime", middle)).body), {0: 3}, "middle")
    tap.equal(table(api.check(reset(b, g, "ResetTime", 1)).body), {0: 0}, "before all")
    tap.equal(table(api.check(reset(b, g, "ResetTime", middle + 10 ** 7)).body), {0: 7}, "behind all")
    tap.equal(committed(b, g, "ResetTime", 0), 7, "committed")


def test_commits_wait_for_the_reset(env):
    """Until a pull took the reset, commits of the members change nothing; the piggy-backed one neither."""
    b = filled(env, "ResetCommit", [10])
    g = group(env, "CG_RESET_COMMIT")
    api.check(b.update_offset(g, "ResetCommit", 0, 8))
    api.check(reset(b, g, "ResetCommit", 1))
    f = api.check(b.update_offset(g, "ResetCommit", 0, 9))
    tap.equal(f.remark, "Offset has been previously reset", "remark")
    tap.equal(committed(b, g, "ResetCommit", 0), 0, "committed")
    r = pull(b, g, "ResetCommit", 0, 9)
    tap.equal((r.code, r.next), (21, 0), "pull")
    api.check(b.update_offset(g, "ResetCommit", 0, 2))
    tap.equal(committed(b, g, "ResetCommit", 0), 2, "committed after the pull")
    if not procs.is_java():
        api.check(reset(b, g, "ResetCommit", 1))
        r = pull(b, g, "ResetCommit", 0, 9, sys_flag=api.PULL_SUBSCRIPTION | api.PULL_COMMIT, commit=9)
        tap.equal((r.code, r.next, committed(b, g, "ResetCommit", 0)), (21, 0, 0), "pull that commits")


def test_reset_wakes(env):
    """A pull that is held is answered with the reset."""
    b = filled(env, "ResetWake", [4])
    g = group(env, "CG_RESET_WAKE")
    with api.Broker(env.broker) as waiting:
        held = waiting.pull_start("ResetWake", 0, 4, group=g, hold_ms=12000)
        time.sleep(0.3)
        assert not held.ready(), "not held"
        api.check(reset(b, g, "ResetWake", 1))
        r = api.PullResult(held.wait(15))
        tap.equal((r.code, r.next), (21, 0), "held pull")
        if not procs.is_java():
            assert held.seconds < 2, "after %.1f s" % held.seconds


def test_reset_one_queue(env):
    """222 with a queue and an offset: that queue; an offset outside is refused and changes nothing."""
    b = filled(env, "ResetOne", [6, 6])
    g = group(env, "CG_RESET_ONE")
    f = api.check(reset(b, g, "ResetOne", queueId=1, offset=4))
    tap.equal(table(f.body), {1: 4}, "answer")
    tap.equal([committed(b, g, "ResetOne", q) for q in (0, 1)], [-1, 4], "committed")
    for offset in (100, -7):
        f = reset(b, g, "ResetOne", queueId=1, offset=offset)
        tap.equal((f.code, f.remark), (1, "Target offset %d not in consume queue range [0-6]" % offset))
    tap.equal(table(api.check(reset(b, g, "ResetOne", -1, queueId=0, offset=-1)).body), {0: 6}, "by time")
    tap.equal([committed(b, g, "ResetOne", q) for q in (0, 1)], [6, 4], "committed")


def test_reset_of_nothing(env):
    """Unknown topics and groups, queues that cannot be: told, and nothing changed."""
    b = filled(env, "ResetNone", [1])
    g = group(env, "CG_RESET_NONE")
    f = reset(b, g, "NoSuchTopic")
    tap.equal((f.code, f.remark), (17, "Topic NoSuchTopic does not exist"))
    f = reset(b, "CG_NO_SUCH", "ResetNone")
    tap.equal((f.code, f.remark), (26, "Group CG_NO_SUCH does not exist"))
    if not procs.is_java():
        for queue in (1, 99999, 2 ** 31 - 1):
            f = reset(b, g, "ResetNone", queueId=queue)
            tap.equal(f.code, 29, f.remark)
    for missing in ("topic", "group", "timestamp", "isForce"):
        ext = {"topic": "ResetNone", "group": g, "timestamp": -1, "isForce": True}
        del ext[missing]
        f = b.request(RESET, ext)
        assert f.code == 1 and (procs.is_java() or missing in f.remark), f
    tap.equal(committed(b, g, "ResetNone", 0), -1, "committed")


def member(env, group_name, client_id, topic, answers=None, language="JAVA"):
    b = api.Broker(env.broker, language=language, on_request=answers)
    api.check(b.heartbeat(client_id, {group_name: [topic]}))
    return b


def test_reset_at_the_members(env):
    """useServerSideResetOffset=false: 220 to each member, C++ ones in their form; forward only by force."""
    b = filled(env, "ResetPush", [5, 5])
    api.check(b.request(25, None, b"useServerSideResetOffset=false"))
    g = group(env, "CG_RESET_PUSH")
    try:
        f = reset(b, g, "ResetPush")
        tap.equal((f.code, f.remark), (1, "THe consumer group <%s> not exist" % g), "no offsets")
        for queue in (0, 1):
            api.check(b.update_offset(g, "ResetPush", queue, 2))
        f = reset(b, g, "ResetPush")
        tap.equal((f.code, f.remark), (206, "Consumer not online, so can not reset offset, Group: "
                                       "%s Topic: ResetPush Timestamp: -1" % g), "nobody there")
        m = member(env, g, "client-a", "ResetPush")
        c = member(env, g, "client-c", "ResetPush", language="CPP")
        tap.equal(table(api.check(reset(b, g, "ResetPush")).body), {0: 5, 1: 5}, "answer")
        told = m.next_request(3, code=RESET_CLIENT)
        tap.equal((told.ext["topic"], told.ext["group"], told.ext["timestamp"], told.flag & 2),
                  ("ResetPush", g, "-1", 2), "notice")
        tap.equal(table(told.body), {0: 5, 1: 5}, "offsets")
        told = c.next_request(3, code=RESET_CLIENT)
        if not procs.is_java():
            rows = told.json()["offsetTable"]
            tap.equal([(r["queueId"], r["offset"]) for r in rows], [(0, 5), (1, 5)], "for C++")
        tap.equal(table(api.check(reset(b, g, "ResetPush", isForce=False)).body), {0: 2, 1: 2}, "not forced")
        # a tool says for whom it asks by its language
        with api.Broker(env.broker, language="CPP") as asks:
            api.check(reset(asks, g, "ResetPush", 1))
        for _ in range(2):
            told = m.next_request(3, code=RESET_CLIENT)
        rows = told.json()["offsetTable"]
        tap.equal(sorted((r["brokerName"] != "", r["queueId"], r["offset"], r["topic"]) for r in rows),
                  [(True, 0, 0, "ResetPush"), (True, 1, 0, "ResetPush")], "form for C++")
        tap.equal([committed(b, g, "ResetPush", q) for q in (0, 1)], [2, 2], "committed")
        m.close()
        c.close()
    finally:
        api.check(b.request(25, None, b"useServerSideResetOffset=true"))


def test_status(env):
    """223 asks each member (221); clientAddr names one; who does not answer is left out."""
    b = filled(env, "StatusTopic", [2])
    body = b'{"messageQueueTable":{{"brokerName":"b","queueId":0,"topic":"StatusTopic"}:7}}'

    def says(frame):
        return wire.Frame(0, None, body) if frame.code == STATUS_CLIENT else None

    f = b.request(STATUS, {"topic": "StatusTopic", "group": "CG_STATUS_NONE"})
    tap.equal(f.code, 1, "nobody there")
    if not procs.is_java():
        tap.equal(f.remark, "No Any Consumer online in the consumer group: [CG_STATUS_NONE]")
    first = member(env, "CG_STATUS", "client-a", "StatusTopic", says)
    second = member(env, "CG_STATUS", "client-b", "StatusTopic", says)
    f = api.check(b.request(STATUS, {"topic": "StatusTopic", "group": "CG_STATUS"}))
    text = f.body.decode()
    assert '"client-a":{{' in text and '"client-b":{{' in text and text.count("}:7") == 2, text
    f = api.check(b.request(STATUS, {"topic": "StatusTopic", "group": "CG_STATUS", "clientAddr": "client-b"}))
    assert b"client-a" not in f.body and b"client-b" in f.body, f.body
    f = api.check(b.request(STATUS, {"topic": "StatusTopic", "group": "CG_STATUS", "clientAddr": "nobody"}))
    assert b'"consumerTable":{}' in f.body, f.body
    mute = member(env, "CG_STATUS", "client-mute", "StatusTopic")
    began = time.monotonic()
    f = api.check(b.request(STATUS, {"topic": "StatusTopic", "group": "CG_STATUS"}, timeout=15))
    assert 4 < time.monotonic() - began < 8, "%.1f s" % (time.monotonic() - began)
    assert b"client-mute" not in f.body and b"client-a" in f.body, f.body
    for link in (first, second, mute):
        link.close()


def test_clone(env):
    """314: a group gets another's offsets in a topic; one that the source does not want only offline."""
    b = filled(env, "CloneTopic", [5, 5])
    source, to = group(env, "CG_CLONE_FROM"), group(env, "CG_CLONE_TO")
    api.check(b.update_offset(source, "CloneTopic", 0, 3))
    api.check(b.update_offset(source, "CloneTopic", 1, 4))
    api.check(b.update_offset(to, "CloneTopic", 0, 1))
    api.check(b.request(CLONE, {"srcGroup": source, "destGroup": to, "topic": "CloneTopic", "offline": True}))
    tap.equal([committed(b, to, "CloneTopic", q) for q in (0, 1)], [3, 4], "copied")
    api.check(b.request(CLONE, {"srcGroup": "CG_NO_SUCH", "destGroup": to, "topic": "CloneTopic", "offline": True}))
    tap.equal([committed(b, to, "CloneTopic", q) for q in (0, 1)], [3, 4], "of an unknown group")
    api.check(b.update_offset(source, "CloneTopic", 0, 5))
    m = member(env, source, "client-a", "OtherTopic")
    api.check(b.request(CLONE, {"srcGroup": source, "destGroup": to, "topic": "CloneTopic", "offline": False}))
    tap.equal(committed(b, to, "CloneTopic", 0), 3, "online, not subscribed to")
    api.check(b.request(CLONE, {"srcGroup": source, "destGroup": to, "topic": "CloneTopic", "offline": True}))
    tap.equal(committed(b, to, "CloneTopic", 0), 5, "offline")
    if not procs.is_java():
        other = group(env, "CG_CLONE_ALL")
        api.check(b.request(CLONE, {"srcGroup": source, "destGroup": other, "offline": True}))
        tap.equal([committed(b, other, "CloneTopic", q) for q in (0, 1)], [5, 4], "every topic")
    m.close()


def test_browse(env):
    """321: entries of a queue; outside of it a remark, an unknown queue is told."""
    b = filled(env, "BrowseTopic", [5])
    f = api.check(b.request(BROWSE, {"topic": "BrowseTopic", "queueId": 0, "index": 1, "count": 3}))
    body = f.json()
    tap.equal((body["minQueueIndex"], body["maxQueueIndex"], len(body["queueData"])), (0, 5, 3))
    row = body["queueData"][0]
    tap.equal(sorted(row), ["eval", "physicOffset", "physicSize", "tagsCode"], "fields")
    first = pull(b, "CG_BROWSE", "BrowseTopic", 0, 1, count=1).records[0]
    tap.equal(row["physicOffset"], first.physical_offset, "log offset")
    f = api.check(b.request(BROWSE, {"topic": "BrowseTopic", "queueId": 0, "index": 0, "count": 2,
                                     "consumerGroup": "CG_BROWSE_NONE"}))
    tap.equal(f.json()["filterData"], "CG_BROWSE_NONE@BrowseTopic is not online!")
    m = member(env, "CG_BROWSE_ON", "client-a", "BrowseTopic")
    f = api.check(b.request(BROWSE, {"topic": "BrowseTopic", "queueId": 0, "index": 0, "count": 2,
                                     "consumerGroup": "CG_BROWSE_ON"}))
    tap.equal((f.json()["subscriptionData"]["subString"], f.json()["filterData"]), ("*", "null"))
    m.close()
    for count in (0, -5):
        f = api.check(b.request(BROWSE, {"topic": "BrowseTopic", "queueId": 0, "index": 0, "count": count}))
        tap.equal(f.json()["queueData"], [], "count %d" % count)
    f = b.request(BROWSE, {"topic": "BrowseTopic", "queueId": 0, "index": 99, "count": 2})
    tap.equal((f.code, f.remark), (0, "Index 99 of 0@BrowseTopic is not exist!"))
    if not procs.is_java():
        f = b.request(BROWSE, {"topic": "NoSuchTopic", "queueId": 7, "index": 0, "count": 2})
        tap.equal((f.code, f.remark), (1, "7@NoSuchTopic is not exist!"))


def test_correction(env):
    """308: the lowest offset of all groups, Long.MAX_VALUE where the compared group is behind it."""
    b = filled(env, "CorrectTopic", [9])
    groups = [group(env, "CG_CORRECT_%d" % i) for i in range(3)]
    for i, g in enumerate(groups):
        api.check(b.update_offset(g, "CorrectTopic", 0, 3 + i))
    f = api.check(b.request(CORRECTION, {"compareGroup": groups[2], "topic": "CorrectTopic"}))
    tap.equal(re.findall(rb"0:(\d+)", f.body), [b"3"], "lowest")


def assign(b, group_name, topic, client_id, strategy="AVG", model="CLUSTERING", **more):
    body = {"topic": topic, "consumerGroup": group_name, "clientId": client_id, "strategyName": strategy,
            "messageModel": model}
    body.update(more)
    return b.request(ASSIGN, None, json.dumps(body).encode())


def queues_of(frame):
    rows = api.check(frame).json().get("messageQueueAssignments")
    if rows is None:
        return None
    assert all(r["mode"] == "PULL" for r in rows), rows
    return sorted(r["messageQueue"]["queueId"] for r in rows)


def routed(env, topic):
    with api.NameServer(env.namesrv) as n:
        procs.wait_until(lambda: n.route(topic).code == 0, 10, "route")


def test_assignment(env):
    """400: each member gets its share; the shares are disjoint and whole, as the clients compute them."""
    b = filled(env, "AssignTopic", [0] * 8)
    routed(env, "AssignTopic")
    g = group(env, "CG_ASSIGN")
    ids = ["client-b", "client-a", "client-c"]
    links = [member(env, g, i, "AssignTopic") for i in ids]
    ask = {i: assign for i in ids}
    shares = {i: queues_of(assign(b, g, "AssignTopic", i)) for i in ask}
    tap.equal(shares, {"client-a": [0, 1, 2], "client-b": [3, 4, 5], "client-c": [6, 7]}, "AVG")
    shares = {i: queues_of(assign(b, g, "AssignTopic", i, "AVG_BY_CIRCLE")) for i in ask}
    tap.equal(shares, {"client-a": [0, 3, 6], "client-b": [1, 4, 7], "client-c": [2, 5]}, "AVG_BY_CIRCLE")
    tap.equal(queues_of(assign(b, g, "AssignTopic", "nobody")), [], "who is no member")
    tap.equal(queues_of(assign(b, g, "AssignTopic", "client-a", model="BROADCASTING")), list(range(8)),
              "broadcasting")
    for strange in (assign(b, g, "AssignTopic", "client-a", "MACHINE_ROOM"),
                    assign(b, "CG_ASSIGN_NONE", "AssignTopic", "client-a"),
                    assign(b, g, "NoSuchTopic", "client-a"), assign(b, g, "AssignTopic", "")):
        tap.equal((strange.code, queues_of(strange)), (0, None), "no assignment")
    links.pop().close()
    procs.wait_until(lambda: len(b.consumer_list(g)) == 2, 5, "it left")
    tap.equal(queues_of(assign(b, g, "AssignTopic", "client-a")), [0, 1, 2, 3], "after one left")
    for link in links:
        link.close()


def test_assignment_by_hash(env):
    """CONSISTENT_HASH is served by bolide only; the shares are disjoint and whole, and move little."""
    b = filled(env, "HashTopic", [0] * 16)
    routed(env, "HashTopic")
    g = group(env, "CG_HASH")
    ids = ["127.0.0.1@%d" % i for i in range(4)]
    links = [member(env, g, i, "HashTopic") for i in ids]
    shares = [queues_of(assign(b, g, "HashTopic", i, "CONSISTENT_HASH")) for i in ids]
    if procs.is_java():
        tap.equal(shares, [None] * 4, "Java")
    else:
        tap.equal(sorted(sum(shares, [])), list(range(16)), "shares")
        links.pop().close()
        procs.wait_until(lambda: len(b.consumer_list(g)) == 3, 5, "it left")
        for i, before in zip(ids[:3], shares):
            after = queues_of(assign(b, g, "HashTopic", i, "CONSISTENT_HASH"))
            assert set(before) <= set(after), "%s had %s and has %s" % (i, before, after)
    for link in links:
        link.close()


def set_mode(b, topic, group_name, mode="PULL", share=0):
    return b.request(SET_MODE, None, json.dumps({"topic": topic, "consumerGroup": group_name, "mode": mode,
                                                 "popShareQueueNum": share}).encode())


def test_modes(env):
    """401 and 402: the mode of a topic and group is kept; bolide refuses POP."""
    b = filled(env, "ModeTopic", [0])
    g = group(env, "CG_MODE")
    api.check(set_mode(b, "ModeTopic", g, "PULL", 3))
    modes = api.check(b.request(ALL_MODES)).json()["messageRequestModeMap"]
    tap.equal(modes["ModeTopic"][g], {"consumerGroup": g, "mode": "PULL", "popShareQueueNum": 3,
                                      "topic": "ModeTopic"}, "mode")
    f = set_mode(b, "%RETRY%" + g, g)
    tap.equal((f.code, f.remark), (16, "retry topic is not allowed to set mode"))
    f = set_mode(b, "NoSuchTopic", g)
    tap.equal((f.code, f.remark), (17, "topic[NoSuchTopic] not exist"))
    if not procs.is_java():
        f = set_mode(b, "ModeTopic", g, "POP", 2)
        assert f.code == 16 and "POP" in f.remark, f
        modes = api.check(b.request(ALL_MODES)).json()["messageRequestModeMap"]
        tap.equal(modes["ModeTopic"][g]["mode"], "PULL", "mode after POP was refused")


def test_bad_assignments(env):
    """Questions without topic, group or model, or that are no JSON, are told so."""
    b = env.link
    for body in (b"", b"{", b"[]", b"7", b'{"topic":"T"}', b'{"topic":"T","consumerGroup":"G"}',
                 b'{"topic":"T","consumerGroup":"G","messageModel":"NONE"}'):
        f = b.request(ASSIGN, None, body)
        assert f.code in (0, 1), f
        if not procs.is_java():
            tap.equal(f.code, 1, "%r: %s" % (body, f.remark))
    tap.equal(b.request(28).code, 0, "still there")


def test_producers(env):
    """328: every producer group with its clients."""
    b = api.Broker(env.broker, language="GO", version=317)
    api.check(b.heartbeat("client-p", None, ["PG_ALL_1", "PG_ALL_2"]))
    data = api.check(env.link.request(PRODUCERS)).json()["data"]
    for name in ("PG_ALL_1", "PG_ALL_2"):
        row = data[name][0]
        tap.equal((row["clientId"], row["language"], row["version"], row["remoteIP"]),
                  ("client-p", "GO", 317, "/" + b.local), name)
        assert abs(row["lastUpdateTimestamp"] - time.time() * 1000) < 5000, row
    b.close()


def main():
    return tap.run([test_reset_to_the_end, test_reset_by_time, test_commits_wait_for_the_reset,
                    test_reset_wakes, test_reset_one_queue, test_reset_of_nothing,
                    test_reset_at_the_members, test_status, test_clone, test_browse, test_correction,
                    test_assignment, test_assignment_by_hash, test_modes, test_bad_assignments,
                    test_producers], setup, teardown)


if __name__ == "__main__":
    sys.exit(main())
