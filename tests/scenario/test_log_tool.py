#!/usr/bin/env python3
"""`bolide log`: verify, dump, repair and export-cq on a store, at rest and in use."""

import json
import os
import random
import shutil
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))

from bolide_test import api, procs, record, tap  # noqa: E402

CONFIG = {"mappedFileSizeCommitLog": 1048576}
TOPIC = "LogTool"


def tool(*args, status=0, **more):
    code, out, err = procs.run_bolide("log", *args, "--json", **more)
    assert code == status, "exit %s of %s: %s %s" % (code, args, out[-800:], err[-500:])
    return [json.loads(line) for line in out.splitlines()]


def setup():
    """A store with messages in two queues, over several files, its server stopped."""
    tap.seed()
    s = procs.Server(config=CONFIG)
    with api.Broker(s.broker) as b:
        api.check(b.create_topic(TOPIC, 2))
        for i in range(1500):
            api.check(b.send(TOPIC, b"message %d " % i + os.urandom(900), i % 2,
                             {"TAGS": "T%d" % (i % 3), "KEYS": "key%d other" % i}).frame)
    status, _ = s.stop()
    tap.equal(status, 0, "exit status of the server")
    s.pristine = s.store + ".pristine"
    shutil.copytree(s.store, s.pristine)
    return s


def fresh(env):
    """The store as it was after the server stopped."""
    shutil.rmtree(env.store)
    shutil.copytree(env.pristine, env.store)
    return env.store


def files(store):
    found = []
    for folder, _, names in os.walk(store):
        found += [os.path.relpath(os.path.join(folder, n), store) for n in names]
    return sorted(found)


