"""kcat, the foreign client that people reach for first, against `weir broker`."""
import json
import tempfile
import time
import unittest

from lib import proc
from lib.broker import WeirBroker
from lib.waiting import poll_until


class Kcat(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.broker = WeirBroker(cls.folder.name, ["--set", "num.partitions=3"])

    @classmethod
    def tearDownClass(cls):
        cls.broker.process.stop()
        cls.folder.cleanup()

    def kcat(self, *args, **kwargs):
        return proc.run(["kcat", "-b", self.broker.address, *args], **kwargs)

    def produce(self, topic, lines, *args):
        self.kcat("-P", "-t", topic, *args, stdin="".join(f"{line}\n" for line in lines))

    def consume(self, topic, *args):
        return self.kcat("-C", "-t", topic, "-e", "-q", *args).out.splitlines()

    def test_the_list_names_the_broker_and_each_topic_with_its_partitions(self):
        self.produce("listed", ["x"])
        seen = json.loads(self.kcat("-L", "-J").out)
        self.assertEqual([b["name"] for b in seen["brokers"]], [self.broker.address])
        topic = next(t for t in seen["topics"] if t["topic"] == "listed")
        self.assertEqual([p["partition"] for p in topic["partitions"]], [0, 1, 2])
        leader = seen["brokers"][0]["id"]
        for partition in topic["partitions"]:
            self.assertEqual((partition["leader"], partition["replicas"], partition["isrs"]),
                             (leader, [{"id": leader}], [{"id": leader}]))
        self.assertIn("3 partitions", self.kcat("-L", "-t", "listed").out)

    def test_keys_values_and_headers_come_back_as_they_were_sent(self):
        self.kcat("-P", "-t", "dressed", "-p", "1", "-K", ":", "-H", "origin=EWR", "-H", "empty=",
                  stdin="UA1545:on time\nUA1546:late\n")
        rows = [json.loads(line) for line in self.consume("dressed", "-J")]
        self.assertEqual([(r["key"], r["payload"], r["partition"], r["offset"]) for r in rows],
                         [("UA1545", "on time", 1, 0), ("UA1546", "late", 1, 1)])
        self.assertEqual(rows[0]["headers"], ["origin", "EWR", "empty", ""])
        self.assertLess(abs(rows[0]["ts"] / 1000 - time.time()), 60)

    def test_a_null_value_stays_null(self):
        self.kcat("-P", "-t", "tombs", "-p", "0", "-K", ":", "-Z", stdin="gone:\nhere:1\n")
        rows = [json.loads(line) for line in self.consume("tombs", "-J")]
        self.assertEqual([(r["key"], r["payload"]) for r in rows], [("gone", None), ("here", "1")])

    def test_every_compression_comes_back_as_it_was_sent(self):
        lines = [f"line {i} of a text that repeats itself, repeats itself" for i in range(500)]
        for codec in ("gzip", "snappy", "lz4", "zstd"):
            with self.subTest(codec):
                self.produce(f"packed-{codec}", lines, "-p", "0", "-z", codec)
                self.assertEqual(self.consume(f"packed-{codec}"), lines)

    def test_an_idempotent_producer_is_served(self):
        lines = [f"once {i}" for i in range(1000)]
        self.produce("once", lines, "-p", "2", "-X", "enable.idempotence=true", "-X", "acks=all")
        self.assertEqual(self.consume("once"), lines)

    def test_each_level_of_acknowledgement_delivers(self):
        for acks in ("0", "1", "-1"):
            with self.subTest(acks=acks):
                self.produce(f"acks{acks}", ["a", "b"], "-p", "0", "-X", f"acks={acks}")
                poll_until(lambda: self.consume(f"acks{acks}") == ["a", "b"], 10, f"the records of acks={acks}")

    def test_reading_begins_at_the_offset_that_is_asked_for(self):
        self.produce("places", [f"v{i}" for i in range(50)], "-p", "0")
        self.assertEqual(self.consume("places", "-p", "0", "-o", "47"), ["v47", "v48", "v49"])
        self.assertEqual(self.consume("places", "-p", "0", "-o", "-2"), ["v48", "v49"])
        self.assertEqual(self.consume("places", "-p", "0", "-o", "end"), [])
        self.assertEqual(self.consume("places", "-p", "0", "-o", "beginning", "-c", "2"), ["v0", "v1"])

    def test_reading_begins_at_the_first_record_of_a_time(self):
        for value in ("first", "second", "third"):
            self.produce("times", [value], "-p", "0")
        at = [json.loads(line)["ts"] for line in self.consume("times", "-p", "0", "-J")]
        self.assertLess(at[0], at[1])
        self.assertEqual(self.consume("times", "-p", "0", "-o", f"s@{at[1]}"), ["second", "third"])
        self.assertEqual(self.consume("times", "-p", "0", "-o", f"s@{at[1]}", "-o", f"e@{at[2]}"), ["second"])

    def test_a_consumer_that_waits_sees_a_new_record_at_once(self):
        self.produce("live", ["old"], "-p", "0")
        with proc.Process(["kcat", "-C", "-b", self.broker.address, "-t", "live", "-p", "0", "-q", "-u"]) as reader:
            reader.wait_for_line("^old$", 10)
            self.produce("live", ["new"], "-p", "0")
            reader.wait_for_line("^new$", 10)

    def test_a_hundred_thousand_messages_come_back_in_order_and_nothing_twice(self):
        lines = [f"message number {i}" for i in range(100_000)]
        self.produce("many", lines, "-p", "0", "-z", "lz4", "-X", "linger.ms=5")
        self.assertEqual(self.consume("many", "-p", "0"), lines)

    def test_keys_spread_over_the_partitions_and_each_key_stays_on_one(self):
        self.produce("spread", [f"k{i % 50}:{i}" for i in range(1000)], "-K", ":")
        places, partitions = {}, set()
        for line in self.consume("spread", "-f", "%k %p %s\\n"):
            key, partition, _ = line.split()
            self.assertEqual(places.setdefault(key, partition), partition)
            partitions.add(partition)
        self.assertEqual((len(places), partitions), (50, {"0", "1", "2"}))


class AutoCreation(unittest.TestCase):
    def test_a_missing_topic_is_made_or_refused_as_the_setting_says(self):
        with tempfile.TemporaryDirectory() as folder:
            with WeirBroker(folder, ["--set", "auto.create.topics.enable=false"]) as broker:
                command = ["kcat", "-P", "-b", broker.address, "-t", "missing", "-X", "topic.metadata.refresh.interval.ms=200",
                           "-X", "topic.metadata.propagation.max.ms=500"]
                refused = proc.run(command, stdin="x\n", expect=None)
                self.assertNotEqual(refused.code, 0)
                self.assertRegex(refused.err, "Unknown topic")
                self.assertNotIn("missing", [t["topic"] for t in listed(broker)])
            with WeirBroker(folder) as broker:
                proc.run(["kcat", "-P", "-b", broker.address, "-t", "missing"], stdin="x\n")
                self.assertIn("missing", [t["topic"] for t in listed(broker)])


def listed(broker):
    """The topics as `kcat -L` shows them."""
    return json.loads(proc.run(["kcat", "-L", "-J", "-b", broker.address]).out)["topics"]
