"""Transactions of the native client on Apache Kafka, in both protocols: nothing torn, nothing doubled, zombies fenced."""
import re
import unittest

from lib import broker, kafka, proc

PROBE = broker.ROOT / "build" / "dev" / "tests" / "client_transactions_probe"


class Transactions:
    """Once for each level of the feature transaction.version."""
    level = None
    time_out = ""  # what a commit says after the coordinator has aborted

    @classmethod
    def setUpClass(cls):
        cls.kafka = kafka.Kafka(heap="512m", features={"transaction.version": cls.level}, settings={
            "transaction.abort.timed.out.transaction.cleanup.interval.ms": 500})
        cls.addClassCleanup(cls.kafka.stop)

    def probe(self, scenario):
        return proc.run([PROBE, scenario, self.kafka.address, scenario], deadline_s=180).out

    def epochs(self, topic):
        """The producer epochs of all data batches of a topic's partition 0."""
        log = self.kafka.folder / "broker-1" / f"{topic}-0" / "00000000000000000000.log"
        dump = kafka.tool("DumpLogSegments", "--files", str(log)).out
        return set(re.findall(r"producerEpoch: (\d+) .*isControl: false", dump))

    def test_committed_records_are_read_and_aborted_ones_are_not(self):
        self.assertEqual(self.probe("commit-and-abort"), "400 of 600 records are committed\n")
        # The second protocol gives each transaction an epoch of its own, the first one keeps it.
        self.assertEqual(len(self.epochs("commit-and-abort")) > 10, self.level == 2)

    def test_a_second_producer_of_an_id_fences_the_first(self):
        self.assertEqual(self.probe("fencing"), "fenced twice\n")

    def test_consume_transform_produce_is_exactly_once_through_aborts_and_abandoned_producers(self):
        self.assertEqual(self.probe("copy"), "400 records copied, each once\n")

    def test_offsets_of_a_member_that_lost_its_partitions_are_refused(self):
        self.assertEqual(self.probe("stale-member"), "stale members are refused\n")

    def test_a_transaction_that_the_coordinator_has_aborted_cannot_be_committed(self):
        self.assertEqual(self.probe("time-out"), f"aborted by the coordinator: {self.time_out}\n")


class FirstProtocol(Transactions, unittest.TestCase):
    level = 1
    time_out = "producer_fenced"


class SecondProtocol(Transactions, unittest.TestCase):
    level = 2
    time_out = "transaction_abortable"
