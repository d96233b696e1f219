"""Groups of the native client, Kafka's own and librdkafka, mixed, through joins, leaves and kills."""
import collections
import shutil
import sys
import tempfile
import threading
import unittest
from pathlib import Path

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from lib import broker, java, kafka, proc
from lib.waiting import poll_until

PARTITIONS = 6
HERE = Path(__file__).resolve().parent
DEADLINE_S = 60


class Member:
    """A process of a kind, and what it has said so far."""

    def __init__(self, kind, address, group, topic, assignors, classes):
        words = [address, group, topic, assignors]
        if kind == "weir":
            command = [broker.helper("group_member"), *words]
        elif kind == "java":
            command = java.command("GroupMember", classes, *words)
        else:
            command = [sys.executable, HERE / "lib" / "group_member.py", *words]
        self.kind, self.process = kind, proc.Process(command)
        self.killed_ns = None

    def lines(self):
        for line in self.process.output("out").splitlines():
            parts = line.split()
            if len(parts) >= 2 and parts[0].isdigit():
                yield int(parts[0]), parts[1], parts[2:]

    def owned(self):
        owned = set()
        if self.process.exit_code is not None:
            return owned
        for _, what, rest in self.lines():
            if what == "assigned":
                owned |= set(map(int, rest))
            elif what in ("revoked", "lost"):
                owned -= set(map(int, rest))
        return owned

    def values(self):
        return [int(rest[2]) for _, what, rest in self.lines() if what == "record"]


class Feed:
    """Produces 0, 1, 2, … to all partitions in turn until it is stopped."""

    def __init__(self, address, topic):
        self.sent, self._stop = 0, threading.Event()
        self._producer = Producer({"bootstrap.servers": address, "broker.address.family": "v4"})
        self._topic = topic
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        while not self._stop.wait(0.02):
            for partition in range(PARTITIONS):
                self._producer.produce(self._topic, str(self.sent).encode(), partition=partition)
                self.sent += 1
            self._producer.poll(0)
        self._producer.flush(DEADLINE_S)

    def stop(self):
        self._stop.set()
        self._thread.join()


class Play:
    """A group on one topic, its members, and what must be true of them."""

    def __init__(self, test, address, name, assignors, classes):
        self.test, self.address, self.name, self.assignors, self.classes = test, address, name, assignors, classes
        admin = AdminClient({"bootstrap.servers": address, "broker.address.family": "v4"})
        admin.create_topics([NewTopic(name, PARTITIONS, 1)])[name].result(DEADLINE_S)
        self.members, self.alive = [], []
        self.feed = Feed(address, name)

    def start(self, kind):
        member = Member(kind, self.address, self.name, self.name, self.assignors, self.classes)
        self.members.append(member)
        self.alive.append(member)
        return member

    def leave(self, member):
        self.alive.remove(member)
        self.test.assertEqual(member.process.terminate(), 0 if member.kind != "java" else 143, member.process.output("err"))

    def kill(self, member):
        self.alive.remove(member)
        member.process.kill()
        member.killed_ns = True

    def settle(self):
        """Every partition has exactly one owner, shared evenly."""
        def shared():
            for member in self.alive:
                if member.process.exit_code is not None:
                    raise AssertionError(f"{member.kind} ended: {member.process.output('err')[-2000:]}")
            owned = [member.owned() for member in self.alive]
            sizes = [len(o) for o in owned]
            return sum(sizes) == PARTITIONS and len(set().union(*owned)) == PARTITIONS and max(sizes) - min(sizes) <= 1
        try:
            poll_until(shared, DEADLINE_S, "an even assignment", every_s=0.1)
        except AssertionError as problem:
            raise AssertionError(f"{problem}: " + "; ".join(f"{m.kind} {sorted(m.owned())}" for m in self.alive))

    def end(self):
        self.feed.stop()
        wanted = set(range(self.feed.sent))
        read = lambda: {value for member in self.members for value in member.values()}
        try:
            poll_until(lambda: len(read()) == len(wanted), DEADLINE_S, "all that was sent being read", every_s=0.2)
        except AssertionError as problem:
            raise AssertionError(f"{problem}: {sorted(wanted - read())[:20]} are missing\n{self.story()}")
        for member in list(self.alive):
            self.leave(member)
        self.no_partition_was_doubled()
        self.only_the_killed_repeat()

    def story(self):
        """Who owned what when."""
        words = [(when, f"{number} {member.kind}", what, *rest) for number, member in enumerate(self.members)
                 for when, what, rest in member.lines() if what in ("assigned", "revoked", "lost")]
        return "\n".join(" ".join(map(str, word)) for word in sorted(words))

    def no_partition_was_doubled(self):
        """By the members' own words, in the order of the machine's clock; a killed one owns until its last word."""
        words = []
        for member in self.members:
            last = 0
            for when, what, rest in member.lines():
                last = when
                if what in ("assigned", "revoked", "lost"):
                    words.append((when, what, set(map(int, rest)), member))
            if member.killed_ns:
                words.append((last + 1, "lost", set(range(PARTITIONS)), member))
        owners = {}
        for _, what, partitions, member in sorted(words, key=lambda word: word[0]):
            for partition in partitions:
                if what == "assigned":
                    other = owners.setdefault(partition, member)
                    self.test.assertIs(other, member, f"{partition}: {member.kind} while {other.kind} had it")
                elif owners.get(partition) is member:
                    del owners[partition]

    def only_the_killed_repeat(self):
        readers = collections.defaultdict(list)
        for member in self.members:
            for value in member.values():
                readers[value].append(member)
        for value, who in readers.items():
            if len(who) > 1:
                self.test.assertTrue(any(m.killed_ns for m in who[:-1]) or any(m.killed_ns for m in who),
                                     f"{value} was read by {[m.kind for m in who]}")


class MixedGroups:
    """What must be so whoever the broker is: `address` is its."""

    @classmethod
    def setUpClass(cls):
        cls.classes = java.classes()
        cls.addClassCleanup(shutil.rmtree, cls.classes, ignore_errors=True)
        cls.address = cls.start()

    def play(self, assignors):
        play = Play(self, self.address, f"mixed-{assignors}", assignors, self.classes)
        try:
            first = play.start("weir")
            play.settle()
            second = play.start("java")
            play.settle()
            third = play.start("rdkafka")
            play.settle()
            play.start("weir")
            play.settle()
            play.leave(second)
            play.settle()
            play.kill(third)
            play.settle()
            play.start("java")
            play.settle()
            play.kill(first)  # perhaps the leader
            play.settle()
            play.start("rdkafka")
            play.settle()
            play.end()
        finally:
            play.feed.stop()
            for member in play.members:
                member.process.kill()

    def test_range_groups_of_three_clients_share_lose_and_double_nothing(self):
        self.play("range")

    def test_cooperative_groups_of_three_clients_share_lose_and_double_nothing(self):
        self.play("cooperative-sticky")


class OnWeirsBroker(MixedGroups, unittest.TestCase):
    @classmethod
    def start(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        weir = broker.WeirBroker(folder.name)
        cls.addClassCleanup(weir.process.stop)
        return weir.address


class OnApacheKafka(MixedGroups, unittest.TestCase):
    @classmethod
    def start(cls):
        cluster = kafka.Kafka(heap="512m")
        cls.addClassCleanup(cluster.stop)
        return cluster.address


if __name__ == "__main__":
    unittest.main()
