"""The native client against Apache Kafka and against weir's own broker: everything comes back as it was sent."""
import tempfile
import unittest

from lib import broker, kafka, proc

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
RECORDS = 100_000
PROBE = broker.ROOT / "build" / "dev" / "tests" / "client_kafka_probe"


def probe(address, codec):
    return proc.run([PROBE, address, f"probe-{codec}", codec, RECORDS], deadline_s=120).out


class NativeClient(unittest.TestCase):
    def read_back(self, address):
        for codec in CODECS:
            with self.subTest(codec):
                self.assertEqual(probe(address, codec), f"{RECORDS} records read back as they were sent\n")

    def test_records_of_every_codec_come_back_from_apache_kafka(self):
        with kafka.Kafka(heap="512m") as cluster:
            self.read_back(cluster.address)

    def test_records_of_every_codec_come_back_from_weirs_broker(self):
        with tempfile.TemporaryDirectory() as data, broker.WeirBroker(data) as weir:
            self.read_back(weir.address)

    def test_a_broker_that_is_not_there_is_an_error_with_its_address(self):
        done = proc.run([PROBE, "127.0.0.1:1", "t", "none", 1], expect=1)
        self.assertRegex(done.err, r"connect: connection_refused 127\.0\.0\.1:1: ")
