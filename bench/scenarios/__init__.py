"""One file for each family. A family has: NAME, TITLE, ABOUT (Markdown), round(ctx, record, number), CELLS for the page,
page(view) and rows(view). record(subject, cell, {figure: number}) keeps what a round measured."""

import importlib

# In this order: those that need a store of many GB are side by side.
NAMES = ("sync", "stream", "flush", "endtoend", "queues", "footprint", "stop", "javabench", "startup", "mixed", "recovery",
         "cold")


def family(name):
    return importlib.import_module("scenarios." + name)
