"""Groups with kcat and confluent-kafka-python (librdkafka 2.0.2, as Debian 12 has it) against `weir broker`."""
import tempfile
import threading
import time
import unittest

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from lib import ports, proc
from lib.broker import WeirBroker
from lib.groups import GroupClient
from lib.waiting import poll_until

DEADLINE_S = 40
PARTITIONS = 6


def settings(address, **more):
    return {"bootstrap.servers": address, "broker.address.family": "v4", "log_level": 2,
            **{name.replace("_", "."): value for name, value in more.items()}}


def make(address, topic, partitions=PARTITIONS):
    admin = AdminClient(settings(address))  # must live until the result is there
    admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(DEADLINE_S)


def send(address, topic, numbers):
    producer = Producer(settings(address, enable_idempotence=True))
    for number in numbers:
        producer.produce(topic, str(number), key=str(number))
    if producer.flush(DEADLINE_S):
        raise AssertionError("messages are still waiting for their delivery")


class Member:
    """A consumer of a group in a thread of its own; `seen` are its messages, by partition."""

    def __init__(self, address, group, topic, commits=True, **more):
        """`commits`: after each message. Else librdkafka commits by itself: what a broken connection lost of the other kind is
        sent again, perhaps behind newer ones, and a broker takes what it is told."""
        self._commits = commits
        self.consumer = Consumer(settings(address, **{
            "group_id": group, "auto_offset_reset": "earliest", "session_timeout_ms": 6000, "heartbeat_interval_ms": 500, **more}))
        self.assigned, self.seen, self.failed = set(), [], None
        self._stop = threading.Event()
        self.consumer.subscribe([topic], on_assign=self._assign, on_revoke=self._revoke, on_lost=self._revoke)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _assign(self, consumer, partitions):
        self.assigned |= {p.partition for p in partitions}

    def _revoke(self, consumer, partitions):
        self.assigned -= {p.partition for p in partitions}

    def _run(self):
        try:
            while not self._stop.is_set():
                message = self.consumer.poll(0.1)
                if message is None or message.error():
                    continue
                self.seen.append(int(message.value()))
                if not self._commits:
                    continue
                try:
                    self.consumer.commit(message, asynchronous=True)
                except KafkaException:
                    pass  # a rebalance is under way: what is not committed comes again
        except Exception as problem:  # noqa: BLE001: shown by the test
            self.failed = problem

    def leave(self):
        self._stop.set()
        self._thread.join(DEADLINE_S)
        self.consumer.close()
        if self.failed:
            raise AssertionError(f"a member failed: {self.failed}")


