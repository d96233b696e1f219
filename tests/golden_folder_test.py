"""Data folders that an earlier weir wrote: every later one opens them and finds in them what was put there.

`golden_folder_test.py make FILE` has made the archive of a format, once; it is never made anew.
"""
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from lib import proc, wire  # noqa: E402
from lib.broker import WeirBroker  # noqa: E402

ARCHIVE = Path(__file__).resolve().parent / "testdata" / "data-folder-1.tar.zst"
KEEP = ("retention.ms", "-1")
TIMESTAMP = 1_700_000_000_000
CODECS = ("gzip", "snappy", "lz4", "zstd")
PRODUCER = 0  # the first id that a new folder gives
DUPLICATE_IS_TOLD = 2  # batches of `once` before the kill: the last of them is sent again by the test


def plain(partition, count):
    return [b"plain-%d-%03d" % (partition, i) for i in range(count)]


def rolled(count):
    return [b"rolled-%02d " % i + b"." * 100_000 for i in range(count)]


def once(number):
    """The batch of an idempotent producer that begins with sequence 3 * number."""
    values = [b"once-%d-%d" % (number, i) for i in range(3)]
    return wire.record_batch(values, timestamp=TIMESTAMP, producer=(PRODUCER, 0, 3 * number)), values


def packed(codec):
    return [f"{codec} {i} {'same ' * 10}".rstrip().encode() for i in range(50)]


def send(client, topic, values, partition=0):
    for value in values:
        error, _ = client.produce(topic, wire.record_batch([value], timestamp=TIMESTAMP), partition)
        if error:
            raise AssertionError(f"{topic}: error {error}")


def write_both(folder):
    """`clean` is stopped cleanly; `killed` is a copy that was written further and killed."""
    with WeirBroker(folder / "clean") as broker, wire.RawClient(broker.port) as client:
        client.create_topic("plain", 2, [KEEP])
        client.create_topic("rolled", 1, [KEEP, ("segment.bytes", "1048576")])
        client.create_topic("tuned", 1, [KEEP, ("max.message.bytes", "2000")])
        for topic in ("once", "packed", "deleted", "empty"):
            client.create_topic(topic, 1, [KEEP])
        for partition in range(2):
            send(client, "plain", plain(partition, 30), partition)
        send(client, "rolled", rolled(25))
        send(client, "tuned", [b"tuned"])
        send(client, "deleted", [b"deleted"])
        assert struct.unpack_from(">q", client.call(wire.INIT_PRODUCER_ID, 1, struct.pack(">hi", -1, 0)), 6)[0] == PRODUCER
        for number in range(DUPLICATE_IS_TOLD):
            assert client.produce("once", once(number)[0]) == (0, 3 * number)
        for codec in CODECS:
            proc.run(["kcat", "-P", "-b", broker.address, "-t", "packed", "-z", codec],
                     stdin=b"".join(line + b"\n" for line in packed(codec)))
        client.call(20, 3, struct.pack(">i", 1) + wire.string("deleted") + struct.pack(">i", 30_000))
        assert broker.terminate() == 0
    shutil.copytree(folder / "clean", folder / "killed")
    with WeirBroker(folder / "killed") as broker, wire.RawClient(broker.port) as client:
        send(client, "plain", plain(0, 40)[30:])
        assert client.produce("once", once(DUPLICATE_IS_TOLD)[0]) == (0, 3 * DUPLICATE_IS_TOLD)
        broker.kill()


class GoldenFolders(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.addCleanup(self.temporary.cleanup)
        self.folder = Path(self.temporary.name)
        subprocess.run(["tar", "--zstd", "--sparse", "-xf", ARCHIVE, "-C", self.folder], check=True)

    def assert_holds(self, broker, plain_0, batches_once):
        with wire.RawClient(broker.port) as client:
            def held(topic, partition=0):
                return wire.read_all(client, topic, partition)

            self.assertEqual(held("plain", 0), list(enumerate(plain(0, plain_0))))
            self.assertEqual(held("plain", 1), list(enumerate(plain(1, 30))))
            self.assertEqual(held("rolled"), list(enumerate(rolled(25))))
            self.assertEqual(held("tuned"), [(0, b"tuned")])
            self.assertEqual(held("empty"), [])
            self.assertEqual(held("once"), list(enumerate(v for n in range(batches_once) for v in once(n)[1])))
        unpacked = proc.run(["kcat", "-C", "-b", broker.address, "-t", "packed", "-e", "-q"]).out
        self.assertEqual(unpacked.encode().splitlines(), [v for codec in CODECS for v in packed(codec)])
        listed = proc.run(["kcat", "-L", "-b", broker.address]).out
        self.assertNotIn('"deleted"', listed)
        self.assertIn('topic "plain" with 2 partitions', listed)

    def open_twice(self, name, plain_0, batches_once):
        with WeirBroker(self.folder / name) as broker, wire.RawClient(broker.port) as client:
            self.assert_holds(broker, plain_0, batches_once)
            self.assertNotRegex(broker.log(), "(?i)damage|torn|error")
            last = batches_once - 1
            self.assertEqual(client.produce("once", once(last)[0]), (0, 3 * last), "a repeated batch is known")
            self.assertEqual(client.produce("once", once(last + 7)[0])[0], 45, "a gap is out of order")
            self.assertEqual(client.produce("tuned", wire.record_batch([bytes(3000)]))[0], 10, "its setting is in force")
            self.assertEqual(client.produce("once", once(last + 1)[0]), (0, 3 * (last + 1)))
            new = struct.unpack_from(">q", client.call(wire.INIT_PRODUCER_ID, 1, struct.pack(">hi", -1, 0)), 6)[0]
            self.assertGreater(new, PRODUCER, "an id is given once")
            self.assertEqual(broker.terminate(), 0)
        with WeirBroker(self.folder / name) as broker:
            self.assert_holds(broker, plain_0, batches_once + 1)

    def test_a_folder_of_format_1_that_was_stopped_cleanly_opens(self):
        self.open_twice("clean", 30, DUPLICATE_IS_TOLD)

    def test_a_folder_of_format_1_that_was_killed_opens(self):
        self.open_twice("killed", 40, DUPLICATE_IS_TOLD + 1)


if __name__ == "__main__" and sys.argv[1:2] == ["make"]:
    with tempfile.TemporaryDirectory() as made:
        write_both(Path(made))
        subprocess.run(["tar", "-I", "zstd -19", "--sparse", "--owner=0", "--group=0", "-cf", sys.argv[2], "-C", made, "clean", "killed"],
                       check=True)
