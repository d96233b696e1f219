"""Apache Kafka's own command-line tools (4.3.1, Java) on weir: over the wire, and on the files it leaves."""
import re
import tempfile
import unittest
from pathlib import Path

from lib import kafka, proc
from lib.broker import WeirBroker
from lib.waiting import poll_until

RECORDS = 8000


def dump(*args, files):
    """What DumpLogSegments says of the files; it complains on standard error."""
    done = kafka.tool("DumpLogSegments", *args, "--files", ",".join(map(str, files)))
    return done.out + done.err


class OverTheWire(unittest.TestCase):
    def test_a_topic_is_made_described_altered_written_read_measured_and_deleted(self):
        with tempfile.TemporaryDirectory() as folder, WeirBroker(folder) as broker:
            def tool(name, *args, **kwargs):
                return kafka.tool(name, "--bootstrap-server", broker.address, *args, **kwargs).out

            self.assertIn("Created topic t.",
                          tool("TopicCommand", "--create", "--topic", "t", "--partitions", "2", "--config", "segment.bytes=1048576"))
            tool("TopicCommand", "--alter", "--topic", "t", "--partitions", "3")
            described = tool("TopicCommand", "--describe", "--topic", "t")
            self.assertRegex(described, r"PartitionCount: 3\s+ReplicationFactor: 1\s+Configs: segment.bytes=1048576")
            self.assertEqual(re.findall(r"Partition: (\d)\s+Leader: 1\s+Replicas: 1\s+Isr: 1", described), ["0", "1", "2"])

            tool("ConfigCommand", "--alter", "--entity-type", "topics", "--entity-name", "t",
                 "--add-config", "retention.ms=-1", "--delete-config", "segment.bytes")
            shown = tool("ConfigCommand", "--describe", "--entity-type", "topics", "--entity-name", "t")
            self.assertIn("retention.ms=-1 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:retention.ms=-1, "
                          "DEFAULT_CONFIG:log.retention.ms=604800000}", shown)
            self.assertNotIn("segment.bytes", shown)

            tool("ConsoleProducer", "--topic", "t", "--reader-property", "parse.key=true", stdin="".join(
                f"k{i % 7}\tv{i}\n" for i in range(100)))
            ends = dict(re.findall(r"^t:(\d):(\d+)$", tool("GetOffsetShell", "--topic", "t"), re.M))
            self.assertEqual(sum(map(int, ends.values())), 100)
            self.assertEqual(set(ends), {"0", "1", "2"})
            fullest = max(ends, key=lambda p: int(ends[p]))
            read = tool("ConsoleConsumer", "--topic", "t", "--partition", fullest, "--offset", "earliest", "--max-messages",
                        ends[fullest], "--formatter-property", "print.key=true", "--timeout-ms", "20000").splitlines()
            values = [int(line.split("\tv")[1]) for line in read]
            self.assertEqual(len(values), int(ends[fullest]))
            self.assertEqual(values, sorted(values))
            for line, value in zip(read, values):
                self.assertEqual(line, f"k{value % 7}\tv{value}")

            dirs = tool("LogDirsCommand", "--describe", "--topic-list", "t")
            self.assertRegex(dirs, r'"partition":"t-%s","size":[1-9]' % fullest)
            self.assertIn(f'"logDir":"{folder}"', dirs)
            versions = tool("BrokerApiVersionsCommand")
            self.assertIn("Produce(0): 0 to 13 [usable: 13]", versions)
            self.assertIn("Fetch(1): 4 to 18 [usable: 18]", versions)
            self.assertEqual(tool("TopicCommand", "--list").split(), ["t"])
            tool("TopicCommand", "--delete", "--topic", "t")
            self.assertEqual(proc.run(["kcat", "-L", "-b", broker.address]).out.count('topic "t"'), 0)


