#!/usr/bin/env python3
"""Consumer groups: who is in them (34, 35, 38, 203), the notices (40) to the others, limits.

Works against Java, too (SERVER=java).
"""

import json
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))

from bolide_test import api, procs, tap  # noqa: E402


def setup():
    s = procs.server()
    with api.Broker(s.broker) as b:
        api.check(b.create_topic("MemberTopic", 4))
    return s


def join(env, group, client_id):
    b = api.Broker(env.broker)
    api.check(b.heartbeat(client_id, {group: ["MemberTopic"]}, ["PG_MEMBER"]))
    return b


def drain(b, seconds=0.8):
    """Notices that came within a while."""
    out, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            out.append(b.next_request(max(0.01, end - time.monotonic()), code=40))
        except TimeoutError:
            break
    return out


def test_list_after_heartbeat(env):
    """The client is in the list right after its heartbeat."""
    a = join(env, "CG_LIST", "client-a")
    tap.equal(a.consumer_list("CG_LIST"), ["client-a"], "members")
    b = join(env, "CG_LIST", "client-b")
    for link in (a, b):
        tap.equal(sorted(link.consumer_list("CG_LIST")), ["client-a", "client-b"], "members")
    a.close()
    b.close()


def test_notice_on_join(env):
    """A join tells the others, at once, with the group's name, one-way."""
    a = join(env, "CG_JOIN", "client-a")
    drain(a)
    began = time.monotonic()
    b = join(env, "CG_JOIN", "client-b")
    notice = a.next_request(2, code=40)
    assert time.monotonic() - began < 1, "after %.2f s" % (time.monotonic() - began)
    tap.equal(notice.ext.get("consumerGroup"), "CG_JOIN", "group")
    assert notice.flag & 2, "flag %d is not one-way" % notice.flag
    a.close()
    b.close()


def test_heartbeats_do_not_notify(env):
    """Heartbeats that change nothing send no notice."""
    a, b = join(env, "CG_QUIET", "client-a"), join(env, "CG_QUIET", "client-b")
    beat = {"CG_QUIET": [api.subscription("MemberTopic", "*", 5)]}
    a.heartbeat("client-a", beat)
    b.heartbeat("client-b", beat)
    time.sleep(0.7)
    drain(a, 0.2)
    drain(b, 0.2)
    for _ in range(5):
        a.heartbeat("client-a", beat)
        b.heartbeat("client-b", beat)
    tap.equal(len(drain(a, 0.8)) + len(drain(b, 0.1)), 0, "notices")
    a.close()
    b.close()


def test_notice_on_leave(env):
    """Unregistering (35) takes the client out at once and tells the others."""
    a, b = join(env, "CG_LEAVE", "client-a"), join(env, "CG_LEAVE", "client-b")
    time.sleep(0.6)
    drain(a, 0.3)
    api.check(b.unregister("client-b", consumer="CG_LEAVE"))
    tap.equal(a.consumer_list("CG_LEAVE"), ["client-a"], "members")
    tap.equal(a.next_request(2, code=40).ext.get("consumerGroup"), "CG_LEAVE", "group")
    api.check(a.unregister("client-a", consumer="CG_LEAVE"))
    f = a.request(38, {"consumerGroup": "CG_LEAVE"})
    tap.equal((f.code, f.remark), (1, "no consumer for this group, CG_LEAVE"))
    a.close()
    b.close()


def test_notice_on_dropped_connection(env):
    """A connection that drops takes its clients out of every group, and the others are told."""
    a = join(env, "CG_DROP", "client-a")
    b = join(env, "CG_DROP", "client-b")
    api.check(b.heartbeat("client-b", {"CG_DROP": ["MemberTopic"], "CG_DROP2": ["MemberTopic"]}))
    time.sleep(0.6)
    drain(a, 0.3)
    began = time.monotonic()
    b.close()
    tap.equal(a.next_request(3, code=40).ext.get("consumerGroup"), "CG_DROP", "group")
    assert time.monotonic() - began < 1.5, "after %.2f s" % (time.monotonic() - began)
    procs.wait_until(lambda: a.consumer_list("CG_DROP") == ["client-a"], 3, "client-b is out")
    tap.equal(a.consumer_list("CG_DROP2"), [], "members of the other group")
    a.close()


def test_notices_are_bounded(env):
    """Thirty joins in a row: the last list is complete, notices few (bolide: one per 500 ms)."""
    a = join(env, "CG_MANY", "client-00")
    time.sleep(0.6)
    drain(a, 0.3)
    began = time.monotonic()
    links = [join(env, "CG_MANY", "client-%02d" % i) for i in range(1, 31)]
    took = time.monotonic() - began
    notices = drain(a, 1.5)
    assert notices, "no notice"
    if not procs.is_java():
        assert len(notices) <= 2 + int((took + 1.5) / 0.5), "%d notices in %.1f s" % (
            len(notices), took + 1.5)
    tap.equal(len(a.consumer_list("CG_MANY")), 31, "members")
    for link in links:
        link.close()
    procs.wait_until(lambda: a.consumer_list("CG_MANY") == ["client-00"], 5, "all left")
    a.close()


