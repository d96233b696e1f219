"""kill -9 of instances of a stream application, some with the loss of their state, on weir and on three brokers of Kafka:
every record is counted exactly once, and every late one dropped, as if nothing had happened.

`stream_kill_test.py ROUNDS INPUTS` is the long proof.
"""
import json
import random
import shutil
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from confluent_kafka import Producer  # noqa: E402
from confluent_kafka.admin import AdminClient, NewTopic  # noqa: E402
from lib import kafka, stream_app  # noqa: E402
from lib.broker import WeirBroker  # noqa: E402
from lib.stream_app import HITS, HITS_LOG, IN, LETTERS, LETTERS_LOG, REPARTITION, Reader, Record, int64, judge  # noqa: E402
from lib.waiting import poll_until  # noqa: E402

ROUNDS, INPUTS = 3, 6000
INSTANCES, PARTITIONS, KEYS = 3, 4, 20
CHUNK, PAUSE_S = 20, 0.01  # some 2000 records a second, so that each kill falls among them
STATE_LOST, SECOND_KILL = 0.3, 0.25  # of kills; the second falls into the rebalance that the first has begun
COMMIT_S = 0.1
DEADLINE_S = 120
START_MS, STEP_MS = 1_700_000_000_000, 5
TOPICS = (IN, REPARTITION, LETTERS, HITS, LETTERS_LOG, HITS_LOG)
# Of the dead: how soon others have their tasks, and how soon nobody waits for their transactions.
ARGS = ["--session-timeout-ms", 3000, "--transaction-timeout-ms", 5000]


def made(count, seed=0):
    """Records with timestamps that rise; some are out of order, some too late for their window."""
    rng = random.Random(seed)
    for number in range(count):
        back = rng.choices((0, rng.randrange(1500), rng.randrange(2500, 6000)), (90, 6, 4))[0]
        key = f"key-{rng.randrange(KEYS)}".encode()
        yield Record(key, f"{rng.choice('abcdefghijkl')}-{number}".encode(), START_MS + number * STEP_MS - back)


class Load(threading.Thread):
    """Writes the records, at its pace."""

    def __init__(self, address, count):
        super().__init__(daemon=True)
        self.producer = Producer({"bootstrap.servers": address, "enable.idempotence": True, "log_level": 2, "linger.ms": 1})
        self.count, self.allowed, self.written, self.failed = count, 0, 0, []
        self.halt = threading.Event()

    def run(self):
        for record in made(self.count):
            while self.written >= self.allowed and not self.halt.is_set():
                self.halt.wait(PAUSE_S)
            if self.halt.is_set():
                return
            self.producer.produce(IN, record.value, record.key, stream_app.partition_for(record.key, PARTITIONS),
                                  timestamp=record.timestamp, on_delivery=self.note)
            self.written += 1
            if self.written % CHUNK == 0:
                self.producer.poll(0)
                self.halt.wait(PAUSE_S)
        if self.producer.flush(DEADLINE_S):
            self.failed.append("some records were not acknowledged")

    def note(self, error, _):
        if error:
            self.failed.append(str(error))


class Instance:
    """A process of the application that is killed and started again."""

    def __init__(self, address, folder):
        self.address, self.folder = address, folder
        self.process = stream_app.start(address, folder, ARGS)

    def kill_and_start(self, forget):
        self.process.kill()
        if forget and Path(self.folder).exists():  # it may have been killed before it made one
            shutil.rmtree(self.folder)
        self.process = stream_app.start(self.address, self.folder, ARGS)

    def must_run(self):
        if self.process.exit_code is not None:
            raise AssertionError(f"an instance has ended with {self.process.exit_code}: {self.process.output()[-4000:]}")


