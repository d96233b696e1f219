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
            message = consumer.poll(0.5)
            if message is None:
                return False
            if message.error():
                told.append(message.error().code())
                return True
            seen[message.offset()] = message.value().decode()
            return False
        poll_until(over, DEADLINE_S, "the end, or an error")
    finally:
        consumer.close()
    return seen, told[0] != KafkaError._PARTITION_EOF


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
            path = Path(whole["file"])
            data = bytearray(path.read_bytes())
            data[len(data) // 2] ^= 0x10
            path.write_bytes(data)
            rows, why = verify(folder, expect=1)
            bad = [row for row in rows if row["state"] == "damaged"]
            self.assertEqual(len(bad), 1)
            self.assertIn("1 places are damaged", why)
            lost = range(bad[0]["from"], bad[0]["to"] + 1)
            self.assertTrue(bad[0]["at"] <= len(data) // 2 < bad[0]["at"] + bad[0]["bytes"])
            with WeirBroker(folder) as broker:
                seen, damaged = read(broker, 0)
                self.assertTrue(damaged)
                self.assertEqual(sorted(seen), list(range(lost.start)))
                broker.wait_for_log(rf"offsets {lost.start} to {lost.stop - 1} cannot be read")
                seen, damaged = read(broker, lost.stop)
                self.assertFalse(damaged)
                self.assertEqual(sorted(seen), list(range(lost.stop, COUNT)))
                self.assertTrue(all(value.startswith(f"value {offset} ") for offset, value in seen.items()))


if __name__ == "__main__":
    unittest.main()
