"""Every message of Kafka's protocol as a dictionary, encoded and decoded from the tables in src/kafka/schemas.

Only the tables are shared with the C++ that it is held against; what reads and writes bytes is here.
"""
import re
import struct
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "src" / "kafka"))
import schema  # noqa: E402  (the parser of the tables)
from lib import wire  # noqa: E402

_SCHEMAS = ROOT / "src" / "kafka" / "schemas"
_NUMBERS = {"int8": "b", "int16": "h", "int32": "i", "int64": "q", "uint16": "H", "uint32": "I", "float64": "d"}
NO_ID = bytes(16)


class Api:
    """One API: its key and name, and for each version the header versions and the fields of request and response."""

    def __init__(self, key, name, headers):
        self.key, self.name = key, name
        self.headers = {int(v): (int(a), int(b)) for v, a, b in re.findall(r"(\d+):(\d)/(\d)", headers)}
        self.fields = {"request": {}, "response": {}}


def _read():
    notes = schema.read_notes(_SCHEMAS / "names-and-defaults.txt")
    by_key, errors, current = {}, {}, None
    for line in (_SCHEMAS / "message-schemas.txt").read_text().splitlines():
        head = re.match(r"api (\d+) (\w+) versions \S+ stable-to \S+ headers\(request/response\) ?(.*)$", line)
        body = re.match(r"  (request|response) v(\d+)(?:-(\d+))?: ?(.*)$", line)
        error = re.match(r"  (-?\d+) ([A-Z_]+)", line)
        if head:
            current = by_key[int(head[1])] = Api(int(head[1]), head[2], head[3])
        elif body:
            for version in range(int(body[2]), int(body[3] or body[2]) + 1):
                current.fields[body[1]][version] = schema.Parser(body[4]).fields()
        elif error:
            errors[int(error[1])] = error[2]
    return by_key, errors, notes


APIS, ERRORS, _NOTES = _read()
KEYS = {api.name: key for key, api in APIS.items()}


def _default(message, path, kind):
    note = _NOTES.get(message, {}).get((path, "="))
    if note == "null":
        return None
    if note is not None:
        return {"true": True, "false": False}[note] if note in ("true", "false") else int(note, 0)
    if kind["kind"] == "array":
        return []
    if kind["kind"] == "struct":
        return None if kind["nullable"] else {}
    if kind["kind"] == "run":
        return None if kind["name"] == "records" else "" if kind["name"] == "string" else b""
    return False if kind["name"] == "boolean" else NO_ID if kind["name"] == "uuid" else 0


class _Writer:
    def __init__(self, message):
        self.message, self.out = message, bytearray()

    def unsigned(self, value):
        while value >= 0x80:
            self.out.append(value & 0x7F | 0x80)
            value >>= 7
        self.out.append(value)

    def length(self, count, compact, kind):
        """Of a run or an array; None is null."""
        if compact:
            self.unsigned(0 if count is None else count + 1)
        else:
            self.out += struct.pack(">h" if kind == "string" else ">i", -1 if count is None else count)

    def value(self, value, kind, path):
        if kind["kind"] == "array":
            self.length(None if value is None else len(value), kind["compact"], "array")
            for item in value or ():
                self.value(item, kind["element"], path)
        elif kind["kind"] == "struct":
            if kind["nullable"]:
                self.out += b"\xff" if value is None else b"\x01"
            if value is not None:
                self.struct(value, kind["fields"], path + ".")
        elif kind["kind"] == "run":
            data = value.encode() if isinstance(value, str) else value
            self.length(None if data is None else len(data), kind["compact"], kind["name"])
            self.out += data or b""
        elif kind["name"] == "uuid":
            self.out += value
        elif kind["name"] == "boolean":
            self.out.append(bool(value))
        else:
            self.out += struct.pack(">" + _NUMBERS[kind["name"]], value)

    def struct(self, values, fields, path=""):
        tagged = []
        for name, tag, kind in fields["fields"]:
            default = _default(self.message, path + name, kind)
            value = values.get(name, default)
            if tag is None:
                self.value(value, kind, path + name)
            elif value != default:
                inner = _Writer(self.message)
                inner.value(value, kind, path + name)
                tagged.append((tag, bytes(inner.out)))
        if fields["flexible"]:
            self.unsigned(len(tagged))
            for tag, data in sorted(tagged):
                self.unsigned(tag)
                self.unsigned(len(data))
                self.out += data


