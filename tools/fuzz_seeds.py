#!/usr/bin/env python3
"""Makes first inputs of fuzz targets from bytes that the tree has anyway, so that none stands in it twice.

usage: fuzz_seeds.py OUT        writes OUT/TARGET/NAME, one small file an input; fuzz.py calls write_all()

They come from requests of real clients (tests/testdata/recorded), from what Kafka's own serialisers wrote
(src/kafka/testdata) and from data folders of weir's (tests/testdata/data-folder-1.tar.zst).
"""
import json
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import house

TESTDATA = house.ROOT / "src" / "kafka" / "testdata"
RECORDED = house.ROOT / "tests" / "testdata" / "recorded"
DATA_FOLDERS = house.ROOT / "tests" / "testdata" / "data-folder-1.tar.zst"
BATCH_HEADER = 61


def rows(path):
    text = path.read_bytes()
    if path.suffix == ".zst":
        text = subprocess.run(["zstd", "-dcq"], input=text, check=True, capture_output=True).stdout
    return [json.loads(line) for line in text.splitlines()]


def codec_numbers():
    """(api key, is request) or a record's name -> (its place in message_codecs(), its lowest version)."""
    sys.path.insert(0, str(house.ROOT / "src" / "kafka"))
    from schema import read_messages, read_notes, read_records
    schemas = house.ROOT / "src" / "kafka" / "schemas"
    notes = read_notes(schemas / "names-and-defaults.txt")
    apis, messages = read_messages(schemas / "message-schemas.txt", notes)
    keys = [((a["key"], kind), messages[a["key"], kind]) for a in apis for kind in ("request", "response")
            if (a["key"], kind) in messages]
    keys += [(r.name, r) for r in read_records(schemas / "record-schemas.txt", notes)]
    return {key: (n, message.min) for n, (key, message) in enumerate(keys)}


def message_inputs():
    """As message_fuzz.cc reads them: the place of the message, of its version, its body."""
    numbers = codec_numbers()

    def one(key, version, body):
        place, lowest = numbers[key]
        return struct.pack(">HH", place, version - lowest) + body

    for row in rows(TESTDATA / "messages.jsonl.zst"):
        yield one((row["api"], row["kind"]), row["version"], bytes.fromhex(row["hex"]))
    for row in rows(TESTDATA / "records.jsonl.zst"):
        if row["name"] in numbers:
            yield one(row["name"], row["version"], bytes.fromhex(row["hex"]))
    for row in recorded():
        # The whole frame, for its header: as a body it is refused.
        yield one((row["api"], "request"), row["version"], bytes.fromhex(row["hex"]))


def recorded():
    for path in sorted(RECORDED.glob("*.jsonl")):
        yield from rows(path)


def batches():
    """(codec, bytes) of golden batches and of those that real clients produced."""
    for row in rows(TESTDATA / "batches.jsonl.zst"):
        if "hex" in row:
            yield bytes.fromhex(row["hex"])
    for row in recorded():
        if row["api"] == 0:
            yield from batches_in(bytes.fromhex(row["hex"]))


def batches_in(frame):
    """The record batches of a Produce request, known by their length, format 2 and base offset 0."""
    for at in range(len(frame) - BATCH_HEADER):
        offset, length = struct.unpack_from(">qi", frame, at)
        end = at + 12 + length
        if offset == 0 and frame[at + 16] == 2 and BATCH_HEADER - 12 <= length and end <= len(frame):
            yield frame[at:end]


def batch_inputs():
    for batch in batches():
        yield bytes([1, 0]) + batch


def decompress_inputs():
    for batch in batches():
        yield bytes([batch[22] & 7]) + batch[BATCH_HEADER:]


def golden_records(name):
    """(version, value as it stands in a log: its version, its body)"""
    for row in rows(TESTDATA / "records.jsonl.zst"):
        if row["name"] == name:
            yield struct.pack(">h", row["version"]) + bytes.fromhex(row["hex"])


def string(text):
    return struct.pack(">h", len(text)) + text


def record(key, value):
    """As group_record_fuzz.cc and transaction_record_fuzz.cc read them."""
    return bytes([len(key)]) + key + struct.pack(">H", len(value)) + value


