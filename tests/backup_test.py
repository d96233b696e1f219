"""`weir broker backup` beside a broker that serves: what a restore gives is a moment of it, transactions included."""
import json
import tempfile
import threading
import unittest
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from lib.broker import WeirBroker, weir
from lib.waiting import poll_until

DEADLINE_S = 60
TOPICS = "left", "right", "plain", "latest"


def settings(broker, **more):
    return {"bootstrap.servers": broker.address, "broker.address.family": "v4", "log_level": 2,
            **{name.replace("_", "."): value for name, value in more.items()}}


class Load(threading.Thread):
    """Writes the same number to `left` and `right` in one transaction, a number to `plain`, and ten keys to `latest`."""

    def __init__(self, broker):
        super().__init__(daemon=True)
        self.broker, self.stopping, self.trouble = broker, threading.Event(), None
        self.committed = self.plain = 0  # acknowledged: all numbers below

    def run(self):
        try:
            self.work()
        except Exception as trouble:  # pylint: disable=broad-except
            self.trouble = trouble

    def work(self):
        both = Producer(settings(self.broker, transactional_id="both"))
        plain = Producer(settings(self.broker, enable_idempotence=True, linger_ms=1))
        both.init_transactions(DEADLINE_S)
        acknowledged = []
        while not self.stopping.is_set():
            both.begin_transaction()
            for topic in "left", "right":
                both.produce(topic, str(self.committed))
            both.commit_transaction(DEADLINE_S)
            self.committed += 1
            for i in range(20):
                number = self.plain + i
                plain.produce("plain", f"{number} {'.' * 500}",
                              on_delivery=lambda error, message: acknowledged.append(error))
                plain.produce("latest", f"{number} {'.' * 2000}", key=str(number % 10))
            if plain.flush(DEADLINE_S) or any(acknowledged):
                raise AssertionError(f"a delivery failed: {acknowledged}")
            self.plain += 20

    def wait_for(self, committed):
        poll_until(lambda: self.committed >= committed or self.trouble, DEADLINE_S, f"{committed} transactions")
        if self.trouble:
            raise self.trouble

    def stop(self):
        self.stopping.set()
        self.join(DEADLINE_S)
        if self.trouble:
            raise self.trouble


def read(broker, topic):
    """The values of a topic, what is committed only."""
    consumer = Consumer(settings(broker, group_id="none", enable_auto_commit=False, enable_partition_eof=True,
                                 isolation_level="read_committed", auto_offset_reset="error"))
    values = []
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])

        def over():
            for message in consumer.consume(1000, 0.5):
                if message.error():
                    if message.error().code() != KafkaError._PARTITION_EOF:
                        raise AssertionError(message.error())
                    return True
                values.append((message.key(), message.value().decode()))
            return False
        poll_until(over, DEADLINE_S, f"the end of {topic}")
    finally:
        consumer.close()
    return values


def command(*arguments, expect=0):
    done = weir("broker", *arguments, "--output", "json", expect=expect)
    return json.loads(done.out)[0] if done.out else None, done.err


class Backup(unittest.TestCase):
    def start(self, broker):
        admin = AdminClient(settings(broker))
        small = {"segment.bytes": str(1 << 20)}
        compacted = {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.01", **small}
        made = admin.create_topics([NewTopic(t, 1, 1, config=compacted if t == "latest" else small) for t in TOPICS])
        for future in made.values():
            future.result(DEADLINE_S)
        load = Load(broker)
        load.start()
        return load

    def check(self, folder, committed, plain):
        """A broker over the folder has at least what was acknowledged, whole and in order."""
        with WeirBroker(folder) as broker:
            # It is a broker like any other. A transaction that was open at that moment is aborted.
            producer = Producer(settings(broker, transactional_id="both"))
            producer.init_transactions(DEADLINE_S)
            left, right = ([int(v) for _, v in read(broker, t)] for t in ("left", "right"))
            self.assertEqual(left, right)
            self.assertEqual(left, list(range(len(left))))
            self.assertGreaterEqual(len(left), committed)
            numbers = [int(v.split()[0]) for _, v in read(broker, "plain")]
            self.assertEqual(numbers, list(range(len(numbers))))
            self.assertGreaterEqual(len(numbers), plain)
            newest = {}
            for key, value in read(broker, "latest"):
                newest[int(key)] = int(value.split()[0])
            self.assertTrue(all(value % 10 == key and value >= plain - 10 for key, value in newest.items()))
            self.assertEqual(len(newest), 10)
            producer.begin_transaction()
            producer.produce("left", str(len(left)))
            producer.produce("right", str(len(left)))
            producer.commit_transaction(DEADLINE_S)
            self.assertEqual(len(read(broker, "left")), len(left) + 1)
            broker.terminate()

    def test_a_restore_has_what_was_acknowledged_before_the_backup_and_whole_transactions(self):
        with tempfile.TemporaryDirectory() as root:
            data, to = Path(root, "data"), Path(root, "backup")
            with WeirBroker(data) as broker:
                load = self.start(broker)
                for number in range(3):
                    load.wait_for(load.committed + 60)
                    committed, plain = load.committed, load.plain
                    row, _ = command("backup", "--data", data, "--to", to)
                    self.assertEqual(row["damaged"], 0)
                    if number > 0:
                        self.assertLess(row["done"], row["bytes"])
                    self.assertEqual(command("verify", "--from", to)[0]["done"], row["bytes"])
                    restored = Path(root, f"restored-{number}")
                    command("restore", "--from", to, "--data", restored)
                    self.check(restored, committed, plain)
                load.stop()
                broker.kill()
            self.assertNotIn("weir-restored", [p.name for p in restored.iterdir()])

    def test_mistakes_are_named_and_change_nothing(self):
        with tempfile.TemporaryDirectory() as root:
            data, to = Path(root, "data"), Path(root, "backup")
            with WeirBroker(data) as broker:
                broker.terminate()
            _, why = command("backup", "--data", root, "--to", to, expect=5)
            self.assertIn("no meta.properties", why)
            _, why = command("verify", "--from", data, expect=5)
            self.assertIn("no backup", why)
            command("backup", "--data", data, "--to", to)
            _, why = command("restore", "--from", to, "--data", data, expect=1)
            self.assertIn("not empty", why)
            with WeirBroker(Path(root, "other")) as broker:
                broker.terminate()
            _, why = command("backup", "--data", Path(root, "other"), "--to", to, expect=1)
            self.assertIn("another cluster", why)
            victim = max((p for p in to.rglob("*") if p.is_file() and p.name != "weir-backup"),
                         key=lambda p: p.stat().st_size)
            content = bytearray(victim.read_bytes())
            content[len(content) // 2] ^= 1
            victim.write_bytes(content)
            _, why = command("verify", "--from", to, expect=1)
            self.assertIn("wrong checksum", why)


if __name__ == "__main__":
    unittest.main()
