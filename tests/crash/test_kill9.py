#!/usr/bin/env python3
"""kill -9 under load in every mode, with snapshots and with old files being deleted: what was acked
is there, once, and stays the same bytes at the same place; offsets dense, in order.

KILLS=n sets the number of kills in each mode (default 3; 25 when BOLIDE_SOAK is set), SEED=n
repeats a run.
time limit: 290 s
"""

import os
import random
import sys
import threading
import time
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))

from bolide_test import api, procs, record, tap  # noqa: E402

TOPIC, QUEUES = "Crash", 3
SEGMENT = 16 * 1024 * 1024
PRODUCERS = 4
WINDOW = 32  # requests in flight per producer


class Ledger:
    """What producers know: acked[body] = (queue, offset); sent = every body that left."""

    def __init__(self):
        self.lock = threading.Lock()
        self.acked, self.sent = {}, set()
        self.places = {}  # (queue, offset) -> (log offset, checksum): what consumers saw
        self.low = [0] * QUEUES  # min offsets: they never go back


class Producer(threading.Thread):
    """Sends until the connection breaks: single messages, batches, compressed ones, big ones."""

    def __init__(self, number, turn, address, ledger, seed):
        super().__init__(daemon=True)
        self.name_, self.address, self.ledger = "p%d-%d" % (number, turn), address, ledger
        self.random = random.Random(seed)
        self.stop = threading.Event()
        self.refused = []

    def run(self):
        try:
            link = api.Broker(self.address)
        except OSError:
            return
        waiting = []
        try:
            n = 0
            while not self.stop.is_set():
                waiting.append(self.one(link, n))
                n += 1
                while len(waiting) >= WINDOW:
                    self.note(*waiting.pop(0))
        except Exception:
            pass
        for entry in waiting:
            try:
                self.note(*entry)
            except Exception:
                pass
        link.close()

    def one(self, link, n):
        kind, queue = self.random.random(), self.random.randrange(QUEUES)
        head = b"%s/%d" % (self.name_.encode(), n)
        if kind < 0.1:
            bodies = [head + b"/%d" % i for i in range(self.random.randrange(2, 6))]
            self.remember(bodies)
            items = b"".join(record.batch_item(b, "TAGS\x01B\x02") for b in bodies)
            ext = link.send_v2_ext(TOPIC, queue, None, batch=True)
            return link.start(api.SEND_BATCH, ext, items), bodies
        pad = self.random.randrange(60000, 200000) if kind > 0.9 else self.random.randrange(3000)
        body = head + b"#" + b"x" * pad
        self.remember([body])
        return link.send_start(TOPIC, body, queue, {"TAGS": "T"}), [body]

    def remember(self, bodies):
        with self.ledger.lock:
            self.ledger.sent.update(b.split(b"#")[0] for b in bodies)

    def note(self, pending, bodies):
        f = pending.wait(10)
        if f.code:
            self.refused.append("%d %s" % (f.code, f.remark))
            return
        queue, offset = int(f.ext["queueId"]), int(f.ext["queueOffset"])
        with self.ledger.lock:
            for i, b in enumerate(bodies):
                self.ledger.acked[b.split(b"#")[0]] = (queue, offset + i)


def check_records(queue, low, records, ledger, found):
    """Dense, in order, each once, and the same bytes that were there at the checks before."""
    last = -1
    for i, r in enumerate(records):
        at = (queue, low + i)
        tap.equal(r.queue_offset, low + i, "offset of message %d in queue %d" % (i, queue))
        tap.equal((r.topic, r.queue_id), (TOPIC, queue), "place of message %d" % i)
        assert r.physical_offset > last, "%s comes before the one in front of it in the log" % (at,)
        last = r.physical_offset
        key = r.body.split(b"#")[0]
        assert key not in found, "%s is there twice: %s and %s" % (key, found[key], at)
        found[key] = at
        now = (r.physical_offset, zlib.crc32(r.raw))
        tap.equal(ledger.places.setdefault(at, now), now, "bytes at %s, once seen" % (at,))


