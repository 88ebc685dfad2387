"""Golden exchanges: read and write the files, compare the structure of an answer with Java's."""

import os
import re

from . import record, wire

FOLDER = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", "..", "wire", "golden"))
# objects whose keys are data (names, numbers), not fields
TABLES = {"topicConfigTable", "subscriptionGroupTable", "offsetTable", "pullOffsetTable",
          "brokerAddrTable", "clusterAddrTable", "brokerAddrs", "subscriptionTable",
          "groupTopicMap", "attributes", "filterServerTable", "forbiddenTable",
          "topicQueueMappingDetailMap", "topicQueueMappingInfoMap", "resetOffsetTable"}
# header fields whose values must be equal, too
VALUES = {"queueId", "queueOffset", "nextBeginOffset", "minOffset", "maxOffset", "offset", "value",
          "suggestWhichBrokerId", "topicSysFlag", "groupSysFlag", "MSG_REGION", "TRACE_ON",
          "IS_SUPPORT_HEART_BEAT_V2", "IS_SUB_CHANGE", "changed", "wipeTopicCount",
          "addTopicCount"}
_EXCEPTION = re.compile(r"^[\w.$]+\.[A-Z]\w*(Exception|Error)\b")


def write(name, description, **lines):
    """golden/NAME.txt: the description as comments, then one `key HEX` line per key."""
    os.makedirs(FOLDER, exist_ok=True)
    text = "".join("# %s\n" % line for line in description.splitlines())
    text += "".join("%s %s\n" % (k, v.hex()) for k, v in lines.items() if v is not None)
    with open(os.path.join(FOLDER, name + ".txt"), "w", encoding="utf-8") as f:
        f.write(text)


def read(name):
    """(description, {key: bytes}); a key that repeats gives a list in order."""
    description, lines = [], {}
    with open(os.path.join(FOLDER, name + ".txt"), encoding="utf-8") as f:
        for line in f:
            line = line.rstrip("\n")
            if line.startswith("# "):
                description.append(line[2:])
                continue
            key, _, value = line.partition(" ")
            lines[key] = bytes.fromhex(value)
    return "\n".join(description), lines


def names(prefix=""):
    return sorted(f[:-4] for f in os.listdir(FOLDER) if f.endswith(".txt") and f.startswith(prefix))


def frame(data):
    return wire.decode(data[4:])


def remark_shape(text):
    """A remark without what differs from run to run: addresses, long numbers, quoted lengths."""
    if text is None:
        return None
    text = re.sub(r"/?\d+\.\d+\.\d+\.\d+:\d+", "ADDRESS", text)
    return re.sub(r"\b\d{6,}\b|(?<=the offset, )\d+", "NUMBER", text)


def is_exception(text):
    """Java's answer to what it did not expect: the name of an exception."""
    return bool(text and _EXCEPTION.match(text))


def shape(value, name=None):
    """Types instead of values. Tables become one merged entry, lists one merged element."""
    if isinstance(value, dict):
        if name in TABLES or _is_table(value):
            kinds = sorted({_key_kind(k) for k in value})
            return {"<keys>": kinds, "<values>": merge([shape(v) for v in value.values()])}
        return {_field(k): shape(v, str(k)) for k, v in value.items()}
    if isinstance(value, list):
        return [merge([shape(v) for v in value])]
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return "number"
    return "null" if value is None else "text"


# Runtime information (28) of bolide alone begins with one of these.
OURS = ("core", "cold", "holds", "retention", "diskFull", "filter", "assignmentTopics",
        "clientGroupsMax", "clientSubscriptionsMax", "clients", "consumerGroupsWithMembers",
        "consumerOffsetResetsPending", "consumerOffsets", "differentSubscriptions",
        "groupMembersMax", "groups", "heartbeatsRefused", "membershipNotices",
        "messageRequestModes", "producerGroupsWithMembers", "statsSeries", "deadLetters", "dedup",
        "lightQueues", "questions", "queueLocks", "replies", "retriesSentBack", "timers", "transaction", "ttl")


def _field(key):
    """A field's name; runtime information (28) has names with a path or a level in them."""
    if key.startswith("commitLogDiskRatio_"):
        return "commitLogDiskRatio_PATH"
    if key in ("brokerVersion", "remainHowManyDataToCommit") or key.startswith(OURS):
        # of other versions, or of bolide alone; harmless
        return key + "?"
    return "scheduleMessageOffset_N?" if key.startswith("scheduleMessageOffset_") else str(key)


def _is_table(value):
    return any(isinstance(k, wire.ObjectKey) for k in value)


def _key_kind(key):
    if isinstance(key, wire.ObjectKey):
        return "object " + ",".join(k for k, _ in key)
    return "bare" if isinstance(key, wire.BareKey) else "text"


def merge(shapes):
    """One shape for many: a field that only some have is optional ("?")."""
    if not shapes:
        return "<none>"
    if all(isinstance(s, dict) and "<keys>" in s for s in shapes):
        filled = [s for s in shapes if s["<keys>"]]
        return {"<keys>": sorted({k for s in filled for k in s["<keys>"]}),
                "<values>": merge([s["<values>"] for s in filled])}
    if not all(isinstance(s, dict) for s in shapes):
        return shapes[0] if all(s == shapes[0] for s in shapes) else "<mixed>"
    out = {}
    for key in sorted({k for s in shapes for k in s}):
        having = [s[key] for s in shapes if key in s]
        out[key if len(having) == len(shapes) else key + "?"] = merge(having)
    return out


