#!/usr/bin/env python3
"""When messages go: by bytes, by time, per topic; and what happens while the disk is full."""

import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))

from bolide_test import api, procs, tap  # noqa: E402

MIB = 1 << 20
SEGMENT = 16 * MIB
# Everything goes fast; nothing goes for the fullness of the machine's own disk.
CONFIG = {"mappedFileSizeCommitLog": SEGMENT, "writeBufferBytes": 32 * MIB,
          "cleanResourceInterval": 100, "deleteCommitLogFilesInterval": 10,
          "snapshotIntervalMs": 200, "diskSpaceEnoughBytes": 1, "flushDiskType": "ASYNC_FLUSH",
          "waitTimeMillsInSendQueue": 8000}
ALL_HOURS = ";".join("%02d" % h for h in range(24))
NOT_AVAILABLE = 14
BODY = b"x" * 60000


def other_hour():
    """An hour that is neither now nor the next."""
    return "%02d" % ((time.localtime().tm_hour + 12) % 24)


def log_files(s):
    return sorted(n for n in os.listdir(os.path.join(s.store, "commitlog")) if n.isdigit())


def info(b):
    return api.check(b.request(api.RUNTIME_INFO)).json()["table"]


def set_config(b, **values):
    text = "".join("%s=%s\n" % kv for kv in values.items())
    api.check(b.request(25, None, text.encode()))


