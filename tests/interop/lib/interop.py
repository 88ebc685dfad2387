"""What the interop tests share: TAP lines, free ports, and the two servers under test.

Environment
  BOLIDE        the bolide binary (default: build/bolide of this checkout)
  BOLIDE_PEERS  folder with the Java server's start scripts (default: ../shared/peers/rocketmq)
  SERVER        java, bolide or both: which server the checks run against (default: bolide)
  KEEP=1        leave the temp folder and print where it is
  BOLIDE_SOAK   1: at full length; else what takes long and says little more is left out, and said so
"""

import atexit
import fcntl
import hashlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(os.path.join(HERE, "..", "..", ".."))
BOLIDE = os.path.abspath(os.environ.get("BOLIDE") or os.path.join(ROOT, "build", "bolide"))
SOAK = os.environ.get("BOLIDE_SOAK") == "1"
PEERS = os.path.abspath(
    os.environ.get("BOLIDE_PEERS") or os.path.join(ROOT, "..", "shared", "peers", "rocketmq"))
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"),
                     "bolide-peers")
JARS = os.path.join(CACHE, "rocketmq", "lib")
JAVA_OPEN = ["--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED",
             "--add-opens=java.base/java.nio=ALL-UNNAMED",
             "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
             "--add-opens=java.base/java.lang=ALL-UNNAMED"]


# Both servers run with these where a test asks for every feature. LEVELS is known to DelayCases.java and RetryCases.java.
LEVELS = "1s 2s 1s 2s 3s 1s 2s 3s 4s 5s 6s 7s 8s 3s 4s 5s 6s 8s"
FEATURES = {"messageDelayLevel": LEVELS, "enablePropertyFilter": "true", "recallMessageEnable": "true",
            "enableLmq": "true", "enableMultiDispatch": "true"}


class Unavailable(Exception):
    """Something the test needs is not on this machine; the text says what."""


# ---------------------------------------------------------------- TAP

class Tap:
    """Prints TAP lines and remembers whether any failed."""

    def __init__(self):
        self.count = 0
        self.failed = 0

    def ok(self, good, name, detail=""):
        self.count += 1
        self.failed += 0 if good else 1
        print("%s %d - %s" % ("ok" if good else "not ok", self.count, name), flush=True)
        if not good:
            self.note(detail)
        return good

    def same(self, got, want, name):
        return self.ok(got == want, name, "got  %r\nwant %r" % (got, want))

    def skip(self, name, why):
        self.count += 1
        print("ok %d - %s # SKIP %s" % (self.count, name, why), flush=True)

    def relay(self, label, result):
        """Passes on the lines of a client ("ok NAME", "not ok NAME | seen") with our numbers."""
        code, out, err = result
        lines = 0
        for line in out.splitlines():
            if line.startswith("ok "):
                self.ok(True, label + line[3:])
            elif line.startswith("not ok "):
                name, _, seen = line[7:].partition(" | ")
                self.ok(False, label + name, seen)
            elif line.startswith("# "):
                self.note(label + line[2:])
                continue
            else:
                continue
            lines += 1
        if code not in (0, 1) or lines == 0:
            self.ok(False, label + "runs to its end", "exit code %s\n%s\n%s" % (
                code, out[-1500:], err[-3000:]))

    @staticmethod
    def note(text):
        for line in str(text).splitlines():
            print("# " + line, flush=True)

    def done(self):
        print("1..%d" % self.count, flush=True)
        return 1 if self.failed else 0