def pace(b, seconds):
    """When notices came, in seconds from now."""
    out, began = [], time.monotonic()
    while time.monotonic() - began < seconds:
        try:
            b.next_request(max(0.01, began + seconds - time.monotonic()), code=40)
            out.append(time.monotonic() - began)
        except TimeoutError:
            break
    return out


def test_notices_are_paced(env):
    """While one joins every 20 ms: the first notice at once, then none closer than 500 ms to the last (bolide)."""
    a = join(env, "CG_PACE", "client-000")
    time.sleep(0.7)
    drain(a, 0.3)
    links, stop = [], threading.Event()

    def joins():
        for i in range(1, 400):
            if stop.wait(0.02):
                return
            links.append(join(env, "CG_PACE", "client-%03d" % i))

    joiner = threading.Thread(target=joins)
    joiner.start()
    times = pace(a, 3.2)
    stop.set()
    joiner.join()
    assert times, "no notice"
    assert times[0] < 0.3, "the first after %.2f s" % times[0]
    if not procs.is_java():
        gaps = [y - x for x, y in zip(times, times[1:])]
        tap.equal(len(times), 7, "notices in 3.2 s (%s)" % ", ".join("%.2f" % t for t in times))
        assert min(gaps) > 0.45 and max(gaps) < 0.8, "gaps %s" % ", ".join("%.2f" % g for g in gaps)
        # the last join is told of, too
        assert len(pace(a, 0.8)) >= 1, "no notice of the last"
    tap.equal(len(a.consumer_list("CG_PACE")), len(links) + 1, "members")
    for link in links + [a]:
        link.close()


def test_every_member_is_told(env):
    """Three hundred members: a leave is told to each of them."""
    links = [join(env, "CG_WIDE", "client-%03d" % i) for i in range(300)]
    time.sleep(1.2)
    for link in links:
        drain(link, 0.001)
    links.pop(7).close()
    for link in links:
        tap.equal(link.next_request(3, code=40).ext.get("consumerGroup"), "CG_WIDE", "group")
    for link in links:
        link.close()


def test_quiet_groups(env):
    """No notices to broadcasting members, nor where the group or the broker says so."""
    admin = api.Broker(env.broker)
    api.check(admin.create_group("CG_MUTE", notifyConsumerIdsChangedEnable=False))
    a, b = join(env, "CG_MUTE", "client-a"), join(env, "CG_MUTE", "client-b")
    tap.equal(len(drain(a)) + len(drain(b, 0.1)), 0, "notices of a group that wants none")
    links = []
    for client_id in ("client-a", "client-b"):
        link = api.Broker(env.broker)
        body = api.heartbeat_body(client_id, {"CG_CAST": ["MemberTopic"]})
        body["consumerDataSet"][0]["messageModel"] = "BROADCASTING"
        api.check(link.request(34, None, json.dumps(body).encode()))
        links.append(link)
    links[1].close()
    tap.equal(len(drain(links[0])), 0, "notices to broadcasting members")
    tap.equal(api.check(admin.request(203, {"consumerGroup": "CG_CAST"})).json()["messageModel"],
              "BROADCASTING", "model")
    for link in (a, b, links[0], admin):
        link.close()


def test_consume_enable(env):
    """A group that may not consume is refused its pulls (16), one that may not broadcast, too."""
    b = join(env, "CG_STOPPED", "client-a")
    api.check(b.create_group("CG_STOPPED", consumeEnable=False))
    f = b.pull_start("MemberTopic", 0, 0, group="CG_STOPPED").wait()
    tap.equal((f.code, f.remark, f.ext.get("forbiddenType")),
              (16, "subscription group no permission, CG_STOPPED", "2"))
    api.check(b.create_group("CG_STOPPED", consumeEnable=True, consumeBroadcastEnable=False))
    body = api.heartbeat_body("client-a", {"CG_STOPPED": ["MemberTopic"]})
    body["consumerDataSet"][0]["messageModel"] = "BROADCASTING"
    api.check(b.request(34, None, json.dumps(body).encode()))
    f = b.pull_start("MemberTopic", 0, 0, group="CG_STOPPED", sys_flag=0, subscription=None).wait()
    tap.equal((f.code, f.ext.get("forbiddenType")), (16, "4"), f.remark)
    b.close()


def runtime(b):
    return api.check(b.request(28)).json()["table"]


