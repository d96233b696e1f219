"""Kafka's protocol by hand, as little as the tests need: frames, a few requests, record batches with every fault.

Shares nothing with the C++ that it is held against.
"""
import functools
import socket
import struct
import time

PRODUCE, FETCH, LIST_OFFSETS, METADATA, API_VERSIONS, CREATE_TOPICS, INIT_PRODUCER_ID = 0, 1, 2, 3, 18, 19, 22

_TABLE = []
for _n in range(256):
    for _ in range(8):
        _n = (_n >> 1) ^ (0x82F63B78 if _n & 1 else 0)
    _TABLE.append(_n)


def crc32c(data):
    """Slow, so the sum of a long beginning is remembered: batches that differ only at their ends are cheap."""
    front = data[:-64] if len(data) > 4096 else b""
    crc = _front_sum(bytes(front))
    for byte in data[len(front):]:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


@functools.lru_cache(maxsize=4)
def _front_sum(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc


def varint(value):
    """Zigzag, as records have it."""
    value = (value << 1) ^ (value >> 63)
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def string(text):
    data = text.encode()
    return struct.pack(">h", len(data)) + data


def record(value, key=None, offset_delta=0, timestamp_delta=0):
    def nullable(data):
        return varint(-1) if data is None else varint(len(data)) + data
    body = b"\0" + varint(timestamp_delta) + varint(offset_delta) + nullable(key) + nullable(value) + varint(0)
    return varint(len(body)) + body


def record_batch(values=(b"x",), *, body=None, magic=2, attributes=0, timestamp=None, producer=(-1, -1, -1), count=None,
                 last_delta=None, crc_off=0, length_off=0):
    """One batch; what is not said is right. `body`: the bytes after the header as they are; `crc_off`: added to the CRC."""
    timestamp = int(time.time() * 1000) if timestamp is None else timestamp
    if body is None:
        body = b"".join(record(value, offset_delta=i) for i, value in enumerate(values))
    count = len(values) if count is None else count
    last_delta = count - 1 if last_delta is None else last_delta
    checked = struct.pack(">hiqqqhii", attributes, last_delta, timestamp, timestamp, *producer, count) + body
    crc = (crc32c(checked) + crc_off) & 0xFFFFFFFF
    return struct.pack(">qiibI", 0, 9 + len(checked) + length_off, -1, magic, crc) + checked


def read_varint(data, at):
    """(the number, where it ends)."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at


def records(data):
    """[(offset, value)] of the whole, uncompressed batches in `data`."""
    out, begin = [], 0
    while begin + 61 <= len(data):
        base, size = struct.unpack_from(">qi", data, begin)
        end, at = begin + 12 + size, begin + 61
        if end > len(data):
            break
        if struct.unpack_from(">h", data, begin + 21)[0] & 7:
            raise AssertionError("a compressed batch is not read here")
        while at < end:
            length, at = read_varint(data, at)
            _, field = read_varint(data, at + 1)
            delta, field = read_varint(data, field)
            key_size, field = read_varint(data, field)
            value_size, field = read_varint(data, field + max(key_size, 0))
            out.append((base + delta, data[field:field + value_size] if value_size >= 0 else None))
            at += length
        begin = end
    return out


def request(api, version, correlation, body, flexible=False, client_id="raw"):
    """A request without the length in front."""
    header = struct.pack(">hhi", api, version, correlation) + string(client_id)
    return header + (b"\0" if flexible else b"") + body


def produce_body(topic, partition, records, acks=-1):
    """Of Produce 3 to 8."""
    packed = struct.pack(">i", len(records)) + records
    return (struct.pack(">hhii", -1, acks, 30_000, 1) + string(topic) + struct.pack(">ii", 1, partition) + packed)


def fetch_body(topic, partition, offset, max_bytes=1 << 20):
    """Of Fetch 4."""
    return (struct.pack(">iiiibi", -1, 0, 0, max_bytes, 0, 1) + string(topic)
            + struct.pack(">iiqi", 1, partition, offset, max_bytes))


def create_topic_body(topic, partitions=1, configs=()):
    """Of CreateTopics 2 to 4."""
    pairs = b"".join(string(name) + string(value) for name, value in configs)
    return (struct.pack(">i", 1) + string(topic) + struct.pack(">ihii", partitions, 1, 0, len(configs)) + pairs
            + struct.pack(">ib", 30_000, 0))


class RawClient:
    """One blocking connection. Use it in `with`."""

    def __init__(self, port, host="127.0.0.1", deadline_s=20):
        self.socket = socket.create_connection((host, port), timeout=deadline_s)
        self.correlation = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def send_frame(self, frame):
        self.send(struct.pack(">i", len(frame)) + frame)

    def _read(self, size):
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                raise ConnectionResetError("the broker has closed the connection")
            data += more
        return data

    def read_frame(self):
        return self._read(struct.unpack(">i", self._read(4))[0])

    def closed_by_broker(self):
        """Whether the broker closes it, with nothing more said, before the deadline."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def call(self, api, version, body, flexible=False):
        """Sends a request and gives the body of its reply (of header version 0)."""
        self.correlation += 1
        self.send_frame(request(api, version, self.correlation, body, flexible))
        frame = self.read_frame()
        correlation = struct.unpack_from(">i", frame)[0]
        if correlation != self.correlation:
            raise AssertionError(f"a reply to request {correlation}, want {self.correlation}")
        return frame[4:]

    def create_topic(self, topic, partitions=1, configs=()):
        reply = self.call(CREATE_TOPICS, 4, create_topic_body(topic, partitions, configs))
        error = struct.unpack_from(">h", reply, 8 + 2 + len(topic))[0]
        if error:
            raise AssertionError(f"topic {topic}: error {error}")

    def produce(self, topic, records, partition=0, acks=-1):
        """(error code, base offset) of Produce 7."""
        reply = self.call(PRODUCE, 7, produce_body(topic, partition, records, acks))
        return produced(reply, topic)

    def fetch(self, topic, offset, partition=0, max_bytes=1 << 20):
        """(error code, high watermark, record bytes) of Fetch 4."""
        reply = self.call(FETCH, 4, fetch_body(topic, partition, offset, max_bytes))
        at = 4 + 4 + 2 + len(topic) + 4
        _, error, watermark, _, aborted = struct.unpack_from(">ihqqi", reply, at)
        at += 26 + 16 * max(aborted, 0)
        size = struct.unpack_from(">i", reply, at)[0]
        return error, watermark, reply[at + 4:at + 4 + max(size, 0)]


def read_all(client, topic, partition=0):
    """[(offset, value)] of the partition, from its start to its high watermark."""
    out, offset = [], 0
    while True:
        error, end, data = client.fetch(topic, offset, partition, max_bytes=4 << 20)
        if error:
            raise AssertionError(f"{topic}-{partition} at {offset}: error {error}")
        more = [(at, value) for at, value in records(data) if at >= offset]
        out += more
        offset = more[-1][0] + 1 if more else offset
        if offset >= end or not more:
            return out


def produced(reply, topic):
    """(error code, base offset) of the only partition in a reply to Produce 3 to 7."""
    return struct.unpack_from(">hq", reply, 4 + 2 + len(topic) + 4 + 4)
