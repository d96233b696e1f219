"""kill -9 of the real broker while groups commit: an offset never goes back, and what was acknowledged is there.

`group_kill_test.py ROUNDS` is the long proof.
"""
import json
import struct
import sys
import tempfile
import threading
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from lib import ports  # noqa: E402
from lib.broker import WeirBroker  # noqa: E402
from lib.groups import OFFSET_COMMIT, GroupClient, array, nullable  # noqa: E402
from lib.waiting import poll_until  # noqa: E402
from lib.wire import request, string  # noqa: E402

ROUNDS = 20
GROUPS = 4
IN_FLIGHT = 30  # of each group, without waiting for answers
ACKNOWLEDGED = 500  # of all groups, at least, between two kills
PARTITIONS = 3
SETTINGS = ["--set", "weir.wal.max.bytes=16777216"]


class Committer:
    """A member of a group of its own that commits without waiting, and keeps what it was told."""

    def __init__(self, port, number):
        self.port, self.group = port, f"g{number}"
        self.sent, self.acknowledged = [0] * PARTITIONS, [0] * PARTITIONS
        self.count, self.unanswered = 0, 0
        with GroupClient(port) as client:
            self.member = client.join(self.group, session_ms=60_000)["member"]
            self.generation = client.join(self.group, self.member, session_ms=60_000)["generation"]
            assigned = client.sync(self.group, self.generation, self.member, assignments=[(self.member, b"all")])
            assert assigned == {"error": 0, "assignment": b"all"}, assigned
        self.thread = None

    def begin(self):
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        """Until the connection ends; replies come in the order of the requests."""
        waiting = []
        try:
            with GroupClient(self.port) as client:
                while True:
                    while len(waiting) < IN_FLIGHT:
                        partition = (self.sent[0] + self.sent[1] + self.sent[2]) % PARTITIONS
                        self.sent[partition] += 1
                        waiting.append((partition, self.sent[partition]))
                        body = (string(self.group) + struct.pack(">i", self.generation) + string(self.member) + nullable(None)
                                + array([string("t") + array([struct.pack(">iqi", *waiting[-1], -1) + nullable("")])]))
                        client.correlation += 1
                        client.send_frame(request(OFFSET_COMMIT, 7, client.correlation, body))
                    reply = client.read_frame()
                    partition, offset = waiting.pop(0)
                    error = struct.unpack(">h", reply[-2:])[0]
                    assert error == 0, f"{self.group}: commit answered with {error}"
                    self.acknowledged[partition] = offset
                    self.count += 1
        except OSError:
            self.unanswered += len(waiting)

    def check(self, test):
        """After a restart: at least what was acknowledged, at most what was sent; and the group goes on."""
        with GroupClient(self.port) as client:
            error, offsets = client.fetch_offsets(self.group, [("t", p) for p in range(PARTITIONS)])
            test.assertEqual(error, 0)
            for p in range(PARTITIONS):
                offset = max(offsets["t", p][0], 0)
                test.assertGreaterEqual(offset, self.acknowledged[p], f"{self.group} partition {p}")
                test.assertLessEqual(offset, self.sent[p])
                self.acknowledged[p] = offset
            test.assertEqual(client.heartbeat(self.group, self.generation, self.member), 0, "without a rebalance")
            test.assertEqual(client.sync(self.group, self.generation, self.member), {"error": 0, "assignment": b"all"})


def kill_again_and_again(test, rounds):
    """(commits that were acknowledged, commits that a kill cut off)."""
    port = ports.free_port()
    with tempfile.TemporaryDirectory() as folder:
        broker = WeirBroker(folder, SETTINGS, port=port)
        try:
            with GroupClient(port) as client:
                client.create_topic("t", PARTITIONS)
            committers = [Committer(port, n) for n in range(GROUPS)]
            for _ in range(rounds):
                before = sum(c.count for c in committers)
                for committer in committers:
                    committer.begin()
                poll_until(lambda: sum(c.count for c in committers) >= before + ACKNOWLEDGED, 30, "acknowledgements")
                broker.kill()
                for committer in committers:
                    committer.thread.join(30)
                broker = WeirBroker(folder, SETTINGS, port=port)
                for committer in committers:
                    committer.check(test)
            return sum(c.count for c in committers), sum(c.unanswered for c in committers)
        finally:
            broker.process.stop()


class UnderLoad(unittest.TestCase):
    def test_twenty_kills_take_no_commit_back_and_no_member_from_its_group(self):
        acknowledged, cut_off = kill_again_and_again(self, ROUNDS)
        self.assertGreaterEqual(acknowledged, ROUNDS * ACKNOWLEDGED)
        self.assertGreaterEqual(cut_off, ROUNDS * IN_FLIGHT, "kills fell while commits were under way")


if __name__ == "__main__":
    commits, lost = kill_again_and_again(unittest.TestCase(), int(sys.argv[1]))
    print(f"counters: {json.dumps({'kills': int(sys.argv[1]), 'commits': commits, 'cut_off': lost})}")