def group_record_inputs():
    for value in golden_records("GroupMetadataValue"):
        yield record(struct.pack(">h", 2) + string(b"group"), value)
    for value in golden_records("OffsetCommitValue"):
        yield record(struct.pack(">h", 1) + string(b"group") + string(b"topic") + struct.pack(">i", 3), value)
    for value in golden_records("ConsumerProtocolSubscription"):
        yield record(struct.pack(">h", 2) + string(b"group"), value)


def transaction_record_inputs():
    for value in golden_records("TransactionLogValue"):
        yield record(struct.pack(">h", 0) + string(b"id"), value)


# The place of each format in format_fuzz.cc by the file that is of it.
FORMATS = {"weir-checkpoint": 2, "leader-epoch-checkpoint": 3, ".snapshot": 5, "partition.metadata": 8, "meta.properties": 8}


def data_files():
    """(path, bytes) of the small files of the data folders."""
    wanted = [f"*{name}" for name in FORMATS] + ["*plain-?/*.log", "*once-0/*.log", "*packed-0/*.log"]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["tar", "--zstd", "-x", "-C", folder, "-f", str(DATA_FOLDERS), "--wildcards", *wanted], check=True)
        for path in sorted(Path(folder).rglob("*")):
            if path.is_file() and path.stat().st_size:
                yield path.relative_to(folder).as_posix(), path.read_bytes()


def format_inputs():
    seen = set()
    for path, content in data_files():
        for name, place in FORMATS.items():
            if path.endswith(name) and content not in seen:
                seen.add(content)
                yield bytes([place]) + content


def segment_inputs():
    """A segment with the indexes that belong to it, and without."""
    for path, log in data_files():
        if path.startswith("clean/") and path.endswith(".log"):
            index, times = index_of(log)
            yield bytes([8, len(index) // 8, len(times) // 12, 5, 1, 90]) + index + times + log
            yield bytes([8, 0, 0, 0, 0, 20]) + log


def index_of(log):
    """An entry for every second batch."""
    index, times, at, n = b"", b"", 0, 0
    while at + BATCH_HEADER <= len(log):
        base, length = struct.unpack_from(">qi", log, at)
        delta, _, largest = struct.unpack_from(">iqq", log, at + 23)
        if n % 2 == 1:
            index += struct.pack(">iI", base + delta, at)
            times += struct.pack(">qi", largest, base + delta)
        at += 12 + length
        n += 1
    return index, times


# The pairs of JSON Schemas that are told apart beside JSON Schema's code, and the name of their draft.
JSON_SCHEMAS = house.ROOT / "src" / "contract" / "testdata" / "json_schema"
DRAFTS = {"@ draft 4": "http://json-schema.org/draft-04/schema#",
          "@ draft 2020-12": "https://json-schema.org/draft/2020-12/schema"}


def json_schema_inputs():
    """Each pair: the old schema, a zero byte, the new one."""
    for path in sorted(JSON_SCHEMAS.glob("*.txt")):
        draft, pair = None, []
        for line in path.read_text().splitlines():
            draft = DRAFTS.get(line, draft)
            if not line.startswith(("{", "true", "false")):
                continue
            typed = draft is not None and line[0] == "{"
            pair.append(json.dumps({"$schema": draft} | json.loads(line)) if typed else line)
            if len(pair) == 2:
                yield "\0".join(pair).encode()
                pair = []


INPUTS = {"json_schema_fuzz": json_schema_inputs, "message_fuzz": message_inputs, "batch_fuzz": batch_inputs, "decompress_fuzz": decompress_inputs,
          "group_record_fuzz": group_record_inputs, "transaction_record_fuzz": transaction_record_inputs,
          "format_fuzz": format_inputs, "segment_fuzz": segment_inputs}


def write_all(out):
    for target, inputs in INPUTS.items():
        folder = Path(out) / target
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for n, data in enumerate(inputs()):
            (folder / f"{n:04}").write_bytes(data)


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        raise SystemExit(__doc__)
    write_all(sys.argv[1])
