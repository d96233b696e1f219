"""Test cases in which tests/stream_app.cc runs as a process."""
import tempfile
import unittest

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from lib import ports, proc, stream_app
from lib.broker import WeirBroker, helper
from lib.stream_app import HITS, IN, LETTERS, RUNS, Reader
from lib.waiting import poll_until

PARTITIONS = 3
DEADLINE_S = 60
SHORT_SESSION = ["--session-timeout-ms", 6000]


class WithBroker(unittest.TestCase):
    """A folder, a broker of weir over a part of it, and tests/stream_app.cc."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.port = ports.free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.broker = None

    def start_broker(self, *args):
        self.broker = WeirBroker(f"{self.folder.name}/broker", args, port=self.port)
        self.addCleanup(self.broker.process.stop)

    def create(self, *names, partitions=PARTITIONS, **settings):
        admin = AdminClient({"bootstrap.servers": self.address, "log_level": 2})
        settings["retention.ms"] = "-1"  # the records are of long ago
        for future in admin.create_topics([NewTopic(name, partitions, 1, config=settings) for name in names]).values():
            future.result(DEADLINE_S)

    def begin(self):
        """A broker with the topics."""
        self.start_broker()
        self.create(IN, LETTERS, HITS)

    def start(self, *args, state="state", env=None, bootstrap=True):
        folder = None if state is None else f"{self.folder.name}/{state}"
        command = [helper("stream_app"), *(["--bootstrap", self.address] if bootstrap else []),
                   *(["--state-dir", folder] if folder else []), *SHORT_SESSION, *args]
        process = proc.Process(command, env=env)
        self.addCleanup(process.kill)
        return process

    def running(self, *args, **kwargs):
        process = self.start(*args, **kwargs)
        process.wait_for_line(RUNS, DEADLINE_S, "err")
        return process

    def write(self, values, partition=0):
        producer = Producer({"bootstrap.servers": self.address, "log_level": 2, "enable.idempotence": True})
        failed = []
        for number, value in enumerate(values):
            producer.produce(IN, value, f"key-{number}", partition, timestamp=1_700_000_000_000 + number,
                             on_delivery=lambda error, _: failed.append(error) if error else None)
        self.assertEqual(producer.flush(DEADLINE_S), 0)
        self.assertEqual(failed, [])

    def read(self, topic, committed=True, partitions=PARTITIONS):
        with Reader(self.address, partitions, committed) as reader:
            return [record for records in reader.read(topic, DEADLINE_S) for _, record in records]

    def wait_for(self, topic, count, process, committed=True):
        """Until so many records are there."""
        def there():
            self.assertIsNone(process.exit_code, process.output())
            return len(self.read(topic, committed)) >= count
        poll_until(there, DEADLINE_S, f"{count} records in {topic}", every_s=0.2)
        self.assertEqual(len(self.read(topic, committed)), count)

    def committed(self):
        with Reader(self.address, PARTITIONS, group=stream_app.NAME) as group:
            return sum(group.group_offsets(IN))

    def fails(self, *args, **kwargs):
        """What it says before it ends with 1."""
        process = self.start(*args, **kwargs)
        self.assertEqual(process.wait(DEADLINE_S), 1, process.output())
        return process.output("err")
