"""RocketMQ's own benchmark programs, unchanged, against both servers: the drop-in proof."""

import os
import re
import time

from lib import load, meter, remoting, servers
from lib.context import OnCores, interop
from lib.page import comparison, figures, losses

NAME, TITLE = "javabench", "The official Java benchmark"
ABOUT = """RocketMQ's own `Producer` (64 threads, 128 B) and then its `Consumer` (20 threads) beside it, unchanged, against
each server with ASYNC_FLUSH. Messages are counted by the growth of the queues' max offsets. The Java client is at its
own limit with one core, so the rates say less than the broker's CPU per message."""
TOPIC, QUEUES = "BenchTopic", 8
CELLS = [("produce", "producer alone"), ("both", "producer and consumer")]
COLUMNS = ("rate", "consumed", "cpu", "switches", "written", "rss", "failed")
TITLES = {"consumed": ("consumed / s", 1), "failed": ("sends failed", 1)}


def java_tool(ctx, server, name, *words):
    """Starts one of the benchmark programs; its output goes to the server's folder."""
    argv = ["java", "-server", "-Xms1g", "-Xmx1g", "-XX:+UseG1GC", *interop.JAVA_OPEN,
            "-Duser.home=" + os.path.join(server.folder, "home"), "-cp", os.path.join(interop.need_jars(), "*"),
            "org.apache.rocketmq.example.benchmark." + name, "-n", server.namesrv(), *words]
    with open(os.path.join(server.folder, name + ".out"), "w") as out, OnCores(ctx.client_cores):
        return interop.Client(argv, stdout=out, stderr=out)


def output(server, name):
    with open(os.path.join(server.folder, name + ".out")) as file:
        return file.read()


def window(server, seconds):
    """Messages and the broker's costs over this long."""
    watch = meter.Meter(server.pid)
    stored, began = remoting.max_offsets(server.broker, TOPIC, QUEUES), time.time()
    time.sleep(seconds)
    more, ended = remoting.max_offsets(server.broker, TOPIC, QUEUES) - stored, time.time()
    watch.stop()
    used = watch.give(began, ended)
    memory = meter.status(server.pid)
    out = {"rate": more / (ended - began), "rss": memory["rss"] / 1e6}
    if more and used:
        out.update(cpu=used[0] / more * 1e6, written=used[1] / more, switches=used[2] / more)
    return out


def measure(ctx, record, kind):
    load.settle(ctx, 4)
    server = servers.KINDS[kind](ctx)
    seconds, warm = (2, 2) if ctx.quick else (6, 8)
    try:
        server.start()
        server.create_topic(TOPIC, QUEUES)
        time.sleep(1)
        producer = java_tool(ctx, server, "Producer", "-t", TOPIC, "-w", "64", "-s", "128")
        if not interop.wait_until(lambda: remoting.max_offsets(server.broker, TOPIC, QUEUES) > 0, 60, 0.2):
            raise RuntimeError("the Java producer sent nothing in 60 s:\n" + output(server, "Producer")[-1500:])
        time.sleep(warm)
        values = window(server, seconds)
        ctx.say("%-8s %s" % (kind, ", ".join("%s %.4g" % item for item in values.items())))
        record(kind, "produce", values)
        consumer = java_tool(ctx, server, "Consumer", "-t", TOPIC, "-ri", "1000")
        time.sleep(warm)
        values = window(server, max(seconds, 4 if ctx.quick else 11))
        rates = re.findall(r"Consume TPS: (\d+)", output(server, "Consumer"))
        values["consumed"] = int(rates[-1]) if rates else 0
        failed = re.findall(r"Send Failed: (\d+) \| Response Failed: (\d+)", output(server, "Producer"))
        values["failed"] = sum(map(int, failed[-1])) if failed else 0
        ctx.say("%-8s %s" % (kind, ", ".join("%s %.4g" % item for item in values.items())))
        record(kind, "both", values)
        consumer.kill()
        producer.kill()
    finally:
        server.close()


def round(ctx, record, number):
    for kind in ctx.kinds:
        with ctx.attempt(kind):
            measure(ctx, record, kind)


def page(view):
    return (figures(view, CELLS, COLUMNS, TITLES) + "\n" +
            comparison(view, CELLS, (("rate", "rate"), ("cpu", "CPU per message"), ("rss", "resident memory"))))


def rows(view):
    return []


def lost(view):
    return losses(view, CELLS)
