"""docs/formats held against golden folders: a reader written from those pages alone, and their worked bytes."""
import re
import struct
import subprocess
import tempfile
import unittest
import uuid
from base64 import urlsafe_b64decode
from pathlib import Path

from lib import wire

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs" / "formats"
TOP_NAMES = (r"meta\.properties|\.lock|\.kafka_cleanshutdown|weir-checkpoint|(recovery-point|log-start)-offset-checkpoint|wal"
             r"|[\w.-]+-\d+")
PARTITION_NAMES = r"partition\.metadata|leader-epoch-checkpoint|lost-offsets|\d{20}\.(log|index|timeindex|snapshot)"
BLOCK = 4096


def worked(page, number):
    """The bytes of a page's worked hex block, and where they stand."""
    blocks = re.findall(r"```\n((?:[0-9a-f]{8}: .*\n)+)```", (PAGES / page).read_text(encoding="utf-8"))
    data, begin = b"", None
    for line in blocks[number].splitlines():
        place, rest = line.split(": ", 1)
        begin = int(place, 16) if begin is None else begin
        hexed = re.match(r"(?:[0-9a-f]{4} ?)+", rest + " ").group(0)
        data += bytes.fromhex(hexed)
    return begin, data


def topic_id(text):
    return urlsafe_b64decode(text + "==")


def rows(path):
    version, count, *lines = path.read_text(encoding="ascii").splitlines()
    if version != "0" or int(count) != len(lines):
        raise AssertionError(f"{path}: version {version}, {count} rows, {len(lines)} lines")
    return [line.split(" ") for line in lines]


class Wal:
    """The records of one folder that count: [(sequence, durable, [(topic id, partition, base offset, batch)])]."""

    def __init__(self, folder):
        identity = dict(line.split("=") for line in (folder / "meta.properties").read_text(encoding="ascii").split())
        files = []
        for path in sorted((folder / "wal").glob("*.wal")):
            data = path.read_bytes()
            if not any(data[:BLOCK]):
                continue
            magic, version, crc, file_id, first, durable, owner = struct.unpack_from(">8sIIQQQ16s", data)
            if magic != b"weirwal1" or version != 1 or crc != wire.crc32c(data[16:64]) or any(data[56:BLOCK]):
                raise AssertionError(f"{path}: its header is not as the page says")
            if owner != topic_id(identity["directory.id"]):
                raise AssertionError(f"{path}: of another folder")
            files.append((file_id, first, data))
        files.sort()
        self.records = []
        for index, (file_id, _, data) in enumerate(files):
            end = files[index + 1][1] if index + 1 < len(files) else 2**64
            self.records += [r for r in self._of(file_id, data) if r[0] < end]

    @staticmethod
    def _of(file_id, data):
        at = BLOCK
        while data[at:at + 4] == b"WREC":
            crc, length, count, own_id, sequence, durable, zero = struct.unpack_from(">IIIQQQQ", data, at + 4)
            if own_id != file_id:
                return
            end = at + 48 + length
            if crc != wire.crc32c(data[at + 8:end]) or zero or any(data[end:end + -end % BLOCK]):
                raise AssertionError(f"record {sequence} is not as the page says")
            entries, place = [], at + 48
            for _ in range(count):
                topic, partition, base, size = struct.unpack_from(">16siqI", data, place)
                entries.append((topic, partition, base, data[place + 32:place + 32 + size]))
                place += 32 + size
            if place != end:
                raise AssertionError(f"record {sequence}: its entries do not fit")
            yield sequence, durable, entries
            at = end + -end % BLOCK


def metadata_of(path):
    """(topics {name: (id, partitions, settings)}, next producer id) of a metadata log."""
    by_id, block = {}, None
    for key, value in keyed_records(path.read_bytes()):
        kind, rest = struct.unpack_from(">h", key)[0], key[2:]
        if value is not None:
            if struct.unpack_from(">h", value)[0] != 0:
                raise AssertionError("a value of another version")
            value = value[2:]
        if kind == 0 and value is None:
            del by_id[rest]
        elif kind == 0:
            known = by_id.setdefault(rest, {"settings": {}})
            known.update(partitions=struct.unpack_from(">i", value)[0], name=value[4:].decode())
        elif kind == 1:
            by_id[rest[:16]]["settings"][rest[16:].decode()] = value.decode()
        elif kind == 3:
            block = struct.unpack(">q", value)[0]
        else:
            raise AssertionError(f"kind {kind}")
    return {t["name"]: (i, t["partitions"], t["settings"]) for i, t in by_id.items()}, block


def keyed_records(data):
    """(key, value) of every record in whole, uncompressed batches."""
    begin = 0
    while begin < len(data):
        size = struct.unpack_from(">i", data, begin + 8)[0]
        end, at = begin + 12 + size, begin + 61
        while at < end:
            length, at = wire.read_varint(data, at)
            _, field = wire.read_varint(data, at + 1)
            _, field = wire.read_varint(data, field)
            key_size, field = wire.read_varint(data, field)
            value_size, place = wire.read_varint(data, field + key_size)
            yield data[field:field + key_size], None if value_size < 0 else data[place:place + value_size]
            at += length
        begin = end


