"""What a process costs while it serves: CPU, context switches, bytes written, memory; read from outside, ten times a
second, so that the figures of any window can be worked out afterwards."""

import bisect
import os
import threading
import time

CPUCLOCK_SCHED = 2  # the kernel's clock of a process's CPU time, all threads, in ns (kernel/time/posix-cpu-timers.c)


def cpu_seconds(pid):
    """User and system time of all threads of the process, those that ended included."""
    return time.clock_gettime((~pid << 3) | CPUCLOCK_SCHED)


def status(pid):
    """Of /proc/PID/status: resident and peak memory in bytes, number of threads."""
    with open("/proc/%d/status" % pid) as file:
        words = dict(line.split(":", 1) for line in file if ":" in line)
    kb = {key: int(words.get(key, "0").split()[0]) * 1024 for key in ("VmRSS", "VmHWM")}
    return {"rss": kb["VmRSS"], "hwm": kb["VmHWM"], "threads": int(words["Threads"])}


def switches(pid):
    """Context switches of the threads that are there, voluntary and not."""
    total = 0
    for thread in os.listdir("/proc/%d/task" % pid):
        try:
            with open("/proc/%d/task/%s/status" % (pid, thread)) as file:
                total += sum(int(line.split()[1]) for line in file if "ctxt_switches" in line)
        except OSError:
            pass  # it ended
    return total


def bytes_written(pid):
    with open("/proc/%d/io" % pid) as file:
        return [int(line.split()[1]) for line in file if line.startswith("write_bytes")][0]


class Meter:
    """Samples one process until stopped; give() says what it used between two wall clock times."""

    PERIOD = 0.1

    def __init__(self, pid):
        self.pid = pid
        self.samples = []
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.many = status(pid)["threads"] > 50  # Java: looking at every thread costs, so do it less often
        self.thread.start()

    def _run(self):
        count = 0
        try:
            while not self.ended.is_set():
                if count % 10 == 0 or not self.many:
                    switched = switches(self.pid)
                    self.samples.append((time.time(), cpu_seconds(self.pid), bytes_written(self.pid), switched))
                count += 1
                self.ended.wait(self.PERIOD)
            self.samples.append((time.time(), cpu_seconds(self.pid), bytes_written(self.pid), switches(self.pid)))
        except (OSError, IndexError):
            pass  # the process ended first

    def stop(self):
        self.ended.set()
        self.thread.join()

    def _at(self, when):
        """The sample at this time, interpolated."""
        times = [sample[0] for sample in self.samples]
        place = min(max(bisect.bisect_left(times, when), 1), len(times) - 1)
        before, after = self.samples[place - 1], self.samples[place]
        part = min(max((when - before[0]) / max(after[0] - before[0], 1e-9), 0.0), 1.0)
        return [a + (b - a) * part for a, b in zip(before[1:], after[1:])]

    def give(self, begin, end):
        """(CPU seconds, bytes written, context switches) between the two; None with too few samples."""
        if len(self.samples) < 2:
            return None
        return [b - a for a, b in zip(self._at(begin), self._at(end))]
