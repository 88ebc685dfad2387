"""Plays exchanges.py against a server; what to do with each answer is the caller's."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))

from bolide_test import api, procs, record  # noqa: E402


class Player:
    """`on_answer(name, target, request bytes, answer, options)` is called after each step."""

    def __init__(self, server, on_answer):
        self.target = "broker"
        self.links = {"namesrv": api.NameServer(server.namesrv), "broker": api.Broker(server.broker)}
        self.on_answer = on_answer
        self.ids = {}

    def do(self, name, code, ext=None, body=b"", serialize=None, version=None, language=None,
           **options):
        link = self.links[self.target]
        name = "%s-%s" % (self.target, name)
        try:
            answer = link.request(code, ext, body, serialize=serialize, version=version,
                                  language=language)
        except Exception as e:  # a closed connection must not end the whole run
            self.links[self.target] = type(link)(link.address)
            self.on_answer(name, self.target, link.last_request, e, options)
            return
        if "msgId" in answer.ext:
            self.ids[name] = answer.ext["msgId"]
        self.on_answer(name, self.target, link.last_request, answer, options)

    def offset_of(self, name):
        """Commit log offset of what the step `broker-NAME` stored."""
        text = self.ids.get("broker-" + name)
        return record.decode_offset_msg_id(text)[2] if text else 0

    def answer_next(self, frame):
        """Answer the next requests of the broker with this frame."""
        self.links["broker"].on_request = lambda _: frame

    def wait_dispatched(self, topic, queue, count):
        procs.wait_until(lambda: self.links["broker"].max_offset(topic, queue) >= count, 10,
                         "%d messages in %s/%d" % (count, topic, queue))

    def close(self):
        for link in self.links.values():
            link.close()
