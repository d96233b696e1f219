"""An application of Kafka Streams with exactly_once_v2 on `weir broker`: its counts are right whatever is killed."""
import collections
import shutil
import tempfile
import threading
import unittest

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from lib import java, kafka, ports, proc
from lib.broker import WeirBroker
from lib.waiting import poll_until

KEYS, PARTITIONS = 40, 3
BEHIND = 1000  # so many records are always there to be counted: a kill falls among them
BETWEEN_KILLS = 600
DEADLINE_S = 120


class Load(threading.Thread):
    """Writes records of many keys, never far before what has been counted."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.producer = Producer({"bootstrap.servers": address, "enable.idempotence": True, "log_level": 2, "linger.ms": 1})
        self.written, self.failed = collections.Counter(), []
        self.counted = 0  # told by the reader
        self.go_on, self.stopped = threading.Event(), False

    def run(self):
        number = 0
        while not self.stopped:
            if sum(self.written.values()) - self.counted > BEHIND:
                self.go_on.wait(0.02)
                continue
            for _ in range(20):
                number += 1
                key = f"key-{number * 7 % KEYS}"
                self.producer.produce("words", f"value {number}", key, on_delivery=self.note)
            self.producer.flush(60)

    def note(self, error, message):
        if error:
            self.failed.append(str(error))
        else:
            self.written[message.key().decode()] += 1

    def stop(self):
        self.stopped = True
        self.go_on.set()
        self.join(90)


class Counts:
    """What a reader of committed records sees of the counts."""

    def __init__(self, address):
        self.consumer = Consumer({"bootstrap.servers": address, "group.id": "reader", "enable.auto.commit": False,
                                  "isolation.level": "read_committed", "log_level": 2})
        self.consumer.assign([TopicPartition("counts", n, 0) for n in range(PARTITIONS)])
        self.of_key = collections.defaultdict(list)

    def read(self):
        """How many there are by now."""
        for message in self.consumer.consume(500, 0.1):
            if not message.error():
                self.of_key[message.key().decode()].append(int(message.value()))
        return sum(map(len, self.of_key.values()))


class ExactlyOnce(unittest.TestCase):
    def test_counts_are_right_after_two_kills_of_the_application_and_one_of_the_broker(self):
        kafka.jars()
        classes = java.classes()
        self.addCleanup(shutil.rmtree, classes, ignore_errors=True)
        folders = [tempfile.TemporaryDirectory() for _ in range(2)]
        for folder in folders:
            self.addCleanup(folder.cleanup)
        port = ports.free_port()
        brokers = [WeirBroker(folders[0].name, port=port)]
        self.addCleanup(lambda: brokers[-1].process.stop())
        address = brokers[0].address
        admin = AdminClient({"bootstrap.servers": address, "log_level": 2})
        for future in admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in ("words", "counts")]).values():
            future.result(DEADLINE_S)

        def start():
            process = proc.Process(java.command("CountKeys", classes, address, "words", "counts", folders[1].name))
            self.addCleanup(process.stop)
            return process
        load, counts = Load(address), Counts(address)
        self.addCleanup(counts.consumer.close)
        self.addCleanup(load.stop)
        application = start()
        load.start()

        def count_on(more):
            """Until so many more counts are there."""
            aim = counts.read() + more

            def reached():
                load.counted = counts.read()
                self.assertIsNone(application.exit_code, application.output()[-4000:])
                return load.counted >= aim
            poll_until(reached, DEADLINE_S, f"{aim} counts")
        for _ in range(2):
            count_on(BETWEEN_KILLS)
            application.kill()
            application = start()
        count_on(BETWEEN_KILLS)
        brokers[-1].kill()
        brokers.append(WeirBroker(folders[0].name, port=port))
        count_on(BETWEEN_KILLS)
        load.stop()
        self.assertEqual(load.failed, [])
        total = sum(load.written.values())
        poll_until(lambda: counts.read() >= total, DEADLINE_S, f"{total} counts")
        application.terminate()
        counts.read()
        self.assertEqual({key: list(range(1, n + 1)) for key, n in load.written.items()}, dict(counts.of_key))
        print(f"{total} records of {len(load.written)} keys, each counted once")


if __name__ == "__main__":
    unittest.main()
