#!/usr/bin/env python3
"""Record tests/wire/golden from the Java server and the official Java client.

    tests/wire/record_golden.py [records] [client] [mqadmin] [registration] [exchanges]

Needs the peer scripts (see bolide_test.procs.peers_path) and takes about three minutes. Run it when
the version of the Java server changes, and read the differences. COMMANDS="topicList brokerStatus"
records just those commands of mqadmin.
"""

import glob
import os
import subprocess
import sys
import time
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))

from bolide_test import api, golden, procs, record, wire  # noqa: E402
import exchanges  # noqa: E402
import player  # noqa: E402

LIMIT = 32000  # bytes of a message in a golden file; longer ones are left out


def describe(name, target, request, answer):
    return "%s: code %d to the %s of RocketMQ 5.5.0; answer %d%s" % (
        name, request.code, "name server" if target == "namesrv" else "broker", answer.code,
        " " + repr(answer.remark) if answer.remark else "")


def scrub(data, java):
    """The same frame without the folders of the machine it was recorded on."""
    f = golden.frame(data)
    clean = f.body
    for path in (os.path.realpath(java.dir), java.dir, os.path.expanduser("~")):
        clean = clean.replace(path.encode(), b"/home/rocketmq")
    if clean == f.body:
        return data
    return wire.pack(data[8:len(data) - len(f.body)], clean, data[4])


def save(java, name, target, request, answer, options):
    if isinstance(answer, Exception):
        golden.write(name, "%s: the server closed the connection" % name, request=request)
        return
    text = describe(name, target, golden.frame(request), answer)
    if len(request) > LIMIT:
        text += "\nthe request (%d bytes) is too long to keep" % len(request)
        request = None
    if len(answer.raw) > LIMIT:
        raise SystemExit("%s: answer of %d bytes; make it smaller" % (name, len(answer.raw)))
    golden.write(name, text, request=request, response=scrub(answer.raw, java))


def record_exchanges(java):
    p = player.Player(java, lambda *step: save(java, *step))
    exchanges.play_namesrv(p)
    exchanges.play_broker(p)
    p.close()


def segments(java):
    out = []
    for path in sorted(glob.glob(os.path.join(java.store, "commitlog", "0*"))):
        with open(path, "rb") as f:
            out += record.scan_segment(f.read())[0]
    return out


def record_records(java):
    """Stored records of several kinds, as they stand in the commit log file."""
    with api.Broker(java.broker) as b:
        b.create_topic("GoldRecords", 4)
        uniq = iter(range(0x200, 0x300))
        def send(queue, body, more=None, **kw):
            props = {"UNIQ_KEY": exchanges.UNIQ % next(uniq)}
            props.update(more or {})
            api.check(b.send("GoldRecords", body, queue, props, **kw).frame)
        send(0, b"plain")
        send(0, b"tags and keys", {"TAGS": "TagA", "KEYS": "k1 k2"})
        send(0, zlib.compress(b"compressed " * 500), sys_flag=1)
        send(0, b"half", {"TRAN_MSG": "true", "PGROUP": "PG_GOLD"}, sys_flag=4)
        send(0, b"delayed", {"DELAY": "3"})
        send(0, b"user text", {"TAGS": "Tägli", "user": "ü✓", "n": "1"})
        send(1, b"flags", flag=-2, reconsume=3)
        api.check(b.send_batch("GoldRecords", [b"batch 0", b"batch 1"], 2, [
            {"UNIQ_KEY": exchanges.UNIQ % 0x300, "TAGS": "TagA"},
            {"UNIQ_KEY": exchanges.UNIQ % 0x301}]).frame)
    try:
        with api.Broker("::1:%d" % java.broker_port) as b:
            api.check(b.send("GoldRecords", b"IPv6 sender", 3).frame)
    except OSError:
        print("no IPv6 loopback: record-born-ipv6 is not recorded")
    time.sleep(1)
    wanted = {b"plain": "plain", b"tags and keys": "tags-keys", b"half": "half",
              b"delayed": "delay", b"user text": "utf8", b"flags": "flags", b"batch 0": "batch-0",
              b"batch 1": "batch-1", b"IPv6 sender": "born-ipv6"}
    for r in segments(java):
        if "GoldRecords" not in (r.topic, r.properties.get("REAL_TOPIC")):
            continue
        name = wanted.get(r.body, "compressed" if r.sys_flag & 1 else None)
        if name is None:
            continue
        golden.write("record-" + name, "stored record of RocketMQ 5.5.0: %s, topic %s, queue %d, "
                     "queue offset %d, sysFlag 0x%x" % (name, r.topic, r.queue_id, r.queue_offset,
                                                        r.sys_flag), record=r.raw)


