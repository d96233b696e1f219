"""A stream application is taken over, by Kafka Streams from weir, by weir from Kafka Streams, and back: changelogs, offsets and times
that one has left are what the other goes on with, and what comes out is what either of them gives alone.

`stream_takeover_test.py kafka` is the long proof: the same on a broker of Apache Kafka.
"""
import collections
import json
import random
import shutil
import struct
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition  # noqa: E402
from confluent_kafka.admin import AdminClient, NewTopic  # noqa: E402
from lib import java, kafka, proc  # noqa: E402
from lib.broker import WeirBroker, helper  # noqa: E402
from lib.stream_app import Reader, partition_for  # noqa: E402
from lib.waiting import poll_until  # noqa: E402

PARTITIONS = 2
DEADLINE_S = 120
# Where the parts of the input begin and end. The end of a window is less than its grace before each, so that it is not closed yet.
ENDS_MS = (0, 42_000, 92_000, 132_000)
PARTS = len(ENDS_MS) - 1
INPUTS = ("visits", "users", "prices", "orders", "payments")
OUTPUTS = tuple(f"out-{what}" for what in ("counts", "letters", "named", "windows", "sliding", "sessions", "closed", "ended",
                                           "priced", "paid"))
USERS, PRODUCTS = "abcdef", ("fig", "kiwi", "lime", "pear", "plum")
Event = collections.namedtuple("Event", "topic key value at")  # at: ms since the first


def scatter(rng, topic, keys, begin, end, count, back_ms):
    """So many records of a topic by time, a quarter of them up to `back_ms` too late."""
    for at in sorted(rng.randrange(begin, end) for _ in range(count)):
        late = rng.randrange(back_ms) if rng.random() < 0.25 else 0
        yield topic, rng.choice(keys), max(0, at - late)


def each(topic, keys, at):
    return [(topic, key, at + 100 * n) for n, key in enumerate(keys)]


def part(rng, number):
    """[(topic, key, ms)] of a part. What is first in each partition is later than all before, because Kafka Streams' operators forget
    their time; behind it comes what is late, in each of the ways that there are."""
    begin, end = ENDS_MS[number:number + 2]
    rows = begin + 5000 if number else 0  # until then the rows from before hold
    late = [("visits", "a", begin - 30_000), ("visits", "b", begin - 2500), ("visits", "c", begin - 1500),
            *[("orders", key, begin - back) for back in (37_000, 22_000) for key in PRODUCTS]] if number else []
    return [*each("visits", USERS, begin + 10), *each("orders", PRODUCTS, begin + 10), *late,
            *scatter(rng, "visits", USERS, begin + 1000, end - 700, 90, 9000), *each("visits", USERS, end - 600),
            *scatter(rng, "orders", PRODUCTS, begin + 1000, end, 40, 9000),
            *each("payments", PRODUCTS, begin + 1000), *scatter(rng, "payments", PRODUCTS, begin + 2000, end, 40, 9000),
            *each("users", USERS, rows), *scatter(rng, "users", USERS, rows + 1000, end, 5, 1),
            *each("prices", PRODUCTS, rows), *scatter(rng, "prices", PRODUCTS, rows + 1000, end - 2000, 20, 6000),
            *each("prices", PRODUCTS, end - 1000)]


