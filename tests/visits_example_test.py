"""examples/visits on a broker: clicks and views, in order, out of order and late, become visits, each told once."""
import re
import struct
import tempfile
import unittest
from pathlib import Path

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from lib import broker, proc
from lib.stream_app import Reader, partition_for
from lib.waiting import poll_until

EXAMPLE = broker.ROOT / "examples" / "visits"
PROGRAM = Path(broker.program()).parents[2] / "examples" / "visits" / "visits"
PARTITIONS = 2
BEGIN_MS, MINUTE_MS = 1_700_000_000_000, 60_000
DEADLINE_S = 60
# user, stream, minute; ann and dan are of one partition each.
FIRST = [("ann", "views", 0), ("ann", "clicks", 40), ("ann", "views", 45),
         ("ann", "views", 20),     # out of order: it makes one visit of two
         ("dan", "views", 10), ("dan", "views", 35), ("dan", "clicks", 36),
         ("ann", "views", 200), ("dan", "views", 300), ("dan", "clicks", 301)]
SECOND = [("ann", "clicks", 201),
          ("ann", "clicks", 30),   # late: its visit was over, and the grace too
          ("ann", "views", 172),   # late, but within the grace
          ("ann", "clicks", 231),  # what went on before the restart goes on
          ("dan", "clicks", 331), ("dan", "views", 362),
          ("ann", "views", 1000), ("dan", "views", 1000), ("ann", "clicks", 1001), ("dan", "clicks", 1001)]
OVER = {("ann", 0, 45): "3 views, 1 clicks", ("dan", 10, 36): "2 views, 1 clicks"}  # after the first part
# user, first and last minute -> what was in it
VISITS = {**OVER, ("ann", 172, 231): "2 views, 2 clicks", ("dan", 300, 331): "1 views, 2 clicks",
          ("dan", 362, 362): "1 views, 0 clicks"}


class Visits(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        started = broker.WeirBroker(f"{self.folder}/broker")
        self.addCleanup(started.process.stop)
        self.address = started.address
        admin = AdminClient({"bootstrap.servers": self.address, "log_level": 2})
        topics = [NewTopic(f"shop.{name}", PARTITIONS, 1, config={"retention.ms": "-1"}) for name in ("views", "clicks", "visits")]
        for future in admin.create_topics(topics).values():
            future.result(DEADLINE_S)

    def write(self, events):
        producer = Producer({"bootstrap.servers": self.address, "log_level": 2, "enable.idempotence": True})
        for user, stream, minute in events:
            producer.produce(f"shop.{stream}", "shoes", user, partition_for(user.encode(), PARTITIONS),
                             timestamp=BEGIN_MS + minute * MINUTE_MS)
        self.assertEqual(producer.flush(DEADLINE_S), 0)

    def run_to_the_end(self, folder):
        """The program, until all that is written is processed."""
        process = proc.Process([PROGRAM, "--bootstrap", self.address, "--state-dir", f"{self.folder}/{folder}"])
        self.addCleanup(process.kill)
        with Reader(self.address, PARTITIONS, group="visits") as group:
            def done():
                self.assertIsNone(process.exit_code, process.output())
                return all(group.group_offsets(topic) == group.ends(topic) for topic in ("shop.views", "shop.clicks"))
            poll_until(done, DEADLINE_S, "the end of the input", every_s=0.1)
        self.assertEqual(process.terminate(DEADLINE_S), 0, process.output())

    def visits(self):
        """[((user, first minute, last minute), what was in it)], as they stand in the stream."""
        out = []
        with Reader(self.address, PARTITIONS) as reader:
            for records in reader.read("shop.visits", DEADLINE_S):
                for _, record in records:
                    user, (end, begin) = record.key[:-16].decode(), struct.unpack(">qq", record.key[-16:])
                    out.append(((user, (begin - BEGIN_MS) // MINUTE_MS, (end - BEGIN_MS) // MINUTE_MS), record.value.decode()))
        return out

    def test_each_visit_is_told_once_and_whole(self):
        self.assertNotEqual(*(partition_for(user, PARTITIONS) for user in (b"ann", b"dan")))
        self.write(FIRST)
        self.run_to_the_end("first")
        self.assertEqual(dict(self.visits()), OVER)
        self.write(SECOND)
        self.run_to_the_end("second")  # on another machine, as it were
        told = self.visits()
        self.assertEqual(len(told), len(VISITS), told)
        self.assertEqual(dict(told), VISITS)

    def test_what_the_readme_shows_is_the_program(self):
        def lines(text):
            return "\n".join(line.strip() for line in text.splitlines() if line.strip())
        shown = re.findall(r"```cpp\n(.*?)```", (EXAMPLE / "README.md").read_text(), re.S)
        self.assertEqual(len(shown), 1)
        self.assertIn(lines(shown[0]), lines((EXAMPLE / "main.cc").read_text()))
        described = proc.run([PROGRAM, "--describe"]).out
        for part in ("shop.views", "shop.clicks", "shop.visits", "whole-visits"):
            self.assertIn(part, described)


if __name__ == "__main__":
    unittest.main()