class _Reader:
    def __init__(self, message, data):
        self.message, self.data, self.at = message, data, 0

    def take(self, size):
        if size < 0 or self.at + size > len(self.data):
            raise AssertionError(f"{self.message}: {size} bytes at {self.at} of {len(self.data)}: {self.data.hex()}")
        self.at += size
        return bytes(self.data[self.at - size:self.at])

    def unsigned(self):
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def length(self, compact, kind):
        """-1 is null."""
        if compact:
            return self.unsigned() - 1
        return struct.unpack(">h", self.take(2))[0] if kind == "string" else struct.unpack(">i", self.take(4))[0]

    def value(self, kind, path):
        if kind["kind"] == "array":
            count = self.length(kind["compact"], "array")
            return None if count < 0 else [self.value(kind["element"], path) for _ in range(count)]
        if kind["kind"] == "struct":
            if kind["nullable"] and self.take(1) == b"\xff":
                return None
            return self.struct(kind["fields"], path + ".")
        if kind["kind"] == "run":
            size = self.length(kind["compact"], kind["name"])
            data = None if size < 0 else self.take(size)
            return data.decode() if data is not None and kind["name"] == "string" else data
        if kind["name"] == "uuid":
            return self.take(16)
        if kind["name"] == "boolean":
            return self.take(1) != b"\0"
        code = ">" + _NUMBERS[kind["name"]]
        return struct.unpack(code, self.take(struct.calcsize(code)))[0]

    def struct(self, fields, path=""):
        out, tagged = {}, {}
        for name, tag, kind in fields["fields"]:
            if tag is None:
                out[name] = self.value(kind, path + name)
            else:
                tagged[tag] = (name, kind)
                out[name] = _default(self.message, path + name, kind)
        if fields["flexible"]:
            for _ in range(self.unsigned()):
                tag, size = self.unsigned(), self.unsigned()
                end = self.at + size
                if tag in tagged:
                    out[tagged[tag][0]] = self.value(tagged[tag][1], path + tagged[tag][0])
                else:
                    out.setdefault("unknown_tags", {})[tag] = self.take(size).hex()
                if self.at != end:
                    raise AssertionError(f"{self.message}: tag {tag} ends at {self.at}, not at {end}")
        return out


def encode_request(name, version, values, correlation, client_id):
    """The frame without its length. A field that the version does not have is left out; one that is not said has its default."""
    api = APIS[KEYS[name]]
    writer = _Writer(name + "Request")
    writer.struct(values, api.fields["request"][version])
    header = struct.pack(">hhi", api.key, version, correlation)
    header += struct.pack(">h", -1) if client_id is None else struct.pack(">h", len(client_id)) + client_id.encode()
    return header + (b"\0" if api.headers[version][0] == 2 else b"") + bytes(writer.out)


def decode_response(name, version, frame):
    """(correlation id, dictionary); AssertionError if the frame is not exactly one such response."""
    api = APIS[KEYS[name]]
    reader = _Reader(name + "Response", frame)
    correlation = struct.unpack(">i", reader.take(4))[0]
    if api.headers[version][1] == 1:
        for _ in range(reader.unsigned()):
            reader.unsigned()
            reader.take(reader.unsigned())
    out = reader.struct(api.fields["response"][version])
    if reader.at != len(frame):
        raise AssertionError(f"{name} {version}: {len(frame) - reader.at} bytes left over of {frame.hex()}")
    return correlation, out


class Client(wire.RawClient):
    """A connection that speaks in dictionaries."""

    def ask(self, api, version, values=None):
        """The decoded answer."""
        self.correlation += 1
        self.send_frame(encode_request(api, version, values or {}, self.correlation, "messages"))
        correlation, answer = decode_response(api, version, self.read_frame())
        if correlation != self.correlation:
            raise AssertionError(f"{api} {version}: an answer to request {correlation}, want {self.correlation}")
        return answer
