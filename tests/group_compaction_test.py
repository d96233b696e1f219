"""The stream of offsets is compacted while groups commit, and what is left of it is every group's state."""
import struct
import tempfile
import unittest
from pathlib import Path

from lib import kafka
from lib.broker import WeirBroker
from lib.groups import OFFSET_COMMIT, GroupClient, array, nullable
from lib.waiting import poll_until
from lib.wire import request, string

SETTINGS = [word for setting in ("offsets.topic.segment.bytes=1048576", "log.cleaner.backoff.ms=200")
            for word in ("--set", setting)]
COMMITS = 40_000  # some 5 MB of records
PARTITIONS = 7


def commit_all(client, group, first):
    """COMMITS commits, hundreds at a time, in turns to the partitions."""
    for begin in range(0, COMMITS, 200):
        for number in range(begin, begin + 200):
            body = (string(group) + struct.pack(">i", -1) + string("") + nullable(None)
                    + array([string("t") + array([struct.pack(">iqi", number % PARTITIONS, first + number, -1) + nullable("x" * 30)])]))
            client.correlation += 1
            client.send_frame(request(OFFSET_COMMIT, 7, client.correlation, body))
        for _ in range(200):
            if client.read_frame()[-2:] != b"\0\0":
                raise AssertionError("a commit was refused")


class Compaction(unittest.TestCase):
    def test_old_commits_go_and_the_newest_of_each_partition_stay(self):
        with tempfile.TemporaryDirectory() as folder:
            def size():
                return sum(f.stat().st_size for f in Path(folder, "__consumer_offsets-0").glob("*.log"))

            def state(client):
                return client.fetch_offsets("simple")[1], client.describe("member")[0]["members"], client.list()["groups"]

            with WeirBroker(folder, SETTINGS) as broker, GroupClient(broker.port) as client:
                client.create_topic("t", PARTITIONS)
                member = client.join("member", session_ms=60_000)["member"]
                joined = client.join("member", member, session_ms=60_000)
                client.sync("member", joined["generation"], member, assignments=[(member, b"all")])
                client.commit("gone", [("t", 0, 1, "")])
                commit_all(client, "simple", 0)
                self.assertEqual(client.delete("gone"), [("gone", 0)])
                commit_all(client, "simple", COMMITS)
                # Written were 80,000 records of 100 bytes; at most a cleaned and an active segment are left.
                poll_until(lambda: size() < 2 << 20, 60, "compaction")
                expected = state(client)
                self.assertEqual(sum(offset for offset, _, _ in expected[0].values()),
                                 sum(range(2 * COMMITS - PARTITIONS, 2 * COMMITS)))
                broker.kill()
            with WeirBroker(folder, SETTINGS) as broker, GroupClient(broker.port) as client:
                self.assertEqual(state(client), expected)
                self.assertEqual(client.heartbeat("member", joined["generation"], member), 0)
                self.assertEqual(broker.terminate(), 0)
            segments = sorted(Path(folder, "__consumer_offsets-0").glob("*.log"))
            dumped = kafka.tool("DumpLogSegments", "--offsets-decoder", "--files", ",".join(map(str, segments))).out
            self.assertNotIn("isvalid: false", dumped)
            self.assertIn(member, dumped)
