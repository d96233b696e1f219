"""The native client on three Apache Kafka brokers that restart, die, move leaders and throttle: nothing lost, nothing doubled."""
import json
import re
import sys
import subprocess
import threading
import unittest

from confluent_kafka.admin import AdminClient, NewTopic

from lib import broker, kafka
from lib.waiting import poll_until

SOAK = "client_soak"
PARTITIONS = 6
DEADLINE_S = 90


class Soak:
    """client_soak at work on a topic. Use it in `with`."""

    def __init__(self, address, topic, mode, rate):
        self._popen = subprocess.Popen([str(broker.helper(SOAK)), address, topic, mode, str(rate)], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, text=True)
        self._line, self._ended = "", False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self._popen.stdout:
            self._line = line
        self._ended = True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._popen.kill()
        self._popen.wait()
        self._reader.join()

    def _acknowledged(self):
        if self._ended:
            raise AssertionError(f"client_soak ended: {self._line}")
        match = re.match(r"acknowledged (\d+) ", self._line)
        return int(match.group(1)) if match else 0

    def go_on(self, records):
        """Waits until so many more are acknowledged: the writer is alive."""
        goal = self._acknowledged() + records
        poll_until(lambda: self._acknowledged() >= goal, DEADLINE_S, f"{records} further records")

    def end(self):
        """What it has found, once it has read everything again."""
        self._popen.stdin.close()
        self._reader.join(3 * DEADLINE_S)
        if self._popen.wait(DEADLINE_S) != 0:
            raise AssertionError(self._line)
        return json.loads(self._line)


class ThreeBrokers(unittest.TestCase):
    def setUp(self):
        self.cluster = kafka.Kafka(brokers=3, heap="384m")
        self.addCleanup(self.cluster.stop)
        self.admin = AdminClient({"bootstrap.servers": self.cluster.address, "log_level": 2})
        topics = [NewTopic(name, PARTITIONS, 3) for name in ("plain", "transactions")]
        for made in self.admin.create_topics(topics, operation_timeout=30).values():
            made.result()

    def partitions(self):
        """Of every topic; none while no broker answers."""
        try:
            return [p for t in self.admin.list_topics(timeout=5).topics.values() for p in t.partitions.values()]
        except Exception:  # librdkafka's errors: the broker it asked has gone
            return []

    def wait_until_in_sync(self):
        poll_until(lambda: (rows := self.partitions()) and all(len(row.isrs) == 3 for row in rows), DEADLINE_S,
                   "all replicas in sync", every_s=0.5)

    def leader_of(self, topic, partition):
        return self.admin.list_topics(topic, timeout=10).topics[topic].partitions[partition].leader

    def set_quota(self, change):
        kafka.tool("ConfigCommand", "--bootstrap-server", self.cluster.address, "--alter", "--entity-type", "clients",
                   "--entity-default", *change)

    def test_nothing_is_lost_or_doubled_when_a_broker_restarts_and_another_dies(self):
        self.disturb(restarts=(0,), deaths=("plain",))

    def disturb(self, restarts, deaths):
        """What the soaks have found."""
        address = self.cluster.address
        with Soak(address, "plain", "plain", 2000) as plain, Soak(address, "transactions", "transactions", 250) as transactions:
            soaks = (plain, transactions)

            def all_go_on(records=200):
                for soak in soaks:
                    soak.go_on(records)

            all_go_on()
            for index in restarts:
                self.cluster.terminate(index)
                all_go_on()
                self.cluster.start_again(index)
                self.wait_until_in_sync()
                all_go_on()
            kafka.tool("LeaderElectionCommand", "--bootstrap-server", address, "--election-type", "preferred",
                       "--all-topic-partitions")
            all_go_on()
            for topic in deaths:  # the leader of its first partition
                index = self.leader_of(topic, 0) - 1
                self.cluster.processes[index].kill()
                all_go_on()
                self.cluster.start_again(index)
                self.wait_until_in_sync()
            self.set_quota(["--add-config", "producer_byte_rate=20000,consumer_byte_rate=20000"])
            all_go_on()
            self.set_quota(["--delete-config", "producer_byte_rate,consumer_byte_rate"])
            all_go_on()
            counters = {}
            for name, soak in zip(("plain", "transactions"), soaks):
                found = counters[name] = soak.end()
                self.assertGreater(found["acknowledged"], 1000)
                for broken in ("lost", "doubled", "shown", "torn", "out_of_order", "unseen", "refused"):
                    self.assertEqual(found[broken], 0, (broken, found))
            return counters


if __name__ == "__main__":
    if sys.argv[1:] == ["rolling"]:
        case = ThreeBrokers()
        try:
            case.setUp()
            print(f"counters: {json.dumps(case.disturb(restarts=(0, 1, 2), deaths=('plain', 'transactions')))}")
        finally:
            case.doCleanups()
    else:
        unittest.main()
