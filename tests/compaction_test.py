"""Compaction, re-compression and the deletion of records by the real broker, told by Kafka's own tools and librdkafka."""
import json
import re
import tempfile
import unittest
from pathlib import Path

from confluent_kafka import Producer

from lib import kafka
from lib.broker import WeirBroker, weir
from lib.waiting import poll_until

COMPACT_SOON = ("--set", "log.cleaner.backoff.ms=200", "--set", "log.segment.bytes=1048576",
                "--set", "log.cleaner.min.cleanable.ratio=0.1", "--log-level", "info")


def records(broker, topic):
    """(key, value) of every record in a topic of one partition, in order; a value of None is a tombstone."""
    out = weir("consume", topic, "-b", broker.address, "-o", "jsonl").out
    return [(row["key"], row["value"]) for row in map(json.loads, out.splitlines())]


class Compaction(unittest.TestCase):
    def test_kafkas_log_compaction_tester_is_content(self):
        with tempfile.TemporaryDirectory() as folder, WeirBroker(folder, COMPACT_SOON) as broker:
            # It writes what it sent and what it read beside each other, and compares.
            said = kafka.tool("LogCompactionTester", "--bootstrap-server", broker.address, "--messages", "400000", "--topics",
                              "2", "--duplicates", "5", "--percent-deletes", "10", "--sleep", "5").out
            self.assertRegex(said, r"Validated \d+ values, 0 mismatches")
            self.assertIn("Data verification is completed", said)
            self.assertRegex(broker.log(), r"log-cleaner-test\S+: compacted up to offset \d+: \d+ records kept, [1-9]\d+ dropped")

    def test_the_newest_value_of_every_key_survives_compaction_and_kill_9(self):
        with tempfile.TemporaryDirectory() as folder:
            with WeirBroker(folder, COMPACT_SOON) as broker:
                weir("topic", "create", "t", "-b", broker.address, "--partitions", "1", "--set", "cleanup.policy=compact",
                     "--set", "delete.retention.ms=0")
                producer = Producer({"bootstrap.servers": broker.address, "linger.ms": 5})
                for i in range(30_000):
                    producer.produce("t", key=f"k{i % 100}", value=f"{i}:" + "." * 200)
                    producer.poll(0)
                for k in range(50):
                    producer.produce("t", key=f"k{k}", value=None)
                self.assertEqual(producer.flush(60), 0)
                broker.wait_for_log(r"t-0: compacted up to", 30)
                broker.kill()
            with WeirBroker(folder, COMPACT_SOON) as broker:
                found = records(broker, "t")
                self.assertLess(len(found), 25_000)
                last = dict(found)
                self.assertEqual({k: v.split(":")[0] for k, v in last.items() if v is not None},
                                 {f"k{k}": str(29_900 + k) for k in range(50, 100)})

    def test_a_record_without_a_key_is_refused_by_name_and_the_batch_with_it(self):
        with tempfile.TemporaryDirectory() as folder, WeirBroker(folder) as broker:
            weir("topic", "create", "t", "-b", broker.address, "--set", "cleanup.policy=compact")
            failed = []
            producer = Producer({"bootstrap.servers": broker.address})
            producer.produce("t", value="no key", on_delivery=lambda error, _: failed.append(error))
            producer.flush(30)
            self.assertEqual(failed[0].name(), "INVALID_RECORD")
            self.assertEqual(records(broker, "t"), [])

    def test_kafkas_tool_deletes_records_and_they_stay_deleted(self):
        with tempfile.TemporaryDirectory() as folder:
            with WeirBroker(folder) as broker:
                weir("topic", "create", "t", "-b", broker.address, "--partitions", "1")
                weir("topic", "create", "c", "-b", broker.address, "--partitions", "1", "--set", "cleanup.policy=compact")
                weir("produce", "t", "-b", broker.address, stdin="".join(f"{i}\n" for i in range(10)))
                ask = Path(folder) / "delete.json"
                ask.write_text(json.dumps({"version": 1, "partitions": [{"topic": "t", "partition": 0, "offset": 7},
                                                                        {"topic": "c", "partition": 0, "offset": -1}]}))
                said = kafka.tool("DeleteRecordsCommand", "--bootstrap-server", broker.address, "--offset-json-file", ask,
                                  expect=None).out
                self.assertIn("partition: t-0\tlow_watermark: 7", said)
                self.assertIn("partition: c-0\terror: org.apache.kafka.common.errors.PolicyViolationException", said)
                broker.kill()
            with WeirBroker(folder) as broker:
                self.assertEqual([v for _, v in records(broker, "t")], ["7", "8", "9"])

    def test_a_topics_compression_type_is_that_of_its_files(self):
        with tempfile.TemporaryDirectory() as folder:
            with WeirBroker(folder) as broker:
                for codec in ("uncompressed", "gzip", "snappy", "lz4", "zstd", "producer"):
                    weir("topic", "create", codec, "-b", broker.address, "--partitions", "1", "--set", f"compression.type={codec}")
                    producer = Producer({"bootstrap.servers": broker.address, "compression.type": "lz4"})
                    for i in range(100):
                        producer.produce(codec, key=str(i), value="the same again and again " * 5)
                    self.assertEqual(producer.flush(30), 0)
                    self.assertEqual([k for k, _ in records(broker, codec)], [str(i) for i in range(100)])
            for codec in ("uncompressed", "gzip", "snappy", "lz4", "zstd", "producer"):
                file = Path(folder) / f"{codec}-0" / "00000000000000000000.log"
                dumped = kafka.tool("DumpLogSegments", "--deep-iteration", "--files", file).out
                stored = {"uncompressed": "none", "producer": "lz4"}.get(codec, codec)
                self.assertEqual(set(re.findall(r"compresscodec: (\w+)", dumped)), {stored}, codec)
                self.assertEqual(len(re.findall(r"^\| offset: ", dumped, re.M)), 100)

    def test_the_deletion_of_a_log_leaves_room_for_another_of_the_name(self):
        with tempfile.TemporaryDirectory() as folder, WeirBroker(folder, COMPACT_SOON) as broker:
            for life in range(3):
                weir("topic", "create", "t", "-b", broker.address, "--partitions", "1", "--set", "cleanup.policy=compact")
                producer = Producer({"bootstrap.servers": broker.address})
                for i in range(8_000):
                    producer.produce("t", key=f"k{i % 10}", value=f"{life}" + "." * 300)
                    producer.poll(0)
                self.assertEqual(producer.flush(60), 0)
                last = dict(records(broker, "t"))
                self.assertEqual({v[0] for v in last.values()}, {str(life)})
                weir("topic", "delete", "t", "-b", broker.address, "--yes")
                poll_until(lambda: "t" not in weir("topic", "list", "-b", broker.address, "-o", "name").out.split(), 10,
                           "the topic is gone")
            self.assertNotIn("ERROR", broker.log())


if __name__ == "__main__":
    unittest.main()
