"""kill -9 under load, and how long until the next start accepts a send."""

import time

from lib import generator, machine, remoting, servers, stores
from lib.context import interop
from lib.page import demand, figures
from lib.results import number as text_of

NAME, TITLE = "recovery", "Recovery after kill -9"
ABOUT = """A store with a log of 1 GB or 20 GB and a topic of 10,000 queues; 100,000 messages/s go to those queues (Java:
20,000) when the process gets SIGKILL after some seconds; then the time from exec to the first accepted send.
ASYNC_FLUSH. A witness that pipelined about 2,000 messages/s beside remembers every ack and looks for each message
where the ack said it was."""
SIZES = (("1 GB", 1, "small"), ("20 GB", 20, "big"))
CELLS = [(name, name + " of log") for name, _, _ in SIZES]
COLUMNS = ("ack", "acked", "lost", "rss")
TITLES = {"ack": ("first ack after start, ms", 1), "acked": ("acked to the witness", 1), "lost": ("of them lost", 1)}


def crash(ctx, record, kind, cell, server, seed):
    machine.warm_memory(1 if ctx.quick else 3)
    server.start()
    witness = remoting.Witness(server.broker, seed)
    load = generator.Running(ctx, "send", server, "--topic", stores.MANY, "--queues", stores.MANY_QUEUES, "--mode", "async",
                             "--connections", 4, "--window", 256, "--size", 128, "--rate",
                             100000 if kind == "bolide" else 20000, "--seconds", 60, "--warmup", 0, nice=5)
    interop.wait_until(lambda: witness.acked, 20)
    time.sleep(1 if ctx.quick else 3)
    servers.kill_9(server)
    load.kill()
    witness.finish()
    if not witness.acked:
        raise RuntimeError("%s acked nothing before it was killed" % kind)
    took = server.start(stores.COLD)[1] * 1e3
    values = {"ack": took, "acked": len(witness.acked), "lost": witness.lost(server.broker), "rss": server.resident_mb()}
    servers.end(server)
    ctx.say("%-8s %-6s first ack after %.0f ms, %d of %d acked messages lost" % (
        kind, cell, took, values["lost"], values["acked"]))
    record(kind, cell, values)


def round(ctx, record, number):
    for kind in ctx.kinds:
        for cell, gb, name in SIZES:
            if kind == "java" and gb > 1 and not (ctx.java_big and number == 1):
                continue
            with ctx.attempt("%s, %s" % (kind, cell)):
                crash(ctx, record, kind, cell, ctx.stores.give(kind, name, gb * (0.05 if ctx.quick else 1)), number)


def page(view):
    return figures(view, CELLS, COLUMNS, TITLES)


def rows(view):
    where = "recovery after kill -9, 10,000 queues"
    out = []
    for name, title in CELLS:
        java = view.median("java", name, "ack")
        out.append(demand("recover-" + name, where, title + ": 1 s", view.median("bolide", name, "ack"), 1000, "%.0f ms",
                          least=False, note="" if java is None else ", Java {:,.0f} ms".format(java)))
    ratio = view.ratio(("bolide", "20 GB"), ("bolide", "1 GB"), "ack")
    out.append(demand("recover-same", where, "the same for both sizes (at most 1.5 x, or 100 ms apart)",
                      same(view, ratio), 1, "%.0f", note="" if ratio is None else " (20 GB / 1 GB = %s)" % text_of(ratio)))
    lost = sum(view.all("bolide", "1 GB", "lost")) + sum(view.all("bolide", "20 GB", "lost"))
    out.append(demand("recover-lost", where, "nothing acked lost",
                      lost if view.has("bolide", "1 GB") else None, 0, "%d lost", least=False))
    return out


def same(view, ratio):
    if ratio is None:
        return None
    apart = abs(view.median("bolide", "20 GB", "ack") - view.median("bolide", "1 GB", "ack"))
    return 1 if ratio <= 1.5 or apart <= 100 else 0


def lost(view):
    return []
