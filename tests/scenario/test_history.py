#!/usr/bin/env python3
"""The judge of histories (tests/lib/history): it passes what is right and finds each kind of wrong.

No server is needed. A world in which everything goes right is made up from a seed; then one thing
at a time is made wrong in its history.
"""

import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))

from bolide_test import history, procs, tap  # noqa: E402

QUEUES, ROUNDS = 4, 400
LIMIT_US = 100


class World:
    """Queues that fill, and for each group owners that read, commit, leave, with a clock of ticks."""

    def __init__(self, rng):
        self.rng, self.now, self.messages = rng, 1000, 0
        self.w = history.Writer()
        self.logs = [[] for _ in range(QUEUES)]
        self.committed = {}
        self.owners = {}
        self.clients = 0

    def tick(self):
        self.now += 1
        return self.now

    def send(self):
        q = self.rng.randrange(QUEUES)
        begin, m = self.tick(), self.messages
        self.messages += 1
        if self.rng.random() < 0.02:
            self.w.send(m, q, begin, self.tick(), result=history.REFUSED)
            return
        offset = len(self.logs[q])
        self.logs[q].append(m)
        if self.rng.random() < 0.02:
            self.w.send(m, q, begin, result=history.UNKNOWN)
        else:
            self.w.send(m, q, begin, self.tick(), offset, key=q + 1)

    def take(self, group, q):
        self.clients += 1
        begin, at = self.tick(), self.committed.get((group, q), -1)
        self.w.own(group, self.clients, q, at, begin, self.tick())
        self.owners[group, q] = [self.clients, max(at, 0)]

    def read(self, group, q, most=5):
        client, at = self.owners[group, q]
        for m in self.logs[q][at:at + most]:
            self.w.deliver(group, client, m, q, at, self.tick())
            at += 1
        self.owners[group, q][1] = at

    def commit(self, group, q):
        client, at = self.owners[group, q]
        begin = self.tick()
        self.committed[group, q] = at
        self.w.commit(group, client, q, at, begin, self.tick())

    def leave(self, group, q):
        if self.rng.random() < 0.5:
            self.commit(group, q)  # else what was read since comes again
        client, _ = self.owners.pop((group, q))
        self.w.leave(group, client, q, self.tick())

    def step(self):
        self.send()
        for group in (0, 1):
            q = self.rng.randrange(QUEUES)
            if (group, q) not in self.owners:
                continue
            self.read(group, q)
            if self.rng.random() < 0.2:
                self.commit(group, q)
            if self.rng.random() < 0.1:
                self.leave(group, q)
                self.take(group, q)

    def run(self):
        for q in range(QUEUES):
            self.w.number("queue", q)
            for group in (0, 1):
                self.w.number("group", group)
                self.take(group, q)
        begin = self.now
        for _ in range(ROUNDS):
            self.step()
        for group in (0, 1):
            for q in range(QUEUES):
                self.read(group, q, 10 ** 6)
            flags = history.DRAINED | (history.ORDERED if group == 1 else 0)
            self.w.promise(group, flags, range(QUEUES), begin, self.now, LIMIT_US)
        return self.w


def setup():
    tap.seed()
    return procs.temp_dir()


def world(folder):
    path = os.path.join(folder, "world")
    return World(random.Random(random.random())).run().write(path)


def expect(verdict, **wrong):
    tap.equal(verdict.status, 1 if wrong else 0, "status (%s)" % verdict)
    tap.equal(verdict.wrong, wrong, "findings (%s)" % verdict.says)


def judged(folder, fill):
    w = history.Writer()
    fill(w)
    return history.check(w.write(os.path.join(folder, "case")))


def test_good_worlds(folder):
    """Histories of worlds in which everything went right pass"""
    for _ in range(20):
        v = history.check(world(folder))
        assert v.good(), v
        assert v.groups[1]["again"] > 0, "no message came again: the worlds are too tame"
    tap.equal(v.sent, ROUNDS, "sends")


def test_seeded_faults(folder):
    """One thing made wrong in a good history is found, by its name"""
    rng = random.Random(random.random())
    bad = os.path.join(folder, "bad")
    for _ in range(10):
        fault = history.Fault(world(folder), rng)
        for name, make in (("lost", fault.lost), ("lost", fault.missing), ("twice", fault.twice),
                           ("again", fault.again), ("start", fault.start),
                           ("no_owner", lambda to: fault.no_owner(to, 1)),
                           ("order", lambda to: fault.order(to, 1)),
                           ("two_owners", lambda to: fault.two_owners(to, 1))):
            v = history.check(make(bad))
            assert v.wrong.get(name), "%s was not found: %s" % (name, v)
        fault.close()


