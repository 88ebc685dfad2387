"""The pages: one for each family, and the summary with the whole Reach table."""

import os
import time

import scenarios
from lib import page, results

CONSTANTS = (
    ("memcpy_128_ns", "memcpy, 128 B", "ns"), ("memcpy_1k_ns", "memcpy, 1 KiB", "ns"),
    ("memcpy_64m_gbps", "memcpy, 64 MiB", "GB/s"), ("syscall_ns", "a system call", "ns"),
    ("handover_same_core_us", "waking a thread and being woken, same core", "µs"),
    ("handover_other_core_us", "the same, other core", "µs"),
    ("loopback_asleep_us", "loopback round trip (128 B send and its answer), asleep", "µs"),
    ("loopback_spinning_us", "the same, both ends spinning", "µs"),
    ("fdatasync_p50_us", "4 KiB pwrite + fdatasync, p50", "µs"), ("fdatasync_p99_us", "the same, p99", "µs"),
    ("direct_dsync_p50_us", "4 KiB O_DIRECT, O_DSYNC write, p50", "µs"), ("direct_dsync_p99_us", "the same, p99", "µs"),
    ("write_buffered_mbps", "256 MiB written through the page cache, with a sync", "MB/s"),
    ("write_direct_mbps", "256 MiB written past it", "MB/s"), ("read_direct_mbps", "256 MiB read past it", "MB/s"))


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".new", "w") as file:
        file.write(text.rstrip() + "\n")
    os.replace(path + ".new", path)


def conditions(view):
    """One paragraph: machine, rounds, windows, pinning."""
    s, m = view.settings, view.settings["machine"]
    text = "%d round%s, bolide and Java in turn; windows of %g s after %g s of warm-up (a JVM gets %g s more before its first)." % (
        len(view.rounds), "" if len(view.rounds) == 1 else "s", s["seconds"], s["warmup"], s["java_warmup"])
    text += " %d cores (%s), %s, %s, Linux %s." % (m["cores"], m["cpu"], m["memory"], m["disk"], m["kernel"])
    text += " Servers run on one core, generators on the rest." if s["pinned"] else " Nothing is pinned."
    if s["quick"]:
        text += " **A quick run: it shows that the suite works, its figures mean nothing.**"
    return text


def family_page(folder, name):
    view = results.load(folder, name)
    if not view or not view.rounds:
        return
    family = scenarios.family(name)
    rows, lost = family.rows(view), family.lost(view)
    text = "# %s\n\n%s\n\n%s Measured %s, [raw figures](raw/%s.json).\n\n" % (
        family.TITLE, family.ABOUT, conditions(view), view.data.get("ended", ""), name)
    failures = ["Round %d, %s" % (n, why) for n, r in enumerate(view.rounds, 1) for why in r.get("failures", [])]
    if failures:
        text += "**Something failed, so figures are missing:**\n\n" + "".join("- %s\n" % line for line in failures) + "\n"
    if rows:
        text += "## Reach\n\n" + page.rows_table(rows, reasons(folder)) + "\n"
    if lost:
        text += "## Where Java is better\n\n" + "\n".join("- " + line for line in lost) + "\n\n"
    text += "## Figures\n\n" + family.page(view)
    write(os.path.join(folder, name + ".md"), text)


def reasons(folder):
    """{id of a row: why it was not reached}, from reasons.txt ("ID: text" a line) beside the pages."""
    out = {}
    try:
        with open(os.path.join(folder, "reasons.txt")) as file:
            for line in file:
                ident, _, text = line.strip().partition(": ")
                if text and not line.startswith("#"):
                    out[ident] = text
    except OSError:
        pass
    return out


def constants_table(views):
    """Medians over the families that were measured, each took them once."""
    import statistics
    rows = []
    for name, title, unit in CONSTANTS:
        values = [v.data["constants"][name] for v in views if name in v.data.get("constants", {})]
        if values:
            spread = "" if len(values) == 1 else " (%s to %s)" % (results.number(min(values)), results.number(max(values)))
            rows.append([title, "%s %s%s" % (results.number(statistics.median(values)), unit, spread)])
    return page.table(["the machine", "median (least to most)"], rows) if rows else ""


def summary(folder):
    views = {name: results.load(folder, name) for name in scenarios.NAMES}
    have = [name for name in scenarios.NAMES if views[name] and views[name].rounds]
    rows, lost = [], []
    empty = results.View({"rounds": [], "settings": {}})
    for name in REACH_ORDER:
        rows += scenarios.family(name).rows(views[name] or empty)
    for name in have:
        lost += scenarios.family(name).lost(views[name])
    reached = sum(row.reached is True for row in rows)
    missed = [row for row in rows if row.reached is False]
    text = "# Results\n\nMade by `make bench` ([how to read this](../README.md)).\n\n"
    if have:
        text += conditions(views[have[0]]) + " Bolide binary %s.\n\n" % views[have[0]].settings["binary"]
    text += "## Reach\n\n%d of %d reached, %d not reached, %d not measured. Ratios are medians of the ratios of each round.\n\n" % (
        reached, len(rows), len(missed), len(rows) - reached - len(missed))
    text += page.rows_table(rows, reasons(folder))
    text += "\n## Where bolide loses\n\n"
    text += "".join("- %s, %s: not reached, measured %s.\n" % (row.scenario, row.demand, row.measured) for row in missed)
    text += "".join("- %s\n" % line for line in lost)
    if not missed and not lost:
        text += "Nowhere in what was measured.\n"
    text += "\n## Pages\n\n"
    for name in have:
        text += "- [%s](%s.md), %d rounds, %s\n" % (scenarios.family(name).TITLE, name, len(views[name].rounds),
                                                   views[name].data.get("ended", ""))
    binaries = {views[name].settings["binary"] for name in have}
    if len(binaries) > 1:
        text += "\nThe pages are of %d different builds of bolide; each has its own in its raw figures.\n" % len(binaries)
    text += "\n## The machine itself\n\n" + constants_table([views[name] for name in have])
    write(os.path.join(folder, "README.md"), text)


# The order of the table.
REACH_ORDER = ("sync", "stream", "flush", "endtoend", "mixed", "queues", "cold", "startup", "recovery", "footprint", "stop")


def now():
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime()) + " UTC"
