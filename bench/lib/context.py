"""What a run knows: its settings, its folder on a real disk, its cores, and how it says what it is doing."""

import atexit
import contextlib
import os
import shutil
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
BENCH = os.path.dirname(HERE)
ROOT = os.path.dirname(BENCH)
os.environ.setdefault("BOLIDE", os.path.join(ROOT, "build", "bolide"))
sys.path.insert(0, os.path.join(ROOT, "tests", "interop", "lib"))
import interop  # noqa: E402


def filesystem_of(path):
    """(type, mount point) of the file system that holds path."""
    path, best = os.path.realpath(path), ("?", "")
    with open("/proc/mounts") as mounts:
        for line in mounts:
            _, point, kind = line.split()[:3]
            inside = path == point or path.startswith(point.rstrip("/") + "/")
            if inside and len(point) >= len(best[1]):
                best = (kind, point)
    return best


def disk_folder(wanted):
    """A folder for stores: the one asked for, else the first usual one that is not memory."""
    for path in [wanted] if wanted else [tempfile.gettempdir(), "/var/tmp", os.path.join(ROOT, "build")]:
        if wanted or (os.path.isdir(path) and filesystem_of(path)[0] not in ("tmpfs", "ramfs", "overlay")):
            return path
    sys.exit("bench: %s is memory, not a disk; name a folder on a disk with --dir" % tempfile.gettempdir())


class OnCores:
    """Children started inside run on these cores only."""

    def __init__(self, cores):
        self.cores = cores

    def __enter__(self):
        self.before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, self.cores)

    def __exit__(self, *_):
        os.sched_setaffinity(0, self.before)


class Context:
    """Settings and the folder of one run; the folder goes when the run ends, however it ends."""

    def __init__(self, args):
        self.args = args
        self.seconds, self.warmup, self.java_warmup = args.seconds, args.warmup, args.java_warmup
        self.quick = args.quick
        cores = sorted(os.sched_getaffinity(0))
        self.all_cores = cores
        self.pinned = len(cores) > 1 and not args.no_pin
        self.server_cores = cores[:1] if self.pinned else cores
        self.client_cores = cores[1:] if self.pinned else cores
        self.began = time.monotonic()
        self.work = tempfile.mkdtemp(prefix="bolide-bench-", dir=disk_folder(args.dir))
        self.prefix = ""
        self.failures = []  # of the round that is under way
        self._number = 0
        atexit.register(self.close)
        self.generator = self._own(os.environ.get("BOLIDE_GENERATOR") or interop.BOLIDE, "generator")
        self.bolide = interop.BOLIDE = self._own(interop.BOLIDE, "bolide")

    def _own(self, program, name):
        """A copy of the program, so that a build meanwhile changes nothing."""
        if not os.access(program, os.X_OK):
            sys.exit("bench: no bolide at %s; run make, or set BOLIDE" % program)
        return shutil.copy2(program, os.path.join(self.work, name))

    def folder(self, name):
        """A new empty folder for one server."""
        self._number += 1
        path = os.path.join(self.work, "%s-%d" % (name, self._number))
        os.makedirs(path)
        return path

    def remove(self, path):
        shutil.rmtree(path, ignore_errors=True)

    def say(self, text):
        minutes, seconds = divmod(int(time.monotonic() - self.began), 60)
        print("%3d:%02d %s%s" % (minutes, seconds, self.prefix, text), file=sys.stderr, flush=True)

    @contextlib.contextmanager
    def attempt(self, what):
        """A part of a round: when it fails the rest goes on, and the page says what failed."""
        try:
            yield
        except (RuntimeError, OSError, KeyError, ValueError, interop.Unavailable) as why:
            traceback.print_exc()
            self.say("FAILED, %s is left out: %s" % (what, why))
            self.failures.append("%s: %s" % (what, str(why).strip().splitlines()[0][:300]))

    def close(self):
        interop.stop_all()
        shutil.rmtree(self.work, ignore_errors=True)
