"""RocketMQ remoting frames: encode and decode, JSON and binary ("ROCKETMQ") headers."""

import json
import re
import struct

JSON, BINARY = 0, 1
LANGUAGES = ["JAVA", "CPP", "DOTNET", "PYTHON", "DELPHI", "ERLANG", "RUBY", "OTHER", "HTTP", "GO",
             "PHP", "OMS", "RUST", "NODE_JS"]
FLAG_RESPONSE, FLAG_ONEWAY = 1, 2
VERSION = 479  # V5_3_3: route answers come as standard JSON from 401 on


class Frame:
    """One remoting command. `ext` maps text to text, `body` is bytes, `raw` what came from the wire."""

    def __init__(self, code, ext=None, body=b"", opaque=0, flag=0, remark=None, language="OTHER",
                 version=VERSION, serialize=JSON):
        self.code, self.opaque, self.flag, self.remark = code, opaque, flag, remark
        self.ext = dict(ext or {})
        self.body = body
        self.language, self.version, self.serialize = language, version, serialize
        self.raw = b""
        self.header = None  # the decoded JSON header, when there was one

    @property
    def is_response(self):
        return bool(self.flag & FLAG_RESPONSE)

    def text(self):
        return self.body.decode("utf-8", "replace")

    def json(self):
        return parse_json(self.body.decode("utf-8")) if self.body else None

    def __repr__(self):
        return "Frame(code=%d, flag=%d, opaque=%d, remark=%r, ext=%r, body=%d bytes)" % (
            self.code, self.flag, self.opaque, self.remark, self.ext, len(self.body))


def encode(frame):
    """Bytes of a whole frame, length word included."""
    if frame.serialize == BINARY:
        header = encode_binary_header(frame)
    else:
        fields = {"code": frame.code, "flag": frame.flag, "language": frame.language,
                  "opaque": frame.opaque, "serializeTypeCurrentRPC": "JSON",
                  "version": frame.version}
        if frame.ext:
            fields["extFields"] = frame.ext
        if frame.remark is not None:
            fields["remark"] = frame.remark
        header = json.dumps(fields, sort_keys=True, separators=(",", ":"),
                            ensure_ascii=False).encode("utf-8")
    return pack(header, frame.body, frame.serialize)


def pack(header, body=b"", serialize=JSON):
    """A frame around header bytes that may be anything."""
    return struct.pack(">iI", 4 + len(header) + len(body),
                       (serialize << 24) | len(header)) + header + body


def encode_binary_header(frame):
    ext = b""
    for key, value in frame.ext.items():
        k, v = str(key).encode("utf-8"), str(value).encode("utf-8")
        ext += struct.pack(">h", len(k)) + k + struct.pack(">i", len(v)) + v
    remark = (frame.remark or "").encode("utf-8")
    return (struct.pack(">hBhii", frame.code, LANGUAGES.index(frame.language), frame.version,
                        frame.opaque, frame.flag)
            + struct.pack(">i", len(remark)) + remark + struct.pack(">i", len(ext)) + ext)


def decode(payload):
    """Frame from the bytes after the length word."""
    (word,) = struct.unpack_from(">I", payload, 0)
    kind, length = word >> 24, word & 0xFFFFFF
    if 4 + length > len(payload):
        raise ValueError("header of %d bytes in a frame of %d" % (length, len(payload)))
    header, body = payload[4:4 + length], payload[4 + length:]
    if kind == BINARY:
        frame = decode_binary_header(header)
    elif kind == JSON:
        fields = json.loads(header.decode("utf-8"))
        frame = Frame(fields.get("code", 0), fields.get("extFields"), b"", fields.get("opaque", 0),
                      fields.get("flag", 0), fields.get("remark"), fields.get("language"),
                      fields.get("version", 0))
        frame.header = fields
    else:
        raise ValueError("serialize type %d" % kind)
    frame.body, frame.serialize = body, kind
    frame.raw = struct.pack(">I", len(payload)) + payload
    return frame