def record_registration(namesrv_java):
    """What a Java broker sends to its name server: 103 plain and compressed, 322, 104."""
    for way in ("plain", "compressed"):
        proxy = procs.Proxy(namesrv_java.namesrv)
        extra = {"compressedRegister": "true" if way == "compressed" else "false",
                 "registerNameServerPeriod": "10000", "forceRegister": "false",
                 "enabledAppendPropCRC": "true", "clusterTopicEnable": "true"}
        java = procs.JavaServer(extra, only="broker", namesrv=proxy.address, name="gold-java")
        procs.wait_until(lambda: any(w == "response" for _, w, _ in proxy.frames), 60, "103", 0.1)
        if way == "plain":
            with api.Broker(java.broker) as b:
                procs.wait_until(lambda: b.send("GoldCrc", b"with a property CRC", 0, {
                    "TAGS": "TagA", "UNIQ_KEY": exchanges.UNIQ % 0x400}).code == 0, 30, "send", 0.2)
            for r in segments(java):
                if r.topic == "GoldCrc":
                    golden.write("record-property-crc", "stored record of RocketMQ 5.5.0 with "
                                 "enabledAppendPropCRC=true", record=r.raw)
            time.sleep(10)
        save_pairs(java, proxy, "broker-registers-%s" % way, {103: 1, 322: 1, 104: 1})
        java.close()
        proxy.close()


def save_pairs(java, proxy, prefix, limits):
    """Requests with their answers, at most limits[code] per code (others: none)."""
    waiting, taken = {}, {}
    for number, way, data in list(proxy.frames):
        f = golden.frame(data)
        if way == "request" and not f.is_response:
            waiting[number, f.opaque] = data
        elif way == "response" and f.is_response and (number, f.opaque) in waiting:
            request = waiting.pop((number, f.opaque))
            q = golden.frame(request)
            taken[q.code] = taken.get(q.code, 0) + 1
            if taken[q.code] > limits.get(q.code, 0) or len(request) + len(data) > LIMIT:
                continue
            name = "%s-%d%s" % (prefix, q.code, "" if taken[q.code] == 1 else
                                "-%d" % taken[q.code])
            if "broker-registers-compressed" in name:
                f.remark = "(RocketMQ 5.5.0 sends compressed=false with a compressed body)"
            golden.write(name, "code %d as sent by RocketMQ 5.5.0 (%s); answer %d%s" % (
                q.code, q.language, f.code, " " + f.remark if f.remark else ""),
                request=request, response=scrub(data, java))
    for (number, _), request in waiting.items():
        q = golden.frame(request)
        if q.flag & wire.FLAG_ONEWAY and limits.get(q.code):
            golden.write("%s-%d-oneway" % (prefix, q.code), "code %d, one-way, as sent by "
                         "RocketMQ 5.5.0" % q.code, request=request)


CLIENT = r"""
import java.nio.charset.StandardCharsets;
import java.util.*;
import org.apache.rocketmq.client.consumer.*;
import org.apache.rocketmq.client.consumer.listener.*;
import org.apache.rocketmq.client.producer.*;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.*;

public class GoldClient {
  public static void main(String[] a) throws Exception {
    DefaultMQProducer p = new DefaultMQProducer("PG_GOLD_JAVA");
    p.setNamesrvAddr(a[0]);
    p.setInstanceName("gold");
    p.start();
    Message m = new Message("GoldJava", "TagA", "key1 key2", "plain".getBytes(StandardCharsets.UTF_8));
    m.putUserProperty("user", "value");
    p.send(m, 10000);
    p.send(new Message("GoldJava", "x".repeat(10000).getBytes()), 10000);
    p.send(Arrays.asList(new Message("GoldJava", "TagB", "b1".getBytes()),
                         new Message("GoldJava", "TagB", "b2".getBytes())), 10000);
    p.sendOneway(new Message("GoldJava", "TagC", "one-way".getBytes()));
    DefaultMQPushConsumer c = new DefaultMQPushConsumer("CG_GOLD_JAVA");
    c.setNamesrvAddr(a[0]);
    c.setInstanceName("gold");
    c.setUseHeartbeatV2(Boolean.parseBoolean(a[1]));
    c.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
    c.subscribe("GoldJava", "TagA || TagB");
    c.registerMessageListener((MessageListenerConcurrently) (list, x) ->
        ConsumeConcurrentlyStatus.CONSUME_SUCCESS);
    c.start();
    Thread.sleep(8000);
    c.shutdown();
    p.shutdown();
    System.exit(0);
  }
}
"""


