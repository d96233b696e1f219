"""Avro against Java's library, fastavro and avsc: random schemas and values from a fresh seed, written with one, read with another."""
import datetime
import decimal
import io
import json
import secrets
import struct
import sys
import tempfile
import unittest
import uuid
from pathlib import Path

from lib import avro, node, proc
from lib.avro_random import case, for_fastavro

PAIRS = 1000
BATCH = 1000


def raw(value):
    """A value of fastavro as the other peers show it."""
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, dict):
        return {key: raw(member) for key, member in value.items()}
    if isinstance(value, list):
        return [raw(item) for item in value]
    if isinstance(value, float) and (value != value or abs(value) == float("inf")):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    return value


def single(number):
    """The nearest float of 32 bits; the number itself where there is none."""
    return struct.unpack("<f", struct.pack("<f", number))[0] if abs(number) < 3.4e38 else number


def as_meant(theirs, ours):
    """What fastavro read, without its ways of its own, which Java's library does not share:

    defaults of bytes and fixed are the text of the schema; an int or long read as a float keeps more digits; of a union it
    takes the first branch that can be promoted to, even where a later one is the same type.
    """
    if isinstance(theirs, str) and isinstance(ours, dict):
        data = bytes.fromhex(ours["bytes"])
        return ours if theirs.encode() == data or theirs.encode("latin-1", "replace") == data else theirs
    if isinstance(theirs, dict) and isinstance(ours, str):
        return ours if theirs == {"bytes": ours.encode().hex()} else theirs
    if isinstance(theirs, (int, float)) and isinstance(ours, (int, float)) and not isinstance(theirs, bool):
        return ours if float(theirs) == float(ours) or single(theirs) == single(ours) else theirs
    if isinstance(theirs, dict) and isinstance(ours, dict):
        return {key: as_meant(member, ours.get(key)) for key, member in theirs.items()}
    if isinstance(theirs, list) and isinstance(ours, list) and len(ours) == len(theirs):
        return [as_meant(*pair) for pair in zip(theirs, ours)]
    return theirs