def main(body):
    """Runs body(tap, tmp) in a temp folder; always ends with a plan line and an exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    tap = Tap()
    tmp = tempfile.mkdtemp(prefix="bolide-interop-")
    name = os.path.basename(sys.argv[0])
    try:
        body(tap, tmp)
    except Unavailable as why:
        tap.skip(name, str(why))
    except Exception as err:  # a broken test is a failed test, with its reason
        import traceback
        tap.ok(False, name + " runs to its end", "%s\n%s" % (err, traceback.format_exc()))
    finally:
        stop_all()
        if os.environ.get("KEEP"):
            tap.note("kept " + tmp)
        else:
            shutil.rmtree(tmp, ignore_errors=True)
    sys.exit(tap.done())


def wanted_servers(default="bolide"):
    """The servers named by SERVER, as a list of 'java' and 'bolide'."""
    value = os.environ.get("SERVER") or default
    if value not in ("java", "bolide", "both"):
        raise SystemExit("SERVER=%s: use java, bolide or both" % value)
    return ["java", "bolide"] if value == "both" else [value]


# ---------------------------------------------------------------- processes and ports

_live = []  # every server or client process that this test started
_taken = set()


def stop_all():
    for proc in reversed(_live):
        try:
            proc.kill()
        except Exception:
            pass
    _live.clear()


atexit.register(stop_all)


def free_port(span=(0,)):
    """A port p where p + each of span can be bound on loopback now, below the ephemeral range."""
    for _ in range(1000):
        port = random.randrange(12000, 32000)
        ports = [port + s for s in span]
        if _taken.intersection(ports):
            continue
        socks = []
        try:
            for p in ports:
                sock = socket.socket()
                socks.append(sock)
                sock.bind(("127.0.0.1", p))
        except OSError:
            continue
        finally:
            for sock in socks:
                sock.close()
        _taken.update(ports)
        return port
    raise Unavailable("no free ports on loopback")


def wait_until(what, seconds, poll=0.05):
    """Calls what() until it is true; its last value."""
    end = time.monotonic() + seconds
    while True:
        value = what()
        if value or time.monotonic() > end:
            return value
        time.sleep(poll)


def pid_running(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class Client:
    """A client process; killed with the test."""

    def __init__(self, argv, **kw):
        self.proc = subprocess.Popen(argv, **kw)
        _live.append(self)

    def kill(self):
        if self.proc.poll() is None:
            self.proc.kill()
            self.proc.wait()


def run(argv, timeout=120, **kw):
    """Runs a client to its end: (exit code, stdout, stderr); a timeout is exit code 124."""
    client = Client(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                    errors="replace", stdin=subprocess.DEVNULL, **kw)
    try:
        out, err = client.proc.communicate(timeout=timeout)
        return client.proc.returncode, out, err
    except subprocess.TimeoutExpired:
        client.kill()
        out, err = client.proc.communicate()
        return 124, out, err + "\n(no end after %s s)" % timeout
    finally:
        _live.remove(client)


# ---------------------------------------------------------------- the Java server

class _FileLock:
    """Two tests may prepare the same cache at once: one at a time."""

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        self.file = open(self.path, "w")
        fcntl.flock(self.file, fcntl.LOCK_EX)

    def __exit__(self, *_):
        self.file.close()


def need(program):
    if not shutil.which(program):
        raise Unavailable(program + " is not installed")


def need_jars():
    """The jars of the Java server and tools; installs them on first use. Their folder."""
    need("java")
    if not os.path.exists(os.path.join(PEERS, "start")):
        raise Unavailable("no Java server scripts in %s (set BOLIDE_PEERS)" % PEERS)
    with _FileLock(os.path.join(CACHE, "install.lock")):
        have = os.path.isdir(JARS) and any(
            n.startswith("rocketmq-broker-") for n in os.listdir(JARS))
        if not have:
            need("mvn")
            code, out, err = run([os.path.join(PEERS, "install")], timeout=600,
                                 env=dict(os.environ, LAB=CACHE))
            if code != 0:
                raise Unavailable("the Java jars cannot be fetched: " + (err + out)[-400:])
    return JARS


def java_argv(home, classpath, heap="512m"):
    """java with the options that RocketMQ's code needs; logs go below home."""
    os.makedirs(home, exist_ok=True)
    return ["java", "-Xms%s" % heap, "-Xmx%s" % heap, "-XX:TieredStopAtLevel=1",
            "-XX:+UseSerialGC", *JAVA_OPEN, "-Duser.home=" + home,
            "-Drocketmq.client.logRoot=" + os.path.join(home, "logs"),
            "-Drocketmq.home.dir=" + home, "-cp", classpath]


