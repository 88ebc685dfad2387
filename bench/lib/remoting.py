"""The little remoting that the suite speaks itself: make a topic, try a first send, count, and a witness that remembers
what was acked and looks for it afterwards. The load comes from `bolide bench`."""

import json
import socket
import struct
import threading
import time

from lib.context import interop

SEND, PULL, CREATE_TOPIC, MAX_OFFSET, MIN_OFFSET = 310, 11, 17, 30, 31
FOUND = 0


def frame(code, ext, body=b"", opaque=1):
    head = json.dumps({"code": code, "language": "JAVA", "version": 473, "opaque": opaque, "flag": 0,
                       "serializeTypeCurrentRPC": "JSON", "extFields": ext}).encode()
    return struct.pack(">II", 4 + len(head) + len(body), len(head)) + head + body


def send_frame(topic, queue, body, opaque=1):
    ext = {"a": "bench", "b": topic, "c": "TBW102", "d": "4", "e": str(queue), "f": "0", "h": "0", "j": "0",
           "g": str(int(time.time() * 1000)), "i": "", "k": "false", "m": "false"}
    return frame(SEND, ext, body, opaque)


def read_exactly(sock, count):
    data = bytearray()
    while len(data) < count:
        more = sock.recv(count - len(data))
        if not more:
            raise OSError("connection closed by the server")
        data += more
    return bytes(data)


def read_answer(sock):
    """(head as a dict, body). Servers answer a JSON request in JSON."""
    data = read_exactly(sock, int.from_bytes(read_exactly(sock, 4), "big"))
    head = int.from_bytes(data[:4], "big") & 0xFFFFFF
    return json.loads(data[4:4 + head]), data[4 + head:]


def address(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)


def first_send(broker, topic, alive, seconds=120):
    """Tries without pause until a send is accepted; (time of the first connection, of the ack)."""
    end = time.perf_counter() + seconds
    connected = None
    while time.perf_counter() < end:
        try:
            with socket.create_connection(address(broker), 5) as sock:
                connected = connected or time.perf_counter()
                sock.settimeout(30)
                sock.sendall(send_frame(topic, 0, b"first"))
                head, _ = read_answer(sock)
                if head["code"] == FOUND:
                    return connected, time.perf_counter()
        except (OSError, ValueError):
            if not alive():
                raise RuntimeError("the server ended before it accepted a send") from None
    raise RuntimeError("no send accepted in %d s" % seconds)


def create_topic(broker, topic, queues):
    code, remark, _, _ = interop.remoting(broker, CREATE_TOPIC, {
        "topic": topic, "defaultTopic": "TBW102", "readQueueNums": str(queues), "writeQueueNums": str(queues),
        "perm": "6", "topicFilterType": "SINGLE_TAG", "topicSysFlag": "0", "order": "false"}, timeout=60)
    if code != 0:
        raise RuntimeError("topic %s was refused with %d: %s" % (topic, code, remark))


def max_offsets(broker, topic, queues):
    """Sum of the topic's max offsets: how many messages were ever stored in it."""
    total = 0
    for queue in range(queues):
        _, _, ext, _ = interop.remoting(broker, MAX_OFFSET, {"topic": topic, "queueId": str(queue)})
        total += int(ext["offset"])
    return total


def records(body):
    """(queue offset, message body) of each record in the body of a pull's answer."""
    place = 0
    while place + 88 <= len(body):
        size, = struct.unpack_from(">I", body, place)
        length, = struct.unpack_from(">I", body, place + 84)  # hosts are IPv4 here
        yield struct.unpack_from(">q", body, place + 20)[0], body[place + 88:place + 88 + length]
        place += size


def pull_queue(broker, topic, queue):
    """All of a queue as {queue offset: body}."""
    found, offset = {}, 0
    with socket.create_connection(address(broker), 10) as sock:
        sock.settimeout(30)
        while True:
            sock.sendall(frame(PULL, {
                "consumerGroup": "bench-witness", "topic": topic, "queueId": str(queue), "queueOffset": str(offset),
                "maxMsgNums": "32", "sysFlag": "4", "commitOffset": "0", "suspendTimeoutMillis": "0",
                "subscription": "*", "subVersion": "0", "expressionType": "TAG"}))
            head, body = read_answer(sock)
            if head["code"] != FOUND:
                return found
            for at, text in records(body):
                found[at] = text
                offset = at + 1


class Witness:
    """A slow pipelined producer (about 2,000 messages/s) that remembers each ack: where the message was said to be."""

    TOPIC, QUEUES = "Witness", 4

    def __init__(self, broker, seed):
        self.seed = seed
        self.acked = {}  # (queue, offset) -> body
        self.sent = {}
        self.ended = threading.Event()
        create_topic(broker, self.TOPIC, self.QUEUES)
        self.sock = socket.create_connection(address(broker), 5)
        self.threads = [threading.Thread(target=self._send, daemon=True),
                        threading.Thread(target=self._receive, daemon=True)]
        for thread in self.threads:
            thread.start()

    def _send(self):
        number = 0
        try:
            while not self.ended.is_set():
                out = b""
                for _ in range(20):
                    number += 1
                    self.sent[number] = b"%d-%d" % (self.seed, number)
                    out += send_frame(self.TOPIC, number % self.QUEUES, self.sent[number], number)
                self.sock.sendall(out)
                time.sleep(0.01)
        except OSError:
            pass  # the server went, as it was told to

    def _receive(self):
        try:
            while True:
                head, _ = read_answer(self.sock)
                if head["code"] == FOUND:
                    ext = head["extFields"]
                    self.acked[int(ext["queueId"]), int(ext["queueOffset"])] = self.sent[head["opaque"]]
        except (OSError, ValueError):
            pass

    def finish(self):
        """After the server has gone: no more acks can come."""
        self.ended.set()
        for thread in self.threads:
            thread.join(10)
        self.sock.close()

    def lost(self, broker):
        """How many acked messages are not where the ack said."""
        queues = [pull_queue(broker, self.TOPIC, queue) for queue in range(self.QUEUES)]
        return sum(queues[queue].get(offset) != body for (queue, offset), body in self.acked.items())
