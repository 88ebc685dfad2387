"""Runs `bolide bench VERB` and joins what it reports with what the server's process used meanwhile."""

import json
import os
import signal
import subprocess
import time

from lib import meter
from lib.context import OnCores, interop


class Failed(RuntimeError):
    """The generator ended without a result; the text is what it said."""


class Running:
    """A generator in the background."""

    def __init__(self, ctx, verb, server, *flags, nice=0):
        self.argv = [ctx.generator, "bench", verb, "--server", server.broker, *map(str, flags), "--json"]
        self.err_path = os.path.join(server.folder, "generator-%d.err" % time.monotonic_ns())
        argv = ["nice", "-n", str(nice), *self.argv] if nice else self.argv
        with OnCores(ctx.client_cores), open(self.err_path, "w") as err:
            self.client = interop.Client(argv, stdout=subprocess.PIPE, stderr=err, stdin=subprocess.DEVNULL, text=True)

    def wait(self, seconds, may_fail=False):
        """Its result. may_fail: a server that goes away is no surprise, and {} when there is none."""
        try:
            out, _ = self.client.proc.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.client.kill()
            out, _ = self.client.proc.communicate()
        if self.client in interop._live:
            interop._live.remove(self.client)
        for line in reversed(out.splitlines()):
            if line.startswith("{"):
                return json.loads(line)
        if may_fail:
            return {}
        with open(self.err_path, errors="replace") as err:
            raise Failed("%s: no result, exit code %s\n%s" % (
                " ".join(self.argv), self.client.proc.returncode, err.read()[-1500:]))

    def interrupt(self):
        """Asks for the result now."""
        if self.client.proc.poll() is None:
            self.client.proc.send_signal(signal.SIGINT)

    def kill(self):
        self.client.kill()


def values_of(result):
    """The figures of a result under the suite's names; times in microseconds."""
    latency = result.get("latency_us") or {}
    out = {"rate": result.get("rate_per_s"), "mb": result.get("mb_per_s"), "messages": result.get("messages"),
           "errors": result.get("errors", 0), "generator cpu": result.get("cpu_us_per_message")}
    for key in ("p50", "p90", "p99", "p99_9", "max", "mean"):
        if latency.get(key) is not None:
            out[key] = latency[key]
    return {key: value for key, value in out.items() if value is not None}


def cost_of(server, used, messages):
    """CPU, switches and bytes for each message, and memory, of the server's process."""
    out = {}
    if used and messages:
        out = {"cpu": used[0] / messages * 1e6, "written": used[1] / messages, "switches": used[2] / messages}
    if server.alive():
        memory = meter.status(server.pid)
        out["rss"], out["hwm"] = memory["rss"] / 1e6, memory["hwm"] / 1e6
    return out


def measured(ctx, verb, server, *flags, seconds=None, warmup=None, timeout=300):
    """One generator run against the server: what both used. A run that counts messages ends by itself."""
    seconds = ctx.seconds if seconds is None else seconds
    warmup = ctx.warmup if warmup is None else warmup
    watch = meter.Meter(server.pid)
    try:
        running = Running(ctx, verb, server, *flags, "--seconds", seconds, "--warmup", warmup)
        result = running.wait(timeout)
        ended = time.time()
    finally:
        watch.stop()
    lasted = result.get("seconds") or seconds
    began = (result.get("started_ms") or 0) / 1000
    if not ended - 3600 < began < ended:
        began = ended - lasted
    out = values_of(result)
    used = watch.give(began, min(began + lasted, ended))
    out.update(cost_of(server, used, result.get("messages")))
    if used:
        out["cores"] = used[0] / lasted
    return out


def show(name, values):
    """One line for the terminal."""
    words = []
    for key, form in (("rate", "%.0f msg/s"), ("mb", "%.0f MB/s"), ("p50", "p50 %.0f us"), ("p99", "p99 %.0f us"),
                      ("p99_9", "p99.9 %.0f us"), ("cpu", "%.2f us CPU/msg"), ("rss", "%.1f MB")):
        if key in values:
            words.append(form % values[key])
    if values.get("errors"):
        words.append("%d ERRORS" % values["errors"])
    return "%-28s %s" % (name, ", ".join(words))
