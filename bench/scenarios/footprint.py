"""Memory and CPU of a server that has nothing to do: alone, with 10,000 connections, with 100,000 queues."""

import contextlib
import os
import time

from lib import generator, load, meter, servers
from lib.context import interop
from lib.page import demand, figures

NAME, TITLE = "footprint", "Idle"
ABOUT = """*Idle*: memory and CPU (over 20 s, from the kernel's clock of the process) of a server with an empty store; for
Java name server and broker together. *Connections*: growth of the broker's resident memory for each of 10,000
connections that do nothing (a heartbeat each); *held pulls*: the same with a pull that waits on each. *Queues* (first
round only): one million messages of 128 B over 100,000 queues, less what another bolide has with the same million in 8
queues, 35 s after the last message; so the ring, which every message touches, is not counted. Java's heap is touched
before use, so growth inside it does not show."""
CELLS = [("idle", "idle"), ("connections", "10,000 connections"), ("polls", "10,000 held pulls"),
         ("queues", "100,000 queues"), ("queues again", "100,000 queues, after a restart")]
COLUMNS = ("rss", "hwm", "each", "cpu percent", "wakeups", "threads")
TITLES = {"each": ("bytes each", 1), "cpu percent": ("CPU, % of a core", 1), "wakeups": ("switches / s", 1),
          "threads": ("threads", 1)}
CONNECTIONS, TOPICS, QUEUES, MESSAGES = 10000, 10, 10000, 1000000
IDLE_SECONDS = 35  # longer than between two snapshots


def say(ctx, record, kind, cell, values):
    ctx.say("%-8s %-12s %s" % (kind, cell, ", ".join("%s %.4g" % item for item in values.items())))
    record(kind, cell, values)


def idle(ctx, record, server):
    time.sleep(3)
    load.await_calm(ctx, server, 30)
    lasted = 2 if ctx.quick else 20
    used = [meter.cpu_seconds(pid) for pid in server.pids()]
    switched = [meter.switches(pid) for pid in server.pids()]
    time.sleep(lasted)
    cpu = sum(meter.cpu_seconds(pid) for pid in server.pids()) - sum(used)
    switched = sum(meter.switches(pid) for pid in server.pids()) - sum(switched)
    say(ctx, record, server.kind, "idle", {
        "rss": server.resident_mb(), "hwm": sum(meter.status(p)["hwm"] for p in server.pids()) / 1e6,
        "cpu percent": cpu / lasted * 100, "wakeups": switched / lasted,
        "threads": sum(meter.status(p)["threads"] for p in server.pids())})


def connections(ctx, record, server, cell, *flags):
    count = 500 if ctx.quick else CONNECTIONS
    before = meter.status(server.pid)["rss"]
    idler = generator.Running(ctx, "idle", server, "--topic", "Bench", "--queues", load.QUEUES, "--connections", count, *flags,
                              "--seconds", 120)
    try:
        def all_there():
            return len(os.listdir("/proc/%d/fd" % server.pid)) >= count or idler.client.proc.poll() is not None
        if not interop.wait_until(all_there, 60, 0.1) or idler.client.proc.poll() is not None:
            result = idler.wait(1)
            raise RuntimeError("the %d connections were not made: %s" % (count, result))
        time.sleep(1 if ctx.quick else 4)
        used, began = meter.cpu_seconds(server.pid), time.monotonic()
        time.sleep(1 if ctx.quick else 4)
        cpu = (meter.cpu_seconds(server.pid) - used) / (time.monotonic() - began)
        after = meter.status(server.pid)["rss"]
        say(ctx, record, server.kind, cell, {"rss": after / 1e6, "each": (after - before) / count, "cpu percent": cpu * 100})
    finally:
        idler.kill()
    time.sleep(1)


def fill(ctx, server, topics, queues):
    """Sends the million messages, spread evenly."""
    several = ["--topics", topics] if topics > 1 else []
    for name in ["Q-%d" % n for n in range(topics)] if topics > 1 else ["Q"]:
        server.create_topic(name, queues)
    generator.Running(ctx, "send", server, "--topic", "Q", *several, "--queues", queues, "--mode", "async", "--connections", 4,
                      "--window", 256, "--size", 128, "--count", 50000 if ctx.quick else MESSAGES, "--seconds", 120,
                      "--warmup", 0).wait(150)


def queues(ctx, record):
    """Two servers side by side: the million in few queues, and in many."""
    few, many = servers.Bolide(ctx), servers.Bolide(ctx)
    with contextlib.closing(few), contextlib.closing(many):
        for server, topics, count in ((few, 1, load.QUEUES), (many, TOPICS, QUEUES)):
            server.start()
            fill(ctx, server, topics, count)
        time.sleep(1 if ctx.quick else IDLE_SECONDS)
        each(ctx, record, "queues", few, many)
        for server in (few, many):
            server.stop()
            server.start()
        time.sleep(1)
        each(ctx, record, "queues again", few, many)


def each(ctx, record, cell, few, many):
    """What a queue takes: the difference of the two, divided."""
    one, other = meter.status(few.pid)["rss"], meter.status(many.pid)["rss"]
    say(ctx, record, "bolide", cell, {"rss": other / 1e6, "each": (other - one) / (TOPICS * QUEUES)})


def round(ctx, record, number):
    for kind in ctx.kinds:
        load.settle(ctx, 1 if kind == "bolide" else 4)
        with ctx.attempt(kind), contextlib.closing(servers.KINDS[kind](ctx)) as server:
            server.start()
            idle(ctx, record, server)
            server.create_topic("Bench", load.QUEUES)
            if kind == "bolide" or number == 1:  # Java's heap hides it anyway
                connections(ctx, record, server, "connections", "--heartbeats")
    with ctx.attempt("held pulls"), contextlib.closing(servers.Bolide(ctx)) as server:
        server.start()
        server.create_topic("Bench", load.QUEUES)
        connections(ctx, record, server, "polls", "--long-polls")
    if number == 1:
        with ctx.attempt("queues"):
            queues(ctx, record)


def page(view):
    return figures(view, CELLS, COLUMNS, TITLES)


def rows(view):
    where = "idle"
    java = view.median("java", "idle", "rss")
    cpu = view.median("java", "idle", "cpu percent")
    return [
        demand("idle-memory", where, "12 MB resident", view.median("bolide", "idle", "rss"), 12, "%.1f MB", least=False,
               note="" if java is None else ", Java {:,.0f} MB".format(java)),
        demand("idle-connection", where, "8 KB for each of 10,000 connections", view.median("bolide", "connections", "each"), 8192,
               "%.0f B", least=False),
        demand("idle-queue", where, "0.5 KB for each of 100,000 queues", view.median("bolide", "queues", "each"), 512, "%.0f B",
               least=False),
        demand("idle-cpu", where, "0.1 % of a core", view.median("bolide", "idle", "cpu percent"), 0.1, "%.3f %%", least=False,
               note="" if cpu is None else ", Java %.1f %%" % cpu)]


def lost(view):
    return []
