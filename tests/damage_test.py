"""A data folder that the disk has changed: `weir log verify` finds the place, the broker serves the rest."""
import json
import tempfile
import unittest
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from lib.broker import WeirBroker, weir
from lib.waiting import poll_until

DEADLINE_S = 30
COUNT = 400


def settings(broker, **more):
    return {"bootstrap.servers": broker.address, "broker.address.family": "v4", "log_level": 2,
            **{name.replace("_", "."): value for name, value in more.items()}}


def fill(broker):
    admin = AdminClient(settings(broker))
    admin.create_topics([NewTopic("t", 1, 1)])["t"].result(DEADLINE_S)
    producer = Producer(settings(broker, linger_ms=0, batch_num_messages=1))
    for i in range(COUNT):
        producer.produce("t", f"value {i} {'.' * 200}")
    if producer.flush(DEADLINE_S):
        raise AssertionError("messages are still waiting for their delivery")


def read(broker, begin):
    """{offset: value} from `begin` to the end, and whether the broker said that something is damaged."""
    consumer = Consumer(settings(broker, group_id="none", enable_auto_commit=False, enable_partition_eof=True,
                                 auto_offset_reset="error"))
    seen, told = {}, []
    try:
        consumer.assign([TopicPartition("t", 0, begin)])

        def over():
            for message in consumer.consume(1000, 0.2):
                if message.error():
                    told.append(message.error().code())
                    return True
                seen[message.offset()] = message.value().decode()
            return False
        poll_until(over, DEADLINE_S, "the end, or an error")
    finally:
        consumer.close()
    return seen, told[0] != KafkaError._PARTITION_EOF


def lose_wal(folder):
    for path in Path(folder, "wal").iterdir():
        path.unlink()


def flip(path):
    """Changes one byte in the middle; its place."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x10
    path.write_bytes(data)
    return len(data) // 2


def segment_of(folder):
    return next(Path(folder, "t-0").glob("*.log"))


def dump(path, *options):
    done = weir("log", "dump", path, "--output", "jsonl", *options)
    return [json.loads(line) for line in done.out.splitlines()]


def verify(folder, expect):
    done = weir("log", "verify", "--data", folder, "--output", "jsonl", expect=expect)
    return [json.loads(line) for line in done.out.splitlines()], done.err


class Damage(unittest.TestCase):
    def test_a_flipped_byte_is_found_and_the_rest_is_served(self):
        with tempfile.TemporaryDirectory() as folder:
            with WeirBroker(folder) as broker:
                fill(broker)
                _, why = verify(folder, expect=1)
                self.assertIn("lock", why)
                broker.terminate()
            rows, _ = verify(folder, expect=0)
            self.assertEqual({row["state"] for row in rows}, {"whole"})
            whole = next(row for row in rows if "/t-0/" in row["file"])
            self.assertEqual(whole["to"], COUNT - 1)
            lose_wal(folder)
            place = flip(Path(whole["file"]))
            rows, why = verify(folder, expect=1)
            bad = [row for row in rows if row["state"] == "damaged"]
            self.assertEqual(len(bad), 1)
            self.assertIn("1 places are damaged", why)
            lost = range(bad[0]["from"], bad[0]["to"] + 1)
            self.assertTrue(bad[0]["at"] <= place < bad[0]["at"] + bad[0]["bytes"])
            with WeirBroker(folder) as broker:
                seen, damaged = read(broker, 0)
                self.assertTrue(damaged)
                self.assertEqual(sorted(seen), list(range(lost.start)))
                broker.wait_for_log(rf"offsets {lost.start} to {lost.stop - 1} cannot be read")
                seen, damaged = read(broker, lost.stop)
                self.assertFalse(damaged)
                self.assertEqual(sorted(seen), list(range(lost.stop, COUNT)))
                self.assertTrue(all(value.startswith(f"value {offset} ") for offset, value in seen.items()))

    def test_what_the_write_ahead_log_still_has_comes_back_while_the_broker_serves(self):
        with tempfile.TemporaryDirectory() as folder:
            with WeirBroker(folder) as broker:
                fill(broker)
                broker.terminate()
            flip(segment_of(folder))
            with WeirBroker(folder) as broker:
                read(broker, 0)
                broker.wait_for_log("batches that were damaged were taken from the write-ahead log")
                seen, damaged = read(broker, 0)
                self.assertFalse(damaged)
                self.assertEqual(sorted(seen), list(range(COUNT)))
                broker.terminate()
            rows, _ = verify(folder, expect=0)
            self.assertEqual({row["state"] for row in rows}, {"whole"})
            self.assertEqual(len(list(Path(folder, "t-0").glob("*.log.damaged"))), 1)

    def test_repair_mends_what_it_can_and_says_what_is_lost(self):
        for wal_lost in False, True:
            with self.subTest(wal_lost=wal_lost), tempfile.TemporaryDirectory() as folder:
                with WeirBroker(folder) as broker:
                    fill(broker)
                    broker.terminate()
                if wal_lost:
                    lose_wal(folder)
                flip(segment_of(folder))
                done = weir("log", "repair", "--data", folder, "--output", "jsonl", expect=1 if wal_lost else 0)
                self.assertIn(f"{0 if wal_lost else 1} damaged batches were mended", done.err)
                self.assertEqual(len(done.out.splitlines()), 1 if wal_lost else 0)
                rows, _ = verify(folder, expect=1 if wal_lost else 0)
                with WeirBroker(folder) as broker:
                    seen, damaged = read(broker, 0)
                    self.assertEqual(damaged, wal_lost)
                    if not wal_lost:
                        self.assertEqual(sorted(seen), list(range(COUNT)))

    def test_dump_shows_batches_records_indexes_and_the_write_ahead_log(self):
        with tempfile.TemporaryDirectory() as folder:
            with WeirBroker(folder) as broker:
                fill(broker)
                broker.terminate()
            path = segment_of(folder)
            rows = dump(path)
            self.assertEqual([row["offset"] for row in rows], list(range(COUNT)))
            self.assertEqual(sum(row["bytes"] for row in rows), path.stat().st_size)
            self.assertEqual({row["kind"] for row in rows}, {"data"})
            records = dump(path, "--records")
            self.assertTrue(all(r["value"].startswith(f"value {r['offset']} ") for r in records))
            self.assertEqual((records[0]["topic"], records[0]["partition"], len(records)), ("t", 0, COUNT))
            starts = {row["offset"]: row["at"] for row in rows}
            entries = dump(path.with_suffix(".index"))
            self.assertTrue(entries and all(starts[row["offset"]] == row["at"] for row in entries))
            logged = [row for wal in sorted(Path(folder, "wal").glob("*.wal")) for row in dump(wal)]
            topic_id = Path(folder, "t-0", "partition.metadata").read_text().split("topic_id: ")[1].strip()
            self.assertEqual([row["offset"] for row in logged if row["topic-id"] == topic_id], list(range(COUNT)))
            place = flip(path)
            bad = [row for row in dump(path) if row["kind"] == "damaged"]
            self.assertEqual(len(bad), 1)
            self.assertTrue(bad[0]["at"] <= place < bad[0]["at"] + bad[0]["bytes"])


if __name__ == "__main__":
    unittest.main()
