"""Transactions with clients of Node.js: kafkajs and @platformatic/kafka against `weir broker`."""
import re
import tempfile
import unittest

from lib import node, proc
from lib.broker import WeirBroker
from lib.groups import GroupClient

DEADLINE_S = 60
COMMITTED = [f"{round_}-{letter}" for round_ in (0, 2) for letter in "abc"] + ["successor"]
WRITTEN = [f"{round_}-{letter}" for round_ in range(4) for letter in "abc"] + ["never", "successor"]


class Node(unittest.TestCase):
    def transact(self, script):
        """What is committed is read, what is aborted or fenced is not, and offsets count with their transaction."""
        with tempfile.TemporaryDirectory() as folder, WeirBroker(folder) as broker, GroupClient(broker.port) as client:
            client.create_topic("t")
            done = proc.run([*node.command(script), "write", broker.address, "t", "g"], deadline_s=DEADLINE_S)
            self.assertRegex(done.out, r"^late commit: refused .*(FENCED|PRODUCER_EPOCH)")
            self.assertEqual(client.fetch_offsets("g")[1]["t", 0][0], 3)
            for isolation, want in (("committed", COMMITTED), ("uncommitted", WRITTEN)):
                done = proc.run([*node.command(script), "read", broker.address, "t", isolation, len(want)],
                                deadline_s=DEADLINE_S)
                self.assertEqual(re.search(r"^read (.*)$", done.out, re.M)[1].split(), want)

    def test_kafkajs_commits_aborts_and_is_fenced(self):
        self.transact("kafkajs_transactions.mjs")

    def test_platformatic_commits_aborts_and_is_fenced(self):
        self.transact("platformatic_transactions.mjs")


if __name__ == "__main__":
    unittest.main()
