"""Histories: what was sent, answered, delivered, committed and owned, and the judge of it.

The format and what is judged stand in tests/lib/history/history.h. `Writer` writes one from Python,
`check` runs the judge, `Fault` makes a copy with one thing wrong: a judge that does not find it is
worth nothing.
"""

import json
import mmap
import os
import struct
import subprocess
import time

from . import native

SEND, DELIVER, COMMIT, OWN, LEAVE, GROUP = 1, 2, 3, 4, 5, 6
ACKED, UNKNOWN, REFUSED = 0, 1, 2
HANDED_BACK, CLOSED, SILENT = 0, 1, 2
ORDERED, DRAINED, FORGETS, UNOWNED = 1, 2, 4, 8
NEVER = (1 << 63) - 1
HEAD = struct.pack("<8sII", b"BLHIST1\n", 56, 0)
RECORD = struct.Struct("<BBHIQIIqqqq")
FIELDS = ("kind", "result", "group", "client", "message", "queue", "key", "offset", "begin", "end",
          "due")


def now_us():
    return time.monotonic_ns() // 1000


class Writer:
    """Keeps records and writes them, those of a group in the order of their times, when it ends.

    Names of messages, queues, clients and groups may be anything hashable; they become numbers.
    """

    def __init__(self):
        self.records, self._names = [], {}

    def number(self, kind, name):
        names = self._names.setdefault(kind, {})
        return names.setdefault(name, len(names))

    def put(self, kind, result=0, group=0, client=0, message=0, queue=0, key=0, offset=0, begin=0,
            end=0, due=0):
        self.records.append((kind, result, group, client, message, queue, key, offset, begin, end,
                             due))

    def send(self, message, queue, begin, end=NEVER, offset=0, result=ACKED, key=0, due=0, client=0):
        """key 0: no order is promised; else messages of it wait for the answer to the one before."""
        self.put(SEND, result, 0, self.number("client", client), self.number("message", message),
                 self.number("queue", queue), key, offset, begin, end, due)

    def deliver(self, group, client, message, queue, offset, at=None):
        self.put(DELIVER, 0, self.number("group", group), self.number("client", client),
                 self.number("message", message), self.number("queue", queue), 0, offset,
                 now_us() if at is None else at)

    def commit(self, group, client, queue, offset, begin, end=NEVER):
        self.put(COMMIT, ACKED if end != NEVER else UNKNOWN, self.number("group", group),
                 self.number("client", client), 0, self.number("queue", queue), 0, offset, begin, end)

    def own(self, group, client, queue, offset, begin, end):
        self.put(OWN, 0, self.number("group", group), self.number("client", client), 0,
                 self.number("queue", queue), 0, offset, begin, end)

    def leave(self, group, client, queue, at, how=HANDED_BACK):
        self.put(LEAVE, how, self.number("group", group), self.number("client", client), 0,
                 self.number("queue", queue), 0, 0, at)

    def promise(self, group, flags, queues=None, begin=0, end=0, unowned_us=0):
        """The group reads `queues`, or all that were named until now (which must be neighbours)."""
        numbers = [self.number("queue", q) for q in queues] if queues is not None else range(
            len(self._names.get("queue", {})))
        first = min(numbers, default=0)
        self.put(GROUP, flags, self.number("group", group), 0, 0, first,
                 max(numbers, default=-1) + 1 - first, 0, begin, end, unowned_us)

    def write(self, path):
        def at(r):
            return r[9] if r[0] == OWN else r[8]

        late = sorted((r for r in self.records if r[0] in (DELIVER, OWN, LEAVE)), key=at)
        with open(path, "wb") as f:
            f.write(HEAD)
            for r in self.records:
                if r[0] not in (DELIVER, OWN, LEAVE):
                    f.write(RECORD.pack(*r))
            for r in late:
                f.write(RECORD.pack(*r))
        return path


class Verdict:
    """`wrong` counts findings by name (lost, twice, order, ...); `says` has the first of each."""

    def __init__(self, status, out, says):
        self.status, self.says = status, says
        found = json.loads(out) if status in (0, 1) else {}
        self.wrong = found.get("wrong", {})
        self.groups = {int(n): g for n, g in found.get("groups", {}).items()}
        self.sent, self.acked = found.get("sent", 0), found.get("acked", 0)
        self.unknown, self.refused = found.get("unknown", 0), found.get("refused", 0)

    def good(self):
        return self.status == 0

    def __str__(self):
        return "%s\n%s" % (self.wrong or "status %d" % self.status, self.says)


def check(path, timeout=600):
    program = native.build("history_check", "history")
    done = subprocess.run([program, path], timeout=timeout, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False)
    return Verdict(done.returncode, done.stdout.decode(), done.stderr.decode())


