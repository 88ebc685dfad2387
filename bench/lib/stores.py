"""Stores of many GB, made once and used by several families, and stores with many topics."""

import json
import os
import shutil

from lib import generator, machine, servers

# What a message of 1 KiB takes in the log, and in the Java server's consume queue, at least.
STORED_BYTES = 1024 + 180
COLD, COLD_QUEUES = "Cold", 8
MANY, MANY_QUEUES = "Many", 10000
MANY_MESSAGES = 400000


class Unavailable(RuntimeError):
    """There is no room for the store; the text says how much is needed."""


class Stores:
    """Stopped servers by (kind, name) whose stores have at least so many GB of log."""

    def __init__(self, ctx):
        self.ctx = ctx
        self.made = {}

    def give(self, kind, name, gb):
        """A stopped server with gb or more of log (topic Cold, 1 KiB) and a topic of 10,000 queues (Many)."""
        server, have = self.made.get((kind, name)) or (servers.KINDS[kind](self.ctx), 0)
        server.kill()  # it has ended, unless the part that used it last failed
        if have < gb:
            self.made[kind, name] = (server, have)  # so that a store that could not be filled is removed, too
            self._grow(server, gb - have, fresh=have == 0)
            self.made[kind, name] = (server, gb)
        return server

    def _grow(self, server, gb, fresh):
        ctx = self.ctx
        free = shutil.disk_usage(ctx.work).free / 1e9
        if free < gb * 1.2 + 5:
            raise Unavailable("%.0f GB more of log need %.0f GB free in %s, and %.0f are" % (gb, gb * 1.2 + 5, ctx.work, free))
        ctx.say("%s: writing %g GB of log" % (server.kind, gb))
        server.start()
        if fresh:
            server.create_topic(COLD, COLD_QUEUES)
            server.create_topic(MANY, MANY_QUEUES)
            few = 20000 if ctx.quick else MANY_MESSAGES
            self._send(server, few, "--topic", MANY, "--queues", MANY_QUEUES, "--mode", "batch", "--batch", 32, "--size", 128,
                       "--window", 8)
        step = 4
        while gb > 0:  # a step at a time, each into memory that is warm
            machine.warm_memory(min(step, gb) * 1.3)
            self._send(server, int(min(step, gb) * 1e9 / STORED_BYTES), "--topic", COLD, "--queues", COLD_QUEUES,
                       "--mode", "batch", "--batch", 32, "--size", 1024, "--window", 8)
            gb -= step
        server.stop()

    def _send(self, server, count, *flags):
        result = generator.Running(self.ctx, "send", server, *flags, "--connections", 4, "--count", count, "--seconds", 3600,
                                   "--warmup", 0).wait(1200)
        if result.get("messages", 0) < count * 0.9:
            raise RuntimeError("the store was not filled: %s" % result)

    def forget(self, name):
        """Removes the stores of this name."""
        for key in [k for k in self.made if k[1] == name]:
            self.made.pop(key)[0].close()


def many_topics(server, count, queues):
    """Puts a topics.json of count topics (T-0, T-1 ...) into the server's empty store, as RocketMQ writes it."""
    table = {"T-%d" % n: {"attributes": {}, "order": False, "perm": 6, "readQueueNums": queues,
                          "topicFilterType": "SINGLE_TAG", "topicName": "T-%d" % n, "topicSysFlag": 0,
                          "writeQueueNums": queues} for n in range(count)}
    folder = os.path.join(server.store, "config")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "topics.json"), "w") as file:
        json.dump({"dataVersion": {"counter": 1, "stateVersion": 0, "timestamp": 1700000000000}, "topicConfigTable": table},
                  file)