class Trial:
    """Rounds of kills under a load, against the cluster at `address`, which is fresh."""

    def __init__(self, test, address, replicas, rounds, inputs):
        self.test, self.address, self.rounds, self.inputs = test, address, rounds, inputs
        self.rng = random.Random(rounds)
        self.counters = {"kills": 0, "states_lost": 0, "longest_wait_s": 0.0}
        folder = tempfile.TemporaryDirectory()
        test.addCleanup(folder.cleanup)
        admin = AdminClient({"bootstrap.servers": address, "log_level": 2})
        settings = {"retention.ms": "-1"}  # the records are of long ago
        topics = [NewTopic(name, PARTITIONS, replicas, config=settings) for name in (IN, LETTERS, HITS)]
        for future in admin.create_topics(topics).values():
            future.result(DEADLINE_S)
        for broker in address.split(","):  # each hears of them by itself
            known = AdminClient({"bootstrap.servers": broker, "log_level": 2})
            poll_until(lambda: {IN, LETTERS, HITS} <= known.list_topics(timeout=10).topics.keys(), DEADLINE_S, "the topics")
        self.due = [0] * PARTITIONS  # what was written to each partition before the last kill
        self.instances = [Instance(address, f"{folder.name}/{n}") for n in range(INSTANCES)]
        test.addCleanup(lambda: [instance.process.kill() for instance in self.instances])
        self.group = Reader(address, PARTITIONS, committed=False, group=stream_app.NAME)
        test.addCleanup(self.group.consumer.close)
        self.load = Load(address, inputs)
        test.addCleanup(self.load.halt.set)

    def processed(self):
        """Of each partition of the input."""
        for instance in self.instances:
            instance.must_run()
        self.test.assertEqual(self.load.failed, [])
        return self.group.group_offsets(IN)

    def reach(self, aim):
        """So many records are processed, and of each partition those that the last kill has left: it stopped nothing."""
        def reached():
            done = self.processed()
            return sum(done) >= aim and all(one >= due for one, due in zip(done, self.due))
        begin = time.monotonic()
        try:
            poll_until(reached, DEADLINE_S, f"{aim} processed records")
        except AssertionError as late:
            said = "\n".join(f"{instance.folder}: {instance.process.output()[-3000:]}" for instance in self.instances)
            raise AssertionError(f"{late}; {self.processed()} are, due {self.due}; {self.counters}\n{said}") from None
        self.counters["longest_wait_s"] = round(max(self.counters["longest_wait_s"], time.monotonic() - begin), 1)

    def kill_one(self):
        self.due = self.group.ends(IN)
        forget = self.rng.random() < STATE_LOST
        self.rng.choice(self.instances).kill_and_start(forget)
        self.counters["kills"] += 1
        self.counters["states_lost"] += forget

    def run(self):
        """The counters."""
        self.load.start()
        share = self.inputs // (self.rounds + 1)
        for number in range(self.rounds):
            self.reach(share * number)  # the rest of the load comes when all has recovered: the kill falls among it
            self.load.allowed = share * (number + 1)
            self.reach(share * number + self.rng.randrange(1, share // 2))
            self.load.halt.wait(self.rng.uniform(0, 2 * COMMIT_S))  # anywhere between two commits
            self.kill_one()
            if self.rng.random() < SECOND_KILL:
                self.kill_one()
        self.load.allowed = self.inputs
        self.load.join(DEADLINE_S + self.inputs)
        self.reach(self.inputs)
        topics = self.wait_for_the_end()
        for instance in self.instances:
            self.test.assertEqual(instance.process.terminate(60), 0, instance.process.output()[-4000:])
        with Reader(self.address, PARTITIONS) as reader:
            self.test.assertEqual({topic: reader.ends(topic) for topic in TOPICS}, {**topics}, "written after the end")
            read = {topic: [[record for _, record in records] for records in reader.read(topic, DEADLINE_S)]
                    for topic in TOPICS}
        wanted = [[] for _ in range(PARTITIONS)]
        for record in made(self.inputs):
            wanted[stream_app.partition_for(record.key, PARTITIONS)].append(record)
        self.test.assertEqual(stream_app.differences(IN, read[IN], wanted), [], "the input is not what was written")
        wrong, late = judge(read)
        self.test.assertEqual(wrong, [], f"{len(wrong)} broken promises: {wrong[:20]}")
        self.test.assertGreater(late, 0)
        return {**self.counters, "inputs": self.inputs, "late": late, "aborted_records": self.aborted(read)}

    def wait_for_the_end(self):
        """The ends of the topics, once every record has been counted and no transaction is open."""
        with Reader(self.address, PARTITIONS) as stable, Reader(self.address, PARTITIONS, committed=False) as all_of_it:
            def passed():
                return all(committed > (records[-1][0] if records else -1) for committed, records in
                           zip(self.group.group_offsets(REPARTITION), stable.read(REPARTITION, DEADLINE_S)))
            poll_until(lambda: self.processed() and stable.ends(REPARTITION) == all_of_it.ends(REPARTITION) and passed(),
                       DEADLINE_S, "that what passed the repartition is counted")
            return poll_until(lambda: (ends := {topic: stable.ends(topic) for topic in TOPICS})
                              == {topic: all_of_it.ends(topic) for topic in TOPICS} and ends,
                              DEADLINE_S, "the end of all transactions")

    def aborted(self, committed):
        """Records that were written and then taken back: the kills fell into transactions."""
        with Reader(self.address, PARTITIONS, committed=False) as reader:
            return sum(len(records) for topic in (REPARTITION, LETTERS, HITS) for records in reader.read(topic, DEADLINE_S)) \
                - sum(len(records) for topic in (REPARTITION, LETTERS, HITS) for records in committed[topic])


def on_weir(test, rounds, inputs):
    folder = tempfile.TemporaryDirectory()
    test.addCleanup(folder.cleanup)
    broker = WeirBroker(folder.name, ["--set", "group.min.session.timeout.ms=1000"])
    test.addCleanup(broker.process.stop)
    return Trial(test, broker.address, 1, rounds, inputs).run()


def on_kafka(test, rounds, inputs):
    cluster = kafka.Kafka(brokers=3, heap="384m", settings={
        "group.min.session.timeout.ms": 1000, "transaction.abort.timed.out.transaction.cleanup.interval.ms": 500})
    test.addCleanup(cluster.stop)
    return Trial(test, cluster.address, 3, rounds, inputs).run()


class KillsUnderLoad(unittest.TestCase):
    def test_each_record_is_counted_once_on_weir(self):
        print(on_weir(self, ROUNDS, INPUTS))

    def test_each_record_is_counted_once_on_three_brokers_of_kafka(self):
        print(on_kafka(self, ROUNDS, INPUTS))


def as_it_should_be(inputs):
    """All topics after an application that did everything right, in one partition."""
    topics = {IN: [inputs], REPARTITION: [[Record(r.value[:1], r.value, r.timestamp) for r in inputs]]}
    topics[LETTERS] = [stream_app.model_letters(topics[REPARTITION][0])[0]]
    topics[HITS] = [stream_app.model_hits(inputs)[0]]
    topics[LETTERS_LOG] = [list(topics[LETTERS][0])]
    rows = stream_app.model_hits(inputs)[1]
    topics[HITS_LOG] = [[Record(r.key + bytes(4), r.value, r.timestamp) for r in topics[HITS][0] if r.key in rows]]
    return topics


class TheJudge(unittest.TestCase):
    """It sees what it is there to see."""

    def setUp(self):
        self.topics = as_it_should_be(list(made(2000)))

    def found(self):
        return {line.split(":")[0] for line in judge(self.topics)[0]}

    def test_what_is_right_is_right(self):
        wrong, late = judge(self.topics)
        self.assertEqual(wrong, [])
        self.assertGreater(late, 20)

    def test_a_record_that_passes_twice_not_at_all_or_out_of_order_is_found(self):
        passed = self.topics[REPARTITION][0]
        self.topics[REPARTITION] = [[*passed, passed[7]]]
        self.assertEqual(self.found(), {"doubled"})
        self.topics[REPARTITION] = [passed[:7] + passed[8:]]
        self.assertEqual(self.found(), {"lost"})
        self.topics[REPARTITION] = [[passed[1], passed[0], *passed[2:]]]
        self.assertIn("order", self.found())

    def test_a_lost_a_doubled_and_a_late_update_are_found(self):
        for topic in (LETTERS, HITS):
            right = self.topics[topic][0]
            for change in (right[:7] + right[8:], right[:8] + right[7:], right[:-1]):
                self.topics[topic] = [change]
                self.assertEqual(self.found(), {f"{topic}-0"})
            self.topics[topic] = [right]
        self.topics[HITS][0].append(Record(b"key-1" + int64(START_MS), int64(1), START_MS))
        self.assertEqual(self.found(), {f"{HITS}-0"})

    def test_a_changelog_that_is_behind_or_keeps_what_has_expired_is_found(self):
        last = self.topics[LETTERS_LOG][0].pop()
        self.assertEqual(self.found(), {f"{LETTERS_LOG}-0"})
        self.topics[LETTERS_LOG][0].append(last)
        self.topics[HITS_LOG][0].append(Record(b"key-1" + int64(START_MS) + bytes(4), int64(1), START_MS))
        self.assertEqual(self.found(), {f"{HITS_LOG}-0"})


def prove(rounds, inputs):
    counters = {}
    for kind, trial in (("weir", on_weir), ("kafka", on_kafka)):
        case = unittest.TestCase()
        try:
            counters[kind] = trial(case, rounds, inputs)
        finally:
            case.doCleanups()
        print(kind, counters[kind], flush=True)
    unittest.TestCase().assertGreater(min(told["aborted_records"] for told in counters.values()), 0)
    print(f"counters: {json.dumps(counters)}")


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1].isdigit():
        prove(int(sys.argv[1]), int(sys.argv[2]))
    else:
        unittest.main()
