"""TAP output: one line per test, a plan at the end, exit status 1 when one failed."""

import os
import random
import sys
import time
import traceback


class Skip(Exception):
    """Raised by a test that cannot run here; the text says why."""


class Tap:
    def __init__(self):
        self.count = self.failed = 0

    def result(self, passed, name, detail=None):
        self.count += 1
        self.failed += not passed
        print("%s %d - %s" % ("ok" if passed else "not ok", self.count, name.replace("#", "\\#")))
        for line in (detail or "").splitlines():
            print("#   " + line)
        sys.stdout.flush()

    def ok(self, passed, name, detail=None):
        self.result(bool(passed), name, None if passed else detail)
        return passed

    def skip(self, name, why):
        self.count += 1
        print("ok %d - %s # SKIP %s" % (self.count, name.replace("#", "\\#"), why))
        sys.stdout.flush()

    def note(self, text):
        for line in str(text).splitlines():
            print("# " + line)
        sys.stdout.flush()

    def done(self):
        print("1..%d" % self.count)
        sys.stdout.flush()
        return 1 if self.failed else 0


def run(tests, setup=None, teardown=None, only=None):
    """Run functions in turn, each `def test_x(env)`; the docstring's first line is the name.

    `setup()` makes the env they share. Arguments on the command line select tests by part of
    their name. Returns the exit status.
    """
    tap, env = Tap(), None
    wanted = only or sys.argv[1:]
    try:
        env = setup() if setup else None
    except Skip as e:
        for t in tests:
            tap.skip(_title(t), str(e))
        return tap.done()
    except Exception:
        tap.result(False, "setup", traceback.format_exc())
        return tap.done()
    try:
        for t in tests:
            if wanted and not any(w in t.__name__ for w in wanted):
                continue
            _one(tap, t, env)
    finally:
        if teardown and env is not None:
            teardown(env)
    return tap.done()


def _one(tap, test, env):
    began = time.monotonic()
    try:
        test(env)
    except Skip as e:
        tap.skip(_title(test), str(e))
        return
    except AssertionError as e:
        frame = traceback.extract_tb(e.__traceback__)[-1]
        tap.result(False, _title(test), "%s\n%s line %d: %s" % (
            e, os.path.basename(frame.filename), frame.lineno, frame.line))
        return
    except Exception:
        tap.result(False, _title(test), traceback.format_exc())
        return
    tap.result(True, _title(test))
    if time.monotonic() - began > 10:
        tap.note("took %.1f s" % (time.monotonic() - began))


def _title(test):
    name = test.__name__.replace("test_", "", 1).replace("_", " ")
    doc = (test.__doc__ or "").strip().splitlines()
    return doc[0].rstrip(".") if doc else name


def seed():
    """The seed of this run (SEED=n repeats one), printed and given to `random`."""
    value = int(os.environ.get("SEED") or random.SystemRandom().randrange(1 << 31))
    print("# seed %d (SEED=%d repeats this run)" % (value, value))
    random.seed(value)
    return value


def equal(got, want, what="value"):
    assert got == want, "%s is %r, expected %r" % (what, got, want)