class Confluent(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.port = ports.free_port()
        self.broker = WeirBroker(self.folder.name, port=self.port)
        self.addCleanup(lambda: self.broker.process.stop())
        self.address = self.broker.address

    def wait_for_shares(self, members):
        poll_until(lambda: sorted(p for m in members for p in m.assigned) == list(range(PARTITIONS))
                   and all(m.assigned for m in members), DEADLINE_S, "every partition has one owner")

    def test_members_share_the_partitions_as_they_come_and_go(self):
        for strategy in ("range", "roundrobin", "cooperative-sticky"):
            with self.subTest(strategy=strategy):
                topic, group = f"shared-{strategy}", f"g-{strategy}"
                make(self.address, topic)
                how = {"partition_assignment_strategy": strategy}
                send(self.address, topic, range(300))
                members = [Member(self.address, group, topic, **how)]
                self.wait_for_shares(members)
                members.append(Member(self.address, group, topic, **how))
                members.append(Member(self.address, group, topic, **how))
                self.wait_for_shares(members)
                send(self.address, topic, range(300, 600))
                everything = lambda: {n for m in members for n in m.seen}  # noqa: E731
                poll_until(lambda: everything() == set(range(600)), DEADLINE_S, "every message")
                gone = members.pop(0)
                gone.leave()
                self.wait_for_shares(members)
                send(self.address, topic, range(600, 900))
                poll_until(lambda: everything() | set(gone.seen) == set(range(900)), DEADLINE_S, "every message")
                for member in members:
                    member.leave()

    def test_a_static_member_that_comes_back_does_not_disturb_the_others(self):
        make(self.address, "calm")
        first = Member(self.address, "static", "calm", group_instance_id="one")
        second = Member(self.address, "static", "calm", group_instance_id="two")
        self.wait_for_shares([first, second])
        with GroupClient(self.port) as client:
            poll_until(lambda: client.describe("static")[0]["state"] == "Stable", DEADLINE_S, "a stable group")
            before = {m["instance"]: m["assignment"] for m in client.describe("static")[0]["members"]}
            second.leave()  # a static member says nothing when it goes
            third = Member(self.address, "static", "calm", group_instance_id="two")
            poll_until(lambda: third.assigned, DEADLINE_S, "its partitions")
            after = client.describe("static")[0]
            self.assertEqual(after["state"], "Stable")
            self.assertEqual({m["instance"]: m["assignment"] for m in after["members"]}, before)
        first.leave()
        third.leave()

    def test_a_group_goes_on_where_it_was_after_a_restart_and_a_kill(self):
        make(self.address, "lasting")
        # Broken connections are tried again within ten seconds unless told otherwise: too late for a session of six.
        member = Member(self.address, "g", "lasting", commits=False, auto_commit_interval_ms=200,
                        session_timeout_ms=30_000, reconnect_backoff_max_ms=500)
        self.wait_for_shares([member])
        with GroupClient(self.port) as client:
            who = client.describe("g")[0]["members"][0]["member"]
        for life, end in enumerate((WeirBroker.terminate, WeirBroker.kill)):
            send(self.address, "lasting", range(100 * life, 100 * life + 100))
            poll_until(lambda: len(set(member.seen)) == 100 * life + 100, DEADLINE_S, "the messages")
            end(self.broker)
            self.broker = WeirBroker(self.folder.name, port=self.port)
        send(self.address, "lasting", range(200, 300))
        poll_until(lambda: len(set(member.seen)) == 300, DEADLINE_S, "the messages after the restarts")
        with GroupClient(self.port) as client:
            described = client.describe("g")[0]
            self.assertEqual([m["member"] for m in described["members"]], [who], "it is the same member still")

        def committed():
            with GroupClient(self.port) as client:
                error, offsets = client.fetch_offsets("g")
            return error, sum(offset for offset, _, _ in offsets.values())

        # A commit that the kill cut off is made again; one that was answered is not, and must still be there.
        poll_until(lambda: committed() == (0, 300), DEADLINE_S, "the commits")
        member.leave()
        self.assertEqual(committed(), (0, 300))

    def test_committed_offsets_are_read_back_and_admins_see_and_delete_groups(self):
        make(self.address, "kept", 2)
        admin = AdminClient(settings(self.address))
        consumer = Consumer(settings(self.address, group_id="simple", enable_auto_commit=False))
        places = [TopicPartition("kept", 0, 17), TopicPartition("kept", 1, 4)]
        for place in consumer.commit(offsets=places, asynchronous=False):
            self.assertIsNone(place.error)
        found = consumer.committed([TopicPartition("kept", 0), TopicPartition("kept", 1)], DEADLINE_S)
        self.assertEqual([p.offset for p in found], [17, 4])
        self.assertEqual([g.id for g in admin.list_groups(timeout=DEADLINE_S)], ["simple"])
        consumer.close()
        member = Member(self.address, "busy", "kept")
        poll_until(lambda: member.assigned == {0, 1}, DEADLINE_S, "its partitions")
        busy = admin.list_groups("busy", DEADLINE_S)[0]
        self.assertEqual((busy.state, busy.protocol_type, busy.protocol), ("Stable", "consumer", "range"))
        self.assertEqual(len(busy.members), 1)
        self.assertEqual(busy.members[0].client_host, "/127.0.0.1")
        member.leave()
        with GroupClient(self.port) as client:
            self.assertEqual(client.delete("busy", "simple"), [("busy", 0), ("simple", 0)])
            self.assertEqual(client.list()["groups"], [])

    def test_offsets_of_a_topic_that_is_deleted_are_gone_when_it_is_made_again(self):
        make(self.address, "phoenix", 1)
        with GroupClient(self.port) as client:
            self.assertEqual(client.commit("g", [("phoenix", 0, 9, "")]), [0])
            admin = AdminClient(settings(self.address))
            admin.delete_topics(["phoenix"])["phoenix"].result(DEADLINE_S)
            make(self.address, "phoenix", 1)
            self.assertEqual(client.fetch_offsets("g", [("phoenix", 0)]), (0, {("phoenix", 0): (-1, "", 0)}))


class Kcat(unittest.TestCase):
    def test_two_of_a_group_share_and_a_third_run_goes_on_behind_them(self):
        with tempfile.TemporaryDirectory() as folder, WeirBroker(folder) as broker:
            make(broker.address, "t", 4)
            send(broker.address, "t", range(200))
            group = ["kcat", "-b", broker.address, "-X", "auto.offset.reset=earliest", "-X", "session.timeout.ms=6000", "-G", "g",
                     "t"]
            with proc.Process([*group, "-c", "120"]) as first, proc.Process([*group, "-c", "80"]) as second:
                codes = [first.wait(60), second.wait(60)]
                self.assertEqual(codes, [0, 0])
                read = [int(n) for p in (first, second) for n in p.output("out").split()]
            self.assertGreaterEqual(len(set(read)), 120)
            send(broker.address, "t", range(200, 210))
            with GroupClient(broker.port) as client:
                poll_until(lambda: client.describe("g")[0]["state"] == "Empty", 20, "an empty group")
                before = sum(o for o, _, _ in client.fetch_offsets("g")[1].values() if o > 0)
            rest = proc.run([*group, "-c", str(210 - before)]).out.split()
            self.assertEqual(len(rest), 210 - before)
            self.assertTrue(set(range(200, 210)) <= {int(n) for n in rest})


class Silence(unittest.TestCase):
    def test_a_member_that_dies_is_missed_after_its_session(self):
        with tempfile.TemporaryDirectory() as folder, WeirBroker(folder) as broker:
            make(broker.address, "t")
            member = Member(broker.address, "g", "t")
            poll_until(lambda: len(member.assigned) == PARTITIONS, DEADLINE_S, "all partitions")
            dying = proc.Process(["kcat", "-b", broker.address, "-X", "session.timeout.ms=6000", "-G", "g", "t"])
            poll_until(lambda: len(member.assigned) == PARTITIONS // 2, DEADLINE_S, "half of the partitions")
            began = time.monotonic()
            dying.kill()
            poll_until(lambda: len(member.assigned) == PARTITIONS, DEADLINE_S, "all partitions again")
            self.assertLess(time.monotonic() - began, 15)
            member.leave()
