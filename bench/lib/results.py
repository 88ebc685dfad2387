"""Raw figures on disk, one JSON file for each family, and views of them: medians, ranges, paired ratios."""

import hashlib
import json
import os
import statistics


def fingerprint(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()[:16]


class Raw:
    """The rounds of one family: rounds[i][subject][cell] = {figure: number}. Saved after every round."""

    def __init__(self, folder, family, settings):
        self.path = os.path.join(folder, "raw", family + ".json")
        self.data = {"family": family, "settings": settings, "rounds": [], "constants": {}}

    def resume(self):
        """Takes over the rounds that were made with the same settings and binary; how many."""
        try:
            with open(self.path) as file:
                old = json.load(file)
        except (OSError, ValueError):
            return 0
        if old.get("settings") == self.data["settings"]:
            old["rounds"] = [r for r in old["rounds"] if "failures" not in r]
            self.data = old
        return len(self.data["rounds"])

    def save(self):
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        with open(self.path + ".new", "w") as file:
            json.dump(self.data, file, indent=1, sort_keys=True)
        os.replace(self.path + ".new", self.path)


def load(folder, family):
    """A View of what was saved last for the family, or None."""
    try:
        with open(os.path.join(folder, "raw", family + ".json")) as file:
            return View(json.load(file))
    except (OSError, ValueError):
        return None


class View:
    """Figures of a family over its rounds. What was not measured is None, never 0."""

    def __init__(self, data):
        self.data = data
        self.rounds = data["rounds"]
        self.settings = data["settings"]

    def has(self, subject, cell):
        return any(cell in r.get(subject, {}) for r in self.rounds)

    def all(self, subject, cell, figure):
        got = [r.get(subject, {}).get(cell, {}).get(figure) for r in self.rounds]
        return [value for value in got if value is not None]

    def median(self, subject, cell, figure):
        values = self.all(subject, cell, figure)
        return statistics.median(values) if values else None

    def range(self, subject, cell, figure):
        values = self.all(subject, cell, figure)
        return (min(values), max(values)) if values else None

    def ratios(self, one, other, figure):
        """one and other are (subject, cell): the ratio in each round that has both."""
        out = []
        for r in self.rounds:
            a = r.get(one[0], {}).get(one[1], {}).get(figure)
            b = r.get(other[0], {}).get(other[1], {}).get(figure)
            if a is not None and b:
                out.append(a / b)
        return out

    def ratio(self, one, other, figure):
        values = self.ratios(one, other, figure)
        if values:
            return statistics.median(values)
        a, b = self.median(*one, figure), self.median(*other, figure)  # not of the same round: Java's big stores
        return a / b if a is not None and b else None


def number(value, digits=3):
    """1234567 as 1,234,567 and small ones with three digits that count."""
    if value is None:
        return ""
    if abs(value) >= 100:
        return "{:,.0f}".format(value)
    if value == 0:
        return "0"
    text = "%.*g" % (digits, value)
    return text if "e" not in text else "%.4f" % value