class JavaServer:
    """RocketMQ 5.5.0: name server, broker or both, in folder tmp/NAME, through the peers' scripts."""

    kind = "java"

    def __init__(self, tmp, name="java", only=None, namesrv=None, extra="", flush="ASYNC_FLUSH",
                 env=None):
        jars = need_jars()
        self.lab = os.path.join(tmp, name)
        self.dir = os.path.join(self.lab, "rocketmq", "run")
        self.store = os.path.join(self.dir, "store")
        self.only = only
        os.makedirs(self.dir, exist_ok=True)
        lib = os.path.join(self.lab, "rocketmq", "lib")
        if not os.path.exists(lib):
            os.symlink(jars, lib)
        ns_port = free_port()
        broker_port = free_port((0, 1, -2))
        self.namesrv = namesrv or "127.0.0.1:%d" % ns_port
        self.broker = "127.0.0.1:%d" % broker_port
        self.env = dict(os.environ, LAB=self.lab, RUN="run", NS_PORT=str(ns_port),
                        BROKER_PORT=str(broker_port), FLUSH=flush, HEAP="768m", NS_HEAP="192m",
                        JBROKER="-XX:MaxDirectMemorySize=1g", EXTRA=extra)
        if only:
            self.env["ONLY"] = only
        if namesrv:
            self.env["NAMESRV"] = namesrv
        self.env.update(env or {})

    def adopt(self):
        """This test ends the server, whoever started it."""
        if self not in _live:
            _live.append(self)

    def start(self):
        self.adopt()
        code, out, err = run([os.path.join(PEERS, "start")], env=self.env, timeout=120)
        if code != 0:
            raise RuntimeError("the Java server did not start: %s\n%s" % (err, self.log_tail()))
        if self.only != "namesrv":
            wait_registered(self.namesrv, self.broker)
        return self

    def pid(self, part="broker"):
        try:
            with open(os.path.join(self.dir, part + ".pid")) as f:
                return int(f.read())
        except (OSError, ValueError):
            return 0

    def _signal(self, sig):
        pids = [p for p in (self.pid("broker"), self.pid("namesrv")) if p and pid_running(p)]
        for pid in pids:
            os.kill(pid, sig)
        return pids

    def stop(self, seconds=60):
        """SIGTERM, as an operator would; True when it ended by itself."""
        pids = self._signal(signal.SIGTERM)
        clean = bool(wait_until(lambda: not any(pid_running(p) for p in pids), seconds))
        self.kill()
        return clean

    def restart(self):
        """The broker ends as an operator ends it, and comes back on the same ports."""
        env = dict(self.env, ONLY="broker")
        for script in ("stop", "start"):
            code, out, err = run([os.path.join(PEERS, script)], env=env, timeout=120)
            if code != 0:
                raise RuntimeError("the Java broker's %s: %s" % (script, err + out))
        wait_registered(self.namesrv, self.broker)

    def kill(self):
        pids = self._signal(signal.SIGKILL)
        wait_until(lambda: not any(pid_running(p) for p in pids), 10)
        for part in ("broker", "namesrv"):
            try:
                os.unlink(os.path.join(self.dir, part + ".pid"))
            except OSError:
                pass
        if self in _live:
            _live.remove(self)

    def log_tail(self, count=20):
        text = ""
        for part in ("namesrv", "broker"):
            try:
                with open(os.path.join(self.dir, part + ".out"), errors="replace") as f:
                    text += "".join(f.readlines()[-count:])
            except OSError:
                pass
        return text


# ---------------------------------------------------------------- bolide

