"""SYNC_FLUSH: what it costs that an ack means on disk."""

from lib import load
from lib.page import comparison, demand, figures, losses

NAME, TITLE = "flush", "SYNC_FLUSH"
ABOUT = """Synchronous sends of 1 KiB with SYNC_FLUSH (an ack means that the record is on disk) beside bolide's own
figures with ASYNC_FLUSH in the same round."""
SYNC = (("sync 64", "SYNC_FLUSH, 64 connections", 64), ("sync 256", "SYNC_FLUSH, 256 connections", 256))
ASYNC = (("async 64", "ASYNC_FLUSH, 64 connections", 64), ("async 256", "ASYNC_FLUSH, 256 connections", 256))
CELLS = [c[:2] for c in SYNC + ASYNC]


def run(ctx, record, kind, flush, cells):
    with ctx.attempt("%s, %s" % (kind, flush)), load.serving(ctx, kind, flush) as server:
        for name, _, connections in cells:
            load.cell(ctx, record, kind, name, server, "send", "--topic", "Bench", "--queues", load.QUEUES, "--mode", "sync",
                      "--connections", connections, "--size", 1024)


def round(ctx, record, number):
    run(ctx, record, "bolide", "SYNC_FLUSH", SYNC)
    if ctx.java:
        run(ctx, record, "java", "SYNC_FLUSH", SYNC)
    run(ctx, record, "bolide", "ASYNC_FLUSH", ASYNC)


def page(view):
    return figures(view, CELLS) + "\n" + comparison(view, CELLS)


def rows(view):
    where = "SYNC_FLUSH, 1 KiB"
    out = [demand("flush-java", where, "64 connections: 4 x Java",
                  view.ratio(("bolide", "sync 64"), ("java", "sync 64"), "rate"), 4, "%.1f x")]
    for count, share in ((64, 0.6), (256, 0.8)):
        ratio = view.ratio(("bolide", "sync %d" % count), ("bolide", "async %d" % count), "rate")
        out.append(demand("flush-own-%d" % count, where, "%d connections: %.0f %% of its own ASYNC_FLUSH" % (count, share * 100),
                          ratio, share, "%.2f of it", note=", {:,.0f} msg/s".format(
                              view.median("bolide", "sync %d" % count, "rate") or 0)))
    return out


def lost(view):
    return losses(view, CELLS)