def test_disagreeing_members(env):
    """Members that want different things: the group keeps the latest, and the broker says who (bolide)."""
    a, b = api.Broker(env.broker), api.Broker(env.broker)
    api.check(a.heartbeat("client-a", {"CG_ODD": [api.subscription("MemberTopic", "TagA", 1)]}))
    api.check(b.heartbeat("client-b", {"CG_ODD": [api.subscription("MemberTopic", "TagB", 2)]}))
    table = api.check(a.request(203, {"consumerGroup": "CG_ODD"})).json()["subscriptionTable"]
    tap.equal(table["MemberTopic"]["subString"], "TagB", "what counts")
    if not procs.is_java():
        info = runtime(a)
        tap.equal(info["groupsWithDifferentSubscriptions"], "1", "groups that disagree")
        tap.equal(info["differentSubscriptions_CG_ODD"],
                  "1 member CLUSTERING MemberTopic=TagA: client-a (%s); "
                  "1 member CLUSTERING MemberTopic=TagB: client-b (%s)" % (a.local, b.local))
        line = [x for x in env.process.stderr().splitlines() if "members.disagree" in x and "CG_ODD" in x]
        tap.equal(len(line), 1, "lines in the log")
        assert "client-a" in line[0] and "TagA" in line[0] and "client-b" in line[0], line[0]
    api.check(a.heartbeat("client-a", {"CG_ODD": [api.subscription("MemberTopic", "TagB", 3)]}))
    if not procs.is_java():
        tap.equal(runtime(a)["groupsWithDifferentSubscriptions"], "0", "groups that disagree now")
    a.close()
    b.close()


def test_large_heartbeats(env):
    """Heartbeats of up to 16 MB: taken, or refused with the reason; others do not wait for long."""
    b, other = api.Broker(env.broker, timeout=60), api.Broker(env.broker)
    bodies = [b'{"clientID":"big"}' + b" " * (15 << 20), b'{"clientID":"big","x":' + b"[" * (3 << 20),
              b'{"clientID":"big","consumerDataSet":[' + b"{}," * (1 << 20) + b"{}]}",
              b'{"clientID":"big","producerDataSet":[' + b'{"groupName":"P"},' * 20000 + b"{}]}",
              b'{"clientID":"' + b"x" * (1 << 20) + b'"}']
    for body in bodies:
        held = b.start(34, None, body)
        began = time.monotonic()
        api.check(other.request(31, {"topic": "MemberTopic", "queueId": 0}))
        waited = time.monotonic() - began
        f = held.wait(60)
        assert f.code in (0, 1), f
        if not procs.is_java():
            tap.equal(f.code, 1, "%d bytes: %s" % (len(body), f.remark))
            assert waited < 2, "another client waited for %.2f s" % waited
    if not procs.is_java():
        tap.equal(runtime(other)["heartbeatsRefused"], "2", "heartbeats over a limit")
    groups = {"CG_LOT_%d" % i: ["MemberTopic"] for i in range(500)}
    body = json.dumps(api.heartbeat_body("big", groups)).encode()
    api.check(b.request(34, None, body, timeout=60))
    tap.equal(other.consumer_list("CG_LOT_499"), ["big"], "member of the last group")
    b.close()
    other.close()


def test_heartbeat_creates(env):
    """A heartbeat creates the group and its retry topic, and the route is there at once."""
    b = join(env, "CG_NEWGROUP", "client-a")
    with api.NameServer(env.namesrv) as n:
        procs.wait_until(lambda: n.route("%RETRY%CG_NEWGROUP").code == 0, 5, "route of the retry topic")
    groups = api.check(b.request(201)).json()["subscriptionGroupTable"]
    assert "CG_NEWGROUP" in groups, sorted(groups)
    config = api.check(b.request(351, {"topic": "%RETRY%CG_NEWGROUP"})).json()
    tap.equal((config["perm"], config["readQueueNums"]), (6, 1), "retry topic")
    b.close()


def test_connection_list(env):
    """203 and 204 show the client's address, language, version and subscriptions."""
    b = api.Broker(env.broker, language="GO", version=317)
    api.check(b.heartbeat("client-a", {"CG_CONN": [api.subscription("MemberTopic", "TagA || TagB", 7)]},
                          ["PG_CONN"]))
    body = api.check(b.request(203, {"consumerGroup": "CG_CONN"})).json()
    tap.equal(body["connectionSet"], [{"clientAddr": b.local, "clientId": "client-a",
                                       "language": "GO", "version": 317}], "connections")
    sub = body["subscriptionTable"]["MemberTopic"]
    tap.equal((sub["subString"], sub["subVersion"], sorted(sub["tagsSet"])),
              ("TagA || TagB", 7, ["TagA", "TagB"]), "subscription")
    body = api.check(b.request(204, {"producerGroup": "PG_CONN", "topic": "MemberTopic"})).json()
    tap.equal([c["clientAddr"] for c in body["connectionSet"]], [b.local], "producers")
    b.close()