def check(broker, ledger, deleting=False):
    """Every queue from its beginning to its end; everything acked there."""
    found, phy, low = {}, [], []
    with api.Broker(broker, timeout=30) as b:
        for q in range(QUEUES):
            while True:
                at = b.min_offset(TOPIC, q)
                records = b.read_queue(TOPIC, q, at)
                if b.min_offset(TOPIC, q) == at:
                    break  # nothing was deleted meanwhile
            assert deleting or at == 0, "queue %d begins at %d" % (q, at)
            assert at >= ledger.low[q], "queue %d began at %d, now at %d" % (q, ledger.low[q], at)
            low.append(at)
            check_records(q, at, records, ledger, found)
            phy += [(r.physical_offset, len(r.raw)) for r in records]
            tap.equal(b.max_offset(TOPIC, q), at + len(records), "max offset of queue %d" % q)
    ledger.low = low
    acked = {k: at for k, at in ledger.acked.items() if at[1] >= low[at[0]]}
    lost = [k for k in acked if k not in found]
    assert not lost, "%d of %d acked messages are lost, e.g. %s at %s" % (
        len(lost), len(acked), lost[0], acked[lost[0]])
    moved = [k for k, at in acked.items() if found[k] != at]
    assert not moved, "%d acked messages stand elsewhere, e.g. %s: acked %s, found %s" % (
        len(moved), moved[0], acked[moved[0]], found[moved[0]])
    strange = [k for k in found if k not in ledger.sent]
    assert not strange, "%d messages nobody sent, e.g. %r" % (len(strange), strange[0][:60])
    phy.sort()
    for (a, n), (c, _) in zip(phy, phy[1:]):
        assert c >= a + n, "records overlap at %d and %d" % (a, c)
    return len(found)


class Committer(threading.Thread):
    """Commits offsets and creates topics beside the load; acked topics must survive."""

    def __init__(self, turn, address, topics):
        super().__init__(daemon=True)
        self.turn, self.address, self.topics = turn, address, topics
        self.stop = threading.Event()

    def run(self):
        try:
            with api.Broker(self.address) as b:
                n = 0
                while not self.stop.wait(0.05):
                    name = "CrashMeta_%d_%d" % (self.turn, n)
                    if b.create_topic(name, 2).code == 0:
                        self.topics.append(name)
                    b.update_offset("CG_CRASH", TOPIC, n % QUEUES, n)
                    n += 1
        except Exception:
            pass


def check_topics(broker, topics):
    with api.Broker(broker) as b:
        there = api.check(b.request(21)).json()["topicConfigTable"]
    lost = [t for t in topics if t not in there]
    assert not lost, "%d of %d acked topics are lost, e.g. %s" % (len(lost), len(topics), lost[0])


def said_errors(s):
    text = s.process.stderr()
    return [line for line in text.splitlines()
            if any(word in line for word in ("ERROR", "error:", "Sanitizer", "runtime error",
                                             "assert"))]


