"""Start and stop servers: bolide, and the Java server for comparison. Everything is ended by pid."""

import atexit
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from .tap import Skip

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
_LIVE, _DIRS = [], []


def bolide_path(release=False):
    """The program under test: $BOLIDE, or build/bolide of this checkout. What measures memory or
    time takes the optimised one, $BOLIDE_RELEASE, when there is one."""
    path = os.environ.get("BOLIDE") or os.path.join(ROOT, "build", "bolide")
    fast = os.environ.get("BOLIDE_RELEASE")
    if release and fast and os.access(fast, os.X_OK):
        path = fast
    if not os.access(path, os.X_OK):
        raise Skip("no program at %s (set BOLIDE)" % os.path.relpath(path))
    return path


def peers_path():
    """The folder with the Java server's scripts: $BOLIDE_PEERS, or ../shared/peers/rocketmq."""
    path = os.environ.get("BOLIDE_PEERS") or os.path.join(ROOT, "..", "shared", "peers", "rocketmq")
    if not os.access(os.path.join(path, "start"), os.X_OK):
        raise Skip("no Java server scripts at %s (set BOLIDE_PEERS)" % os.path.relpath(path))
    return os.path.realpath(path)


def temp_dir():
    """A folder that is removed at exit; KEEP=1 keeps it and says where."""
    path = tempfile.mkdtemp(prefix="bolide-test-")
    _DIRS.append(path)
    return path


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def free_broker_port():
    """A port whose neighbours are free too: -2 is the VIP listener, +1 replication."""
    for _ in range(200):
        port = free_port()
        try:
            for other in (port, port - 2, port + 1):
                with socket.socket() as s:
                    s.bind(("127.0.0.1", other))
        except OSError:
            continue
        return port
    raise RuntimeError("no free broker port")