class Fault:
    """Copies of a history with one thing wrong, chosen by `random`."""

    def __init__(self, path, random):
        self.path, self.random = path, random
        with open(path, "rb") as f:
            self.bytes = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)
        self.count = (len(self.bytes) - len(HEAD)) // RECORD.size
        self.kinds = self.bytes[len(HEAD)::RECORD.size]

    def record(self, i):
        return list(RECORD.unpack_from(self.bytes, len(HEAD) + i * RECORD.size))

    def numbers(self, *kinds):
        """The numbers of all records of the kinds."""
        return [i for i, kind in enumerate(self.kinds) if kind in kinds]

    def find(self, kind, good, part=1.0):
        """The number of a random record of the kind, in the first part of them, with good(fields)."""
        numbers = self.numbers(kind)
        count = int(len(numbers) * part)
        start = self.random.randrange(max(1, count))
        for step in range(count):
            i = numbers[(start + step) % count]
            if good(dict(zip(FIELDS, self.record(i)))):
                return i
        raise LookupError("no such record")

    def write(self, to, change=None, without=(), more=()):
        """`change`: number -> fields; `more`: (number before which it stands, fields)."""
        cuts = sorted(set(change or {}) | set(without) | {n for n, _ in more})
        at = 0
        with open(to, "wb") as f:
            f.write(self.bytes[:len(HEAD)])
            for n in cuts:
                f.write(self.bytes[len(HEAD) + at * RECORD.size:len(HEAD) + n * RECORD.size])
                for before, fields in more:
                    if before == n:
                        f.write(RECORD.pack(*fields))
                if n not in without:
                    f.write(RECORD.pack(*(change or {}).get(n, self.record(n))))
                at = n + 1
            f.write(self.bytes[len(HEAD) + at * RECORD.size:])
        return to

    def close(self):
        self.bytes.close()

    # -- faults, each the name of what the judge must find

    def lost(self, to):
        """A dropped delivery: every delivery of one acked message to one group is left out."""
        one = self.record(self.find(DELIVER, lambda r: True))
        gone = [n for n in self.numbers(DELIVER) if self._same(n, one, (2, 4))]
        return self.write(to, without=gone)

    def _same(self, n, one, fields):
        r = self.record(n)
        return all(r[k] == one[k] for k in fields)

    def order(self, to, group):
        """A swapped pair: two deliveries of an ordered group, one after the other in a queue."""
        def pair(n):
            one = self.record(n)
            for m in range(n + 1, min(self.count, n + 5000)):
                r = self.record(m)
                if r[0] == DELIVER and r[2] == group and r[5] == one[5]:
                    return m if r[3] == one[3] and r[7] == one[7] + 1 else None
            return None

        for _ in range(200):
            n = self.find(DELIVER, lambda r: r["group"] == group)
            m = pair(n)
            if m is not None:
                a, b = self.record(n), self.record(m)
                for k in (4, 7):  # message and offset change places; times stay
                    a[k], b[k] = b[k], a[k]
                return self.write(to, change={n: a, m: b})
        raise LookupError("no pair")

    def two_owners(self, to, group):
        """A double owner: somebody else takes a queue that has one, and reads on from there."""
        n = self.find(DELIVER, lambda r: r["group"] == group)
        at = self.record(n)
        own = [OWN, 0, group, 0xfffffff0, 0, at[5], 0, at[7], at[8], at[8], 0]
        return self.write(to, more=[(n + 1, own)])

    def missing(self, to):
        """An acked message that is nowhere: a send with an answer, at a new place."""
        n = self.find(SEND, lambda r: r["result"] == ACKED)
        r = self.record(n)
        sends = [self.record(i) for i in self.numbers(SEND)]
        r[7] = 1 + max(s[7] for s in sends if s[5] == r[5])
        r[4], r[6] = 1 + max(s[4] for s in sends), 0
        return self.write(to, more=[(n + 1, r)])

    def twice(self, to):
        """An offset given to two messages: one ack says the place of another."""
        one = self.record(self.find(SEND, lambda r: r["result"] == ACKED))
        m = self.find(SEND, lambda r: r["result"] == ACKED and r["queue"] == one[5]
                      and r["message"] != one[4])
        other = self.record(m)
        other[6], other[7] = 0, one[7]
        return self.write(to, change={m: other})

    def again(self, to):
        """A delivery comes twice to one owner."""
        n = self.find(DELIVER, lambda r: True)
        return self.write(to, more=[(n + 1, self.record(n))])

    def no_owner(self, to, group):
        """Somebody left a queue of an ordered group and nobody came: what followed there is gone."""
        n = self.find(LEAVE, lambda r: r["group"] == group, 0.25)
        one = self.record(n)
        gone = [i for i in self.numbers(DELIVER, OWN, LEAVE)
                if i > n and self._same(i, one, (2, 5))]
        return self.write(to, without=gone)

    def start(self, to):
        """An owner began behind what was committed."""
        n = self.find(OWN, lambda r: r["offset"] > 0)
        r = self.record(n)
        r[7] += 1
        return self.write(to, change={n: r})
