"""kill -9 of the real broker under producers of two clients, idempotent and transactional, beside a hundred raw requests in
flight: nothing acknowledged is lost, nothing is there twice, no transaction is there in part.

`mixed_kill_test.py ROUNDS` is the long proof.
"""
import collections
import json
import re
import shutil
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from confluent_kafka import Consumer, TopicPartition  # noqa: E402
from confluent_kafka.admin import AdminClient, NewTopic  # noqa: E402
from lib import java, kafka, ports, proc  # noqa: E402
from lib.broker import WeirBroker, helper  # noqa: E402
from lib.waiting import poll_until  # noqa: E402

ROUNDS = 10
TOPIC, PARTITIONS, EACH = "mixed", 4, 4  # four times four producers
RECORDS = 8  # of a transaction
ACKNOWLEDGED, COMMITTED = 100, 4  # at least, between two kills, of each client's idempotent and transactional producers
RAW_ACKNOWLEDGED, IN_FLIGHT = 500, 100
DEADLINE_S = 90
SETTINGS = ["--set", "weir.wal.max.bytes=16777216", "--set", "log.segment.bytes=1048576"]
WRITERS = Path(__file__).resolve().parent / "lib" / "kill_writers.py"


class Writers:
    """One process of producers."""

    def __init__(self, command, address, first, journal):
        self.journal = journal
        self.process = proc.Process([*command, address, TOPIC, PARTITIONS, first, EACH, journal])

    def progress(self):
        """(acknowledged, committed) so far."""
        if self.process.exit_code is not None:
            raise AssertionError(f"the writers have ended: {self.process.output()[-4000:]}")
        lines = re.findall(r"^progress (\d+) (\d+)$", self.process.output("out"), re.M)
        return tuple(map(int, lines[-1])) if lines else (0, 0)

    def lines(self):
        return [line.split() for line in Path(self.journal).read_text(encoding="utf-8").splitlines()]


def committed_records(address):
    """[{offset: value}] of each partition, as a reader of committed records sees them; every transaction has ended."""
    consumer = Consumer({"bootstrap.servers": address, "group.id": "judge", "enable.auto.commit": False, "log_level": 2,
                         "isolation.level": "read_committed", "enable.partition.eof": True})
    out, ended = [{} for _ in range(PARTITIONS)], set()
    consumer.assign([TopicPartition(TOPIC, n, 0) for n in range(PARTITIONS)])
    try:
        def at_end():
            for message in consumer.consume(1000, 0.2):
                if message.error():
                    ended.add(message.partition())
                else:
                    out[message.partition()][message.offset()] = message.value().decode()
            return len(ended) == PARTITIONS
        poll_until(at_end, DEADLINE_S, "the ends of the partitions")
        return out
    finally:
        consumer.close()


def judge(partitions, journals):
    """What is wrong, as lines, and what was counted."""
    wrong, counted = [], collections.Counter()
    seen = collections.Counter(value for records in partitions for value in records.values())
    wrong += [f"doubled: {value} is there {n} times" for value, n in seen.items() if n > 1]
    of_transaction = collections.Counter(value[2:].rpartition(":")[0] for value in seen if value.startswith("t:"))
    told = {}
    for kind, name, *rest in (line for journal in journals for line in journal):
        if kind in "af":
            counted["acknowledged" if kind == "a" else "failed"] += 1
            if kind == "a" and partitions[int(rest[0])].get(int(rest[1])) != name:
                wrong.append(f"lost: {name} is not at {rest}")
        else:
            told[name] = kind
            there = of_transaction.get(name, 0)
            counted[{"c": "committed", "b": "aborted", "u": "undecided"}[kind]] += 1
            if kind == "c" and there != RECORDS:
                wrong.append(f"lost: of transaction {name}, committed, {there} records are there")
            if kind == "b" and there:
                wrong.append(f"torn: of transaction {name}, aborted, {there} records are there")
    wrong += [f"torn: of transaction {name} {there} records are there" for name, there in of_transaction.items()
              if there not in (0, RECORDS) and told.get(name) != "c"]
    return wrong, counted