def decode_binary_header(header):
    code, language, version, opaque, flag, remark_len = struct.unpack_from(">hBhiii", header, 0)
    at = 17
    remark = header[at:at + remark_len].decode("utf-8") if remark_len > 0 else None
    at += max(remark_len, 0)
    (ext_len,) = struct.unpack_from(">i", header, at)
    at += 4
    end, ext = at + ext_len, {}
    while at < end:
        (n,) = struct.unpack_from(">h", header, at)
        key = header[at + 2:at + 2 + n].decode("utf-8")
        at += 2 + n
        (n,) = struct.unpack_from(">i", header, at)
        ext[key] = header[at + 4:at + 4 + n].decode("utf-8")
        at += 4 + n
    name = LANGUAGES[language] if language < len(LANGUAGES) else None
    return Frame(code, ext, b"", opaque, flag, remark, name, version, BINARY)


def split_frames(data):
    """All whole frames at the start of `data`, and the rest."""
    frames = []
    while len(data) >= 4:
        (total,) = struct.unpack_from(">i", data, 0)
        if total < 4 or len(data) < 4 + total:
            break
        frames.append(decode(data[4:4 + total]))
        data = data[4 + total:]
    return frames, data


# ---- the JSON dialect of fastjson: bare keys, objects as keys -------------------------------

_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")
_BARE = re.compile(r"[A-Za-z_$][\w$]*|-?\d+")


class ObjectKey(tuple):
    """A JSON object in the place of a key: sorted (name, value) pairs."""

    def as_dict(self):
        return dict(self)


class BareKey(str):
    """A key that stood without quotes."""


def parse_json(text):
    """Parse strict JSON, or fastjson's dialect (bare numeric keys, objects as keys)."""
    value, at = _value(text, _blank(text, 0))
    if _blank(text, at) != len(text):
        raise ValueError("text after the JSON value at %d: %r" % (at, text[at:at + 40]))
    return value


def _blank(s, i):
    while i < len(s) and s[i] in " \t\r\n":
        i += 1
    return i


def _string(s, i):
    return json.decoder.scanstring(s, i + 1, False)


def _value(s, i):
    c = s[i:i + 1]
    if c == "{":
        return _object(s, i)
    if c == "[":
        out, i = [], _blank(s, i + 1)
        while s[i] != "]":
            item, i = _value(s, i)
            out.append(item)
            i = _blank(s, i)
            if s[i] == ",":
                i = _blank(s, i + 1)
            elif s[i] != "]":
                raise ValueError("expected , or ] at %d" % i)
        return out, i + 1
    if c == '"':
        return _string(s, i)
    for word, value in (("true", True), ("false", False), ("null", None)):
        if s.startswith(word, i):
            return value, i + len(word)
    m = _NUMBER.match(s, i)
    if not m:
        raise ValueError("no JSON value at %d: %r" % (i, s[i:i + 40]))
    return (float(m.group()) if m.group(1) or m.group(2) else int(m.group())), m.end()


def _object(s, i):
    out, i = {}, _blank(s, i + 1)
    while s[i] != "}":
        if s[i] == "{":
            inner, i = _object(s, i)
            key = ObjectKey(sorted(inner.items()))
        elif s[i] == '"':
            key, i = _string(s, i)
        else:
            m = _BARE.match(s, i)
            if not m:
                raise ValueError("no key at %d: %r" % (i, s[i:i + 40]))
            key, i = BareKey(m.group()), m.end()
        i = _blank(s, i)
        if s[i] != ":":
            raise ValueError("expected : at %d" % i)
        out[key], i = _value(s, _blank(s, i + 1))
        i = _blank(s, i)
        if s[i] == ",":
            i = _blank(s, i + 1)
        elif s[i] != "}":
            raise ValueError("expected , or } at %d" % i)
    return out, i + 1
