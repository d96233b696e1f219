"""Transactions of the native client on Apache Kafka, in both protocols, and on weir: nothing torn or doubled, zombies fenced."""
import re
import tempfile
import unittest

from lib import broker, kafka, proc

PROBE = broker.ROOT / "build" / "dev" / "tests" / "client_transactions_probe"


class Transactions:
    """Against the broker at `address`."""
    time_out = ""  # what a commit says after the coordinator has aborted

    def probe(self, scenario):
        return proc.run([PROBE, scenario, self.address, scenario], deadline_s=180).out

    def test_committed_records_are_read_and_aborted_ones_are_not(self):
        self.assertEqual(self.probe("commit-and-abort"), "400 of 600 records are committed\n")
        self.check_epochs("commit-and-abort")

    def check_epochs(self, topic):
        """That the transactions of the topic spoke the protocol that they should."""

    def test_a_second_producer_of_an_id_fences_the_first(self):
        self.assertEqual(self.probe("fencing"), "fenced twice\n")

    def test_consume_transform_produce_is_exactly_once_through_aborts_and_abandoned_producers(self):
        self.assertEqual(self.probe("copy"), "400 records copied, each once\n")

    def test_offsets_of_a_member_that_lost_its_partitions_are_refused(self):
        self.assertEqual(self.probe("stale-member"), "stale members are refused\n")

    def test_a_transaction_that_the_coordinator_has_aborted_cannot_be_committed(self):
        self.assertEqual(self.probe("time-out"), f"aborted by the coordinator: {self.time_out}\n")


class OnKafka(Transactions):
    """Once for each level of the feature transaction.version."""
    level = None

    @classmethod
    def setUpClass(cls):
        cls.kafka = kafka.Kafka(heap="512m", features={"transaction.version": cls.level}, settings={
            "transaction.abort.timed.out.transaction.cleanup.interval.ms": 500})
        cls.addClassCleanup(cls.kafka.stop)
        cls.address = cls.kafka.address

    def check_epochs(self, topic):
        log = self.kafka.folder / "broker-1" / f"{topic}-0" / "00000000000000000000.log"
        dump = kafka.tool("DumpLogSegments", "--files", str(log)).out
        epochs = set(re.findall(r"producerEpoch: (\d+) .*isControl: false", dump))
        # The second protocol gives each transaction an epoch of its own, the first one keeps it.
        self.assertEqual(len(epochs) > 10, self.level == 2)


class FirstProtocol(OnKafka, unittest.TestCase):
    level = 1
    time_out = "producer_fenced"


class SecondProtocol(OnKafka, unittest.TestCase):
    level = 2
    time_out = "transaction_abortable"


class OnWeir(Transactions):
    level = None

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        weir = broker.WeirBroker(folder.name, ["--set", f"weir.transaction.version={cls.level}"])
        cls.addClassCleanup(weir.process.stop)
        cls.address = weir.address


class FirstProtocolOnWeir(OnWeir, unittest.TestCase):
    level = 1
    time_out = "producer_fenced"


class SecondProtocolOnWeir(OnWeir, unittest.TestCase):
    level = 2
    time_out = "transaction_abortable"
