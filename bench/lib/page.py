"""Markdown out of figures: tables with medians and ranges, the rows of the Reach table, the pages."""

from lib.results import number

SUBJECTS = (("bolide", "bolide"), ("java", "Java"), ("null", "bare echo"))

# figure -> (column title, factor)
COLUMNS = {
    "rate": ("msg/s", 1), "mb": ("MB/s", 1), "p50": ("p50 µs", 1), "p99": ("p99 µs", 1), "p99_9": ("p99.9 µs", 1),
    "max": ("max µs", 1), "cpu": ("CPU µs/msg", 1), "cores": ("cores used", 1),
    "switches": ("switches / 1,000 msg", 1000), "written": ("bytes written / msg", 1), "rss": ("resident MB", 1),
    "hwm": ("peak MB", 1), "errors": ("errors", 1), "generator cpu": ("generator µs/msg", 1)}
THROUGHPUT = ("rate", "p50", "p99", "p99_9", "cpu", "switches", "written", "rss", "hwm", "errors")


def spread(view, subject, cell, figure, factor=1):
    """median (least to most)."""
    median = view.median(subject, cell, figure)
    if median is None:
        return ""
    least, most = view.range(subject, cell, figure)
    text = number(median * factor)
    if least != most:
        text += " (%s to %s)" % (number(least * factor), number(most * factor))
    return text


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def figures(view, cells, columns=THROUGHPUT, titles=None):
    """One line for each cell and subject. cells: (name, title). titles changes or adds column titles."""
    names = dict(COLUMNS, **(titles or {}))
    kept = [c for c in columns if any(view.median(s, cell, c) is not None for cell, _ in cells for s, _ in SUBJECTS)]
    if "errors" in kept and not any(sum(view.all(s, cell, "errors")) for cell, _ in cells for s, _ in SUBJECTS):
        kept.remove("errors")
    rows = []
    for cell, title in cells:
        for subject, name in SUBJECTS:
            if view.has(subject, cell):
                rows.append(["%s, %s" % (title, name)] + [spread(view, subject, cell, c, names[c][1]) for c in kept])
    return table(["median (least to most)"] + [names[c][0] for c in kept], rows) if rows else "Not measured.\n"


def comparison(view, cells, figures_=(("rate", "rate"), ("cpu", "CPU per message"), ("p50", "p50"), ("p99_9", "p99.9")),
               base="java"):
    """bolide / base for each cell: the median of the rounds' ratios."""
    rows = []
    for cell, title in cells:
        row = [title]
        for figure, _ in figures_:
            ratio = view.ratio(("bolide", cell), (base, cell), figure)
            row.append("" if ratio is None else number(ratio))
        if any(row[1:]):
            rows.append(row)
    name = dict(SUBJECTS)[base]
    return table(["bolide / %s" % name] + [title for _, title in figures_], rows) + "\n" if rows else ""


class Row:
    """One demand of the Reach table: reached is True, False, or None when it was not measured."""

    def __init__(self, ident, scenario, demand, measured, reached):
        self.ident, self.scenario, self.demand = ident, scenario, demand
        self.measured, self.reached = measured, reached

    def verdict(self):
        if self.reached is None:
            return "not measured"
        return "reached" if self.reached else "**not reached: measured %s**" % self.measured


def demand(ident, scenario, text, value, limit, form, least=True, note=""):
    """A Row out of a figure and its limit; value or limit None: not measured. form % value is what the page says."""
    if value is None or limit is None:
        return Row(ident, scenario, text, "", None)
    return Row(ident, scenario, text, form % value + note, value >= limit if least else value <= limit)


def rows_table(rows, reasons=None):
    lines = ["| scenario | at least | measured | |", "|---|---|---|---|"]
    before = None
    for row in rows:
        reason = (reasons or {}).get(row.ident, "") if row.reached is False else ""
        lines.append("| %s | %s | %s | %s%s |" % (
            row.scenario if row.scenario != before else "", row.demand, row.measured, row.verdict(),
            " " + reason if reason else ""))
        before = row.scenario
    return "\n".join(lines) + "\n"


def losses(view, cells, figures_=(("rate", True, "messages/s"), ("cpu", False, "CPU per message"))):
    """Sentences about the cells in which Java is better than bolide."""
    out = []
    for cell, title in cells:
        for figure, more_is_better, name in figures_:
            ratio = view.ratio(("bolide", cell), ("java", cell), figure)
            if ratio is not None and (ratio < 1) == more_is_better and ratio != 1:
                out.append("%s: Java is better in %s (bolide / Java = %s)." % (title, name, number(ratio)))
    return out