def send_mib(b, topic, mib, queues=1):
    """That much, in single messages of 60,000 bytes, many in flight."""
    for done in range(0, mib * MIB, 32 * len(BODY)):
        waits = [b.send_start(topic, BODY, (done // len(BODY) + i) % queues) for i in range(32)]
        for w in waits:
            api.check(w.wait(b.timeout))


def check_readable(b, topic, queue):
    """Every offset from the smallest to the largest has its message."""
    low, high = b.min_offset(topic, queue), b.max_offset(topic, queue)
    offsets = [r.queue_offset for r in b.read_queue(topic, queue)]
    missing = sorted(set(range(low, high)) - set(offsets))
    assert not missing and len(offsets) == high - low, "%s from %d to %d: %d messages, missing %s" % (
        topic, low, high, len(offsets), missing[:5])
    return low, high


def settled(s, at_least):
    """Until the log begins at that offset or behind, and no more files go."""
    procs.wait_until(lambda: int(log_files(s)[0]) >= at_least, 20, "files gone")
    first = None
    while first != log_files(s)[0]:
        first = log_files(s)[0]
        time.sleep(0.6)  # some looks


def test_by_bytes(_):
    """Files beyond retentionBytes go, the oldest first; what is left is whole, also after a start."""
    s = procs.Server(config=dict(CONFIG, retentionBytes=3 * SEGMENT))
    with api.Broker(s.broker) as b:
        api.check(b.create_topic("Bytes", 2))
        send_mib(b, "Bytes", 120, 2)
        settled(s, SEGMENT)
        assert len(log_files(s)) <= 5, log_files(s)
        low, high = check_readable(b, "Bytes", 0)
        assert 0 < low < high
        r = b.pull("Bytes", 0, 0)
        tap.equal((r.code, r.next), (api.OFFSET_MOVED, low), "pull of what is gone")
        table = info(b)
        tap.equal(int(table["commitLogMinOffset"]), int(log_files(s)[0]), "commitLogMinOffset")
        assert int(table["retentionRemovedFiles"]) >= 3, table["retentionRemovedFiles"]
        tap.equal(table["retentionPinnedBytes"], "0", "pinned")
        # What is kept is at least what was asked for.
        kept = int(table["commitLogMaxOffset"]) - int(table["commitLogMinOffset"])
        assert kept >= 3 * SEGMENT, kept
        before = {q: check_readable(b, "Bytes", q) for q in range(2)}
    s.kill9()
    s.start()
    with api.Broker(s.broker) as b:
        tap.equal({q: check_readable(b, "Bytes", q) for q in range(2)}, before, "after kill -9")
    s.close()


def test_by_time(_):
    """Files older than fileReservedTime go in the hours of deleteWhen, or when somebody asks."""
    s = procs.Server(config=dict(CONFIG, fileReservedTime=0, deleteWhen=other_hour(),
                                 diskMaxUsedSpaceRatio=100))
    with api.Broker(s.broker) as b:
        api.check(b.create_topic("Time", 1))
        send_mib(b, "Time", 70)
        time.sleep(1)
        tap.equal(int(log_files(s)[0]), 0, "first file at another hour")
        api.check(b.request(329))
        settled(s, 2 * SEGMENT)
        check_readable(b, "Time", 0)
        config = api.check(b.request(api.BROKER_CONFIG)).body.decode()
        assert "fileReservedTime=0\n" in config and "deleteWhen=%s\n" % other_hour() in config
    s.close()
    s = procs.Server(config=dict(CONFIG, fileReservedTime=1, deleteWhen=ALL_HOURS))
    with api.Broker(s.broker) as b:
        api.check(b.create_topic("Time", 1))
        send_mib(b, "Time", 70)
        time.sleep(1)
        tap.equal(int(log_files(s)[0]), 0, "first file before its time")
        set_config(b, fileReservedTime=0)
        settled(s, 2 * SEGMENT)
        check_readable(b, "Time", 0)
    s.close()


def test_per_topic(_):
    """retention.ms and retention.bytes move a topic's min offset at once, and no other topic's."""
    s = procs.Server(config=CONFIG)
    with api.Broker(s.broker) as b:
        for bad in ("+retention.ms=-2", "+retention.ms=abc", "+retention.bytes=1.5",
                    "+retention.days=1"):
            assert b.create_topic("Bad", 1, attributes=bad).code != api.SUCCESS, bad
        api.check(b.create_topic("Short", 2, attributes="+retention.ms=1500"))
        api.check(b.create_topic("Small", 2, attributes="+retention.bytes=100000"))
        api.check(b.create_topic("Long", 2))
        for i in range(40):
            for topic in ("Short", "Small", "Long"):
                api.check(b.send(topic, b"m" * 10000, i % 2).frame)
        procs.wait_until(lambda: sum(b.min_offset("Small", q) for q in range(2)) > 0, 10,
                         "small topic is cut")
        kept = [r for q in range(2) for r in b.read_queue("Small", q)]
        size = sum(len(r.raw) for r in kept)
        assert 100000 - 11000 < size <= 100000, size
        # The newest of each queue are there, the two queues alike.
        assert abs(b.min_offset("Small", 0) - b.min_offset("Small", 1)) <= 1
        for q in range(2):
            check_readable(b, "Small", q)
        procs.wait_until(lambda: all(b.min_offset("Short", q) == 20 for q in range(2)), 10,
                         "short topic is empty")
        # To the message: what came 1.5 s later than others stays that much longer.
        first = time.monotonic()
        api.check(b.send("Short", b"one", 0).frame)
        time.sleep(1)
        api.check(b.send("Short", b"two", 0).frame)
        procs.wait_until(lambda: b.min_offset("Short", 0) == 21, 10, "the first goes", 0.01)
        assert time.monotonic() - first >= 1.4
        tap.equal([r.body for r in b.read_queue("Short", 0)], [b"two"], "what is left")
        tap.equal([b.min_offset("Long", q) for q in range(2)], [0, 0], "another topic")
        tap.equal(int(log_files(s)[0]), 0, "first file")
        table = api.check(b.request(api.TOPIC_CONFIG, {"topic": "Small"})).json()
        tap.equal(table["attributes"], {"retention.bytes": "100000"}, "attributes")
        procs.wait_until(lambda: b.min_offset("Short", 0) == 22, 10, "the second goes")
        time.sleep(0.6)  # a snapshot
        before = {(t, q): b.min_offset(t, q) for t in ("Short", "Small", "Long") for q in range(2)}
    s.kill9()
    s.start()
    with api.Broker(s.broker) as b:
        for (t, q), low in before.items():
            tap.equal(b.min_offset(t, q), low, "min offset of %s after kill -9" % t)
        api.check(b.create_topic("Small", 2, attributes="-retention.bytes"))
        for i in range(40):
            api.check(b.send("Small", b"m" * 10000, i % 2).frame)
        time.sleep(0.5)
        tap.equal(b.min_offset("Small", 0), before["Small", 0], "min offset without a limit")
    s.close()


def test_pinned(_):
    """A topic that is kept longer than the log keeps its files, and a figure says how much."""
    s = procs.Server(config=dict(CONFIG, fileReservedTime=0, deleteWhen=ALL_HOURS))
    with api.Broker(s.broker) as b:
        api.check(b.create_topic("Kept", 1, attributes="+retention.ms=-1"))
        api.check(b.create_topic("Other", 1))
        send_mib(b, "Other", 34)
        api.check(b.send("Kept", b"for ever").frame)
        send_mib(b, "Other", 70)
        settled(s, 2 * SEGMENT)
        procs.wait_until(lambda: int(info(b)["retentionPinnedBytes"]) >= 2 * SEGMENT, 10, "figure")
        tap.equal(int(log_files(s)[0]), 2 * SEGMENT, "first file")
        tap.equal([r.body for r in b.read_queue("Kept", 0)], [b"for ever"], "kept")
        api.check(b.create_topic("Kept", 1, attributes="-retention.ms"))
        procs.wait_until(lambda: b.min_offset("Kept", 0) == 1, 20, "its file goes")
        assert int(log_files(s)[0]) > 2 * SEGMENT
    s.close()


class SmallDisk:
    """A file system of that size in a temporary folder."""

    def __init__(self, mib):
        self.path = procs.temp_dir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%dm" % mib, "bolide-test",
                               self.path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            raise tap.Skip("cannot mount a tmpfs: %s" % done.stdout.decode().strip())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", self.path], check=True)

    def hog(self, leave):
        """A file that leaves that many bytes free."""
        path = os.path.join(self.path, "hog")
        info = os.statvfs(self.path)
        with open(path, "wb") as f:
            os.posix_fallocate(f.fileno(), 0, info.f_bavail * info.f_frsize - leave)
        return path


def fill(b, topic):
    """Send until it is refused; the messages taken and the refusal."""
    for i in range(2000):
        frame = b.send(topic, BODY).frame
        if frame.code != api.SUCCESS:
            return i, frame
    raise AssertionError("no end of the disk")


def test_full_disk(_):
    """A full disk refuses sends with the reason; reads, commits and deletions go on; space heals."""
    with SmallDisk(128) as disk:
        s = procs.Server(store=os.path.join(disk.path, "store"), config=dict(
            CONFIG, diskSpaceWarningLevelRatio=100, diskSpaceCleanForciblyRatio=100,
            diskSpaceEnoughBytes=0))
        pid = s.pid
        with api.Broker(s.broker) as b, api.NameServer(s.namesrv) as n:
            api.check(b.create_topic("Full", 1))
            api.check(b.create_topic("Gone", 1))
            api.check(b.create_group("CG_FULL"))
            for i in range(20):
                api.check(b.send("Full", b"before %d" % i).frame)
            hog = disk.hog(2 * MIB)
            count, refusal = fill(b, "Full")
            tap.equal(refusal.code, NOT_AVAILABLE, "code")
            for part in ("/commitlog/000", "no space on the disk", "bytes were free",
                         "resumes by itself"):
                assert part in refusal.remark, refusal.remark
            tap.equal(b.send_batch("Full", [BODY]).code, NOT_AVAILABLE, "batch")
            tap.equal(b.send("NewTopic", b"x" * 30000).code, NOT_AVAILABLE, "new topic")
            # Reads and changes of metadata go on.
            low, high = check_readable(b, "Full", 0)
            tap.equal((low, high), (0, 20 + count), "what was taken")
            api.check(b.update_offset("CG_FULL", "Full", 0, 17))
            api.check(b.delete_topic("Gone"))
            api.check(b.create_topic("Made", 1))
            tap.equal(n.route("Made").code, 0, "route of a new topic")
            tap.equal(n.route("Full").code, 0, "route")
            assert "no space" in info(b)["diskFull"], info(b)["diskFull"]
            time.sleep(1.5)  # commits are logged each second
            tap.equal(b.send("Full", BODY).code, NOT_AVAILABLE, "still")
        # It starts on the full disk, too.
        s.kill9()
        s.start()
        pid = s.pid
        with api.Broker(s.broker) as b:
            tap.equal(check_readable(b, "Full", 0), (0, high), "after kill -9 on the full disk")
            tap.equal(b.query_offset("CG_FULL", "Full", 0).ext["offset"], "17", "commit")
            procs.wait_until(lambda: b.send("Full", BODY).code == NOT_AVAILABLE, 5, "refusal")
            os.remove(hog)
            procs.wait_until(lambda: b.send("Full", BODY).code == 0, 5, "sending again", 0.05)
            for i in range(300):
                api.check(b.send("Full", BODY).frame)
            tap.equal(info(b)["diskFull"], "false", "diskFull")
            tap.equal(s.pid, pid, "process")
            assert s.running()
            _, high = check_readable(b, "Full", 0)
        s.kill9()
        s.start()
        with api.Broker(s.broker) as b:
            tap.equal(check_readable(b, "Full", 0), (0, high), "after kill -9")
            tap.equal(b.query_offset("CG_FULL", "Full", 0).ext["offset"], "17", "commit")
            topics = api.check(b.request(21)).json()["topicConfigTable"]
            assert "Gone" not in topics and "Made" in topics
        s.close()


def test_ratios(_):
    """RocketMQ's ratios: above 90 no sends, above 85 the oldest go at once."""
    with SmallDisk(200) as disk:
        s = procs.Server(store=os.path.join(disk.path, "store"), config=dict(
            CONFIG, diskSpaceEnoughBytes=0, diskSpaceWarningLevelRatio=95,
            diskSpaceCleanForciblyRatio=60))
        with api.Broker(s.broker) as b:
            api.check(b.create_topic("Ratio", 1))
            api.check(b.create_group("CG_RATIO"))
            send_mib(b, "Ratio", 70)
            tap.equal(int(log_files(s)[0]), 0, "first file on a disk with room")
            # The next file takes its space when a quarter of the last is full.
            procs.wait_until(lambda: len(log_files(s)) == 6, 5, "the next file")
            # Each file that goes leaves room: not more go than must.
            hog = disk.hog(75 * MIB)
            settled(s, SEGMENT)
            tap.equal(int(log_files(s)[0]), SEGMENT, "first file")
            check_readable(b, "Ratio", 0)
            set_config(b, diskSpaceWarningLevelRatio=40, cleanFileForciblyEnable="false")
            procs.wait_until(lambda: b.send("Ratio", b"x").code == NOT_AVAILABLE, 5, "refusal")
            remark = b.send("Ratio", b"x").frame.remark
            for part in ("diskSpaceWarningLevelRatio=40", s.store, "% used", "bytes are free"):
                assert part in remark, remark
            api.check(b.update_offset("CG_RATIO", "Ratio", 0, 3))
            check_readable(b, "Ratio", 0)
            os.remove(hog)
            set_config(b, diskSpaceWarningLevelRatio=90)
            procs.wait_until(lambda: b.send("Ratio", b"x").code == 0, 5, "sending again")
        s.close()


if __name__ == "__main__":
    sys.exit(tap.run([test_by_bytes, test_by_time, test_per_topic, test_pinned, test_full_disk,
                      test_ratios]))