def wait_until(condition, timeout=10.0, what="condition", step=0.02):
    """The first true value of condition(); an AssertionError names `what` otherwise."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("%s: not within %.1f s" % (what, timeout))
        time.sleep(step)


class Process:
    """A child whose output is kept; see stdout(), stderr()."""

    def __init__(self, args, env=None, stdin=None, cwd=None):
        self.args = [str(a) for a in args]
        self.dir = temp_dir()
        self._out = open(os.path.join(self.dir, "stdout"), "wb")
        self._err = open(os.path.join(self.dir, "stderr"), "wb")
        self.child = subprocess.Popen(self.args, stdout=self._out, stderr=self._err, cwd=cwd,
                                      stdin=subprocess.DEVNULL if stdin is None else stdin,
                                      env=dict(os.environ, **(env or {})))
        self.pid = self.child.pid
        _LIVE.append(self)

    def stdout(self):
        return _read(os.path.join(self.dir, "stdout"))

    def stderr(self):
        return _read(os.path.join(self.dir, "stderr"))

    def running(self):
        return self.child.poll() is None

    def wait(self, timeout=10.0):
        """The exit status; the negative signal number when one ended it."""
        try:
            return self.child.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError("%s still runs after %.1f s" % (self.args[1], timeout)) from None

    def signal(self, number):
        self.child.send_signal(number)

    def kill(self):
        if self.running():
            self.child.kill()
        self.child.wait()

    def close(self):
        self.kill()
        self._out.close()
        self._err.close()
        if self in _LIVE:
            _LIVE.remove(self)


def _read(path):
    with open(path, "rb") as f:
        return f.read().decode("utf-8", "replace")


def run_bolide(*args, stdin=b"", timeout=30.0, env=None, release=False):
    """Run a verb to its end: (exit status, stdout, stderr)."""
    done = subprocess.run([bolide_path(release), *[str(a) for a in args]], input=stdin, timeout=timeout,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=dict(os.environ, **(env or {})))
    return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode(
        "utf-8", "replace")


class Server:
    """A running `bolide server`; the same store can be started again with start()."""

    def __init__(self, store=None, config=None, args=(), namesrv_port=0, broker_port=0, env=None,
                 start=True, release=False):
        self.release = release
        self.store = store or os.path.join(temp_dir(), "store")
        self.config, self.args = dict(config or {}), list(args)
        self.namesrv_port, self.broker_port = namesrv_port, broker_port
        self.env = env
        self.process, self.ended = None, False
        if start:
            self.start()

    def command(self):
        work = temp_dir()
        self.ready_file = os.path.join(work, "ready")
        args = [bolide_path(self.release), "server", "--store", self.store, "--namesrv-port",
                self.namesrv_port, "--broker-port", self.broker_port, "--ready-file",
                self.ready_file]
        if self.config:
            path = os.path.join(work, "broker.conf")
            with open(path, "w") as f:
                f.writelines("%s=%s\n" % kv for kv in self.config.items())
            args += ["-c", path]
        return args + self.args

    def start(self, timeout=30.0):
        self.process = Process(self.command(), env=self.env)
        self.ended = False  # by a test, on purpose
        began = time.monotonic()

        def ready():
            if not self.process.running():
                raise AssertionError("server ended with %s before it was ready: %s" % (
                    self.process.wait(), self.process.stderr().strip()[-2000:]))
            return os.path.exists(self.ready_file) and _read(self.ready_file).strip()

        text = wait_until(ready, timeout, "ready file", 0.002)
        self.start_seconds = time.monotonic() - began
        self.ready = json.loads(text)
        self.namesrv, self.broker = self.ready["namesrv"], self.ready["broker"]
        self.pid = self.process.pid
        return self

    def stop(self, timeout=10.0):
        """SIGTERM; the exit status and how long it took."""
        self.ended = True
        began = time.monotonic()
        self.process.signal(signal.SIGTERM)
        status = self.process.wait(timeout)
        return status, time.monotonic() - began

    def kill9(self):
        self.ended = True
        self.process.signal(signal.SIGKILL)
        self.process.wait(10)

    def running(self):
        return self.process is not None and self.process.running()

    def close(self):
        if self.process and not self.process.running() and not self.ended:
            print("# the server ended by itself, status %s:" % self.process.wait())
            for line in self.process.stderr().splitlines()[-30:]:
                print("#   " + line)
        if self.process:
            self.process.close()

    def rss_kb(self):
        return vm_rss_kb(self.pid)


def vm_rss_kb(pid):
    with open("/proc/%d/status" % pid) as f:
        for line in f:
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    return 0


class JavaServer:
    """RocketMQ's own name server and broker, by the peer scripts, in folders of this run."""

    def __init__(self, extra=None, only=None, namesrv=None, run=None, fresh=True, flush="ASYNC_FLUSH",
                 name="broker-a"):
        self.scripts = peers_path()
        if shutil.which(os.environ.get("JAVA") or "java") is None:
            raise Skip("no java on this machine")
        self.ns_port, self.broker_port = free_port(), free_broker_port()
        self.run = run or "test-%d-%d" % (os.getpid(), self.ns_port)
        self.only, self.owned = only, True
        settings = {"brokerFastFailureEnable": "true", "mappedFileSizeCommitLog": "16777216"}
        settings.update(extra or {})
        self.env = dict(os.environ, RUN=self.run, NS_PORT=str(self.ns_port),
                        BROKER_PORT=str(self.broker_port), HEAP="768m", NS_HEAP="256m",
                        JBROKER="-XX:MaxDirectMemorySize=2g", FLUSH=flush, BROKER_NAME=name,
                        EXTRA="\n".join("%s=%s" % kv for kv in settings.items()))
        if fresh:
            self.env["FRESH"] = "1"
        if only:
            self.env["ONLY"] = only
        if namesrv:
            self.env["NAMESRV"] = namesrv
        self.namesrv = namesrv or "127.0.0.1:%d" % self.ns_port
        self.broker = "127.0.0.1:%d" % self.broker_port
        self.config = {}
        self.dir = None
        self.start()

    def start(self):
        done = subprocess.run([os.path.join(self.scripts, "start")], env=self.env, timeout=660,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, close_fds=True)
        if done.returncode:
            raise Skip("the Java server does not start: %s" % done.stdout.decode()[-500:].strip())
        _LIVE.append(self)
        lab = self.env.get("LAB") or os.path.join(
            self.env.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "bolide-peers")
        self.dir = os.path.join(lab, "rocketmq", self.run)
        self.store = os.path.join(self.dir, "store")
        pidfile = os.path.join(self.dir, (self.only or "broker") + ".pid")
        self.pid = int(_read(pidfile))

    def running(self):
        return os.path.exists("/proc/%d" % self.pid)

    def rss_kb(self):
        return vm_rss_kb(self.pid)

    def stop(self):
        subprocess.run([os.path.join(self.scripts, "stop")], env=self.env, timeout=150,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def close(self):
        """End it at once (its store is thrown away) and remove its folder."""
        for name in ("broker", "namesrv"):
            try:
                os.kill(int(_read(os.path.join(self.dir, name + ".pid"))), signal.SIGKILL)
            except (OSError, ValueError):
                pass
        time.sleep(0.2)
        if self.run.startswith("test-"):
            shutil.rmtree(self.dir, ignore_errors=True)
        if self in _LIVE:
            _LIVE.remove(self)


class Running:
    """Servers that somebody else started: SERVER=java with JAVA_NAMESRV and JAVA_BROKER."""

    def __init__(self, namesrv, broker, store=None):
        self.namesrv, self.broker, self.store = namesrv, broker, store

    def running(self):
        return True

    def close(self):
        pass


def server(config=None, **more):
    """The server that the tests of a wire script talk to: bolide, or Java when SERVER=java."""
    if os.environ.get("SERVER") != "java":
        return Server(config=config, **more)
    if os.environ.get("JAVA_NAMESRV"):
        return Running(os.environ["JAVA_NAMESRV"], os.environ["JAVA_BROKER"])
    java = JavaServer(extra=config)
    wait_serving(java)
    return java


def wait_serving(java, timeout=60.0):
    """Until the broker's topics have a route, and it accepts a message."""
    from .api import Broker, NameServer

    def routed():
        with NameServer(java.namesrv) as ns:
            return ns.route("TBW102").code == 0

    def accepts():
        with Broker(java.broker) as b:
            return b.send("SELF_START", b"x").code == 0

    wait_until(routed, timeout, "route of the Java broker", 0.1)
    wait_until(accepts, timeout, "first send to the Java broker", 0.1)


def is_java():
    return os.environ.get("SERVER") == "java"


class Proxy:
    """A recording TCP proxy: `frames` holds (connection, "request" or "response", bytes)."""

    def __init__(self, target):
        self.target = target
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(64)
        self.port = self.listener.getsockname()[1]
        self.address = "127.0.0.1:%d" % self.port
        self.frames, self._lock, self._n = [], threading.Lock(), 0
        self._socks = []
        self.rewrite = None  # changes frames from the target on their way; recorded as they came
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            host, port = self.target.rsplit(":", 1)
            try:
                far = socket.create_connection((host, int(port)))
            except OSError:
                near.close()
                continue
            self._n += 1
            self._socks += [near, far]
            for a, b, way in ((near, far, "request"), (far, near, "response")):
                threading.Thread(target=self._copy, args=(self._n, a, b, way), daemon=True).start()

    def _copy(self, number, source, sink, way):
        buf = b""
        try:
            while True:
                data = source.recv(1 << 16)
                if not data:
                    break
                buf += data
                while len(buf) >= 4 and len(buf) >= 4 + int.from_bytes(buf[:4], "big"):
                    n = 4 + int.from_bytes(buf[:4], "big")
                    whole, buf = buf[:n], buf[n:]
                    with self._lock:
                        self.frames.append((number, way, whole))
                    if self.rewrite and way == "response":
                        whole = self.rewrite(whole)
                    sink.sendall(whole)
        except OSError:
            pass
        for s in (source, sink):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.listener.close()
        for s in self._socks:
            s.close()


def cleanup():
    """End what this script started and remove its folders."""
    for thing in list(_LIVE):
        thing.close()
    for path in _DIRS:
        if os.environ.get("KEEP"):
            print("# kept %s" % path)
            continue
        subprocess.run(["chmod", "-R", "u+rwX", path], stderr=subprocess.DEVNULL, check=False)
        shutil.rmtree(path, ignore_errors=True)
    _DIRS.clear()


atexit.register(cleanup)
for _number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(_number, lambda *_: sys.exit(130))
