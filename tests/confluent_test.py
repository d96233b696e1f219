"""confluent-kafka-python over librdkafka 2.0.2, as Debian 12 has them, against `weir broker`."""
import tempfile
import time
import unittest

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic

from lib.broker import WeirBroker
from lib.waiting import poll_until

DEADLINE_S = 20


def client_settings(broker, **more):
    return {"bootstrap.servers": broker.address, "broker.address.family": "v4",
            **{name.replace("_", "."): value for name, value in more.items()}}


def make(broker, topic, partitions=1, config=None):
    """Makes a topic and waits until it is there."""
    admin = AdminClient(client_settings(broker))
    admin.create_topics([NewTopic(topic, partitions, 1, config=config or {})])[topic].result(DEADLINE_S)
    return admin


def send(broker, topic, values, partition=0, **settings):
    """Sends values to one partition; [(offset, error)] of each in the order of the delivery reports."""
    told, producer = [], Producer(client_settings(broker, **settings))
    for value in values:
        producer.produce(topic, value, partition=partition, on_delivery=lambda error, m: told.append((m.offset(), error)))
    if producer.flush(DEADLINE_S):
        raise AssertionError("messages are still waiting for their delivery")
    return told


class Reader:
    """A consumer with assigned partitions and no group."""

    def __init__(self, broker, **settings):
        self.consumer = Consumer(client_settings(broker, group_id="none", enable_auto_commit=False, **settings))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.consumer.close()

    def read(self, topic, count, offset=OFFSET_BEGINNING, partition=0):
        """`count` messages from `offset` on."""
        self.consumer.assign([TopicPartition(topic, partition, offset)])
        return self.take(count)

    def take(self, count):
        messages, end = [], time.monotonic() + DEADLINE_S
        while len(messages) < count and time.monotonic() < end:
            for message in self.consumer.consume(count - len(messages), 0.5):
                if message.error():
                    raise KafkaException(message.error())
                messages.append(message)
        if len(messages) < count:
            raise AssertionError(f"{len(messages)} messages of {count}")
        return messages