def test_lost(folder):
    """An acked message that a drained group never got is lost; without an ack it is not"""
    def fill(w, result=history.ACKED, flags=history.DRAINED | history.UNOWNED):
        w.send("m", "q", 1, 2, 0, result)
        w.promise("g", flags, ["q"], 0, 9)

    expect(judged(folder, fill), lost=1)
    expect(judged(folder, lambda w: fill(w, history.UNKNOWN)))
    expect(judged(folder, lambda w: fill(w, flags=history.UNOWNED)))


def test_places(folder):
    """An offset has one message, and a message the offset that its ack said"""
    def two(w):
        w.send("a", "q", 1, 2, 5)
        w.send("b", "q", 1, 2, 5)

    def unknown(w):
        w.promise("g", history.UNOWNED, ["q"])
        w.send("a", "q", 1, 2, 5)
        w.send("b", "q", 1, result=history.UNKNOWN)
        w.deliver("g", 1, "b", "q", 5, 3)

    def moved(w):
        w.promise("g", history.UNOWNED, ["q"])
        w.send("a", "q", 1, 2, 5)
        w.deliver("g", 1, "a", "q", 6, 3)

    expect(judged(folder, two), twice=1)
    expect(judged(folder, unknown), twice=1)
    expect(judged(folder, moved), moved=1)


def test_unsent_and_early(folder):
    """A message comes from a send that was not refused, and not before it is due"""
    def fill(w, result=history.UNKNOWN, due=0, at=3):
        w.promise("g", history.UNOWNED, ["q"])
        w.send("a", "q", 2, 2, 5, result, due=due)
        w.deliver("g", 1, "a", "q", 5, at)

    expect(judged(folder, fill))
    expect(judged(folder, lambda w: fill(w, history.REFUSED)), unsent=1)
    expect(judged(folder, lambda w: fill(w, at=1)), early=1)
    expect(judged(folder, lambda w: fill(w, due=10)), early=1)
    expect(judged(folder, lambda w: fill(w, due=10, at=10)))
    expect(judged(folder, lambda w: (w.promise("g", history.UNOWNED, ["q"]),
                                     w.deliver("g", 1, "x", "q", 5, 3))), unsent=1)


def test_again(folder):
    """Again within one ownership is wrong; for the next owner, who begins at the commit, it is not"""
    def fill(w, other):
        w.promise("g", 0, ["q"])
        w.send("a", "q", 1, 2, 0)
        w.own("g", 1, "q", -1, 3, 4)
        w.deliver("g", 1, "a", "q", 0, 5)
        if other:
            w.leave("g", 1, "q", 6)
            w.own("g", 2, "q", -1, 7, 8)
        w.deliver("g", 2 if other else 1, "a", "q", 0, 9)

    expect(judged(folder, lambda w: fill(w, True)))
    expect(judged(folder, lambda w: fill(w, False)), again=1)


def test_starts(folder):
    """An owner begins where the last commit was; commits under way at the time may count or not"""
    def fill(commits, read, flags=0):
        def go(w):
            w.promise("g", flags, ["q"])
            for offset, begin, end in commits:
                w.commit("g", 1, "q", offset, begin, end)
            w.own("g", 2, "q", read, 100, 110)
        return judged(folder, go)

    expect(fill([], -1))
    expect(fill([], 0))
    expect(fill([], 4), start=1)
    expect(fill([(5, 10, 20)], 5))
    expect(fill([(5, 10, 20)], -1), start=1)
    expect(fill([(5, 10, 20)], -1, history.FORGETS))
    expect(fill([(5, 10, 20), (9, 30, 40)], 9))
    expect(fill([(5, 10, 20), (9, 30, 40)], 5), start=1)
    expect(fill([(5, 10, 20), (9, 15, 40)], 5))  # they overlap: either may be the last
    expect(fill([(5, 10, 20), (9, 30, history.NEVER)], 9))  # no answer: it may have happened
    expect(fill([(5, 10, 20), (9, 30, history.NEVER)], 5))
    expect(fill([(5, 10, 20), (9, 105, 200)], 9))
    expect(fill([(5, 10, 20), (9, 111, 200)], 9), start=1)  # the future


