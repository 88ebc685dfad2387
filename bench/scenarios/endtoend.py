"""From the intended time of sending to the consumer's hands, at a fixed rate."""

from lib import load
from lib.page import comparison, demand, figures, losses

NAME, TITLE = "endtoend", "End to end at 20,000 messages/s, 1 KiB"
ABOUT = """One connection sends 20,000 messages/s on a fixed timetable, another long-polls every queue; latency is the
time of receipt less the *intended* time of sending, so that a stall counts for all that had to wait. The bare two-hop
echo (`bolide bench null --hop`) hands each message from one connection to the other and does nothing else."""
RATE = 20000
CELLS = [("async", "ASYNC_FLUSH"), ("sync", "SYNC_FLUSH")]
SECONDS_LEAST = 8  # 160,000 messages: enough for a p99.9


def flags(rate=RATE):
    return ["--topic", "Bench", "--queues", load.QUEUES, "--rate", rate, "--size", 1024, "--connections", 1]


def seconds(ctx):
    return ctx.seconds if ctx.quick else max(ctx.seconds, SECONDS_LEAST)


def round(ctx, record, number):
    with ctx.attempt("bare echo"), load.echoing(ctx, hop=True) as server:
        load.cell(ctx, record, "null", "async", server, "e2e", *flags(), seconds=seconds(ctx))
    for kind in ctx.kinds:
        for flush, name in (("ASYNC_FLUSH", "async"), ("SYNC_FLUSH", "sync")):
            if kind == "bolide" or flush == "ASYNC_FLUSH":
                with ctx.attempt("%s, %s" % (kind, flush)), load.serving(ctx, kind, flush, warm_gb=2) as server:
                    load.cell(ctx, record, kind, name, server, "e2e", *flags(), seconds=seconds(ctx))


def page(view):
    return figures(view, CELLS) + "\n" + comparison(view, CELLS) + comparison(view, CELLS, base="null")


def rows(view):
    where = "end to end at 20,000/s, 1 KiB"
    echo = view.median("null", "async", "p50")
    out = []
    limit = None if echo is None else echo + 40
    text = "" if echo is None else " (%.0f µs)" % limit
    out.append(demand("e2e-p50", where, "ASYNC_FLUSH: p50 at most the two-hop echo's + 40 µs" + text,
                      view.median("bolide", "async", "p50"), limit, "%.0f µs", least=False))
    out.append(demand("e2e-p99", where, "ASYNC_FLUSH: p99 at most 500 µs", view.median("bolide", "async", "p99"), 500,
                      "%.0f µs", least=False))
    out.append(demand("e2e-p999", where, "ASYNC_FLUSH: p99.9 at most 1/10 of Java's",
                      view.ratio(("bolide", "async"), ("java", "async"), "p99_9"), 0.1, "%.3f of Java's", least=False,
                      note=", %.0f µs" % (view.median("bolide", "async", "p99_9") or 0)))
    limit = None if echo is None else echo + 340
    text = "" if echo is None else " (%.0f µs)" % limit
    out.append(demand("e2e-sync", where, "SYNC_FLUSH: p50 at most 300 µs above that" + text,
                      view.median("bolide", "sync", "p50"), limit, "%.0f µs", least=False))
    return out


def lost(view):
    return losses(view, CELLS, (("p50", False, "p50"), ("p99_9", False, "p99.9"), ("cpu", False, "CPU per message")))