class Proof:
    """Counts what it compares. `test` is who fails."""

    def __init__(self, test, java):
        self.test, self.java, self.fastavro = test, java, avro.fastavro()
        self.counters = {name: 0 for name in ("pairs", "compatible", "values", "read_by_all", "java_refused", "fastavro_refused",
                                              "written_by_java", "written_by_fastavro", "json_read_by_java")}

    def run(self, seed, pairs):
        for first in range(0, pairs, BATCH):
            self.batch([f"{seed}/{n}" for n in range(first, min(pairs, first + BATCH))])
        return self.counters

    def batch(self, seeds):
        cases = [case(seed) for seed in seeds]
        ours = avro.ours(cases)
        for seed, row, mine in zip(seeds, cases, ours):
            self.test.assertNotIn("error", mine, f"{seed}\n{json.dumps(row)}")
        asked = [{"writer": row["writer"], "reader": row["reader"], "hex": [v["hex"] for v in mine["values"]]}
                 for row, mine in zip(cases, ours)]
        theirs = self.java.ask(asked)
        back = []  # what others wrote, for us to read
        for seed, values, row, mine, java in zip(seeds, [c["json"] for c in cases], asked, ours, theirs):
            where = f"seed {seed}\n{json.dumps(row)}\n{json.dumps(mine)}\n{json.dumps(java)}"
            self.test.assertNotIn("error", java, where)
            for member in ("compatible", "problems", "canonical", "crc64", "text"):
                self.test.assertEqual(mine[member], java[member], where)
            self.counters["pairs"] += 1
            self.counters["compatible"] += mine["compatible"]
            back += self.compare(row, values, mine, java, where)
        back += self.json_read_by_java(seeds, ours, asked)
        self.json_written_by_java(seeds, theirs, asked)
        read = avro.ours([{"writer": writer, "reader": writer, "hex": [text]} for writer, text, _, _ in back])
        for (writer, text, want, where), answer in zip(back, read):
            self.test.assertNotIn("error", answer, where)
            self.test.assertEqual(answer["values"][0]["written"], want, f"{writer}\n{text}\n{where}")

    def json_read_by_java(self, seeds, ours, asked):
        """What Java makes of our JSON, for us to read."""
        rows = [{"writer": row["writer"], "avro_json": [value["json"] for value in mine["values"]]} for row, mine in zip(asked, ours)]
        back = []
        for seed, row, mine, answer in zip(seeds, rows, ours, self.java.ask(rows)):
            self.test.assertNotIn("error", answer, f"seed {seed}\n{json.dumps(row)}")
            back += [(row["writer"], text, value["written"], f"seed {seed}") for text, value in zip(answer["hex"], mine["values"])]
            self.counters["json_read_by_java"] += len(answer["hex"])
        return back

    def json_written_by_java(self, seeds, theirs, asked):
        """Its numbers have other digits than ours, so what they are read as is compared. It writes nothing at all for records
        that are made of empty records alone."""
        rows = []
        for row, java in zip(asked, theirs):
            if not all(value["json"] for value in java["values"]):
                self.test.assertIn('"fields": []', row["writer"])
                java["values"] = []
            rows.append({"writer": row["writer"], "reader": row["writer"], "json": [json.loads(value["json"]) for value in java["values"]]})
        for seed, row, java, answer in zip(seeds, rows, theirs, avro.ours(rows)):
            self.test.assertNotIn("error", answer, f"seed {seed}\n{json.dumps(row)}")
            self.test.assertEqual([v["written"] for v in answer["values"]], [v["written"] for v in java["values"]], f"seed {seed}")

    def compare(self, row, values, mine, java, where):
        """Values of one pair; what the others wrote: (writer, hex, the value, where)."""
        back = []
        parse = self.fastavro.parse_schema
        writer, reader = parse(json.loads(row["writer"])), parse(json.loads(row["reader"]))
        for value, ours, theirs in zip(values, mine["values"], java["values"]):
            self.counters["values"] += 1
            self.test.assertEqual(ours["written"], theirs["written"], where)
            self.test.assertEqual("read" in ours, mine["compatible"], where)
            back.append((row["writer"], theirs["again"], ours["written"], where))
            self.counters["written_by_java"] += 1
            self.test.assertEqual(ours["single"][:20], theirs["single"][:20], where)
            data = bytes.fromhex(ours["hex"])
            read = self.fastavro.schemaless_reader(io.BytesIO(data), writer)
            self.test.assertEqual(raw(read), ours["written"], where)
            out = io.BytesIO()
            self.fastavro.schemaless_writer(out, writer, for_fastavro(json.loads(row["writer"]), value))
            back.append((row["writer"], out.getvalue().hex(), ours["written"], where))
            self.counters["written_by_fastavro"] += 1
            if mine["compatible"]:
                self.resolved(ours, theirs, data, writer, reader, where)
        return back

    def resolved(self, ours, theirs, data, writer, reader, where):
        if "error" in theirs:
            # Java's arrays of float, int or long cannot be filled with what they are promoted to, and it believes elements
            # of the writer to be at least as long as the reader's.
            self.test.assertRegex(theirs["error"], "ClassCastException|Collection claims", where)
            self.counters["java_refused"] += 1
        else:
            self.test.assertEqual(ours["read"], theirs["read"], where)
        try:
            value = self.fastavro.schemaless_reader(io.BytesIO(data), writer, reader)
        except Exception:
            self.counters["fastavro_refused"] += 1  # it is stricter with names and knows fewer promotions inside unions
            return
        self.test.assertEqual(as_meant(raw(value), ours["read"]), ours["read"], where)
        self.counters["read_by_all"] += "error" not in theirs