def test_order(folder):
    """In an ordered group nothing comes for the first time behind a later message, nor backwards"""
    def fill(deliveries, flags=history.ORDERED):
        def go(w):
            w.promise("g", flags, ["q"])
            for i in range(4):
                w.send(i, "q", 1, 2, i)
            w.own("g", 1, "q", -1, 3, 4)
            for at, i in enumerate(deliveries):
                w.deliver("g", 1, i, "q", i, 10 + at)
        return judged(folder, go)

    expect(fill([0, 1, 2, 3]))
    expect(fill([0, 2, 1, 3]), order=1)
    expect(fill([0, 2, 1, 3], 0))
    expect(fill([0, 1, 0]), order=1, again=1)


def test_order_through_owners(folder):
    """What the next owner skips and a third brings is out of order, though nobody went backwards"""
    def go(w):
        w.promise("g", history.ORDERED, ["q"])
        for i in range(3):
            w.send(i, "q", 1, 2, i)
        for client, at, i in ((1, 10, 0), (2, 20, 2), (3, 30, 1)):
            w.own("g", client, "q", -1, at, at)
            w.deliver("g", client, i, "q", i, at + 1)
            w.leave("g", client, "q", at + 2)

    expect(judged(folder, go), order=1)


def test_key_order(folder):
    """Messages of a key, each sent after the answer to the one before, stand in that order"""
    def fill(second, begin=3):
        def go(w):
            w.send("a", "q", 1, 2, 7, key=1)
            w.send("b", "q", begin, begin + 1, second, key=1)
        return judged(folder, go)

    expect(fill(8))
    expect(fill(6), key_order=1)
    expect(fill(6, 1))  # not after the answer: at the same time


def test_owners(folder):
    """Two owners at a time, none for too long, and deliveries to strangers"""
    def fill(flags, events, limit=50):
        def go(w):
            w.promise("g", flags, ["q"], 0, 1000, limit)
            w.send("m", "q", 1, 2, 0)
            for kind, client, at in events:
                if kind == "own":
                    w.own("g", client, "q", -1, at, at)
                elif kind == "leave":
                    w.leave("g", client, "q", at)
                else:
                    w.deliver("g", client, "m", "q", 0, at)
        return judged(folder, go)

    both = [("own", 1, 10), ("own", 2, 20), ("leave", 1, 45), ("leave", 2, 970)]
    expect(fill(history.ORDERED, both), two_owners=1)
    v = fill(0, both)
    expect(v)
    tap.equal((v.groups[0]["longest_shared_ms"], v.groups[0]["longest_unowned_ms"]), (0, 0))
    gap = [("own", 1, 10), ("leave", 1, 100), ("own", 2, 151), ("leave", 2, 970)]
    expect(fill(0, gap), no_owner=1)
    expect(fill(0, gap, 51))
    expect(fill(0, [("own", 1, 51)]), no_owner=1)  # at the beginning
    expect(fill(0, [("own", 1, 10), ("leave", 1, 900)]), no_owner=1)  # at the end
    expect(fill(0, []), no_owner=1)
    expect(fill(0, [("own", 1, 10), ("m", 2, 20)]), stray=1)


def test_no_history(folder):
    """A file that is no history is refused with a sentence"""
    path = os.path.join(folder, "junk")
    good = history.HEAD + history.RECORD.pack(*([history.GROUP] + [0] * 10))
    for data, says in ((b"", "cannot be read"), (b"x" * 100, "no history"), (good[:-1], "is cut"),
                       (history.HEAD + b"\xff" * 56, "unknown kind"),
                       (history.HEAD + history.RECORD.pack(2, 0, 0, 0, 0, 0, 0, -1, 0, 0, 0),
                        "negative offset"),
                       (history.HEAD + history.RECORD.pack(2, 0, 0, 0, 1 << 60, 0, 0, 0, 0, 0, 0),
                        "large gaps"),
                       (good, "")):
        with open(path, "wb") as f:
            f.write(data)
        v = history.check(path)
        tap.equal(v.status, 2 if says else 0, "status for %r" % data[:20])
        assert says in v.says, v.says


def main():
    return tap.run([test_good_worlds, test_seeded_faults, test_lost, test_places,
                    test_unsent_and_early, test_again, test_starts, test_order,
                    test_order_through_owners, test_key_order, test_owners, test_no_history], setup)


if __name__ == "__main__":
    sys.exit(main())