def flip(store, name, bit):
    with open(os.path.join(store, name), "r+b") as f:
        f.seek(bit // 8)
        byte = f.read(1)[0]
        f.seek(bit // 8)
        f.write(bytes([byte ^ 1 << bit % 8]))


def test_clean(env):
    """A clean store: nothing found, every byte of every record covered."""
    end = tool("verify", fresh(env))[-1]
    tap.equal((end["damage"], end["notes"]), (0, 0), "findings")
    tap.equal(end["bytesNoChecksumCovers"], 0, "bytes that no checksum covers")
    tap.equal(end["fileBytesWithoutChecksum"], 0, "bytes of other files without checksum")
    tap.equal(end["records"], end["recordsWithPropertyCrc"], "records with checksum")
    assert end["records"] >= 1500 and end["segments"] >= 2, end
    code, out, _ = procs.run_bolide("log", "verify", env.store)
    assert code == 0 and "no damage" in out and "every byte of them is covered" in out, out


def test_flips(env):
    """A flipped bit in any file of a real store is found, and its file is named."""
    store = fresh(env)
    names = [n for n in files(store) if n not in ("lock", "abort")]
    kinds = {n.split("/")[0] + "/" + n.split("/")[1].rstrip("0123456789") for n in names}
    assert len(kinds) >= 8, kinds
    for name in names:
        size = os.path.getsize(os.path.join(store, name))
        for _ in range(3 if size else 0):
            bit = random.randrange(size * 8)
            flip(store, name, bit)
            found = [f for f in tool("verify", store, status=1) if f["level"] == "damage"]
            assert found and found[0]["file"] == name, "bit %d of %s: %r" % (bit, name, found[:2])
            place = found[0].get("fileOffset", 0)
            assert place <= bit // 8 < place + found[0].get("bytes", 1 << 40), found[0]
            assert found[0]["what"], found[0]
            flip(store, name, bit)
    tap.equal(tool("verify", store)[-1]["damage"], 0, "damage in the end")


def test_names_the_message(env):
    """A damaged message is named: topic, queue, offset, ids."""
    store = fresh(env)
    line = [r for r in tool("dump", store) if r.get("topic") == TOPIC][700]
    flip(store, "commitlog/" + "0" * 20 if line["logOffset"] < 1048576 else
         "commitlog/%020d" % (line["logOffset"] // 1048576 * 1048576),
         (line["logOffset"] % 1048576 + 150) * 8 + 1)
    found = tool("verify", store, status=1)[0]
    for name in ("topic", "queueId", "queueOffset", "logOffset", "offsetMsgId"):
        tap.equal(found[name], line[name], name)
    tap.equal(found["uniqueKey"] if "msgId" in line else None, line.get("msgId"), "unique key")


def test_dump(env):
    """dump agrees with the records; ranges, topics, queues, keys, bodies."""
    store = fresh(env)
    want = []
    for name in sorted(os.listdir(os.path.join(store, "commitlog"))):
        with open(os.path.join(store, "commitlog", name), "rb") as f:
            want += record.scan_segment(f.read())[0]
    lines = tool("dump", store, "--body")
    tap.equal([(r["logOffset"], r["size"], r["topic"], r["queueId"], r["queueOffset"])
               for r in lines],
              [(r.physical_offset, len(r.raw), r.topic, r.queue_id, r.queue_offset)
               for r in want], "records")
    mine = [r for r in lines if r["topic"] == TOPIC]
    one = tool("dump", store, "--topic", TOPIC, "--key", "key77")
    tap.equal([r["queueOffset"] for r in one], [38], "offset of key77")
    part = tool("dump", store, "--topic", TOPIC, "--queue", "1", "--count", "5")
    tap.equal([(r["queueId"], r["queueOffset"]) for r in part], [(1, i) for i in range(5)])
    middle = mine[10]["logOffset"] + 17  # within a record: the next one
    tap.equal(tool("dump", store, "--from", middle, "--count", 1)[0]["logOffset"],
              mine[11]["logOffset"], "first from the middle of a record")
    tap.equal(len(tool("dump", store, "--from", mine[5]["logOffset"], "--to",
                       mine[9]["logOffset"])), 4, "records of a range")


def test_repair(env):
    """repair keeps what is intact, saves the rest, and the server goes on."""
    store = fresh(env)
    lines = [r for r in tool("dump", store)]
    places = sorted(random.sample([i for i, r in enumerate(lines) if r["topic"] == TOPIC], 6))
    for i in places:
        at = lines[i]["logOffset"] + random.randrange(lines[i]["size"])
        flip(store, "commitlog/%020d" % (at // 1048576 * 1048576),
             at % 1048576 * 8 + random.randrange(8))
    before = {n: open(os.path.join(store, n), "rb").read() for n in files(store)}
    tool("repair", store, status=1)
    tap.equal({n: open(os.path.join(store, n), "rb").read() for n in files(store)}, before,
              "files without --yes")
    tool("repair", store, "--yes")
    tap.equal(tool("verify", store)[-1]["damage"], 0, "damage after the repair")
    left = [r for r in tool("dump", store) if r["topic"] != "rmq_sys_bolide_repair"]
    gone = {lines[i]["logOffset"] for i in places}
    tap.equal(left, [r for r in lines if r["logOffset"] not in gone], "records after the repair")
    env.start()
    with api.Broker(env.broker) as b:
        got = sum(len(b.read_queue(TOPIC, q)) for q in range(2))
        tap.equal(got, 1500 - len(places), "messages that are served")
        api.check(b.send(TOPIC, b"after", 0).frame)
    env.stop()
    tap.equal(tool("verify", store)[-1]["damage"], 0, "damage after the server ran")


def test_in_use(env):
    """verify and dump beside a server that writes: no damage, no lock; repair refuses."""
    store = fresh(env)
    env.start()
    ended = threading.Event()
    errors = []

    def write():
        try:
            with api.Broker(env.broker) as b:
                while not ended.is_set():
                    api.check(b.send(TOPIC, os.urandom(900), 0).frame)
        except Exception as e:  # shown by the test
            errors.append(e)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        last = 0
        began = time.monotonic()
        rounds = 0
        while rounds < 5 or time.monotonic() - began < 3:
            lines = tool("verify", store)
            assert lines[-1]["damage"] == 0, lines[:3]
            assert lines[-1]["logEnd"] >= last, lines[-1]
            last = lines[-1]["logEnd"]
            tool("dump", store, "--count", "50")
            rounds += 1
        code, _, err = procs.run_bolide("log", "repair", store, "--yes")
        assert code == 2 and "use" in err, err
        code, _, err = procs.run_bolide("log", "export-cq", store)
        assert code == 2 and "--to" in err, err
    finally:
        ended.set()
        writer.join(10)
        env.stop()
    assert not errors, errors


def test_export(env):
    """export-cq writes an entry for each message where a Java broker looks for it."""
    store = fresh(env)
    to = os.path.join(procs.temp_dir(), "out")
    end = tool("export-cq", store, "--to", to)[-1]
    lines = [r for r in tool("dump", store) if r.get("topic") == TOPIC]
    for queue in range(2):
        path = os.path.join(to, "consumequeue", TOPIC, str(queue), "0" * 20)
        with open(path, "rb") as f:
            data = f.read()
        tap.equal(len(data), 6000000, "bytes of a file")
        want = b"".join(struct.pack(">qiq", r["logOffset"], r["size"],
                                    record.java_hash(r["tags"]))
                        for r in lines if r["queueId"] == queue)
        tap.equal(data[:len(want)], want, "entries")
        assert not any(data[len(want):]), "bytes behind the entries"
    assert end["entries"] >= 1500 and end["holes"] == 0, end
    code, _, err = procs.run_bolide("log", "export-cq", store, "--to", to)
    assert code == 2 and "--overwrite" in err, err
    tool("export-cq", store, "--to", to, "--overwrite")


def test_wrong_use(env):
    """Wrong use and folders that are no store end with 2 and a sentence."""
    empty = procs.temp_dir()
    for args in (["log"], ["log", "verfy", empty], ["log", "verify"], ["log", "verify", empty],
                 ["log", "dump", empty + "/absent"], ["log", "repair", empty],
                 ["log", "export-cq", empty], ["log", "dump", env.store, "--count", "0"]):
        code, out, err = procs.run_bolide(*args)
        assert code == 2 and err.startswith("bolide log"), (args, code, err)
    tap.equal(os.listdir(empty), [], "files made in a folder that is no store")


def test_pipe(env):
    """dump into a reader that goes away ends."""
    command = "'%s' log dump '%s' | head -n 2" % (procs.bolide_path(), fresh(env))
    done = subprocess.run(command, shell=True, stdout=subprocess.PIPE, timeout=30)
    tap.equal(len(done.stdout.splitlines()), 2, "lines")


if __name__ == "__main__":
    sys.exit(tap.run([test_clean, test_flips, test_names_the_message, test_dump, test_repair,
                      test_in_use, test_export, test_wrong_use, test_pipe],
                     setup=setup, teardown=lambda s: s.close()))