class Formats(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        archive = ROOT / "tests" / "testdata" / "data-folder-1.tar.zst"
        subprocess.run(["tar", "--zstd", "--sparse", "-xf", archive, "-C", cls.temporary.name], check=True)
        cls.clean, cls.killed = Path(cls.temporary.name) / "clean", Path(cls.temporary.name) / "killed"

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def test_the_worked_bytes_of_the_pages_are_those_of_the_golden_folder(self):
        for page, number, file in (
                ("wal.md", 0, self.killed / "wal" / "00000003.wal"),
                ("wal.md", 1, self.killed / "wal" / "00000003.wal"),
                ("metadata-log.md", 0, self.clean / "__cluster_metadata-0" / f"{0:020}.log"),
                ("data-folder.md", 0, self.clean / "rolled-0" / f"{10:020}.index"),
                ("data-folder.md", 1, self.clean / "rolled-0" / f"{10:020}.timeindex")):
            with self.subTest(page=page, number=number):
                begin, data = worked(page, number)
                self.assertGreater(len(data), 8)
                self.assertEqual(file.read_bytes()[begin:begin + len(data)], data)
        page = (PAGES / "data-folder.md").read_text(encoding="utf-8")
        self.assertIn((self.clean / "meta.properties").read_text(encoding="ascii"), page)
        self.assertIn("".join((self.clean / "weir-checkpoint").read_text(encoding="ascii").splitlines(True)[:5]), page)

    def test_every_file_has_a_name_that_the_page_gives(self):
        for folder in (self.clean, self.killed):
            for path in folder.rglob("*"):
                depth = len(path.relative_to(folder).parts)
                names = TOP_NAMES if depth == 1 else r"\d{8}\.wal" if path.parent.name == "wal" else PARTITION_NAMES
                self.assertRegex(path.name, f"^({names})$")
        self.assertTrue((self.clean / ".kafka_cleanshutdown").exists())
        self.assertFalse((self.killed / ".kafka_cleanshutdown").exists())

    def test_the_write_ahead_log_holds_whole_batches_in_sequence(self):
        for folder in (self.clean, self.killed):
            records = Wal(folder).records
            self.assertGreater(len(records), 10)
            sequences = [sequence for sequence, _, _ in records]
            self.assertEqual(sequences, list(range(sequences[0], sequences[-1] + 1)))
            for sequence, durable, entries in records:
                self.assertLess(durable, sequence)
                for _, _, base, batch in entries:
                    self.assertEqual(struct.unpack_from(">qi", batch), (base, len(batch) - 12))
                    self.assertEqual(batch[16], 2)
                    self.assertEqual(struct.unpack_from(">I", batch, 17)[0], wire.crc32c(batch[21:]))

    def test_what_the_kill_left_is_in_the_write_ahead_log_behind_the_checkpoint(self):
        checkpoint = {row[0]: row[1:] for row in rows(self.killed / "weir-checkpoint") if row[0] != "partition"}
        later = [e for sequence, _, entries in Wal(self.killed).records if sequence > int(checkpoint["sequence"][0])
                 for e in entries]
        values = [value for _, _, _, batch in later for _, value in wire.records(batch)]
        self.assertEqual(values[:10], [b"plain-0-%03d" % i for i in range(30, 40)])
        self.assertEqual(values[10:], [b"once-2-%d" % i for i in range(3)])

    def test_the_metadata_log_tells_the_topics_their_settings_and_the_producer_ids(self):
        topics, block = metadata_of(self.clean / "__cluster_metadata-0" / f"{0:020}.log")
        self.assertEqual({name: partitions for name, (_, partitions, _) in topics.items()},
                         {"plain": 2, "rolled": 1, "tuned": 1, "once": 1, "packed": 1, "empty": 1})
        self.assertEqual(topics["tuned"][2], {"retention.ms": "-1", "max.message.bytes": "2000"})
        self.assertEqual(block, 1000)
        for name, (identity, partitions, _) in topics.items():
            self.assertNotEqual(uuid.UUID(bytes=identity).int, 0)
            for partition in range(partitions if name != "empty" else 0):
                said = (self.clean / f"{name}-{partition}" / "partition.metadata").read_text(encoding="ascii")
                self.assertRegex(said, r"^version: 0\ntopic_id: [\w-]{22}$")
                self.assertEqual(topic_id(said.split()[-1]), identity)

    def test_the_checkpoint_speaks_of_every_partition_and_its_recovery_point_is_the_end_of_the_log(self):
        said = {(topic_id(row[1]), int(row[2])): list(map(int, row[3:])) for row in rows(self.clean / "weir-checkpoint")
                if row[0] == "partition"}
        topics, _ = metadata_of(self.clean / "__cluster_metadata-0" / f"{0:020}.log")
        ends = {"plain": 30, "rolled": 25, "tuned": 1, "once": 6, "packed": 200}
        for name, end in ends.items():
            for partition in range(topics[name][1]):
                point, start, active, timestamp, at = said[topics[name][0], partition]
                self.assertEqual((point, start), (end, 0), name)
                self.assertEqual(active, 20 if name == "rolled" else 0)
                self.assertLess(at, end)
                self.assertGreater(timestamp, 0)
        kafkas = {(topic, int(n)): int(offset) for topic, n, offset in rows(self.clean / "recovery-point-offset-checkpoint")}
        self.assertEqual(kafkas["rolled", 0], 25)

    def test_indexes_point_at_batches(self):
        for log in (self.clean / "rolled-0").glob("*.log"):
            base, data = int(log.stem), log.read_bytes()
            index = list(struct.iter_unpack(">iI", log.with_suffix(".index").read_bytes()))
            self.assertGreater(len(index), 1)
            self.assertEqual(index, sorted(set(index)))
            for relative, place in index:
                first, _ = struct.unpack_from(">qi", data, place)
                self.assertEqual(first + struct.unpack_from(">i", data, place + 23)[0], base + relative)
            for timestamp, relative in struct.iter_unpack(">qi", log.with_suffix(".timeindex").read_bytes()):
                self.assertEqual(timestamp, 1_700_000_000_000)
                self.assertGreaterEqual(relative, 0)