class BolideServer:
    """bolide server, namesrv or broker, with its files in folder tmp/NAME."""

    kind = "bolide"

    def __init__(self, tmp, name="bolide", verb="server", namesrv=None, conf="", store=None,
                 args=()):
        if not os.access(BOLIDE, os.X_OK):
            raise Unavailable("no bolide binary at %s (set BOLIDE)" % BOLIDE)
        self.dir = os.path.join(tmp, name)
        os.makedirs(self.dir, exist_ok=True)
        self.store = store or os.path.join(self.dir, "store")
        self.ready_file = os.path.join(self.dir, "ready.json")
        self.err_path = os.path.join(self.dir, "stderr")
        self.verb = verb
        self.proc = None
        self.namesrv = namesrv
        self.broker = None
        self.argv = [BOLIDE, verb, "--ready-file", self.ready_file]
        if verb == "server":
            self.argv += ["--store", self.store, "--namesrv-port", "0", "--broker-port", "0"]
        elif verb == "namesrv":
            self.argv += ["--namesrv-port", "0"]
        else:
            port = free_port((0, 1, -2))
            conf = ("brokerClusterName=DefaultCluster\nbrokerName=broker-a\nbrokerId=0\n"
                    "brokerIP1=127.0.0.1\nlistenPort=%d\nnamesrvAddr=%s\n"
                    "storePathRootDir=%s\n" % (port, namesrv, self.store)) + conf
        if conf:
            path = os.path.join(self.dir, "broker.conf")
            with open(path, "w") as f:
                f.write(conf)
            self.argv += ["-c", path]
        self.argv += list(args)

    def start(self):
        self.launch()
        return self.await_ready()

    def restart(self):
        """It ends as an operator ends it, and comes back on the same ports."""
        if not self.stop():
            raise RuntimeError("bolide did not end well\n" + self.log_tail())
        for option, address in (("--namesrv-port", self.namesrv), ("--broker-port", self.broker)):
            if option in self.argv:
                self.argv[self.argv.index(option) + 1] = address.rsplit(":", 1)[1]
        self.start()

    def launch(self):
        if os.path.exists(self.ready_file):
            os.unlink(self.ready_file)
        with open(self.err_path, "ab") as err:
            self.proc = subprocess.Popen(self.argv, stdout=err, stderr=err, cwd=self.dir,
                                         stdin=subprocess.DEVNULL)
        _live.append(self)

    def await_ready(self, seconds=20):
        wait_until(lambda: self.ready() or self.proc.poll() is not None, seconds, 0.01)
        ready = self.ready()
        if not ready:
            raise RuntimeError("%s: not ready after %s s, exit code %s\n%s" % (
                " ".join(self.argv), seconds, self.proc.poll(), self.log_tail()))
        self.namesrv = ready.get("namesrv") or self.namesrv
        self.broker = ready.get("broker")
        if self.verb == "broker":
            wait_registered(self.namesrv, self.broker)
        return self

    def ready(self):
        try:
            with open(self.ready_file) as f:
                return json.load(f)
        except (OSError, ValueError):
            return None

    def pid(self, part="broker"):
        return self.proc.pid

    def stop(self, seconds=20):
        """SIGTERM; True when it ended with exit code 0."""
        if self.proc.poll() is None:
            self.proc.send_signal(signal.SIGTERM)
            try:
                self.proc.wait(seconds)
            except subprocess.TimeoutExpired:
                pass
        clean = self.proc.returncode == 0
        self.kill()
        return clean

    def kill(self):
        if self.proc and self.proc.poll() is None:
            self.proc.kill()
        if self.proc:
            self.proc.wait()
        if self in _live:
            _live.remove(self)

    def log_tail(self, count=30):
        try:
            with open(self.err_path, errors="replace") as f:
                return "".join(f.readlines()[-count:])
        except OSError:
            return ""


def start_server(kind, tmp, name=None, **kw):
    """A whole server (name server and broker) of this kind, serving."""
    cls = JavaServer if kind == "java" else BolideServer
    return cls(tmp, name or kind, **kw).start()


def start_featured(kind, tmp):
    """As start_server, with every feature on (FEATURES)."""
    conf = "".join("%s=%s\n" % pair for pair in FEATURES.items())
    return start_server(kind, tmp, **({"extra": conf} if kind == "java" else {"conf": conf}))


# ---------------------------------------------------------------- a very small remoting client

def remoting(addr, code, ext=None, body=b"", timeout=5):
    """One call in the JSON header form: (code, remark, extFields, body)."""
    host, port = addr.rsplit(":", 1)
    head = json.dumps({"code": code, "language": "JAVA", "version": 473, "opaque": 1, "flag": 0,
                       "serializeTypeCurrentRPC": "JSON", "extFields": ext or {}}).encode()
    with socket.create_connection((host, int(port)), timeout) as sock:
        sock.settimeout(timeout)
        sock.sendall((4 + len(head) + len(body)).to_bytes(4, "big") +
                     len(head).to_bytes(4, "big") + head + body)
        data = _read(sock, int.from_bytes(_read(sock, 4), "big"))
    head_len = int.from_bytes(data[:4], "big") & 0xFFFFFF
    head = json.loads(data[4:4 + head_len])
    return head["code"], head.get("remark"), head.get("extFields") or {}, data[4 + head_len:]


