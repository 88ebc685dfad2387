"""Stored messages: decode records of a pull answer or a commit log file, check both CRCs."""

import struct
import zlib

MAGIC_V1, MAGIC_V2, MAGIC_BLANK = 0xDAA320A7, 0xDAA320AB, 0xCBD43194
COMPRESSED, MULTI_TAGS, PREPARED, COMMIT, ROLLBACK = 0x1, 0x2, 0x4, 0x8, 0xC
BORN_V6, STORE_V6 = 0x10, 0x20
PROP_CRC = "__CRC32#"


class Record:
    """One stored message; `raw` is the whole record, `body` as stored, see plain_body()."""

    def plain_body(self):
        if not self.sys_flag & COMPRESSED:
            return self.body
        kind = self.sys_flag & 0x700
        if kind in (0, 0x300):
            return zlib.decompress(self.body)
        raise ValueError("compression type 0x%x needs a library this test does not have" % kind)

    @property
    def tags(self):
        return self.properties.get("TAGS")

    @property
    def keys(self):
        return self.properties.get("KEYS")

    @property
    def unique_key(self):
        return self.properties.get("UNIQ_KEY")

    def __repr__(self):
        return "Record(%s/%d@%d phy=%d %r)" % (self.topic, self.queue_id, self.queue_offset,
                                               self.physical_offset, self.body[:40])


def parse_properties(text):
    """name 0x01 value 0x02 ...; entries with an empty value are dropped, as RocketMQ does."""
    out = {}
    for item in text.split("\x02"):
        name, sep, value = item.partition("\x01")
        if sep and value:
            out[name] = value
    return out


def format_properties(pairs):
    return "".join("%s\x01%s\x02" % (k, v) for k, v in dict(pairs).items())


def _host(data, at, v6):
    n = 16 if v6 else 4
    address = data[at:at + n]
    (port,) = struct.unpack_from(">i", data, at + n)
    text = address.hex() if v6 else ".".join(str(b) for b in address)
    return (text, port), at + n + 4


def decode_record(data, at=0):
    """Record at `at`. ValueError says what is wrong with it."""
    if len(data) - at < 91:
        raise ValueError("%d bytes cannot be a record" % (len(data) - at))
    r = Record()
    size, r.magic = struct.unpack_from(">iI", data, at)
    if r.magic not in (MAGIC_V1, MAGIC_V2):
        raise ValueError("magic %08x at %d" % (r.magic, at))
    if size < 91 or at + size > len(data):
        raise ValueError("record of %d bytes with %d left" % (size, len(data) - at))
    r.raw = bytes(data[at:at + size])
    d = r.raw
    (r.body_crc, r.queue_id, r.flag, r.queue_offset, r.physical_offset, r.sys_flag,
     r.born_timestamp) = struct.unpack_from(">iiiqqiq", d, 8)
    r.born_host, p = _host(d, 48, r.sys_flag & BORN_V6)
    (r.store_timestamp,) = struct.unpack_from(">q", d, p)
    r.store_host, p = _host(d, p + 8, r.sys_flag & STORE_V6)
    r.reconsume_times, r.prepared_offset, n = struct.unpack_from(">iqi", d, p)
    p += 16
    if n < 0 or p + n > size:
        raise ValueError("body length %d" % n)
    r.body, p = d[p:p + n], p + n
    if r.magic == MAGIC_V2:
        (n,) = struct.unpack_from(">h", d, p)
        p += 2
    else:
        n, p = d[p], p + 1
    r.topic, p = d[p:p + n].decode("utf-8"), p + n
    (n,) = struct.unpack_from(">h", d, p)
    r.properties_text = d[p + 2:p + 2 + n].decode("utf-8")
    r.properties = parse_properties(r.properties_text)
    if p + 2 + n != size:
        raise ValueError("fields end at %d, the record at %d" % (p + 2 + n, size))
    check_crc(r)
    return r


def check_crc(r):
    expect = zlib.crc32(r.body) & 0x7FFFFFFF if r.body else 0
    if r.body_crc != expect:
        raise ValueError("body CRC %08x, should be %08x" % (r.body_crc, expect))
    stored = r.properties.get(PROP_CRC)
    if stored is None:
        return
    # ten digits, least significant first, over everything before the property (CommitLog#setBatch...)
    item = len(PROP_CRC) + 1 + 10 + 1
    value = zlib.crc32(r.raw[:-item]) & 0x7FFFFFFF
    digits = ("%d" % value)[::-1].ljust(10, "0")
    if stored != digits:
        raise ValueError("property CRC %s, should be %s" % (stored, digits))


def decode_records(data):
    """All records of a pull answer."""
    out, at = [], 0
    while at < len(data):
        r = decode_record(data, at)
        out.append(r)
        at += len(r.raw)
    return out


def scan_segment(data):
    """Records of a commit log file until zeros or its blank end; (records, end offset)."""
    out, at = [], 0
    while at + 8 <= len(data):
        size, magic = struct.unpack_from(">iI", data, at)
        if size == 0 or magic == MAGIC_BLANK:
            break
        r = decode_record(data, at)
        out.append(r)
        at += size
    return out, at


def java_hash(text):
    """String.hashCode, over UTF-16 code units."""
    h = 0
    units = text.encode("utf-16-be")
    for i in range(0, len(units), 2):
        h = (31 * h + (units[i] << 8 | units[i + 1])) & 0xFFFFFFFF
    return h - (1 << 32) if h & 0x80000000 else h


def offset_msg_id(host, port, offset):
    return (bytes(int(b) for b in host.split(".")) + struct.pack(">iq", port, offset)).hex().upper()


def decode_offset_msg_id(text):
    raw = bytes.fromhex(text)
    port, offset = struct.unpack_from(">iq", raw, len(raw) - 12)
    return ".".join(str(b) for b in raw[:-12]), port, offset


def batch_item(body, properties="", flag=0):
    """One message in the body of a batch request (MessageDecoder#encodeMessage)."""
    p = properties.encode("utf-8")
    size = 4 + 4 + 4 + 4 + 4 + len(body) + 2 + len(p)
    return struct.pack(">iiiii", size, 0, 0, flag, len(body)) + body + struct.pack(
        ">h", len(p)) + p