def compare_shapes(got, want, path=""):
    """Differences as text lines; an empty list or table on either side fits any other."""
    if "<none>" in (got, want) or "<mixed>" in (got, want):
        return []
    if isinstance(want, dict) and isinstance(got, dict):
        if "<keys>" in want and "<keys>" in got:
            if not want["<keys>"] or not got["<keys>"]:
                return []
            out = []
            if got["<keys>"] != want["<keys>"]:
                out.append("%s: keys are %s, Java's %s" % (path, got["<keys>"], want["<keys>"]))
            return out + compare_shapes(got["<values>"], want["<values>"], path + ".*")
        return _compare_objects(got, want, path)
    if isinstance(want, list) and isinstance(got, list):
        return compare_shapes(got[0], want[0], path + "[]")
    return [] if got == want else ["%s: %s, Java has %s" % (path or "body", got, want)]


def _compare_objects(got, want, path):
    out = []
    plain = lambda keys: {k.rstrip("?") for k in keys}
    for key in sorted(plain(want) - plain(got)):
        if key + "?" not in want:
            out.append("%s.%s is missing" % (path, key))
    for key in sorted(plain(got) - plain(want)):
        if key + "?" not in got:
            out.append("%s.%s is not in Java's answer" % (path, key))
    for key in sorted(plain(got) & plain(want)):
        a, b = got.get(key, got.get(key + "?")), want.get(key, want.get(key + "?"))
        out += compare_shapes(a, b, "%s.%s" % (path, key))
    return out


def compare(got, want, values=True, remark=True):
    """Differences between an answer and Java's, as text lines."""
    out = []
    sloppy = is_exception(want.remark) or "fastjson" in (want.remark or "")
    if got.code != want.code and not (sloppy and got.code in (1, 13, 29)):
        out.append("code %d (%s), Java's %d (%s)" % (got.code, got.remark, want.code, want.remark))
    if not got.flag & wire.FLAG_RESPONSE:
        out.append("flag %d: not a response" % got.flag)
    if sloppy:
        return out + ([] if got.remark else ["no remark"])
    if remark and remark_shape(got.remark or None) != remark_shape(want.remark or None):
        out.append("remark %r, Java's %r" % (got.remark, want.remark))
    if set(got.ext) != set(want.ext):
        out.append("header fields %s, Java's %s" % (sorted(got.ext), sorted(want.ext)))
    if values:
        for key in sorted(VALUES & set(got.ext) & set(want.ext)):
            if got.ext[key] != want.ext[key]:
                out.append("%s is %s, Java's %s" % (key, got.ext[key], want.ext[key]))
    for key, value in got.ext.items():
        if not isinstance(value, str):
            out.append("header field %s is not text" % key)
    return out + compare_bodies(got.body, want.body, values)


def compare_bodies(got, want, values=True):
    if bool(got) != bool(want):
        return ["body of %d bytes, Java's of %d" % (len(got), len(want))]
    if not want or got == want:
        return []
    if want[:1] in (b"{", b"["):
        try:
            return compare_shapes(shape(wire.parse_json(got.decode())),
                                  shape(wire.parse_json(want.decode())))
        except (ValueError, IndexError) as e:
            return ["body is not JSON as Java's is: %s" % e]
    if want[4:8] in (b"\xda\xa3\x20\xa7", b"\xda\xa3\x20\xab"):
        return compare_records(got, want, values)
    return compare_config(got) if b"listenPort=" in want else []


VARYING = {"lastTimestamp", "lastUpdateTimestamp", "clientAddr", "topicPutTps", "consumeTps",
           "timestamp"}


def plain(value):
    """A JSON value without what varies, lists in a fixed order, for comparing by value."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in sorted(value.items(), key=lambda x: str(x[0]))
                if k not in VARYING}
    if isinstance(value, list):
        return sorted((plain(v) for v in value), key=repr)
    return value


def compare_values(got, want):
    """Differences of two JSON bodies by value."""
    try:
        a, b = plain(wire.parse_json(got.decode())), plain(wire.parse_json(want.decode()))
    except (ValueError, IndexError) as e:
        return ["body is not JSON: %s" % e]
    return [] if a == b else ["body says %s, Java's %s" % (a, b)]


def compare_config(got):
    """A configuration answer (26, 319): `key=value` lines with the keys that tools read."""
    lines = got.decode("utf-8").splitlines()
    bad = [line for line in lines if line.strip() and "=" not in line]
    keys = {line.partition("=")[0] for line in lines}
    return (["not key=value: %r" % bad[:3]] if bad else []) + [
        "no key %s" % k for k in sorted({"listenPort"} - keys)]


def record_shape(r):
    """What must be equal in a stored record; properties as a set of names."""
    return {"body": r.body, "topic": r.topic, "queue": r.queue_id, "queue offset": r.queue_offset,
            "flag": r.flag, "sysFlag": r.sys_flag & ~0x30, "reconsume": r.reconsume_times,
            "prepared": r.prepared_offset, "born": r.born_timestamp, "magic": r.magic,
            "properties": sorted(set(r.properties) - {record.PROP_CRC})}


def compare_records(got, want, born=True):
    try:
        a, b = record.decode_records(got), record.decode_records(want)
    except ValueError as e:
        return ["records cannot be read: %s" % e]
    if len(a) != len(b):
        return ["%d records, Java's answer has %d" % (len(a), len(b))]
    out = []
    for i, (x, y) in enumerate(zip(a, b)):
        x, y = record_shape(x), record_shape(y)
        out += ["record %d: %s is %r, Java's %r" % (i, k, x[k], y[k])
                for k in x if x[k] != y[k] and (born or k != "born")]
    return out
