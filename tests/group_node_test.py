"""Groups with clients of Node.js: kafkajs and @platformatic/kafka against `weir broker`."""
import re
import tempfile
import unittest

from lib import node, proc
from lib.broker import WeirBroker
from lib.groups import GroupClient
from lib.waiting import poll_until

DEADLINE_S = 60


class Node(unittest.TestCase):
    def share(self, script):
        """Two members read everything between them, and a third goes on where they have stopped."""
        command = node.command(script)
        with tempfile.TemporaryDirectory() as folder, WeirBroker(folder) as broker, GroupClient(broker.port) as client:
            client.create_topic("t", 4)

            def send(numbers):
                # Keys, because without them librdkafka fills one partition at a time.
                proc.run(["kcat", "-P", "-b", broker.address, "-t", "t", "-K", ":"], stdin="".join(f"{n}:{n}\n" for n in numbers))

            def members():
                described = client.describe("g")[0]
                return len(described["members"]) if described["state"] == "Stable" else 0

            def read(*processes):
                return {int(n) for p in processes for n in re.findall(r"^value (\d+)$", p.output("out"), re.M)}

            def start():
                process = proc.Process([*command, broker.address, "g", "t"])
                self.addCleanup(process.stop)
                return process

            send(range(200))
            first = start()
            poll_until(lambda: read(first) == set(range(200)), DEADLINE_S, "every message")
            second = start()
            poll_until(lambda: members() == 2, DEADLINE_S, "two members")
            send(range(200, 400))
            poll_until(lambda: read(first, second) == set(range(400)), DEADLINE_S, "the new messages")
            self.assertTrue(read(second), "both have read")
            for process in (first, second):
                self.assertEqual(process.terminate(), 0, process.output())
            poll_until(lambda: client.describe("g")[0]["state"] == "Empty", DEADLINE_S, "an empty group")
            self.assertEqual(sum(offset for offset, _, _ in client.fetch_offsets("g")[1].values()), 400)
            send(range(400, 410))
            third = start()
            poll_until(lambda: read(third) == set(range(400, 410)), DEADLINE_S, "only what is new")

    def test_kafkajs_members_share_a_topic(self):
        self.share("kafkajs_group.mjs")

    def test_platformatic_members_share_a_topic(self):
        self.share("platformatic_group.mjs")
