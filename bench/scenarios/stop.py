"""SIGTERM under load: how long until the process is gone, and whether every acked message is there afterwards."""

import contextlib
import time

from lib import generator, load, remoting, servers
from lib.context import interop
from lib.page import demand, figures

NAME, TITLE = "stop", "Stop under load"
ABOUT = """Four connections pipeline messages of 1 KiB as fast as they go, a witness remembers every ack of its own
messages, and the process gets SIGTERM. After the next start the witness looks for each of its messages where the ack
said it was, and the topic's max offsets must be at least what the generator was acked."""
CELLS = [("async", "ASYNC_FLUSH"), ("sync", "SYNC_FLUSH")]
COLUMNS = ("took", "acked", "lost", "missing")
TITLES = {"took": ("SIGTERM to end, ms", 1), "acked": ("acked", 1), "lost": ("witness: lost", 1),
          "missing": ("generator: acked but not stored", 1)}


def stop(ctx, record, kind, cell, flush, seed):
    load.settle(ctx, 3)
    server = servers.KINDS[kind](ctx, flush)
    with ctx.attempt("%s, %s" % (kind, flush)), contextlib.closing(server):
        server.start()
        server.create_topic("Bench", load.QUEUES)
        witness = remoting.Witness(server.broker, seed)
        sender = generator.Running(ctx, "send", server, "--topic", "Bench", "--queues", load.QUEUES, "--mode", "async",
                                   "--connections", 4, "--window", 256, "--size", 1024, "--seconds", 60, "--warmup", 0, nice=2)
        interop.wait_until(lambda: witness.acked, 20)
        time.sleep(1 if ctx.quick else 2)
        begin = time.perf_counter()
        server.terminate()
        if not server.wait_end(60):
            raise RuntimeError("%s did not end after SIGTERM" % kind)
        took = (time.perf_counter() - begin) * 1e3
        sender.interrupt()
        result = sender.wait(20, may_fail=True)
        witness.finish()
        if not witness.acked:
            raise RuntimeError("%s acked nothing before it was stopped" % kind)
        server.start()
        stored = remoting.max_offsets(server.broker, "Bench", load.QUEUES)
        values = {"took": took, "acked": result.get("messages", 0) + len(witness.acked),
                  "lost": witness.lost(server.broker), "missing": max(0, result.get("messages", 0) - stored)}
        ctx.say("%-8s %-6s ended after %.0f ms, %d acked, %d lost" % (
            kind, cell, took, values["acked"], values["lost"] + values["missing"]))
        record(kind, cell, values)


def round(ctx, record, number):
    stop(ctx, record, "bolide", "async", "ASYNC_FLUSH", number)
    if ctx.java:
        stop(ctx, record, "java", "async", "ASYNC_FLUSH", number)
    stop(ctx, record, "bolide", "sync", "SYNC_FLUSH", number)


def page(view):
    return figures(view, CELLS, COLUMNS, TITLES)


def rows(view):
    out = []
    java = view.median("java", "async", "took")
    for cell, title in CELLS:
        out.append(demand("stop-" + cell, "stop (SIGTERM, under load)", title + ": 1 s", view.median("bolide", cell, "took"), 1000,
                          "%.0f ms", least=False, note="" if java is None else ", Java {:,.0f} ms".format(java)))
    lost = sum(sum(view.all("bolide", cell, key)) for cell, _ in CELLS for key in ("lost", "missing"))
    out.append(demand("stop-lost", "stop (SIGTERM, under load)", "nothing acked lost",
                      lost if view.has("bolide", "async") else None, 0, "%d lost", least=False))
    return out


def lost(view):
    return []