def kill_rounds(what, config, kills, seed):
    rand = random.Random(seed)
    settings = {"mappedFileSizeCommitLog": SEGMENT, "snapshotIntervalMs": 300}
    settings.update(config)
    deleting = "retentionBytes" in config
    s = procs.Server(config=settings)
    ledger, topics = Ledger(), []
    with api.Broker(s.broker) as b:
        api.check(b.create_topic(TOPIC, QUEUES))
        api.check(b.create_group("CG_CRASH"))
    slowest = 0.0
    for turn in range(kills):
        load = [Producer(i, turn, s.broker, ledger, rand.random()) for i in range(PRODUCERS)]
        load.append(Committer(turn, s.broker, topics))
        before = len(ledger.acked)
        for p in load:
            p.start()
        time.sleep(rand.uniform(0.05, 1.2) + (1.5 if deleting else 0))
        s.kill9()
        for p in load:
            p.stop.set()
        for p in load:
            p.join(15)
        refused = [r for p in load for r in getattr(p, "refused", [])]
        tap.equal(refused[:3], [], "refused sends")
        s.start(timeout=60)
        slowest = max(slowest, s.start_seconds)
        tap.equal(said_errors(s), [], "errors on start %d" % (turn + 1))
        total = check(s.broker, ledger, deleting)
        check_topics(s.broker, topics)
        print("# %s: kill %d: %d acked in this round, %d messages in all" % (
            what, turn + 1, len(ledger.acked) - before, total), flush=True)
    tap.equal(s.stop()[0], 0, "exit status of the clean stop")
    s.start()
    check(s.broker, ledger, deleting)
    segments = sorted(os.listdir(os.path.join(s.store, "commitlog")))
    print("# %s: %d kills, %d acked messages, log from %s, %d files, slowest start %.2f s" % (
        what, kills, len(ledger.acked), segments[0].lstrip("0") or "0", len(segments), slowest))
    assert not deleting or int(segments[0]) > 0, "nothing was deleted"
    assert len(ledger.acked) > 20 * kills, "only %d acked messages: no load" % len(ledger.acked)
    s.close()


def kills():
    return int(os.environ.get("KILLS") or (25 if os.environ.get("BOLIDE_SOAK") else 3))


SEED = [0]


def test_async_direct(_):
    """kill -9 under load: ASYNC_FLUSH, direct."""
    kill_rounds("ASYNC_FLUSH, direct", {"flushDiskType": "ASYNC_FLUSH", "logWriteMode": "direct"},
                kills(), SEED[0])


def test_async_buffered(_):
    """kill -9 under load: ASYNC_FLUSH, buffered."""
    kill_rounds("ASYNC_FLUSH, buffered",
                {"flushDiskType": "ASYNC_FLUSH", "logWriteMode": "buffered"}, kills(), SEED[0] + 1)


def test_sync_direct(_):
    """kill -9 under load: SYNC_FLUSH, direct."""
    kill_rounds("SYNC_FLUSH, direct", {"flushDiskType": "SYNC_FLUSH", "logWriteMode": "direct"},
                kills(), SEED[0] + 2)


def test_sync_buffered(_):
    """kill -9 under load: SYNC_FLUSH, buffered."""
    kill_rounds("SYNC_FLUSH, buffered", {"flushDiskType": "SYNC_FLUSH", "logWriteMode": "buffered"},
                kills(), SEED[0] + 3)


def test_deleting(_):
    """kill -9 under load while old files are deleted."""
    kill_rounds("deleting", {"flushDiskType": "ASYNC_FLUSH", "retentionBytes": 2 * SEGMENT,
                             "cleanResourceInterval": 100}, kills(), SEED[0] + 4)


def test_kill_while_starting(_):
    """kill -9 during recovery, again and again, then a start that lasts."""
    s = procs.Server(config={"flushDiskType": "ASYNC_FLUSH", "mappedFileSizeCommitLog": SEGMENT})
    ledger = Ledger()
    with api.Broker(s.broker) as b:
        api.check(b.create_topic(TOPIC, QUEUES))
    load = [Producer(i, 0, s.broker, ledger, SEED[0] + i) for i in range(PRODUCERS)]
    for p in load:
        p.start()
    time.sleep(1.5)
    s.kill9()
    for p in load:
        p.stop.set()
        p.join(15)
    rand = random.Random(SEED[0])
    for _ in range(2 * kills()):
        process = procs.Process(s.command())
        time.sleep(rand.uniform(0.0, 0.15))
        process.kill()
        process.close()
    s.start(timeout=60)
    check(s.broker, ledger)
    assert len(ledger.acked) > 20, len(ledger.acked)
    s.close()


def main():
    SEED[0] = tap.seed()
    return tap.run([test_async_direct, test_async_buffered, test_sync_direct, test_sync_buffered,
                    test_deleting, test_kill_while_starting], procs.bolide_path)


if __name__ == "__main__":
    sys.exit(main())