class Confluent(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.broker = WeirBroker(cls.folder.name)

    @classmethod
    def tearDownClass(cls):
        cls.broker.process.stop()
        cls.folder.cleanup()

    def test_every_level_of_acknowledgement_delivers_in_order(self):
        values = [f"v{i}".encode() for i in range(300)]
        with Reader(self.broker) as reader:
            for acks in ("all", "1", "0"):
                with self.subTest(acks=acks):
                    make(self.broker, f"acks-{acks}")
                    told = send(self.broker, f"acks-{acks}", values, acks=acks)
                    self.assertEqual([error for _, error in told], [None] * 300)
                    if acks != "0":
                        self.assertEqual([offset for offset, _ in told], list(range(300)))
                    self.assertEqual([m.value() for m in reader.read(f"acks-{acks}", 300)], values)

    def test_an_idempotent_producer_delivers_once_and_in_order(self):
        make(self.broker, "once")
        values = [f"v{i}".encode() for i in range(2000)]
        told = send(self.broker, "once", values, enable_idempotence=True, batch_num_messages=50)
        self.assertEqual(told, [(i, None) for i in range(2000)])
        with Reader(self.broker) as reader:
            self.assertEqual([m.value() for m in reader.read("once", 2000)], values)

    def test_a_consumer_seeks_and_is_told_the_ends(self):
        make(self.broker, "places", partitions=2)
        send(self.broker, "places", [f"v{i}".encode() for i in range(100)], partition=1)
        with Reader(self.broker) as reader:
            self.assertEqual(reader.consumer.get_watermark_offsets(TopicPartition("places", 1), DEADLINE_S), (0, 100))
            self.assertEqual(reader.consumer.get_watermark_offsets(TopicPartition("places", 0), DEADLINE_S), (0, 0))
            self.assertEqual(reader.read("places", 1, 97, 1)[0].value(), b"v97")
            reader.consumer.seek(TopicPartition("places", 1, 12))
            self.assertEqual([m.offset() for m in reader.take(3)], [12, 13, 14])

    def test_offsets_are_found_by_time_to_the_record(self):
        make(self.broker, "times")
        producer = Producer(client_settings(self.broker, linger_ms=50))
        base = int(time.time() * 1000) - 100_000
        for i in range(100):  # one batch: the record decides, not the batch
            producer.produce("times", b"x", partition=0, timestamp=base + 10 * i)
        producer.flush(DEADLINE_S)
        with Reader(self.broker) as reader:
            for asked, wanted in ((base, 0), (base + 495, 50), (base + 500, 50), (base + 990, 99), (base + 991, -1)):
                found = reader.consumer.offsets_for_times([TopicPartition("times", 0, asked)], DEADLINE_S)[0]
                self.assertIsNone(found.error)
                self.assertEqual(found.offset, wanted, f"{asked - base} ms after the first")
            message = reader.read("times", 1, 7)[0]
            self.assertEqual(message.timestamp()[1], base + 70)

    def test_topics_are_made_listed_and_deleted_and_a_second_of_one_name_is_refused(self):
        admin = make(self.broker, "brief", partitions=4)
        self.assertEqual(len(admin.list_topics("brief", DEADLINE_S).topics["brief"].partitions), 4)
        with self.assertRaises(KafkaException) as twice:
            admin.create_topics([NewTopic("brief", 1, 1)])["brief"].result(DEADLINE_S)
        self.assertEqual(twice.exception.args[0].name(), "TOPIC_ALREADY_EXISTS")
        admin.delete_topics(["brief"])["brief"].result(DEADLINE_S)
        poll_until(lambda: "brief" not in admin.list_topics(timeout=DEADLINE_S).topics, DEADLINE_S, "the topic's end")
        with self.assertRaises(KafkaException) as gone:
            admin.delete_topics(["brief"])["brief"].result(DEADLINE_S)
        self.assertEqual(gone.exception.args[0].name(), "UNKNOWN_TOPIC_OR_PART")

    def test_a_topic_made_again_under_an_old_name_is_empty(self):
        admin = make(self.broker, "phoenix")
        send(self.broker, "phoenix", [b"old"] * 10)
        admin.delete_topics(["phoenix"])["phoenix"].result(DEADLINE_S)
        make(self.broker, "phoenix")
        self.assertEqual(send(self.broker, "phoenix", [b"new"]), [(0, None)])
        with Reader(self.broker) as reader:
            self.assertEqual(reader.read("phoenix", 1)[0].value(), b"new")

    def test_partitions_are_added_and_can_be_written_at_once(self):
        admin = make(self.broker, "grows")
        admin.create_partitions([NewPartitions("grows", 3)])["grows"].result(DEADLINE_S)
        self.assertEqual(len(admin.list_topics("grows", DEADLINE_S).topics["grows"].partitions), 3)
        self.assertEqual(send(self.broker, "grows", [b"v"], partition=2), [(0, None)])
        with self.assertRaises(KafkaException) as fewer:
            admin.create_partitions([NewPartitions("grows", 2)])["grows"].result(DEADLINE_S)
        self.assertEqual(fewer.exception.args[0].name(), "INVALID_PARTITIONS")

    def test_settings_of_a_topic_are_shown_and_altered(self):
        admin = make(self.broker, "tuned", config={"retention.ms": "-1"})
        resource = ConfigResource(ConfigResource.Type.TOPIC, "tuned")

        def shown():
            return admin.describe_configs([resource])[resource].result(DEADLINE_S)

        self.assertEqual(shown()["retention.ms"].value, "-1")
        self.assertFalse(shown()["retention.ms"].is_default)
        self.assertTrue(shown()["segment.bytes"].is_default)
        altered = ConfigResource(ConfigResource.Type.TOPIC, "tuned", set_config={"segment.bytes": "2097152"})
        admin.alter_configs([altered])[altered].result(DEADLINE_S)
        self.assertEqual(shown()["segment.bytes"].value, "2097152")
        self.assertTrue(shown()["retention.ms"].is_default, "AlterConfigs replaces the whole set")
        wrong = ConfigResource(ConfigResource.Type.TOPIC, "tuned", set_config={"preallocate": "true"})
        with self.assertRaises(KafkaException) as refused:
            admin.alter_configs([wrong])[wrong].result(DEADLINE_S)
        self.assertEqual(refused.exception.args[0].name(), "INVALID_CONFIG")

    def test_settings_of_the_broker_are_shown(self):
        admin = AdminClient(client_settings(self.broker))
        node = next(iter(admin.list_topics(timeout=DEADLINE_S).brokers))
        resource = ConfigResource(ConfigResource.Type.BROKER, str(node))
        shown = admin.describe_configs([resource])[resource].result(DEADLINE_S)
        self.assertEqual(shown["num.partitions"].value, "1")
        self.assertTrue(shown["listeners"].is_read_only)


class Restart(unittest.TestCase):
    def test_batches_ids_and_settings_survive_a_clean_stop_and_a_kill(self):
        values = [f"v{i}".encode() for i in range(600)]
        with tempfile.TemporaryDirectory() as folder:
            for life, end in enumerate((WeirBroker.terminate, WeirBroker.kill, WeirBroker.terminate)):
                with WeirBroker(folder) as broker:
                    if life == 0:
                        make(broker, "lasting", config={"retention.ms": "-1"})
                    told = send(broker, "lasting", values[200 * life:200 * life + 200], enable_idempotence=True)
                    self.assertEqual(told, [(i, None) for i in range(200 * life, 200 * life + 200)])
                    end(broker)
            with WeirBroker(folder) as broker, Reader(broker) as reader:
                messages = reader.read("lasting", 600)
                self.assertEqual([(m.offset(), m.value()) for m in messages], list(enumerate(values)))
                admin, resource = AdminClient(client_settings(broker)), ConfigResource(ConfigResource.Type.TOPIC, "lasting")
                self.assertEqual(admin.describe_configs([resource])[resource].result(DEADLINE_S)["retention.ms"].value, "-1")
