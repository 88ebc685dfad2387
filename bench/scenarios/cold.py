"""A reader of what is long out of memory, and what it does to a producer."""

import os
import time

from lib import generator, load, machine, servers, stores
from lib.page import demand, figures

NAME, TITLE = "cold", "Cold read while producing"
ABOUT = """A log of 20 GB (1 KiB messages, 8 queues), nothing of it in the page cache when the server starts. A producer
sends 20,000 messages/s of 1 KiB on a fixed timetable (ASYNC_FLUSH), first alone, then while 4 connections read the log
from its beginning; the reader runs a little longer than the producer's measured window. *Disk* is one thread reading
a segment of the same log with `O_DIRECT`, 1 MiB at a time, just before. The measurement begins when small durable
writes are even again after the 20 GB were written; the reader's generator runs with `nice 10`, because it shares a core
with the producer's. Java gets `maxTransferCountOnMessageInDisk=32`
and `maxTransferBytesOnMessageInDisk=262144`; its defaults are 8 messages and 64 KB in a pull."""
BIG_GB = 20
CELLS = [("producer alone", "producer alone"), ("producer beside", "producer beside the reader")]
READER = [("reader", "reader"), ("disk", "disk")]


def first_segment(server):
    folder = os.path.join(server.store, "commitlog")
    return os.path.join(folder, sorted(os.listdir(folder))[0])


def produce(ctx, record, cell, server):
    load.cell(ctx, record, server.kind, cell, server, "send", "--topic", "Beside", "--queues", load.QUEUES, "--mode", "async",
              "--connections", 4, "--window", 256, "--size", 1024, "--rate", 20000)


def one(ctx, record, server):
    disk = machine.direct_read_mbps(first_segment(server), 256 if ctx.quick else 1024)
    if disk:
        record(server.kind, "disk", {"mb": disk})
    machine.drop_cache(server.store)
    machine.await_calm_disk(ctx.work, ctx.say)
    machine.warm_memory(1 if ctx.quick else 8)
    server.start()
    try:
        server.create_topic("Beside", load.QUEUES)
        produce(ctx, record, "producer alone", server)
        reader = generator.Running(ctx, "pull", server, "--topic", stores.COLD, "--queues", stores.COLD_QUEUES, "--connections", 4,
                                   "--from", "begin", "--seconds", ctx.seconds + ctx.warmup + 2, "--warmup", 0, nice=10)
        time.sleep(0.5)
        produce(ctx, record, "producer beside", server)
        values = generator.values_of(reader.wait(120))
        ctx.say(generator.show("%s reader" % server.kind, values))
        record(server.kind, "reader", values)
    finally:
        servers.end(server)


def round(ctx, record, number):
    for kind in ctx.kinds:
        if kind == "bolide" or (ctx.java_big and number == 1):
            with ctx.attempt(kind):
                one(ctx, record, ctx.stores.give(kind, "big", 0.5 if ctx.quick else BIG_GB))


def page(view):
    return figures(view, CELLS) + "\n" + figures(view, READER, ("mb", "rate", "errors"))


def rows(view):
    where = "cold read of 20 GB while producing"
    rate, disk = view.median("bolide", "reader", "mb"), view.median("bolide", "disk", "mb")
    limit = min(600, disk * 0.6) if disk else 600
    ratio = view.ratio(("bolide", "producer beside"), ("bolide", "producer alone"), "p99")
    return [demand("cold-rate", where, "600 MB/s or 60 %% of the disk (%.0f MB/s)" % limit, rate, limit, "%.0f MB/s",
                   note="" if not disk else ", disk %.0f" % disk),
            demand("cold-p99", where, "producer p99 at most 2 x", ratio, 2, "%.1f x", least=False,
                   note=", %.0f µs" % (view.median("bolide", "producer beside", "p99") or 0))]


def lost(view):
    return []
