"""From exec to the first accepted send."""

import statistics

from lib import generator, machine, servers, stores
from lib.page import demand, figures

NAME, TITLE = "startup", "Start"
ABOUT = """Seconds from exec to the first accepted send; the client tries without pause, the fork of the measuring script
is included, nothing is pinned, bolide is name server and broker at once, Java's name server runs already. *Empty*: no
store; bolide with SYNC_FLUSH, its default, and with ASYNC_FLUSH as Java. *10,000 topics*: 4 queues each, messages in
one of them, after a clean stop. *10 GB*: clean stop; *cold*: nothing of the store in the page cache. A round of bolide
is the median of several starts."""
TOPICS, TOPIC_QUEUES, BIG_GB = 10000, 4, 10
CELLS = [("empty", "empty"), ("empty sync", "empty, SYNC_FLUSH"), ("topics", "10,000 topics"),
         ("log cold", "10 GB of log, cold"), ("log", "10 GB of log")]
COLUMNS = ("connect", "ack", "least", "most", "rss")
TITLES = {"connect": ("connected, ms", 1), "ack": ("first ack, ms", 1), "least": ("least, ms", 1), "most": ("most, ms", 1)}


def starts(ctx, record, cell, server, topic, count, stop, before=None):
    """count starts of one server; stop(server) between them."""
    took, resident = [], []
    for _ in range(count):
        if before:
            before()
        took.append([t * 1e3 for t in server.start(topic)])
        resident.append(server.resident_mb())
        stop(server)
    acks = [ack for _, ack in took]
    values = {"connect": statistics.median(c for c, _ in took), "ack": statistics.median(acks), "least": min(acks),
              "most": max(acks), "rss": statistics.median(resident)}
    ctx.say("%-8s %-12s first ack after %.1f ms" % (server.kind, cell, values["ack"]))
    record(server.kind, cell, values)


def again(server):
    """Ends a server whose store is not needed: the next start is an empty one."""
    server.close()


def empty(ctx, record, kind, flush, cell, count):
    machine.warm_memory(1 if kind == "bolide" else 4)
    server = servers.KINDS[kind](ctx, flush, pinned=False)
    try:
        starts(ctx, record, cell, server, "First", count, again)
    finally:
        server.close()


def topics(ctx, record, kind, count):
    server = servers.KINDS[kind](ctx, pinned=False)
    number = 500 if ctx.quick else TOPICS
    try:
        stores.many_topics(server, number, TOPIC_QUEUES)
        server.start("T-0")
        generator.Running(ctx, "send", server, "--topic", "T", "--topics", number, "--queues", 1, "--mode", "async",
                          "--connections", 4, "--window", 64, "--size", 128, "--count", number * 4,
                          "--seconds", 300, "--warmup", 0).wait(330)
        server.stop()
        starts(ctx, record, "topics", server, "T-0", count, lambda s: s.stop() if count > 1 else s.kill())
    finally:
        server.close()


def big(ctx, record, kind, count):
    gb = 0.5 if ctx.quick else BIG_GB
    server = ctx.stores.give(kind, "big", gb)
    starts(ctx, record, "log cold", server, stores.COLD, max(1, count // 2), lambda s: s.stop(),
           lambda: machine.drop_cache(server.store))
    if kind == "bolide":
        starts(ctx, record, "log", server, stores.COLD, count, lambda s: s.stop())


def round(ctx, record, number):
    count = 2 if ctx.quick else 7
    for kind in ctx.kinds:
        several = count if kind == "bolide" else 1
        with ctx.attempt(kind + ", empty"):
            empty(ctx, record, kind, "ASYNC_FLUSH", "empty", several)
        with ctx.attempt(kind + ", 10,000 topics"):
            topics(ctx, record, kind, several)
        if kind == "bolide" or (ctx.java_big and number == 1):
            with ctx.attempt(kind + ", 10 GB"):
                big(ctx, record, kind, several)
    with ctx.attempt("bolide, SYNC_FLUSH"):
        empty(ctx, record, "bolide", "SYNC_FLUSH", "empty sync", count)


def page(view):
    return figures(view, CELLS, COLUMNS, TITLES)


def rows(view):
    out = []
    for ident, cell, text, limit in (("start-empty", "empty", "empty: 15 ms", 15),
                                     ("start-empty-sync", "empty sync", "empty, SYNC_FLUSH: 15 ms", 15),
                                     ("start-topics", "topics", "10,000 topics: 200 ms", 200),
                                     ("start-log", "log cold", "10 GB clean log (cold): 300 ms", 300)):
        java = view.median("java", cell, "ack")
        out.append(demand(ident, "exec to first accepted send", text, view.median("bolide", cell, "ack"), limit, "%.1f ms",
                          least=False, note="" if java is None else ", Java {:,.0f} ms".format(java)))
    return out


def lost(view):
    return []