def kill_again_and_again(test, rounds):
    """The counters of so many kills."""
    kafka.jars()
    classes, port = java.classes(), ports.free_port()
    test.addCleanup(shutil.rmtree, classes, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        broker = WeirBroker(data, SETTINGS, port=port)
        admin = AdminClient({"bootstrap.servers": broker.address, "log_level": 2})
        admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)])[TOPIC].result(DEADLINE_S)
        groups = [Writers([sys.executable, WRITERS], broker.address, 0, f"{folder}/librdkafka"),
                  Writers(java.command("KillWriters", classes), broker.address, 2 * EACH, f"{folder}/java")]
        raw = proc.Process([helper("kill_client"), port, rounds, RAW_ACKNOWLEDGED])
        in_flight = []
        try:
            for number in range(rounds):
                before = [group.progress() for group in groups]
                poll_until(lambda: all(now[0] - then[0] >= ACKNOWLEDGED and now[1] - then[1] >= COMMITTED for now, then in
                                       zip((group.progress() for group in groups), before)), DEADLINE_S, "progress of all")
                raw.wait_for_line(rf"^ready {number}$", DEADLINE_S)
                broker.kill()
                cut = raw.wait_for_line(rf"^cut {number} in_flight=(\d+) acknowledged=(\d+)$", 10)
                in_flight.append(int(cut.group(1)))
                broker = WeirBroker(data, SETTINGS, port=port)
            test.assertEqual(raw.wait(DEADLINE_S), 0, raw.output()[-4000:])
            for group in groups:
                group.process.signal(15)
            for group in groups:
                group.process.wait(2 * DEADLINE_S)
                group.process.wait_for_line("^closed$", 5)
            test.assertGreaterEqual(min(in_flight), IN_FLIGHT)
            wrong, counted = judge(committed_records(broker.address), [group.lines() for group in groups])
            test.assertEqual(wrong, [], f"{len(wrong)} broken promises: {wrong[:20]}")
            checked = raw.wait_for_line(r"^checked batches=(\d+) records=(\d+) resent=(\d+)$", 5)
            return {"kills": rounds, "raw_batches": int(checked.group(1)), "least_requests_in_flight": min(in_flight), **counted}
        finally:
            for process in (raw, *(group.process for group in groups)):
                process.kill()
            broker.process.stop()


class UnderMixedLoad(unittest.TestCase):
    def test_ten_kills_lose_double_and_tear_nothing(self):
        print(kill_again_and_again(self, ROUNDS))


class TheJudge(unittest.TestCase):
    """It sees what it is there to see."""

    WHOLE = [{n: f"t:9:1:{n}" for n in range(RECORDS)}]

    def found(self, partitions, *lines):
        return [line.partition(":")[0] for line in judge(partitions, [[line.split() for line in lines]])[0]]

    def test_a_lost_a_doubled_and_a_torn_one_are_found(self):
        self.assertEqual(self.found([{0: "i:0:0", 1: "i:0:1"}], "a i:0:0 0 0", "a i:0:1 0 1"), [])
        self.assertEqual(self.found([{0: "i:0:0"}], "a i:0:0 0 0", "a i:0:1 0 1"), ["lost"])
        self.assertEqual(self.found([{0: "i:0:0", 1: "i:0:0"}], "a i:0:0 0 0"), ["doubled"])
        self.assertEqual(self.found(self.WHOLE, "c 9:1"), [])
        self.assertEqual(self.found(self.WHOLE, "u 9:1 why"), [])
        self.assertEqual(self.found(self.WHOLE, "b 9:1"), ["torn"])
        part = [{n: f"t:9:1:{n}" for n in range(RECORDS - 1)}]
        self.assertEqual(self.found(part, "c 9:1"), ["lost"])
        self.assertEqual(self.found(part, "u 9:1 why"), ["torn"])
        self.assertEqual(self.found([{}], "c 9:1"), ["lost"])


if __name__ == "__main__":
    if len(sys.argv) == 2 and sys.argv[1].isdigit():
        case = unittest.TestCase()
        try:
            print(f"counters: {json.dumps(kill_again_and_again(case, int(sys.argv[1])))}")
        finally:
            case.doCleanups()
    else:
        unittest.main()
