"""The same requests to two brokers, and where their answers differ.

A scenario is a function over a `Pair`. It asks both brokers at once; what an answer gives (an id, an epoch) is an `Each`,
one value a broker, and goes into the next request as it is, so that each broker hears its own ids and is otherwise sent
the same bytes. Whatever two answers differ in, after `normal` has taken out what may differ, is remembered with the place
where it was asked.
"""
import re
import socket
import struct
import time
import tomllib

from lib import messages, wire
from lib.waiting import poll_until

DEADLINE_S = 10
NAMES = ("kafka", "weir")
# Answers that a broker which is not ready yet gives; the request is sent again. Both may give them at different moments.
NOT_YET = {"COORDINATOR_LOAD_IN_PROGRESS", "COORDINATOR_NOT_AVAILABLE", "NOT_COORDINATOR", "CONCURRENT_TRANSACTIONS"}


class Each(tuple):
    """A value of each broker, in the order of NAMES."""


def resolve(value, side):
    """The value with every Each in it replaced by what it is for one broker."""
    if isinstance(value, Each):
        return value[side]
    if isinstance(value, dict):
        return {key: resolve(item, side) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [resolve(item, side) for item in value]
    return value(side) if callable(value) else value


def error_codes(value):
    """Every error code in a decoded answer."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key.endswith("error_code"):
                yield item
            else:
                yield from error_codes(item)
    elif isinstance(value, list):
        for item in value:
            yield from error_codes(item)


# What may differ: (field names, what stands in place of the value). The first row with the name counts.
def _number(value):
    return value if value <= 0 else "some"


def _presence(value):
    return value if value in (None, "", _ZERO) else "some"


_ZERO = bytes(16)
NORMAL = (
    ("throttle_time_ms", lambda value: 0),  # quotas are not the same
    ("error_message batch_index_error_message", lambda value: "text"),  # each has its own words, or none
    ("documentation", _presence),
    ("cluster_id member_id topic_id", _presence),  # ids are made by the broker
    ("leader", _presence),  # the id of the leading member
    ("producer_id session_id port", _number),
    ("host client_host log_dir", _presence),
    ("log_append_time_ms last_timestamp transaction_start_time_ms", _number),  # the broker's own clock
    ("partition_size total_bytes usable_bytes", lambda value: "size"),
)
# Lists of structs are compared in the order of these fields: Kafka's answers come in the order of its hash tables.
ORDER = ("name", "topic", "group_id", "transactional_id", "key", "api_key", "resource_name", "partition_index", "partition",
         "client_id", "metadata", "producer_epoch")
# Lists whose items are compared by this field, which then stands in the path.
BY_NAME = {"configs": "name", "api_keys": "api_key", "supported_features": "name", "finalized_features": "name"}
_RULES = {name: rule for names, rule in NORMAL for name in names.split()}


def batches(data):
    """The whole record batches as what a reader sees of them; their sums are right."""
    out, begin = [], 0
    while begin + 61 <= len(data):
        base, size, epoch, magic, crc = struct.unpack_from(">qiibI", data, begin)
        end = begin + 12 + size
        if end > len(data):
            break  # Kafka may end an answer inside a batch
        if wire.crc32c(data[begin + 21:end]) != crc:
            raise AssertionError(f"a batch at {base} whose sum is wrong")
        attributes, last, first_time, max_time, producer, producer_epoch, sequence, count = struct.unpack_from(
            ">hiqqqhii", data, begin + 21)
        out.append({"base": base, "epoch": epoch, "magic": magic, "attributes": attributes, "last": last,
                    "times": [first_time, max_time] if not attributes & 0x28 else "now", "producer": _number(producer),
                    "producer_epoch": producer_epoch, "sequence": sequence, "count": count, "body": data[begin + 61:end].hex()})
        begin = end
    return out


def normal(value, key=None):
    """A decoded answer without what may differ between two brokers that are both right."""
    if key == "records" and value is not None:
        return batches(value)
    if isinstance(value, dict):
        return {name: normal(item, name) for name, item in value.items()}
    if isinstance(value, list):
        items = list(value)
        if key in ("partitions", "partition_indexes") and items and isinstance(items[0], int):
            items.sort()
        if items and isinstance(items[0], dict):
            items.sort(key=lambda item: [str(item[name]).rjust(12) for name in ORDER if name in item])
        return [normal(item, key) for item in items]
    if key in _RULES:
        return _RULES[key](value)
    return value.hex() if isinstance(value, bytes) else value


def differences(first, second, path=""):
    """[(path, value in the first, value in the second)]; lists of one length by place, places are not in the path."""
    if isinstance(first, dict) and isinstance(second, dict):
        out = []
        for name in sorted({*first, *second}, key=str):
            out += differences(first.get(name, "absent"), second.get(name, "absent"), f"{path}.{name}" if path else str(name))
        return out
    if isinstance(first, list) and isinstance(second, list):
        named = BY_NAME.get(path.rpartition(".")[2])
        if named:
            return differences(*({item[named]: item for item in items} for items in (first, second)), path)
        if len(first) != len(second):
            alone = only_one_has(first, second)
            if alone:
                return [(path, a, b) for a, b in alone]
            return [(path, first, second)]
        return [row for a, b in zip(first, second) for row in differences(a, b, path)]
    return [] if first == second else [(path, first, second)]


def only_one_has(first, second):
    """[(item of the first, None) or (None, item of the second)] of two lists of structs, by the field that names them."""
    name = next((n for n in ORDER if all(isinstance(item, dict) and n in item for item in first + second)), None)
    if name is None:
        return []
    there = [{item[name] for item in items} for items in (first, second)]
    return ([(item, None) for item in first if item[name] not in there[1]]
            + [(None, item) for item in second if item[name] not in there[0]])


class Reply:
    """What both answered."""

    def __init__(self, values):
        self.values = values

    def get(self, *path):
        """The value at a path of names and places, as an Each."""
        out = []
        for value in self.values:
            for step in path:
                value = value[step]
            out.append(value)
        return Each(out)

    def errors(self):
        """The names of the error codes in the answer of weir, in their order."""
        return [messages.ERRORS[code] for code in error_codes(self.values[1])]


class Line:
    """A connection to each broker."""

    def __init__(self, pair, client_id):
        self.pair, self.client_id, self.correlation = pair, client_id, 0
        self.sockets = [None, None]

    def close(self):
        for s in self.sockets:
            if s:
                s.close()
        self.sockets = [None, None]

    def send_frame(self, side, frame):
        if self.sockets[side] is None:
            self.sockets[side] = socket.create_connection(("127.0.0.1", self.pair.ports[side]), timeout=DEADLINE_S)
        self.sockets[side].sendall(struct.pack(">i", len(frame)) + frame)

    def _take(self, side, size):
        data = b""
        while len(data) < size:
            more = self.sockets[side].recv(size - len(data))
            if not more:
                raise ConnectionResetError
            data += more
        return data

    def read_frame(self, side):
        """None if the broker closes the connection."""
        try:
            return self._take(side, struct.unpack(">i", self._take(side, 4))[0])
        except TimeoutError:
            raise AssertionError(f"{self.pair.where}: {NAMES[side]} does not answer") from None
        except ConnectionResetError:
            self.sockets[side].close()
            self.sockets[side] = None
            return None

    def send(self, api, version, values, sides=(0, 1)):
        """Sends a request whose answer is read by receive(); both brokers hear the same bytes but for their ids."""
        self.correlation += 1
        for side in sides:
            frame = messages.encode_request(api, version, resolve(values, side), self.correlation, self.client_id)
            self.send_frame(side, frame)
        self.pair.asked(api, version)
        return (api, version, self.correlation)

    def receive(self, sent, side, as_version=None):
        api, version, correlation = sent
        frame = self.read_frame(side)
        if frame is None:
            return {"closed": True}
        got, value = messages.decode_response(api, version if as_version is None else as_version, frame)
        if got != correlation:
            raise AssertionError(f"{NAMES[side]}: {api} {version}: an answer to request {got}, want {correlation}")
        return value


class Pair:
    """Two brokers that hear the same, and what was seen of them."""

    def __init__(self, kafka_port, weir_port):
        self.ports = (kafka_port, weir_port)
        self.cells = {}  # (api, version) -> requests
        self.codes = ({}, {})  # a broker: error code -> where it was first seen
        self.found = []  # (where, api, version, path, kafka's, weir's)
        self.where = ""
        self._lines = []
        self.reset()

    def reset(self):
        """Every connection anew."""
        self.close()
        self._lines.clear()
        self.main = self.line()

    def line(self, client_id="diff"):
        """A further connection to each."""
        self._lines.append(Line(self, client_id))
        return self._lines[-1]

    def close(self):
        for line in self._lines:
            line.close()

    def asked(self, api, version):
        self.cells[api, version] = self.cells.get((api, version), 0) + 1

    def ask(self, api, version, values=None, line=None, again=NOT_YET, as_version=None):
        """Asks both and compares; a broker that answers with one of the errors `again` is asked again."""
        line = line or self.main
        sent = line.send(api, version, values or {})
        return self.answers(line, sent, values or {}, again, as_version)

    def answers(self, line, sent, values=None, again=(), as_version=None):
        """Reads what was asked by line.send() and compares."""
        api, version, _ = sent
        out = []
        for side in (0, 1):
            value, end = line.receive(sent, side, as_version), time.monotonic() + DEADLINE_S
            while values is not None and self._note(side, api, version, value) & set(again):
                if time.monotonic() > end:
                    raise AssertionError(f"{self.where}: {NAMES[side]}: {api} {version}: still {value}")
                value = line.receive(line.send(api, version, values, (side,)), side, as_version)
            self._note(side, api, version, value)
            out.append(value)
        self.compare(api, version, out)
        return Reply(out)

    def compare(self, api, version, values):
        for path, kafkas, ours in differences(*(normal(value) for value in values)):
            self.found.append((self.where, api, version, path, kafkas, ours))

    def until(self, api, version, values, condition, line=None):
        """Asks both until condition(answer) holds for each; only the answers for which it does are compared."""
        line, out = line or self.main, []
        for side in (0, 1):
            last = []

            def attempt(side=side, last=last):
                value = line.receive(line.send(api, version, values, (side,)), side)
                last[:] = [value]
                self._note(side, api, version, value)
                return value if condition(value) else None
            try:
                out.append(poll_until(attempt, DEADLINE_S))
            except AssertionError:
                raise AssertionError(f"{self.where}: {NAMES[side]}: {api} {version} {values}: still {last}") from None
        self.compare(api, version, out)
        return Reply(out)

    def tell(self, api, version, values, line=None):
        """A request without an answer."""
        (line or self.main).send(api, version, values)

    def _note(self, side, api, version, value):
        names = set()
        for code in error_codes(value):
            names.add(messages.ERRORS[code])
            self.codes[side].setdefault(messages.ERRORS[code], f"{api} {version} in {self.where}")
        return names


class Known:
    """The file of meant differences: each row is found again, and nothing else is."""

    def __init__(self, path):
        with open(path, "rb") as file:
            table = tomllib.load(file)
        self.rows, self.unreachable = table["difference"], table["unreachable"]
        for row in self.rows:
            if not row.get("reason"):
                raise AssertionError(f"{path}: a row without its reason: {row}")
        self.used = [0] * len(self.rows)

    def judge(self, found):
        """The differences that no row names."""
        out = []
        for where, api, version, path, kafkas, ours in found:
            seen = {"where": where, "api": api, "path": path}
            hits = [n for n, row in enumerate(self.rows)
                    if all(re.fullmatch(row.get(name, ".*"), value) for name, value in seen.items())
                    and all(name not in row or re.fullmatch(row[name], str(value), re.S)
                            for name, value in (("kafka", kafkas), ("weir", ours), ("versions", version)))]
            for n in hits:
                self.used[n] += 1
            if not hits:
                out.append((where, api, version, path, kafkas, ours))
        return out

    def unused(self):
        return [row for row, used in zip(self.rows, self.used) if not used]
