#!/usr/bin/env python3
"""Consumer groups: who is in them (34, 35, 38, 203), and the notices (40) to the others.

Works against Java, too (SERVER=java).
"""

import os
import sys
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
                    test_notices_are_bounded, test_heartbeat_creates, test_connection_list,
                    test_changed_subscription, test_bad_group_names], setup, lambda s: s.close())


if __name__ == "__main__":
    sys.exit(main())