class OnTheFiles(unittest.TestCase):
    """One folder: a topic with rolled segments written by an idempotent producer, then a clean stop."""

    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = Path(cls.temporary.name)
        with WeirBroker(cls.folder, ["--set", "log.segment.bytes=1048576"]) as broker:
            lines = "".join(f"key{i}:{i:07} {'x' * 900}\n" for i in range(RECORDS))
            proc.run(["kcat", "-P", "-b", broker.address, "-t", "rolled", "-K", ":", "-X", "enable.idempotence=true",
                      "-X", "batch.num.messages=20"], stdin=lines)
            proc.run(["kcat", "-P", "-b", broker.address, "-t", "packed", "-z", "zstd"], stdin=lines)
            rolled = poll_until(lambda: sorted((cls.folder / "rolled-0").glob("*.log"))[1:-1], 20, "segments that have rolled")
            cls.dumped_while_running = dump("--deep-iteration", files=rolled)
            assert broker.terminate() == 0
        cls.segments = sorted((cls.folder / "rolled-0").glob("*.log"))

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def test_rolled_segments_are_read_while_the_broker_runs(self):
        self.assertNotIn("isvalid: false", self.dumped_while_running)
        offsets = [int(o) for o in re.findall(r"\| offset: (\d+) ", self.dumped_while_running)]
        self.assertGreater(len(offsets), 1000)
        self.assertEqual(offsets, list(range(offsets[0], offsets[-1] + 1)))

    def test_every_record_of_rolled_and_of_active_segments_is_read_deeply(self):
        self.assertGreater(len(self.segments), 3)
        packed = sorted((self.folder / "packed-0").glob("*.log"))
        dumped = dump("--deep-iteration", "--print-data-log", files=self.segments + packed)
        self.assertNotIn("isvalid: false", dumped)
        rolled, _, rest = dumped.partition(str(packed[0]))
        keys = re.findall(r"\| offset: (\d+) .*? key: key(\d+) payload: (\d{7}) x", rolled)
        self.assertEqual([tuple(map(int, k)) for k in keys], [(i, i, i) for i in range(RECORDS)])
        self.assertIn("compresscodec: zstd", rest)
        self.assertEqual(len(re.findall(r"\| offset: \d+ ", rest)), RECORDS)
        self.assertRegex(rolled, r"producerId: \d+ producerEpoch: 0")

    def test_the_indexes_agree_with_the_segments(self):
        files = [s.with_suffix(suffix) for s in self.segments for suffix in (".index", ".timeindex")]
        filled = [f for f in files if f.stat().st_size > 0]
        self.assertGreater(len(filled), len(self.segments))
        dumped = dump(files=filled)
        self.assertIn("offset: ", dumped)
        self.assertIn("timestamp: ", dumped)
        for complaint in ("Mismatches in", "Found timestamp mismatch", "Found out of order timestamp", "Indexed offset"):
            self.assertNotIn(complaint, dumped)
        sane = dump("--index-sanity-check", files=filled)
        self.assertEqual(sane.count("passed sanity check"), len(filled))

    def test_producer_snapshots_and_epochs_are_read(self):
        snapshots = sorted((self.folder / "rolled-0").glob("*.snapshot"))
        self.assertEqual(snapshots[-1].name, f"{RECORDS:020}.snapshot")
        dumped = dump(files=snapshots[-1:])
        self.assertRegex(dumped, r"producerId: \d+ producerEpoch: 0 .*lastOffset: %d" % (RECORDS - 1))
        epochs = (self.folder / "rolled-0" / "leader-epoch-checkpoint").read_text(encoding="ascii")
        self.assertEqual(epochs, "0\n1\n0 0\n")

    def test_an_index_that_lies_is_seen_by_the_tool(self):
        # The check of the checks: without this the two above could pass on anything.
        with tempfile.TemporaryDirectory() as folder:
            source = self.segments[0]
            for suffix in (".log", ".index"):
                (Path(folder) / source.with_suffix(suffix).name).write_bytes(source.with_suffix(suffix).read_bytes())
            index = Path(folder) / source.with_suffix(".index").name
            damaged = bytearray(index.read_bytes())
            damaged[3] ^= 1  # the first entry's relative offset
            index.write_bytes(damaged)
            self.assertIn("Mismatches in", dump("--verify-index-only", files=[index]))