def test_changed_subscription(env):
    """A newer subscription replaces the older; a topic that is not listed is dropped."""
    b = api.Broker(env.broker)
    for version, topics in ((1, ["MemberTopic", "OtherTopic"]), (2, ["MemberTopic"])):
        subs = [api.subscription(t, "Tag%d" % version, version) for t in topics]
        api.check(b.heartbeat("client-a", {"CG_SUB": subs}))
    table = api.check(b.request(203, {"consumerGroup": "CG_SUB"})).json()["subscriptionTable"]
    tap.equal(sorted(table), ["MemberTopic"], "topics")
    tap.equal(table["MemberTopic"]["subString"], "Tag2", "expression")
    b.close()


def test_same_id_again(env):
    """A client that comes back on another connection is listed once, whichever of the two goes first"""
    if procs.is_java():
        raise tap.Skip("Java lists it for each connection")
    for first in (0, 1):
        links = [join(env, "CG_TWICE", "client-a") for _ in range(3)]
        other = join(env, "CG_TWICE", "client-b")
        api.check(links[1].heartbeat("client-a", {"CG_TWICE2": ["MemberTopic"]}))
        tap.equal(sorted(other.consumer_list("CG_TWICE")), ["client-a", "client-b"], "members")
        tap.equal(other.consumer_list("CG_TWICE2"), ["client-a"], "members of the second group")
        for link in (links[first], links[1 - first]):
            link.close()
            time.sleep(0.1)
            tap.equal(sorted(other.consumer_list("CG_TWICE")), ["client-a", "client-b"], "members")
        procs.wait_until(lambda: other.consumer_list("CG_TWICE2") == [], 3, "the second group is empty")
        links[2].close()
        procs.wait_until(lambda: other.consumer_list("CG_TWICE") == ["client-b"], 3, "client-a is out")
        other.close()


def test_another_id(env):
    """A client that changes its id is listed under the new one"""
    a, b = join(env, "CG_RENAME", "client-a"), join(env, "CG_RENAME", "client-b")
    tap.equal(sorted(b.consumer_list("CG_RENAME")), ["client-a", "client-b"], "members")
    if procs.is_java():
        raise tap.Skip("Java keeps the first id of a channel")
    api.check(a.heartbeat("client-c", {"CG_RENAME": ["MemberTopic"]}))
    tap.equal(sorted(b.consumer_list("CG_RENAME")), ["client-b", "client-c"], "members")
    again = join(env, "CG_RENAME", "client-a")
    tap.equal(sorted(b.consumer_list("CG_RENAME")), ["client-a", "client-b", "client-c"], "members")
    for link in (a, b, again):
        link.close()


def test_long_lists(env):
    """The list of 300 members is whole and right after each join and leave"""
    links = [join(env, "CG_LONG", "client-%03d" % i) for i in range(300)]
    want = {"client-%03d" % i for i in range(300)}
    for step in range(6):
        lists = [p.wait(10).json()["consumerIdList"] for p in [
            link.start(38, {"consumerGroup": "CG_LONG"}) for link in links[:20]]]
        for ids in lists:
            tap.equal((len(ids), set(ids) ^ want), (len(want), set()), "members")
        number = "client-%03d" % (299 - step)
        if step % 2 == 0:
            api.check(links[299 - step].unregister(number, consumer="CG_LONG"))
            want.discard(number)
        else:
            late = join(env, "CG_LONG", "late-%d" % step)
            links.append(late)
            want.add("late-%d" % step)
    for link in links:
        link.close()


def test_bad_group_names(env):
    """Group names with path tricks make no group (and no file)."""
    b = api.Broker(env.broker)
    for name in ("../../evil", "a/b", "", "x" * 300, "bad name", "nul\x00"):
        f = b.heartbeat("client-a", {name: ["MemberTopic"]})
        assert f.code in (0, 1, 29), f
    groups = api.check(b.request(201)).json()["subscriptionGroupTable"]
    bad = [g for g in groups if "/" in g or " " in g or "\x00" in g or not g]
    tap.equal(bad, [], "groups that should not be")
    b.close()


def main():
    return tap.run([test_list_after_heartbeat, test_notice_on_join, test_heartbeats_do_not_notify,
                    test_notice_on_leave, test_notice_on_dropped_connection,
                    test_notices_are_bounded, test_notices_are_paced, test_every_member_is_told,
                    test_quiet_groups, test_consume_enable, test_disagreeing_members,
                    test_large_heartbeats, test_heartbeat_creates, test_connection_list,
                    test_changed_subscription, test_same_id_again,
                    test_another_id, test_long_lists, test_bad_group_names], setup, lambda s: s.close())


if __name__ == "__main__":
    sys.exit(main())
