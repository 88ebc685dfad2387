"""Synchronous sends: many connections with one message in flight each, and one connection alone."""

from lib import load
from lib.page import comparison, demand, figures, losses

NAME, TITLE = "sync", "Synchronous sends"
ABOUT = """ASYNC_FLUSH on both servers, 8 queues; a connection sends the next message when the last is acked. The bare
echo (`bolide bench null`) answers frames of the same size and does nothing else: what the machine and the generator
allow. *Spinning* is one connection with `spinMicros=50`, the echo and the generator spinning as long."""
SPIN = 50
MANY = (("64 x 128 B", "64 connections, 128 B", 64, 128), ("64 x 1 KiB", "64 connections, 1 KiB", 64, 1024))
ONE = ("1 x 128 B", "one connection, 128 B")
SPINNING = ("1 x 128 B spinning", "one connection, 128 B, spinning")
CELLS = [c[:2] for c in MANY] + [ONE, SPINNING]


def flags(connections, size, spin=0):
    out = ["--topic", "Bench", "--queues", load.QUEUES, "--mode", "sync", "--connections", connections, "--size", size]
    return out + (["--spin", spin] if spin else [])


def all_asleep(ctx, record, subject, server):
    for name, _, connections, size in MANY:
        load.cell(ctx, record, subject, name, server, "send", *flags(connections, size))
    load.cell(ctx, record, subject, ONE[0], server, "send", *flags(1, 128))


def spinning(ctx, record, subject, server):
    load.cell(ctx, record, subject, SPINNING[0], server, "send", *flags(1, 128, SPIN))


def round(ctx, record, number):
    with ctx.attempt("bare echo"), load.echoing(ctx) as server:
        all_asleep(ctx, record, "null", server)
    for kind in ctx.kinds:
        with ctx.attempt(kind), load.serving(ctx, kind) as server:
            all_asleep(ctx, record, kind, server)
    with ctx.attempt("bare echo, spinning"), load.echoing(ctx, spin=SPIN) as server:
        spinning(ctx, record, "null", server)
    with ctx.attempt("bolide, spinning"), load.serving(ctx, "bolide", settings={"spinMicros": SPIN}, warm_gb=1) as server:
        spinning(ctx, record, "bolide", server)


def page(view):
    out = figures(view, CELLS) + "\n"
    out += comparison(view, CELLS, base="null") + comparison(view, CELLS)
    return out


def rows(view):
    out = []
    where = "sync send, 64 connections, ASYNC_FLUSH"
    for name, title, _, _ in MANY:
        size = title.split(", ")[1]
        share = view.ratio(("bolide", name), ("null", name), "rate")
        out.append(demand("sync-rate-" + size, where, size + ": 65 % of the bare echo", share, 0.65, "%.2f of the echo",
                          note=", %s msg/s" % "{:,.0f}".format(view.median("bolide", name, "rate") or 0)))
        cpu = view.ratio(("bolide", name), ("java", name), "cpu")
        out.append(demand("sync-cpu-" + size, where, size + ": broker CPU per message 1/5 of Java's", cpu, 0.2,
                          "%.3f of Java's", least=False))
    where = "one connection, sync"
    for ident, (name, _), text in (("one-asleep", ONE, "asleep"), ("one-spin", SPINNING, "spinning (50 µs)")):
        p50 = view.ratio(("bolide", name), ("null", name), "p50")
        out.append(demand(ident, where, text + ": p50 at most 1.25 x the bare echo's", p50, 1.25, "%.2f x", least=False,
                          note=", %.0f µs" % (view.median("bolide", name, "p50") or 0)))
    cpu = view.ratio(("bolide", ONE[0]), ("java", ONE[0]), "cpu")
    out.append(demand("one-cpu", where, "asleep: CPU per message 1/10 of Java's", cpu, 0.1, "%.3f of Java's", least=False))
    return out


def lost(view):
    return losses(view, CELLS)
