"""weir transaction, against weir's own broker and Apache Kafka: what is open, and what hangs and is ended."""
import json
import shutil
import tempfile
import unittest
from pathlib import Path

from lib import broker, kafka, messages, wire
from lib.broker import weir
from lib.waiting import poll_until
from transactions_test import read

DEADLINE_S = 60
TRANSACTIONAL = 0x10
UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER = 3, 6


class Owner:
    """A transactional producer by hand, with as much of it as a test wants."""

    def __init__(self, port, name, timeout_ms=600_000):
        self.name, self.sequence = name, 0
        self.client = messages.Client(port)

        def found():
            asked = {"key": name, "key_type": 1, "coordinator_keys": [name]}
            return self.client.ask("FindCoordinator", 4, asked)["coordinators"][0]["error_code"] == 0
        poll_until(found, DEADLINE_S, "a coordinator")

        def started():
            self.told = self.client.ask("InitProducerId", 4, {
                "transactional_id": name, "transaction_timeout_ms": timeout_ms, "producer_id": -1, "producer_epoch": -1})
            return self.told["error_code"] == 0
        poll_until(started, DEADLINE_S, "a producer id")
        self.id, self.epoch = self.told["producer_id"], self.told["producer_epoch"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.__exit__()

    def add(self, topic, *partitions):
        answer = self.client.ask("AddPartitionsToTxn", 3, {
            "v3_and_below_transactional_id": self.name, "v3_and_below_producer_id": self.id,
            "v3_and_below_producer_epoch": self.epoch,
            "v3_and_below_topics": [{"name": topic, "partitions": list(partitions)}]})
        return answer["results_by_topic_v3_and_below"][0]["results_by_partition"][0]["partition_error_code"]

    def produce(self, topic, value=b"x", partition=0):
        """The error code of a batch in the protocol that adds no partitions."""
        batch = wire.record_batch([value], attributes=TRANSACTIONAL, producer=(self.id, self.epoch, self.sequence))
        answer = self.client.ask("Produce", 9, {
            "transactional_id": self.name, "acks": -1, "timeout_ms": 30_000,
            "topic_data": [{"name": topic, "partition_data": [{"index": partition, "records": batch}]}]})
        self.sequence += 1
        return answer["responses"][0]["partition_responses"][0]["error_code"]

    def first(self, topic, partition):
        """The error code of the first batch of a partition, asked again while its broker does not lead it yet: that a
        topic is made is answered before."""
        def taken():
            self.sequence = 0
            self.code = self.produce(topic, partition=partition)
            return self.code not in (UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER)
        poll_until(taken, DEADLINE_S, f"a leader of {topic}:{partition}")
        return self.code


class TransactionCommands:
    """What must be so whoever the broker is: `address` and `port` are its; hang() leaves a transaction open that no
    coordinator knows, in partition 0 of the topic, behind one record that is committed, and gives its producer id."""

    def weir(self, *args, **kwargs):
        return weir(*args, env={"WEIR_BOOTSTRAP": self.address}, **kwargs)

    def rows(self, *args, **kwargs):
        return [json.loads(line) for line in self.weir(*args, "-o", "jsonl", **kwargs).out.splitlines()]

    def read_committed(self, topic):
        return read(self.address, topic)

    def opened(self, topic, name, partitions=2):
        """An owner with a record in each partition of a new topic."""
        self.weir("topic", "create", topic, "--partitions", partitions)
        owner = Owner(self.port, name)
        self.addCleanup(owner.client.__exit__)
        poll_until(lambda: owner.add(topic, *range(partitions)) == 0, DEADLINE_S, f"{topic} in a transaction")
        for partition in range(partitions):
            self.assertEqual(owner.first(topic, partition), 0)
        return owner

    def test_what_is_open_is_listed_described_and_seen_in_its_partitions(self):
        owner = self.opened("seen", "seen-1")
        listed = {row["id"]: row for row in self.rows("transaction", "list", "--state", "Ongoing")}
        self.assertEqual((listed["seen-1"]["state"], listed["seen-1"]["producer"]), ("Ongoing", owner.id))
        self.assertGreaterEqual(listed["seen-1"]["coordinator"], 0)
        for wanted, filters in ((["seen-1"], ["--producer", owner.id]), (["seen-1"], ["--pattern", "seen-[0-9]"]),
                                ([], ["--pattern", "seen"]), ([], ["--longer-than", "1h", "--producer", owner.id]),
                                (["seen-1"], ["--longer-than", "0ms", "--producer", owner.id]),
                                ([], ["--state", "Empty", "--producer", owner.id])):
            with self.subTest(filters):
                self.assertEqual([row["id"] for row in self.rows("transaction", "list", *filters)], wanted)
        [row] = self.rows("transaction", "describe", "seen-1")
        self.assertEqual((row["state"], row["producer"], row["epoch"], row["timeout"], row["partitions"]),
                         ("Ongoing", owner.id, owner.epoch, 600, "seen:0,1"))
        self.assertLess(row["seconds"], 60)
        producers = self.rows("transaction", "producers", "seen")
        self.assertEqual([(each["producer"], each["partition"], each["sequence"], each["start"]) for each in producers],
                         [(owner.id, 0, 0, 0), (owner.id, 1, 0, 0)])
        self.assertEqual(len(self.rows("transaction", "producers", "seen:1")), 1)
        self.assertIn("did you mean seen-1?", self.weir("transaction", "describe", "sen-1", expect=5).err)
        self.weir("transaction", "producers", "seen:7", expect=5)
        self.weir("transaction", "producers", "seen", "--broker", 77, expect=1)

    def test_an_abort_ends_the_whole_transaction_and_fences_its_owner(self):
        owner = self.opened("ended", "ended-1")
        refused = self.weir("transaction", "abort", "ended-1", expect=3)
        self.assertIn("transaction of ended-1: what it has in 2 partitions since ", refused.err)
        self.assertEqual(self.rows("transaction", "describe", "ended-1")[0]["state"], "Ongoing")
        [row] = self.rows("transaction", "abort", "ended-1", "--yes")
        self.assertEqual((row["name"], row["result"], row["producer"]), ("ended-1", "aborted", owner.id))
        self.assertGreater(row["epoch"], owner.epoch)
        self.assertTrue(all(each["start"] is None for each in self.rows("transaction", "producers", "ended")))
        self.assertIn(owner.produce("ended"), (47, 90))  # INVALID_PRODUCER_EPOCH, PRODUCER_FENCED
        self.assertIn("there is nothing to abort", self.weir("transaction", "abort", "ended-1", "--yes").err)

    def test_a_transaction_that_a_coordinator_knows_is_not_torn(self):
        owner = self.opened("whole", "whole-1")
        hanging = self.weir("transaction", "hanging", "whole", "--longer-than", "0ms", "-o", "jsonl")
        self.assertEqual((hanging.out, hanging.err), ("", "no transaction hangs\n"))
        refused = self.weir("transaction", "abort", "--topic", "whole:0", "--start", 0, "--yes", expect=1)
        self.assertIn("weir transaction abort whole-1 ends all of it", refused.err)
        self.assertEqual(owner.produce("whole"), 0)
        for wrong in (["--topic", "whole:0"], ["--start", "0"], ["whole-1", "--topic", "whole:0", "--start", "0"], [],
                      ["--topic", "whole", "--start", "0"]):
            with self.subTest(wrong):
                self.weir("transaction", "abort", *wrong, expect=2)

    def test_a_transaction_that_hangs_is_found_and_ended(self):
        producer = self.hang("hangs")
        self.weir("produce", "hangs", "--partition", 0, stdin="after\n")
        self.assertEqual(self.read_committed("hangs"), ["before"])
        self.assertEqual(self.rows("transaction", "hanging", "hangs"), [], "it is younger than 15 minutes")
        for place in (["hangs"], ["hangs:0"], []):
            [row] = self.rows("transaction", "hanging", *place, "--longer-than", "0ms")
            self.assertEqual((row["topic"], row["partition"], row["start"], row["producer"]), ("hangs", 0, 1, producer))
        self.weir("transaction", "abort", "--topic", "hangs:0", "--start", 0, "--yes", expect=5)
        planned = self.weir("transaction", "abort", "--topic", "hangs:0", "--start", 1, "--dry-run")
        self.assertIn("from offset 1", planned.err)
        self.assertEqual(self.read_committed("hangs"), ["before"])
        [row] = self.rows("transaction", "abort", "--topic", "hangs:0", "--start", 1, "--yes")
        self.assertEqual((row["name"], row["result"]), ("hangs:0", "aborted"))
        self.assertEqual(self.read_committed("hangs"), ["before", "after"])
        self.assertEqual(self.rows("transaction", "hanging", "--longer-than", "0ms"), [])
        self.weir("transaction", "abort", "--topic", "hangs:0", "--producer", producer, "--yes", expect=5)


class OnWeirsBroker(TransactionCommands, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.start(cls.folder.name)

    @classmethod
    def start(cls, folder):
        cls.broker = broker.WeirBroker(folder)
        cls.address, cls.port = cls.broker.address, cls.broker.port

    @classmethod
    def tearDownClass(cls):
        cls.broker.process.stop()
        cls.folder.cleanup()

    def hang(self, topic):
        """What is left of a folder whose parts were brought back by hand, the coordinator's log from an older copy: the
        partition has the transaction open, and nobody knows it. Nothing that weir does by itself leaves one."""
        self.weir("topic", "create", topic, "--partitions", 1)
        self.weir("produce", topic, "--partition", 0, stdin="before\n")
        Owner(self.port, "earlier").client.__exit__()
        folder = Path(self.folder.name)
        self.assertEqual(self.broker.terminate(), 0)
        shutil.copytree(folder / "__transaction_state-0", folder / "copy")
        type(self).start(folder)
        with Owner(self.port, "lost") as owner:
            self.assertEqual(owner.add(topic, 0), 0)
            self.assertEqual(owner.produce(topic), 0)
        self.assertEqual(self.broker.terminate(), 0)
        for part in ("__transaction_state-0", "wal"):
            shutil.rmtree(folder / part)
        (folder / "weir-checkpoint").unlink()
        (folder / "copy").rename(folder / "__transaction_state-0")
        type(self).start(folder)
        return owner.id


class OnApacheKafka(TransactionCommands, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # Without this Kafka verifies each transactional append, and nothing can hang.
        cls.cluster = kafka.Kafka(heap="512m", settings={"transaction.partition.verification.enable": "false"})
        cls.address, cls.port = cls.cluster.address, cls.cluster.ports[0]

    @classmethod
    def tearDownClass(cls):
        cls.cluster.stop()

    def hang(self, topic):
        self.weir("topic", "create", topic, "--partitions", 1)
        self.weir("produce", topic, "--partition", 0, stdin="before\n")
        with Owner(self.port, "lost") as owner:
            self.assertEqual(owner.produce(topic), 0)
        return owner.id

    def test_kafkas_own_tool_sees_the_same_hanging_transaction(self):
        producer = self.hang("both")
        found = kafka.tool("TransactionsCommand", "--bootstrap-server", self.address, "find-hanging", "--topic", "both",
                           "--max-transaction-timeout", "0").out
        lines = [line.split() for line in found.splitlines()]
        ours = self.rows("transaction", "hanging", "both", "--longer-than", "0ms")
        self.assertEqual([(line[0], int(line[2]), int(line[5])) for line in lines[1:]],
                         [(row["topic"], row["producer"], row["start"]) for row in ours])
        self.assertEqual([row["producer"] for row in ours], [producer])
        self.weir("transaction", "abort", "--topic", "both:0", "--producer", producer, "--yes")


if __name__ == "__main__":
    unittest.main()
