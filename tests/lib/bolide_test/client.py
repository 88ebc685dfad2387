"""A remoting connection: requests by opaque, one-way, requests that the server sends, raw bytes."""

import queue
import socket
import struct
import threading
import time

from . import wire


class Closed(Exception):
    """The server closed the connection."""


class Pending:
    """A request under way."""

    def __init__(self, frame):
        self.request = frame
        self.sent_at = time.monotonic()
        self.done_at = None
        self._event = threading.Event()
        self._response = None
        self._error = None

    def _finish(self, response=None, error=None):
        self.done_at = time.monotonic()
        self._response, self._error = response, error
        self._event.set()

    def ready(self):
        return self._event.is_set()

    def wait(self, timeout=10.0):
        if not self._event.wait(timeout):
            raise TimeoutError("no answer to code %d in %.1f s" % (self.request.code, timeout))
        if self._error is not None:
            raise self._error
        return self._response

    @property
    def seconds(self):
        return self.done_at - self.sent_at


class Client:
    """One connection; any thread may call it.

    `on_request(frame)`, when given, answers requests of the server: it returns a Frame or None.
    All of them also wait in `incoming`.
    """

    def __init__(self, address, timeout=10.0, language="OTHER", version=wire.VERSION,
                 serialize=wire.JSON, on_request=None):
        host, port = address.rsplit(":", 1)  # also "::1:10911"
        self.address, self.timeout = address, timeout
        self.language, self.version, self.serialize = language, version, serialize
        self.incoming = queue.Queue()
        self.on_request = on_request
        self.sock = socket.create_connection((host, int(port)), timeout)
        self.sock.settimeout(None)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.local = "%s:%d" % self.sock.getsockname()[:2]
        self._lock = threading.Lock()
        self._pending = {}
        self._opaque = 0
        self.closed = threading.Event()
        self.last_request = self.last_response = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._reader.join(5)
        self.sock.close()

    def request(self, code, ext=None, body=b"", timeout=None, **more):
        return self.start(code, ext, body, **more).wait(timeout or self.timeout)

    def start(self, code, ext=None, body=b"", **more):
        """Send without waiting; the answer by wait() of what is returned."""
        frame = self._frame(code, ext, body, **more)
        pending = Pending(frame)
        with self._lock:
            self._opaque += 1
            frame.opaque = self._opaque
            self._pending[frame.opaque] = pending
        self.last_request = data = wire.encode(frame)
        self._send(data)
        return pending

    def oneway(self, code, ext=None, body=b"", **more):
        frame = self._frame(code, ext, body, **more)
        frame.flag |= wire.FLAG_ONEWAY
        with self._lock:
            self._opaque += 1
            frame.opaque = self._opaque
        self.last_request = data = wire.encode(frame)
        self._send(data)

    def send_raw(self, data):
        self._send(data)

    def start_raw(self, data, opaque):
        """Send bytes as they are and expect an answer with this opaque."""
        pending = Pending(wire.Frame(-1, opaque=opaque))
        with self._lock:
            self._pending[opaque] = pending
        self._send(data)
        return pending

    def next_request(self, timeout=5.0, code=None):
        """The next request the server sent (of that code); TimeoutError when there is none."""
        end = time.monotonic() + timeout
        while True:
            try:
                frame = self.incoming.get(timeout=max(0.001, end - time.monotonic()))
            except queue.Empty:
                raise TimeoutError("the server sent no request %s" % (code or "")) from None
            if code is None or frame.code == code:
                return frame

    def wait_closed(self, timeout=5.0):
        return self.closed.wait(timeout)

    def _frame(self, code, ext, body, language=None, version=None, serialize=None):
        fields = {str(k): ("true" if v is True else "false" if v is False else str(v))
                  for k, v in (ext or {}).items() if v is not None}
        return wire.Frame(code, fields, body, 0, 0, None, language or self.language,
                          self.version if version is None else version,
                          self.serialize if serialize is None else serialize)

    def _send(self, data):
        with self._lock:
            try:
                self.sock.sendall(data)
            except OSError as e:
                raise Closed("cannot send: %s" % e) from e

    def _read(self):
        buf = bytearray()
        error = Closed("the server closed the connection")
        try:
            while True:
                data = self.sock.recv(1 << 18)
                if not data:
                    break
                buf += data
                at = 0
                while len(buf) - at >= 4:
                    (total,) = struct.unpack_from(">i", buf, at)
                    if len(buf) - at < 4 + total:
                        break
                    self._frame_in(wire.decode(bytes(buf[at + 4:at + 4 + total])))
                    at += 4 + total
                del buf[:at]
        except OSError:
            pass
        except ValueError as e:
            error = Closed("the server sent a frame that cannot be read: %s" % e)
        with self._lock:
            left, self._pending = list(self._pending.values()), {}
        self.closed.set()
        for p in left:
            p._finish(error=error)

    def _frame_in(self, frame):
        if frame.is_response:
            with self._lock:
                pending = self._pending.pop(frame.opaque, None)
            self.last_response = frame.raw
            if pending:
                pending._finish(frame)
            else:
                self.incoming.put(frame)
            return
        self.incoming.put(frame)
        if self.on_request and not frame.flag & wire.FLAG_ONEWAY:
            answer = self.on_request(frame)
            if answer is not None:
                answer.opaque, answer.flag = frame.opaque, wire.FLAG_RESPONSE
                self._send(wire.encode(answer))
