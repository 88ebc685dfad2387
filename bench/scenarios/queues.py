"""Many queues: what a rate becomes when the messages go to 10,000 or 100,000 of them in turn."""

from lib import load
from lib.page import comparison, demand, figures, losses

NAME, TITLE = "queues", "Many queues"
ABOUT = """Pipelined sends (4 connections, 256 in flight each, 128 B, ASYNC_FLUSH), one message to each queue in turn. 10,000
queues are one topic, 100,000 are ten. Java keeps a mapped file for each queue, so it gets a longer warm-up at 10,000 and
is not asked for 100,000: that many maps are more than `vm.max_map_count` allows."""
COUNTS = (("1", "1 queue", 1, 1), ("10k", "10,000 queues", 1, 10000), ("100k", "100,000 queues", 10, 10000))
CELLS = [c[:2] for c in COUNTS]


def topics(name, count, queues):
    """As the generator names them: T alone, T-0, T-1 ... when there are several."""
    return [("Q" + name, queues)] if count == 1 else [("Q%s-%d" % (name, n), queues) for n in range(count)]


def round(ctx, record, number):
    for kind in ctx.kinds:
        counts = COUNTS if kind == "bolide" else COUNTS[:2]
        every = [t for name, _, count, queues in counts for t in topics(name, count, queues)]
        with ctx.attempt(kind), load.serving(ctx, kind, warm_gb=6, topics=every) as server:
            for name, _, count, queues in counts:
                several = ["--topics", count] if count > 1 else []
                warmup = ctx.java_warmup if kind == "java" and queues > 1 else ctx.warmup
                load.cell(ctx, record, kind, name, server, "send", "--topic", "Q" + name, *several, "--queues", queues, "--mode",
                          "async", "--connections", 4, "--window", 256, "--size", 128, warmup=warmup)


def page(view):
    return figures(view, CELLS) + "\n" + comparison(view, CELLS)


def rows(view):
    where = "10,000 queues, spread evenly, pipelined"
    return [demand("queues-java", where, "12 x Java", view.ratio(("bolide", "10k"), ("java", "10k"), "rate"), 12, "%.1f x",
                   note=", {:,.0f} msg/s".format(view.median("bolide", "10k", "rate") or 0)),
            demand("queues-flat", where, "100,000 queues: 80 % of one queue's rate",
                   view.ratio(("bolide", "100k"), ("bolide", "1"), "rate"), 0.8, "%.2f of it")]


def lost(view):
    return losses(view, CELLS)
