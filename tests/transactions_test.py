"""Transactions with real clients: Kafka's own and librdkafka's, against `weir broker` and, for comparison, Apache Kafka 4.3.1."""
import shutil
import tempfile
import threading
import unittest

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from lib import java, kafka, proc
from lib.broker import WeirBroker
from lib.waiting import poll_until

DEADLINE_S = 40
SCENARIO_DEADLINE_S = 240


def settings(address, **more):
    return {"bootstrap.servers": address, "broker.address.family": "v4", "log_level": 2,
            **{name.replace("_", "."): value for name, value in more.items()}}


def make(address, topic, partitions=1, config=None):
    admin = AdminClient(settings(address))
    admin.create_topics([NewTopic(topic, partitions, 1, config=config or {})])[topic].result(DEADLINE_S)


def transactional(address, name, **more):
    """A producer that owns the transactional id `name`."""
    producer = Producer(settings(address, transactional_id=name, **more))
    producer.init_transactions(DEADLINE_S)
    return producer


def read(address, topic, isolation="read_committed", partition=0):
    """The values that a reader sees up to the end that it is told of."""
    consumer = Consumer(settings(address, group_id="none", enable_auto_commit=False, isolation_level=isolation,
                                 enable_partition_eof=True))
    seen = []
    try:
        consumer.assign([TopicPartition(topic, partition, 0)])

        def at_end():
            message = consumer.poll(0.5)
            if message is None:
                return False
            if message.error():
                return message.error().name() == "_PARTITION_EOF"
            seen.append(message.value().decode())
            return False
        poll_until(at_end, DEADLINE_S, f"the end of {topic}")
    finally:
        consumer.close()
    return seen


def committed(address, group, topic, partition=0):
    consumer = Consumer(settings(address, group_id=group, enable_auto_commit=False))
    try:
        return consumer.committed([TopicPartition(topic, partition)], DEADLINE_S)[0].offset
    finally:
        consumer.close()


class AsKafkaDoes(unittest.TestCase):
    """One program with Kafka's clients sees the same on Kafka and on weir: records, offsets, states, epochs, errors."""

    @classmethod
    def setUpClass(cls):
        kafka.jars()
        cls.classes = java.classes()

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.classes, ignore_errors=True)

    def what_it_saw(self, address):
        done = proc.run(java.command("Transactions", self.classes, address), deadline_s=SCENARIO_DEADLINE_S)
        return done.out.splitlines()

    def compare(self, version):
        seen = {}

        def on_kafka():
            with kafka.Kafka(features={"transaction.version": version}) as peer:
                seen["kafka"] = self.what_it_saw(peer.address)
        beside = threading.Thread(target=on_kafka)
        beside.start()
        with tempfile.TemporaryDirectory() as folder, \
                WeirBroker(folder, ["--set", f"weir.transaction.version={version}"]) as broker:
            seen["weir"] = self.what_it_saw(broker.address)
        beside.join()
        self.assertGreater(len(seen["kafka"]), 40)
        self.assertEqual(seen["weir"], seen["kafka"])

    def test_with_the_old_protocol(self):
        self.compare(1)

    def test_with_an_epoch_a_transaction(self):
        self.compare(2)


class WithLibrdkafka(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.broker = WeirBroker(self.folder.name)

    def tearDown(self):
        self.broker.process.stop()
        self.folder.cleanup()

    def restart(self, kill):
        if kill:
            self.broker.kill()
        else:
            self.broker.terminate()
        self.broker = WeirBroker(self.folder.name)

    def test_what_is_committed_is_read_and_what_is_aborted_is_not(self):
        make(self.broker.address, "t")
        producer = transactional(self.broker.address, "one")
        for number, end in enumerate((producer.commit_transaction, producer.abort_transaction, producer.commit_transaction)):
            producer.begin_transaction()
            for i in range(100):
                producer.produce("t", f"{number}-{i}")
            producer.flush(DEADLINE_S)
            end(DEADLINE_S)
        want = [f"{number}-{i}" for number in (0, 2) for i in range(100)]
        self.assertEqual(read(self.broker.address, "t"), want)
        self.assertEqual(len(read(self.broker.address, "t", "read_uncommitted")), 300)
        for kill in (False, True):
            self.restart(kill)
            self.assertEqual(read(self.broker.address, "t"), want)

    def test_offsets_count_once_their_transaction_is_committed(self):
        make(self.broker.address, "in")
        consumer = Consumer(settings(self.broker.address, group_id="readers", enable_auto_commit=False))
        consumer.subscribe(["in"])
        poll_until(lambda: consumer.poll(0.1) or consumer.assignment(), DEADLINE_S, "an assignment")
        producer = transactional(self.broker.address, "two")
        producer.begin_transaction()
        producer.send_offsets_to_transaction([TopicPartition("in", 0, 7)], consumer.consumer_group_metadata(), DEADLINE_S)
        producer.commit_transaction(DEADLINE_S)
        self.assertEqual(committed(self.broker.address, "readers", "in"), 7)
        producer.begin_transaction()
        producer.send_offsets_to_transaction([TopicPartition("in", 0, 9)], consumer.consumer_group_metadata(), DEADLINE_S)
        producer.abort_transaction(DEADLINE_S)
        self.assertEqual(committed(self.broker.address, "readers", "in"), 7)
        consumer.close()
        self.restart(kill=True)
        self.assertEqual(committed(self.broker.address, "readers", "in"), 7)

    def test_a_successor_fences_whom_it_succeeds(self):
        make(self.broker.address, "t")
        old = transactional(self.broker.address, "three")
        old.begin_transaction()
        old.produce("t", "old")
        old.flush(DEADLINE_S)
        new = transactional(self.broker.address, "three")
        new.begin_transaction()
        new.produce("t", "new")
        new.commit_transaction(DEADLINE_S)
        with self.assertRaises(KafkaException) as caught:
            old.commit_transaction(DEADLINE_S)
        self.assertTrue(caught.exception.args[0].fatal())
        self.assertEqual(read(self.broker.address, "t"), ["new"])

    def test_an_open_transaction_outlives_a_kill_and_can_be_committed(self):
        make(self.broker.address, "t")
        port = self.broker.port
        producer = transactional(self.broker.address, "four")
        producer.begin_transaction()
        producer.produce("t", "before")
        producer.flush(DEADLINE_S)
        self.broker.kill()
        self.broker = WeirBroker(self.folder.name, port=port)
        self.assertEqual(read(self.broker.address, "t"), [])
        self.assertEqual(read(self.broker.address, "t", "read_uncommitted"), ["before"])
        producer.produce("t", "behind")
        producer.commit_transaction(DEADLINE_S)
        self.assertEqual(read(self.broker.address, "t"), ["before", "behind"])


if __name__ == "__main__":
    unittest.main()
