"""Pipelined single messages, batches, and the pull of what was just written."""

from lib import load
from lib.page import comparison, demand, figures, losses

NAME, TITLE = "stream", "Pipelined sends, batches, pulls"
ABOUT = """ASYNC_FLUSH on both servers, 8 queues, a fresh server for each size. Pipelined: 4 connections with 256 messages
in flight each. Batch: 4 connections, requests of 32 messages. Pull: 8 connections read, from its beginning, the topic that
the batches of the same size have just filled, once asking for 32 messages at a time and once for 1,024, which is bolide's
limit; the Java server gives 32. The bare echo answers as many requests without doing anything."""
SIZES = ((128, "128 B"), (1024, "1 KiB"))
PULLS = ((32, "pull %s"), (1024, "pull 1024 %s"))
CELLS = ([("async %s" % s, "pipelined, %s" % s) for _, s in SIZES] + [("batch %s" % s, "batch of 32, %s" % s) for _, s in SIZES] +
         [(name % s, "pull, %s, %s" % (s, "{:,}".format(most))) for most, name in PULLS for _, s in SIZES])
PULL_COLUMNS = ("rate", "mb", "cpu", "switches", "rss", "errors")


def send_all(ctx, record, subject, server, size, text):
    common = ("--topic", "Bench%d" % size, "--queues", load.QUEUES)
    load.cell(ctx, record, subject, "async " + text, server, "send", *common,
              "--mode", "async", "--connections", 4, "--window", 256, "--size", size)
    common = ("--topic", "Batch%d" % size, "--queues", load.QUEUES)
    load.cell(ctx, record, subject, "batch " + text, server, "send", *common,
              "--mode", "batch", "--batch", 32, "--connections", 4, "--window", 8, "--size", size)
    if subject == "null":
        return
    for most, name in PULLS:
        load.cell(ctx, record, subject, name % text, server, "pull", *common, "--max-messages", most,
                  "--connections", 8, "--from", "begin", warmup=0)


def round(ctx, record, number):
    for size, text in SIZES:
        with ctx.attempt("bare echo"), load.echoing(ctx) as server:
            send_all(ctx, record, "null", server, size, text)
        for kind in ctx.kinds:
            topics = [("Bench%d" % size, load.QUEUES), ("Batch%d" % size, load.QUEUES)]
            with ctx.attempt(kind), load.serving(ctx, kind, warm_gb=8, topics=topics) as server:
                send_all(ctx, record, kind, server, size, text)


def page(view):
    sends = [c for c in CELLS if not c[0].startswith("pull")]
    pulls = [c for c in CELLS if c[0].startswith("pull")]
    return (figures(view, sends) + "\n" + figures(view, pulls, PULL_COLUMNS) + "\n" + comparison(view, CELLS) +
            comparison(view, sends, base="null"))


def rows(view):
    out = []
    for name, scenario, demands in (("async", "pipelined single sends", ((10, 500e3), (10, 350e3))),
                                    ("batch", "batch of 32", ((5, 1.2e6), (5, 800e3))),
                                    ("pull 1024", "pull of a warm backlog", ((8, 2e6),))):
        for (_, size), (times, rate) in zip(SIZES, demands):
            key = "%s %s" % (name, size)
            ratio = view.ratio(("bolide", key), ("java", key), "rate")
            out.append(demand("%s-java-%s" % (name, size), scenario, "%s: %d x Java" % (size, times), ratio, times, "%.1f x"))
            out.append(demand("%s-rate-%s" % (name, size), scenario, "%s: %s messages/s" % (size, "{:,.0f}".format(rate)),
                              view.median("bolide", key, "rate"), rate, "{:,.0f}".format(
                                  view.median("bolide", key, "rate") or 0) + "%.0s"))
    return out


def lost(view):
    return losses(view, CELLS)
