"""What several families do alike: a server with a topic, a JVM made warm, one measured cell written down."""

import contextlib
import time

from lib import generator, machine, meter, servers

QUEUES = 8


def settle(ctx, gb=4):
    """Before a server is measured: memory that the host has ready for what it will write."""
    machine.warm_memory(min(gb, 1) if ctx.quick else gb)


@contextlib.contextmanager
def serving(ctx, kind, flush="ASYNC_FLUSH", settings=(), warm_gb=4, topics=(("Bench", QUEUES),), pinned=True):
    """A fresh server of this kind that serves; it and its store are gone afterwards."""
    settle(ctx, warm_gb)
    server = servers.KINDS[kind](ctx, flush, settings, pinned)
    try:
        server.start()
        for topic, queues in topics:
            server.create_topic(topic, queues)
        if kind == "java":
            warm_java(ctx, server)
        yield server
    finally:
        server.close()


@contextlib.contextmanager
def echoing(ctx, hop=False, spin=0):
    server = servers.Null(ctx, hop, spin)
    try:
        server.start()
        yield server
    finally:
        server.close()


def warm_java(ctx, server):
    """A JVM compiles what it does often: some seconds of every kind of request, then until it has calmed down."""
    server.create_topic("Warm", QUEUES)
    common = ("--topic", "Warm", "--queues", QUEUES, "--size", 128)
    for share, *words in ((0.3, "send", "--mode", "sync", "--connections", 64),
                          (0.3, "send", "--mode", "async", "--connections", 4, "--window", 256),
                          (0.2, "send", "--mode", "batch", "--connections", 4, "--batch", 32),
                          (0.2, "pull", "--connections", 4, "--from", "begin")):
        part = max(1, round(ctx.java_warmup * share))
        generator.Running(ctx, words[0], server, *common, *words[1:], "--seconds", part, "--warmup", 0).wait(
            part + 60, may_fail=True)
    await_calm(ctx, server)


def await_calm(ctx, server, seconds=15):
    """Until the process uses less than 30 % of a core: a Java broker spins for ten seconds after its start, and its
    compiler goes on after a load has ended."""
    end = time.monotonic() + (2 if ctx.quick else seconds)
    while time.monotonic() < end:
        before = meter.cpu_seconds(server.pid)
        time.sleep(1)
        if meter.cpu_seconds(server.pid) - before < 0.3:
            break


def cell(ctx, record, subject, name, server, verb, *flags, **kw):
    """Measures one cell, says it and records it."""
    values = generator.measured(ctx, verb, server, *flags, **kw)
    ctx.say(generator.show("%s %s" % (subject, name), values))
    record(subject, name, values)
    return values