def _read(sock, count):
    data = b""
    while len(data) < count:
        more = sock.recv(count - len(data))
        if not more:
            raise OSError("connection closed by the server")
        data += more
    return data


def wait_registered(namesrv, broker, seconds=30):
    """Until the name server knows the broker (code 106 names its address)."""
    def known():
        try:
            return broker.encode() in remoting(namesrv, 106)[3]
        except OSError:
            return False
    if not wait_until(known, seconds, 0.1):
        raise RuntimeError("%s does not know broker %s after %s s" % (namesrv, broker, seconds))


# ---------------------------------------------------------------- the official Java client

JAVA_PROJECT = os.path.join(HERE, "..", "java")


def java_client(version="5.5.0"):
    """Compiles tests/interop/java against one client version, once; its classpath."""
    need("java")
    need("mvn")
    digest = hashlib.sha256()
    names = [os.path.join(JAVA_PROJECT, "pom.xml")]
    for folder, _, files in sorted(os.walk(os.path.join(JAVA_PROJECT, "src"))):
        names += [os.path.join(folder, n) for n in sorted(files)]
    for name in names:
        with open(name, "rb") as f:
            digest.update(f.read())
    out = os.path.join(CACHE, "interop-java-%s-%s" % (version, digest.hexdigest()[:12]))
    with _FileLock(out + ".lock"):
        if not os.path.exists(os.path.join(out, "done")):
            _remove_older(out, version)
            argv = ["mvn", "-B", "-q", "-f", os.path.join(JAVA_PROJECT, "pom.xml"),
                    "-Drocketmq.version=" + version, "-Dout=" + out, "compile",
                    "dependency:copy-dependencies"]
            code, stdout, err = run(argv[:1] + ["-o"] + argv[1:], timeout=120)  # from ~/.m2
            if code != 0:
                code, stdout, err = run(argv, timeout=600)
            if code != 0:
                raise Unavailable("rocketmq-client %s cannot be fetched or compiled against: %s"
                                  % (version, (stdout + err)[-800:]))
            open(os.path.join(out, "done"), "w").close()
    return os.path.join(out, "classes") + ":" + os.path.join(out, "lib", "*")


def _remove_older(out, version):
    prefix = "interop-java-%s-" % version
    for name in os.listdir(CACHE):
        path = os.path.join(CACHE, name)
        if name.startswith(prefix) and not path.startswith(out):
            if os.path.isdir(path):
                shutil.rmtree(path, ignore_errors=True)
            else:
                os.unlink(path)


def java_main(tmp, classpath, namesrv, prefix, *args, timeout=300, heap="512m"):
    """Runs bolide.interop.Main (see Main.java): (exit code, stdout, stderr)."""
    argv = java_argv(os.path.join(tmp, "home-" + prefix), classpath, heap)
    argv += ["bolide.interop.Main", namesrv, prefix, *[str(a) for a in args]]
    return run(argv, timeout=timeout)


class JavaSteps:
    """One JVM that does steps of Main (see Main.java) until closed; a step's output is returned."""

    def __init__(self, tmp, namesrv, version="5.5.0", prefix="steps"):
        argv = java_argv(os.path.join(tmp, "home-" + prefix), java_client(version))
        self.err_path = os.path.join(tmp, prefix + ".err")
        with open(self.err_path, "a") as err:
            self.client = Client(argv + ["bolide.interop.Main", namesrv, prefix, "steps"],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=err,
                                 text=True)

    def __call__(self, *words):
        proc = self.client.proc
        proc.stdin.write(" ".join(map(str, words)) + "\n")
        proc.stdin.flush()
        out = []
        for line in proc.stdout:
            if line == "done\n":
                return "".join(out)
            if line.startswith("failed "):
                raise RuntimeError("%s: %s" % (" ".join(map(str, words)), line))
            out.append(line)
        with open(self.err_path) as f:
            raise RuntimeError("%s: the JVM ended\n%s" % (words, f.read()[-2000:]))

    def close(self):
        self.client.kill()
        if self.client in _live:
            _live.remove(self.client)
