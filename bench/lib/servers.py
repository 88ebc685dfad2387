"""The servers that are measured: bolide, Java RocketMQ, and the bare echo of `bolide bench null`."""

import os
import re
import signal
import subprocess
import time

from lib import meter, remoting
from lib.context import OnCores, interop


class Server:
    """What all have: kind, pid, broker (HOST:PORT)."""

    kind = ""

    def __init__(self, ctx, pinned):
        self.ctx = ctx
        self.cores = ctx.server_cores if pinned else ctx.all_cores
        self.folder = ctx.folder(self.kind)
        self.broker = None

    def alive(self):
        return interop.pid_running(self.pid)

    def create_topic(self, topic, queues):
        remoting.create_topic(self.broker, topic, queues)

    def resident_mb(self):
        return sum(meter.status(pid)["rss"] for pid in self.pids()) / 1e6

    def pids(self):
        return [self.pid]

    def close(self):
        """Ends the server at once and removes what it wrote."""
        self.kill()
        self.ctx.remove(self.folder)


class Bolide(Server):
    """bolide server: name server and broker in one process."""

    kind = "bolide"

    def __init__(self, ctx, flush="ASYNC_FLUSH", settings=(), pinned=True):
        super().__init__(ctx, pinned)
        self.flush, self.settings = flush, dict(settings)
        self.server = None
        self.store = os.path.join(self.folder, "bolide", "store")

    def start(self, topic=None):
        """Starts it (again); with a topic returns seconds from exec to connection and to the first accepted send."""
        ns, port = interop.free_port(), interop.free_port((0, -2))
        conf = "flushDiskType=%s\n" % self.flush + "".join("%s=%s\n" % item for item in self.settings.items())
        self.server = interop.BolideServer(self.folder, "bolide", conf=conf)
        argv = self.server.argv
        for name, value in (("--namesrv-port", ns), ("--broker-port", port)):
            argv[argv.index(name) + 1] = str(value)
        self.broker = "127.0.0.1:%d" % port
        with OnCores(self.cores):
            begin = time.perf_counter()
            self.server.launch()
        took = None
        if topic:
            try:
                took = [t - begin for t in remoting.first_send(self.broker, topic, self.alive)]
            except RuntimeError as why:
                raise RuntimeError("%s\n%s" % (why, self.server.log_tail())) from None
        self.server.await_ready(120)
        return took

    @property
    def pid(self):
        return self.server.pid()

    def namesrv(self):
        return self.server.namesrv

    def terminate(self):
        os.kill(self.pid, signal.SIGTERM)

    def wait_end(self, seconds):
        """True when it ended by itself in time, with exit code 0."""
        try:
            return self.server.proc.wait(seconds) == 0
        except subprocess.TimeoutExpired:
            return False

    def kill(self):
        if self.server:
            self.server.kill()

    def stop(self):
        if not self.server.stop(60):
            raise RuntimeError("bolide did not stop well:\n" + self.server.log_tail())


class Java(Server):
    """Name server and broker of Apache RocketMQ, 2 GB heap touched before use, G1."""

    kind = "java"
    # Not its defaults (200 ms, 8 messages, 64 KB), so that it refuses less and reads more at once, as bolide does.
    SETTINGS = {"waitTimeMillsInSendQueue": 1000, "maxTransferCountOnMessageInDisk": 32,
                "maxTransferBytesOnMessageInDisk": 262144}

    def __init__(self, ctx, flush="ASYNC_FLUSH", settings=(), pinned=True):
        super().__init__(ctx, pinned)
        pin = ",".join(map(str, self.cores)) if pinned and ctx.pinned else ""
        extra = "".join("%s=%s\n" % item for item in dict(self.SETTINGS, **dict(settings)).items())
        self.server = interop.JavaServer(self.folder, "java", flush=flush, extra=extra, env={
            "HEAP": "2g", "NS_HEAP": "512m", "JBROKER": "-XX:+AlwaysPreTouch -XX:MaxDirectMemorySize=15g",
            "PIN": pin})
        self.store = self.server.store
        self.broker = self.server.broker

    def start(self, topic=None):
        env = dict(self.server.env, ONLY="namesrv")
        self.server.adopt()
        if not self.server.pid("namesrv") or not interop.pid_running(self.server.pid("namesrv")):
            with OnCores(self.cores):
                self._script(env)
        env["ONLY"] = "broker"
        begin = time.perf_counter()
        with OnCores(self.cores):
            starting = interop.Client([os.path.join(interop.PEERS, "start")], env=env, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL)
        took = None
        if topic:
            took = [t - begin for t in remoting.first_send(self.broker, topic, lambda: True, 600)]
        if starting.proc.wait(600) != 0:
            raise RuntimeError("the Java broker did not start:\n" + self.server.log_tail())
        interop.wait_registered(self.server.namesrv, self.broker)
        return took

    def _script(self, env):
        code, out, err = interop.run([os.path.join(interop.PEERS, "start")], env=env, timeout=120)
        if code != 0:
            raise RuntimeError("the Java name server did not start: %s%s" % (out, err))

    @property
    def pid(self):
        return self.server.pid("broker")

    def pids(self):
        return [self.server.pid("broker"), self.server.pid("namesrv")]

    def namesrv(self):
        return self.server.namesrv

    def terminate(self):
        os.kill(self.pid, signal.SIGTERM)

    def wait_end(self, seconds):
        pid = self.pid
        ended = bool(interop.wait_until(lambda: not interop.pid_running(pid), seconds, 0.005))
        if ended:
            os.unlink(os.path.join(self.server.dir, "broker.pid"))
        return ended

    def kill_broker(self):
        os.kill(self.pid, signal.SIGKILL)
        if not self.wait_end(20):
            raise RuntimeError("the Java broker does not end")

    def kill(self):
        self.server.kill()

    def stop(self):
        self.terminate()
        if not self.wait_end(90):
            raise RuntimeError("the Java broker did not stop in 90 s")


class Null(Server):
    """The bare echo: frames in, frames of the same size out, nothing behind."""

    kind = "null"

    def __init__(self, ctx, hop=False, spin=0, pinned=True):
        super().__init__(ctx, pinned)
        self.broker = "127.0.0.1:%d" % interop.free_port()
        self.argv = [ctx.generator, "bench", "null", "--listen", self.broker]
        self.argv += ["--hop"] if hop else []
        self.argv += ["--spin", str(spin)] if spin else []
        self.client = None

    def start(self, topic=None):
        with OnCores(self.cores), open(os.path.join(self.folder, "out"), "w") as out:
            self.client = interop.Client(self.argv, stdout=out, stderr=out, stdin=subprocess.DEVNULL)

        def listens():
            return self._said() or self.client.proc.poll() is not None
        interop.wait_until(listens, 10, 0.01)
        if self.client.proc.poll() is not None:
            raise RuntimeError("%s ended: %s" % (" ".join(self.argv), self._text()))

    def _text(self):
        with open(os.path.join(self.folder, "out")) as file:
            return file.read()

    def _said(self):
        return re.search(r"\d", self._text())

    def create_topic(self, topic, queues):
        pass

    @property
    def pid(self):
        return self.client.proc.pid

    def kill(self):
        if self.client:
            self.client.kill()


def kill_9(server):
    """kill -9 of a broker whose store is needed afterwards; the Java name server stays."""
    if server.kind == "java":
        server.kill_broker()
    else:
        server.kill()


def end(server):
    """bolide is stopped well; Java, which needs 17 s for that, is killed where it does not matter."""
    if server.kind == "java":
        server.kill_broker()
    else:
        server.stop()


KINDS = {"bolide": Bolide, "java": Java}
