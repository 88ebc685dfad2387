"""The end-to-end stream beside everything that could disturb it."""

import time

from lib import generator, load, machine, servers, stores
from lib.page import demand, figures

NAME, TITLE = "mixed", "End to end beside other load"
ABOUT = """The stream of the end-to-end page (20,000 messages/s of 1 KiB, ASYNC_FLUSH) first alone, then beside a cold
reader of 10 GB (nothing of it in the page cache when the server starts), a producer of 100,000 messages/s in batches
of 32 (128 B) and 1,000 held pulls. The generators of the other load run with `nice 10`, because they share one core
with the generator that measures; what they take from it is in the figures all the same."""
BIG_GB, POLLS = 10, 1000
CELLS = [("quiet", "alone"), ("mixed", "beside the other load")]
OTHERS = [("reader", "cold reader"), ("batches", "batch producer")]


def e2e(ctx, record, subject, cell, server):
    seconds = ctx.seconds if ctx.quick else max(ctx.seconds, 8)
    return load.cell(ctx, record, subject, cell, server, "e2e", "--topic", "Bench", "--queues", load.QUEUES, "--rate", 20000,
                     "--size", 1024, "--connections", 1, seconds=seconds)


def one(ctx, record, server):
    machine.drop_cache(server.store)
    machine.await_calm_disk(ctx.work, ctx.say)
    machine.warm_memory(1 if ctx.quick else 6)
    server.start()
    try:
        for topic in ("Bench", "Beside", "Quiet"):
            server.create_topic(topic, load.QUEUES)
        e2e(ctx, record, server.kind, "quiet", server)
        lasts = (ctx.seconds if ctx.quick else max(ctx.seconds, 8)) + ctx.warmup + 2
        timed = ("--seconds", lasts, "--warmup", 0)
        others = {
            "polls": generator.Running(ctx, "idle", server, "--topic", "Quiet", "--queues", load.QUEUES, "--connections", POLLS,
                                       "--long-polls", "--seconds", lasts + 2, nice=10)}
        time.sleep(0.5)
        others["reader"] = generator.Running(ctx, "pull", server, "--topic", stores.COLD, "--queues", stores.COLD_QUEUES,
                                             "--connections", 4, "--from", "begin", *timed, nice=10)
        others["batches"] = generator.Running(ctx, "send", server, "--topic", "Beside", "--queues", load.QUEUES, "--mode", "batch",
                                              "--batch", 32, "--connections", 1, "--size", 128, "--rate", 100000, *timed, nice=10)
        time.sleep(0.5)
        e2e(ctx, record, server.kind, "mixed", server)
        for name in ("reader", "batches"):
            values = generator.values_of(others[name].wait(lasts + 60))
            ctx.say(generator.show("%s %s" % (server.kind, name), values))
            record(server.kind, name, values)
        others["polls"].kill()
    finally:
        servers.end(server)


def round(ctx, record, number):
    for kind in ctx.kinds:
        if kind == "bolide" or (ctx.java_big and number == 1):
            with ctx.attempt(kind):
                one(ctx, record, ctx.stores.give(kind, "big", 0.5 if ctx.quick else BIG_GB))


def page(view):
    return figures(view, CELLS) + "\nThe other load meanwhile:\n\n" + figures(view, OTHERS, ("rate", "mb", "p99", "errors"))


def rows(view):
    where = "the same beside a cold reader of 10 GB, a batch producer, 1,000 held pulls"
    ratio = view.ratio(("bolide", "mixed"), ("bolide", "quiet"), "p99_9")
    refused = sum(sum(view.all("bolide", cell, "errors")) for cell in ("mixed", "batches", "reader"))
    return [demand("mixed-p999", where, "p99.9 at most 3 x the quiet one", ratio, 3, "%.1f x", least=False,
                   note=", %.0f µs" % (view.median("bolide", "mixed", "p99_9") or 0)),
            demand("mixed-errors", where, "no refused send", refused if view.has("bolide", "mixed") else None, 0,
                   "%d refused", least=False)]


def lost(view):
    return []
