"""The flights of 2013, counted by origin and day by a stream application that is killed and loses its state, on a broker whose
retention by time deletes what it may: the counts are those of the CSV."""
import collections
import shutil
import struct
import tempfile
import unittest
from datetime import datetime

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from lib import flights, ports, proc
from lib.broker import ROOT, WeirBroker, helper
from lib.stream_app import Reader, partition_for
from lib.waiting import poll_until

PARTITIONS, KILLS = 3, 4
DAY_MS = 24 * 60 * 60 * 1000
DEADLINE_S = 120
DEPARTURES, BY_DAY, CANARY = "departures", "by-day", "canary"
SETTINGS = ["--set", "log.retention.ms=1000", "--set", "log.retention.check.interval.ms=200",
            "--set", "group.min.session.timeout.ms=1000"]
FOR_EVER = {"retention.ms": "-1"}


def departures():
    """[(origin, carrier, timestamp)] in the order of time."""
    rows = flights.read_csv(ROOT / "examples" / "airport" / "data", "flights")
    times = {}

    def at(text):
        if text not in times:
            times[text] = int(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)
        return times[text]
    return sorted(((row["origin"], row["carrier"], at(row["time_hour"])) for row in rows), key=lambda row: row[2])


class Flights(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder, self.port = folder.name, ports.free_port()
        self.start_broker()
        admin = AdminClient({"bootstrap.servers": self.broker.address, "log_level": 2})
        topics = [NewTopic(DEPARTURES, PARTITIONS, 1, config=FOR_EVER), NewTopic(BY_DAY, PARTITIONS, 1, config=FOR_EVER),
                  NewTopic(CANARY, 1, 1)]
        for future in admin.create_topics(topics).values():
            future.result(DEADLINE_S)
        self.producer = Producer({"bootstrap.servers": self.broker.address, "enable.idempotence": True, "log_level": 2})

    def start_broker(self):
        self.broker = WeirBroker(f"{self.folder}/broker", SETTINGS, port=self.port)
        self.addCleanup(self.broker.process.stop)

    def force_retention(self):
        """What is written goes to segments when the broker stops; those that may go are gone soon after its start."""
        self.producer.produce(CANARY, "old", partition=0, timestamp=1_380_000_000_000)
        self.assertEqual(self.producer.flush(DEADLINE_S), 0)
        self.assertEqual(self.broker.terminate(DEADLINE_S), 0)
        self.start_broker()
        with Reader(self.broker.address, 1) as reader:
            poll_until(lambda: not reader.read(CANARY, DEADLINE_S)[0], DEADLINE_S, "retention")

    def start(self):
        process = proc.Process([helper("stream_flights"), "--bootstrap", self.broker.address, "--state-dir", f"{self.folder}/state",
                                "--session-timeout-ms", "3000", "--transaction-timeout-ms", "5000"])
        self.addCleanup(process.kill)
        return process

    def write(self, rows):
        for origin, carrier, timestamp in rows:
            while True:
                try:
                    self.producer.produce(DEPARTURES, carrier, origin, partition_for(origin.encode(), PARTITIONS), timestamp=timestamp)
                    break
                except BufferError:
                    self.producer.poll(0.1)
        self.assertEqual(self.producer.flush(DEADLINE_S), 0)

    def counted(self):
        with Reader(self.broker.address, PARTITIONS, group="flights") as group:
            return sum(group.group_offsets(DEPARTURES))

    def test_counts_of_days_outlive_kills_lost_state_and_retention(self):
        rows = departures()
        self.assertEqual(len(rows), 336_776)
        wanted = collections.Counter((origin, timestamp // DAY_MS * DAY_MS) for origin, _, timestamp in rows)
        process = self.start()
        part = len(rows) // KILLS
        for number in range(KILLS):
            before = number * part
            self.write(rows[before:before + part if number < KILLS - 1 else None])
            # In the middle of it.
            poll_until(lambda: self.counted() > before + part // 3, DEADLINE_S, "some of them")
            process.kill()
            if number % 2:
                shutil.rmtree(f"{self.folder}/state")
                self.force_retention()
            process = self.start()
        def all_of_them():
            if self.counted() < len(rows):
                return None
            with Reader(self.broker.address, PARTITIONS) as reader:  # a partition's marker may come behind the offsets
                updates = [record for records in reader.read(BY_DAY, DEADLINE_S) for _, record in records]
            return len(updates) >= len(rows) and updates
        updates = poll_until(all_of_them, DEADLINE_S, "all of them", every_s=0.5)
        self.assertEqual(process.terminate(DEADLINE_S), 0, process.output())
        counts = collections.Counter()
        for record in updates:
            key = record.key[:-8].decode(), struct.unpack(">q", record.key[-8:])[0]
            counts[key] += 1
            self.assertEqual(struct.unpack(">q", record.value)[0], counts[key], key)
        self.assertEqual(counts, wanted)


if __name__ == "__main__":
    unittest.main()