class Peers(unittest.TestCase):
    maxDiff = None

    def test_random_schemas_and_values_are_read_alike_by_java_fastavro_and_us(self):
        seed = secrets.token_hex(8)
        print(f"seed {seed}")
        with avro.Java() as java:
            counters = Proof(self, java).run(seed, PAIRS)
        print(json.dumps(counters))
        self.assertEqual(counters["pairs"], PAIRS)
        self.assertGreater(counters["compatible"], PAIRS // 5)
        self.assertGreater(counters["read_by_all"], PAIRS // 2)
        self.assertLess(counters["java_refused"], PAIRS // 50)
        self.assertLess(counters["fastavro_refused"], counters["read_by_all"] // 5)


LOGICAL = [  # name, type, the value in Python, the value in Avro's JSON
    ("day", {"type": "int", "logicalType": "date"}, datetime.date(2020, 1, 1), 18262),
    ("millis", {"type": "int", "logicalType": "time-millis"}, datetime.time(12, 0, 0, 5000), 43200005),
    ("micros", {"type": "long", "logicalType": "time-micros"}, datetime.time(0, 0, 1, 7), 1000007),
    ("at", {"type": "long", "logicalType": "timestamp-millis"},
     datetime.datetime(1969, 12, 31, 23, 59, 59, tzinfo=datetime.timezone.utc), -1000),
    ("at_micros", {"type": "long", "logicalType": "timestamp-micros"},
     datetime.datetime(2026, 11, 26, 1, 2, 3, 4, tzinfo=datetime.timezone.utc), 1795654923000004),
    ("wall", {"type": "long", "logicalType": "local-timestamp-micros"}, datetime.datetime(1970, 1, 1, 0, 0, 0, 9), 9),
    ("price", {"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 2}, decimal.Decimal("-123456789012345678.90"),
     "\u00ffT\u00abVs\u0014\u00e0\u00f5."),
    ("rate", {"type": "fixed", "name": "Rate", "size": 4, "logicalType": "decimal", "precision": 9, "scale": 4},
     decimal.Decimal("-0.0001"), "\u00ff\u00ff\u00ff\u00ff"),
    ("id", {"type": "string", "logicalType": "uuid"}, uuid.UUID("00112233-4455-6677-8899-aabbccddeeff"),
     "00112233-4455-6677-8899-aabbccddeeff"),
]


class LogicalTypes(unittest.TestCase):
    """The same base values that src/contract/avro/generated_test.cc expects of generated structs."""

    def test_fastavro_means_by_them_what_we_mean(self):
        fastavro = avro.fastavro(logical=True)
        self.addCleanup(avro.fastavro)
        schema = {"type": "record", "name": "R", "fields": [{"name": name, "type": kind} for name, kind, _, _ in LOGICAL]}
        theirs = {name: value for name, _, value, _ in LOGICAL}
        out = io.BytesIO()
        fastavro.schemaless_writer(out, schema, theirs)
        text = json.dumps(schema)
        ours = avro.ours([{"writer": text, "reader": text, "json": [{name: value for name, _, _, value in LOGICAL}]}])[0]
        self.assertEqual(ours["values"][0]["hex"], out.getvalue().hex())
        self.assertEqual(fastavro.schemaless_reader(io.BytesIO(out.getvalue()), schema), theirs)


class Files(unittest.TestCase):
    """Container files. Schemas are those of the random pairs, so that names, unions and recursion are among them."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.fastavro = avro.fastavro()

    def written(self, seed, values, codec="null"):
        """A file of random values, by fastavro; the values as it reads them."""
        row = case(seed, values)
        schema, path = json.loads(row["writer"]), self.folder / "first.avro"
        with open(path, "wb") as file:
            self.fastavro.writer(file, schema, [for_fastavro(schema, value) for value in row["json"]], codec=codec, sync_interval=500)
        return path, self.read(path), row

    def read(self, path):
        with open(path, "rb") as file:
            return [raw(value) for value in self.fastavro.reader(file)]

    def test_files_go_from_fastavro_through_ours_and_java_and_back_with_every_codec(self):
        with avro.Java() as java:
            for codec, javas in (("null", "null"), ("deflate", "deflate"), ("snappy", "snappy"), ("zstandard", "zstandard")):
                for _ in range(3):
                    seed = secrets.token_hex(8)
                    with self.subTest(codec=codec, seed=seed):
                        first, values, _row = self.written(seed, 200, "deflate")
                        avro.copy(first, self.folder / "ours.avro", codec)
                        java.copy(self.folder / "ours.avro", self.folder / "java.avro", javas)
                        avro.copy(self.folder / "java.avro", self.folder / "back.avro", "null")
                        self.assertEqual(self.read(self.folder / "back.avro"), values)

    def test_avsc_reads_what_we_write_and_we_read_what_it_writes(self):
        command = node.command("avsc_copy.mjs")
        read = 0
        for _ in range(20):
            seed = secrets.token_hex(8)
            with self.subTest(seed=seed):
                first, values, row = self.written(seed, 50)
                if not row["writer"].startswith('{"type": "record"'):
                    continue  # a stream of Node.js ends with the first null
                avro.copy(first, self.folder / "ours.avro", "deflate")
                done = proc.run([*command, self.folder / "ours.avro", self.folder / "avsc.avro"], expect=None)
                if done.code != 0:
                    # avsc asks to be told how to take unions of types that are one in JavaScript, and cannot hold a large long.
                    self.assertRegex(done.err, "ambiguous|precision loss", row["writer"])
                    continue
                self.assertEqual(done.out.count("\n"), 50)
                avro.copy(self.folder / "avsc.avro", self.folder / "back.avro", "null")
                self.assertEqual(self.read(self.folder / "back.avro"), values, row["writer"])
                read += 1
        self.assertGreater(read, 2)


if __name__ == "__main__":
    with avro.Java() as java:
        print(f"seed {(seed := secrets.token_hex(8))}")
        print(f"counters: {json.dumps(Proof(unittest.TestCase(), java).run(seed, int(sys.argv[1])))}")
