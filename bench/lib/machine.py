"""The machine under the measurements: what it is, its constants, its memory made warm and its page cache cold."""

import mmap
import os
import platform
import re
import subprocess
import tempfile
import time

from lib.context import HERE, filesystem_of

# A disk is calm when so many small durable writes in a row took less than that.
CALM_WRITES, CALM_SECONDS = 200, 0.005
PAGE_BYTES = mmap.PAGESIZE


def describe(folder):
    with open("/proc/cpuinfo") as file:
        model = re.search(r"model name\s*:\s*(.*)", file.read())
    with open("/proc/meminfo") as file:
        memory = int(re.search(r"MemTotal:\s+(\d+)", file.read()).group(1)) / 1048576
    kind, _ = filesystem_of(folder)
    return {"cores": len(os.sched_getaffinity(0)), "cpu": model.group(1) if model else platform.machine(),
            "memory": "%.0f GiB" % memory, "disk": kind, "kernel": platform.release().split("-")[0]}


def constants(folder):
    """{name: number} of constants.c, compiled here; {} when there is no compiler."""
    with tempfile.TemporaryDirectory(dir=folder) as tmp:
        program = os.path.join(tmp, "constants")
        try:
            subprocess.run([os.environ.get("CC", "cc"), "-O2", "-o", program, os.path.join(HERE, "constants.c"),
                            "-lpthread"], check=True, timeout=60)
            out = subprocess.run([program, os.path.join(tmp, "data")], check=True, timeout=120,
                                 stdout=subprocess.PIPE, text=True).stdout
        except (OSError, subprocess.SubprocessError):
            return {}
    return {name: float(value) for name, value in (line.split() for line in out.splitlines())}


def available_gb():
    with open("/proc/meminfo") as file:
        return int(re.search(r"MemAvailable:\s+(\d+)", file.read()).group(1)) / 1e6


def warm_memory(gb):
    """Touches this much memory and gives it back, so that the host has it ready: without, whoever runs second wins."""
    size = int(min(gb, available_gb() * 0.7) * 1e9) // PAGE_BYTES * PAGE_BYTES
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_POPULATE", 0)
    with mmap.mmap(-1, size, flags=flags) as memory:
        if not hasattr(mmap, "MAP_POPULATE"):
            for place in range(0, size, PAGE_BYTES):
                memory[place] = 1


def drop_cache(folder):
    """Written back and out of the page cache: every file below folder. Nobody may have them mapped."""
    os.sync()
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                file = os.open(os.path.join(path, name), os.O_RDONLY)
            except OSError:
                continue
            try:
                os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(file)


def await_calm_disk(folder, say, most_seconds=120):
    """Waits until small durable writes in folder are even again: a disk that was just given many GB goes on with them
    for a while, out of the system's sight. Returns the seconds it took."""
    begin = time.monotonic()
    path = os.path.join(folder, "calm")
    file = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        even = 0
        while even < CALM_WRITES and time.monotonic() - begin < most_seconds:
            at = time.monotonic()
            os.pwrite(file, b"x" * 4096, 0)
            os.fdatasync(file)
            even = even + 1 if time.monotonic() - at < CALM_SECONDS else 0
            time.sleep(0.01)
    finally:
        os.close(file)
        os.unlink(path)
    took = time.monotonic() - begin
    say("the disk is calm" if even == CALM_WRITES else "the disk is not calm after %.0f s" % took)
    return took


def bytes_below(folder):
    """Space taken on disk by the files below folder."""
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(path, name)).st_blocks * 512
            except OSError:
                pass
    return total


def direct_read_mbps(path, mib):
    """Sequential read past the page cache, 1 MiB at a time; None where the file system cannot."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_DIRECT)
    except OSError:
        return None
    try:
        with mmap.mmap(-1, 1 << 20) as block:  # aligned to a page
            begin, done = time.perf_counter(), 0
            while done < mib << 20:
                got = os.preadv(file, [block], done)
                done += got
                if got < 1 << 20:
                    break
            return done / (time.perf_counter() - begin) / 1e6 if done else None
    finally:
        os.close(file)