def record_client(java):
    """The official client through a recording proxy; the route is rewritten to the proxy."""
    work = procs.temp_dir()
    with open(os.path.join(work, "GoldClient.java"), "w", encoding="utf-8") as f:
        f.write(CLIENT)
    for v2 in ("false", "true"):
        ns, broker = procs.Proxy(java.namesrv), procs.Proxy(java.broker)
        broker_of_route = java.broker.encode()
        ns.rewrite = lambda d: rewrite_route(d, broker_of_route, broker.address.encode())
        libs = os.path.join(os.path.dirname(java.dir), "lib", "*")
        subprocess.run([os.environ.get("JAVA") or "java", "-Xmx256m", "-Duser.home=" + work,
                        "-cp", libs, os.path.join(work, "GoldClient.java"), ns.address, v2],
                       check=True, timeout=60, stdout=subprocess.DEVNULL)
        prefix = "client" if v2 == "false" else "client-hb2"
        limits = {34: 2} if v2 == "true" else {105: 3, 310: 2, 320: 1, 34: 2, 35: 2, 38: 1, 14: 2,
                                               15: 1, 11: 3, 30: 1, 31: 1}
        save_pairs(java, ns, prefix, limits)
        save_pairs(java, broker, prefix, limits)
        ns.close()
        broker.close()


def rewrite_route(data, old, new):
    """A route answer with another broker address, its length word corrected."""
    f = golden.frame(data)
    if not f.is_response or old not in f.body:
        return data
    f.body = f.body.replace(old, new)
    return wire.encode(f)


def record_mqadmin(java):
    """The requests of the mqadmin commands that operators use most, with their answers."""
    consumer = exchanges.prepare_mqadmin(java)
    ns, broker = procs.Proxy(java.namesrv), procs.Proxy(java.broker)
    ns.rewrite = lambda d: rewrite_route(d, java.broker.encode(), broker.address.encode())
    with api.Broker(java.broker) as b:
        offset = record.decode_offset_msg_id(b.send("AdminTopic", b"by id").msg_id)[2]
    message_id = record.offset_msg_id("127.0.0.1", broker.port, offset)
    only = os.environ.get("COMMANDS", "").split()
    for command, args in exchanges.MQADMIN:
        if only and command not in only:
            continue
        args = [a.replace("BROKER", broker.address).replace("MSGID", message_id) for a in args]
        done = subprocess.run([os.path.join(java.scripts, "mqadmin"), command, "-n", ns.address,
                               *args], env=java.env, timeout=120, cwd=procs.temp_dir(), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        text = done.stdout.decode("utf-8", "replace")
        if done.returncode or "Exception" in text:
            print("mqadmin %s failed: %s" % (command, text))
        time.sleep(0.2)
        codes = {golden.frame(d).code for _, w, d in ns.frames + broker.frames if w == "request"}
        for proxy in (ns, broker):
            save_pairs(java, proxy, "mqadmin-" + command, dict.fromkeys(codes, 1))
            proxy.frames.clear()
        print("  %s: %s" % (command, sorted(codes)), flush=True)
    consumer.close()
    ns.close()
    broker.close()


def main():
    parts = sys.argv[1:] or ["records", "client", "mqadmin", "registration", "exchanges"]
    java = procs.JavaServer()
    procs.wait_serving(java)
    for part in parts:
        print(part, flush=True)
        {"exchanges": record_exchanges, "records": record_records,
         "registration": record_registration, "client": record_client,
         "mqadmin": record_mqadmin}[part](java)
    java.close()


if __name__ == "__main__":
    main()