def parts():
    """The parts of the input: [[Event]]. No two records of two topics have the same time, so nothing is left to chance."""
    rng, count = random.Random(11), len(INPUTS)
    # A letter is of one partition's users: how those of two are mixed in a repartition is nobody's promise.
    letters = ["vw", "xy"]
    return [[Event(topic, key, f"{rng.choice(letters[partition_for(key.encode(), PARTITIONS)])}{number}{n}",
                   at // count * count + INPUTS.index(topic)) for n, (topic, key, at) in enumerate(part(rng, number))]
            for number in range(PARTS)]


class World:
    """A broker, and applications on it."""

    def __init__(self, address, folder, classes):
        self.address, self.folder, self.classes = address, Path(folder), classes
        self.begin_ms = (int(time.time()) // 60 - 5) * 60_000  # nothing is so old that it might be deleted
        self.admin = AdminClient({"bootstrap.servers": address, "log_level": 2})
        self.producer = Producer({"bootstrap.servers": address, "log_level": 2, "enable.idempotence": True})
        self.parts = parts()

    def create(self, name):
        topics = [NewTopic(f"{name}.{topic}", PARTITIONS, 1) for topic in INPUTS + OUTPUTS]
        for future in self.admin.create_topics(topics).values():
            future.result(DEADLINE_S)

    def write(self, name, events):
        failed = []
        for event in events:
            self.producer.produce(f"{name}.{event.topic}", event.value, event.key, partition_for(event.key.encode(), PARTITIONS),
                                  timestamp=self.begin_ms + event.at, on_delivery=lambda e, _: failed.append(e) if e else None)
        left = self.producer.flush(DEADLINE_S)
        if left or failed:
            raise AssertionError(f"{left} records are not written, {failed}")

    def start(self, name, kind):
        """An application, with the state that is left of one of its kind before."""
        folder = self.folder / f"{name}-{kind}"
        if kind == "kafka":
            return proc.Process(java.command("StreamTakeover", self.classes, self.address, name, folder))
        return proc.Process([helper("stream_takeover"), "--bootstrap", self.address, "--state-dir", folder],
                            env={"TAKEOVER_NAME": name})

    def wait(self, name, process, visits):
        """Until all that is written is processed, so many visits among it, and committed."""
        with Reader(self.address, PARTITIONS, group=name) as group:
            def done():
                if process.exit_code is not None:
                    raise AssertionError(f"{name} has ended:\n{process.output()[-6000:]}")
                return all(group.group_offsets(f"{name}.{topic}") == group.ends(f"{name}.{topic}") for topic in INPUTS) \
                    and sum(map(len, group.read(f"{name}.out-letters", DEADLINE_S))) >= visits
            try:
                poll_until(done, DEADLINE_S, f"{name}: the end of its input", every_s=0.3)
            except AssertionError as problem:
                raise AssertionError(f"{problem}\n{process.output()[-6000:]}") from None

    def stop(self, name, process):
        """In order; nobody is in the group then."""
        process.terminate(DEADLINE_S)

        def empty():
            return [group.state for group in self.admin.list_groups(name, timeout=30)] == ["Empty"]
        poll_until(empty, DEADLINE_S, f"{name}: an empty group", every_s=0.1)

    def read(self, names):
        """{name: {topic: {(partition, key): [(value, ms since the first)]}}} of what is committed."""
        out = {name: {topic: collections.defaultdict(list) for topic in OUTPUTS} for name in names}
        left = {(f"{name}.{topic}", n) for name in names for topic in OUTPUTS for n in range(PARTITIONS)}
        consumer = Consumer({"bootstrap.servers": self.address, "group.id": "reader", "enable.auto.commit": False, "log_level": 2,
                             "isolation.level": "read_committed", "enable.partition.eof": True})

        def at_ends():
            for message in consumer.consume(1000, 0.2):
                topic, partition = message.topic(), message.partition()
                if message.error():
                    if message.error().code() == KafkaError._PARTITION_EOF:  # others pass
                        left.discard((topic, partition))
                    continue
                name, _, topic = topic.partition(".")
                row = message.value(), message.timestamp()[1] - self.begin_ms
                out[name][topic][partition, self.shown(topic, message.key())].append(row)
            return not left
        try:
            consumer.assign([TopicPartition(*partition, 0) for partition in sorted(left)])
            poll_until(at_ends, DEADLINE_S, "the ends of all outputs")
        finally:
            consumer.close()
        return out

    def shown(self, topic, key):
        """Times of windowed keys as ms since the first."""
        times = {"out-windows": 1, "out-closed": 1, "out-sliding": 1, "out-sessions": 2, "out-ended": 2}.get(topic, 0)
        tail = struct.unpack(f">{times}q", key[len(key) - 8 * times:])
        return (key[:len(key) - 8 * times].decode(), *(at - self.begin_ms for at in tail))

    def run(self, plans):
        """{name: [kinds]} -> {name: what was written}: each of the kinds, one after the other, has a part of the input; one alone all."""
        running, left = {}, {name: list(kinds) for name, kinds in plans.items()}
        inputs = {name: list(self.parts) if len(kinds) > 1 else [sum(self.parts, [])] for name, kinds in plans.items()}
        visits = collections.Counter()

        def go_on(name):
            events = inputs[name].pop(0)
            visits[name] += sum(event.topic == "visits" for event in events)
            self.write(name, events)
            running[name] = self.start(name, left[name].pop(0))
        try:
            for name in plans:
                self.create(name)
                go_on(name)
            while running:
                for name in list(running):
                    self.wait(name, running[name], visits[name])
                    self.stop(name, running.pop(name))
                    if left[name]:
                        go_on(name)
        finally:
            for process in running.values():
                process.kill()
        return self.read(list(plans))


PLANS = {"weir-first": ("weir", "kafka", "weir"), "kafka-first": ("kafka", "weir", "kafka"),
         "weir-alone": ("weir",), "kafka-alone": ("kafka",)}


def differences(found, wanted):
    """What is wrong, as lines."""
    return [f"{topic} {key}: {found[topic].get(key)}, want {wanted[topic].get(key)}"
            for topic in OUTPUTS for key in sorted({*found[topic], *wanted[topic]}) if found[topic].get(key) != wanted[topic].get(key)]


class Takeover(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        kafka.jars()
        classes = java.classes()
        cls.addClassCleanup(shutil.rmtree, classes, ignore_errors=True)
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        broker = WeirBroker(f"{folder.name}/broker")
        cls.addClassCleanup(broker.process.stop)
        cls.wrote = World(broker.address, folder.name, classes).run(PLANS)

    def equal(self, found, wanted):
        wrong = differences(self.wrote[found], self.wrote[wanted])
        self.assertEqual(wrong, [], f"{found} is not as {wanted}:\n" + "\n".join(wrong))

    def rows(self, topic):
        return [(key, *row) for (_, key), rows in self.wrote["kafka-alone"][topic].items() for row in rows]

    def test_weir_alone_gives_what_kafka_streams_alone_gives(self):
        self.equal("weir-alone", "kafka-alone")

    def test_kafka_streams_goes_on_where_weir_stopped_and_weir_where_that_stopped(self):
        self.equal("weir-first", "kafka-alone")

    def test_weir_goes_on_where_kafka_streams_stopped_and_that_where_weir_stopped(self):
        self.equal("kafka-first", "kafka-alone")

    def test_the_parts_of_the_input_meet_in_every_store(self):
        for topic in OUTPUTS:
            self.assertGreater(len(self.rows(topic)), 10, topic)
        for number in range(1, PARTS):
            for topic in ("out-sessions", "out-ended"):
                spans = [key for key, value, _ in self.rows(topic) if value is not None and key[2] < ENDS_MS[number] < key[1]]
                self.assertGreater(len(spans), 1, topic)
            for topic in ("out-named", "out-priced", "out-paid"):  # what is of this part meets what is of the one before
                pairs = [value.decode().partition("+") for _, value, _ in self.rows(topic)]
                mixed = [pair for pair in pairs if (pair[0][1], pair[2][1]) == (f"{number}", f"{number - 1}")]
                self.assertGreater(len(mixed), 0, topic)
            old = [value for _, value, at in self.rows("out-priced") if value.decode()[1] == f"{number}" and at < ENDS_MS[number] - 36_000]
            self.assertEqual(old, [], "orders from further back than the history know no price")
        self.assertLess(len(self.rows("out-windows")), len(self.rows("out-named")), "some visits were late for their window")


def prove_on_kafka():
    with kafka.Kafka() as broker, tempfile.TemporaryDirectory() as folder:
        classes = java.classes()
        try:
            wrote = World(broker.address, folder, classes).run(PLANS)
        finally:
            shutil.rmtree(classes, ignore_errors=True)
    wrong = [line for name in PLANS for line in differences(wrote[name], wrote["kafka-alone"])]
    if wrong:
        raise SystemExit("\n".join(wrong))
    records = sum(len(rows) for of_key in wrote["kafka-alone"].values() for rows in of_key.values())
    takeovers = sum(len(kinds) - 1 for kinds in PLANS.values())
    print(f"counters: {json.dumps({'applications': len(PLANS), 'output_records': records, 'takeovers': takeovers})}")


if __name__ == "__main__":
    if sys.argv[1:] == ["kafka"]:
        prove_on_kafka()
    else:
        unittest.main()
