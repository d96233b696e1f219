"""weir group, weir lag and weir consume --group, against weir's own broker and Apache Kafka."""
import json
import signal
import tempfile
import time
import unittest

from lib import broker, kafka, proc
from lib.broker import weir
from lib.waiting import poll_until

DEADLINE_S = 60


class GroupCommands:
    """What must be so whoever the broker is: `address` is its."""

    def weir(self, *args, **kwargs):
        return weir(*args, env={"WEIR_BOOTSTRAP": self.address}, **kwargs)

    def rows(self, *args, **kwargs):
        return [json.loads(line) for line in self.weir(*args, "-o", "jsonl", **kwargs).out.splitlines()]

    def make(self, topic, count, partitions=2):
        self.weir("topic", "create", topic, "--partitions", partitions)
        lines = "".join(json.dumps({"topic": topic, "partition": i % partitions, "timestamp": 1_000_000 + i,
                                    "key": None, "value": str(i)}) + "\n" for i in range(count))
        self.weir("produce", topic, "--format", "jsonl", stdin=lines)

    def consume(self, topic, group, *args):
        return self.weir("consume", topic, "--group", group, "-o", "value", *args).out.split("\n")[:-1]

    def offsets(self, group):
        return {row["partition"]: row["committed"] for row in self.rows("group", "describe", group)}

    def test_consume_as_a_member_goes_on_from_what_was_printed(self):
        self.make("goes-on", 40)
        first = self.consume("goes-on", "goes-on", "--count", 15)
        second = self.consume("goes-on", "goes-on")
        self.assertEqual(len(first), 15)
        self.assertEqual(sorted(map(int, first + second)), list(range(40)))
        self.assertEqual(self.offsets("goes-on"), {0: 20, 1: 20})
        self.assertEqual(self.consume("goes-on", "goes-on"), [])
        self.assertIn("exclude each other", self.weir("consume", "goes-on", "--group", "g", "--to", "3", expect=2).err)

    def test_list_and_describe_show_members_and_lag(self):
        self.make("seen", 10)
        member = proc.Process([broker.program(), "consume", "seen", "--group", "seen-group", "--follow", "-o", "value"],
                              env={"WEIR_BOOTSTRAP": self.address})
        self.addCleanup(member.kill)
        poll_until(lambda: len(member.output("out").splitlines()) == 10, DEADLINE_S, "the member reading")
        poll_until(lambda: self.offsets("seen-group") == {0: 5, 1: 5}, DEADLINE_S, "the commit")
        listed = {row["name"]: row for row in self.rows("group", "list")}
        self.assertEqual((listed["seen-group"]["state"], listed["seen-group"]["protocol"]), ("Stable", "consumer"))
        rows = self.rows("group", "describe", "seen-group")
        self.assertEqual([(row["end"], row["lag"], row["client"]) for row in rows], [(5, 0, "weir-cli")] * 2)
        self.assertEqual(len({row["member"] for row in rows}), 1)
        refused = self.weir("group", "reset", "seen-group", "--to-earliest", "--execute", expect=1)
        self.assertIn("is Stable with 1 member; stop them first", refused.err)
        self.weir("group", "delete", "seen-group", "--yes", expect=1)
        member.signal(signal.SIGTERM)
        self.assertEqual(member.wait(DEADLINE_S), 0, member.output("err"))
        poll_until(lambda: {r["name"]: r["state"] for r in self.rows("group", "list")}["seen-group"] == "Empty",
                   DEADLINE_S, "the group being empty")
        missing = self.weir("group", "describe", "seen-grup", expect=5)
        self.assertIn("did you mean seen-group?", missing.err)

    def test_reset_prints_its_plan_and_changes_only_when_it_is_told_to(self):
        self.make("moves", 20)
        self.consume("moves", "moves")
        for spec, wanted in ((("--to-earliest",), [0, 0]), (("--to-latest",), [10, 10]), (("--to-current",), [10, 10]),
                             (("--to-offset", 4), [4, 4]), (("--shift-by", -3), [7, 7]), (("--shift-by", 5), [10, 10]),
                             (("--to-datetime", "1970-01-01T00:16:40.010Z"), [5, 5]), (("--by-duration", "1h"), [10, 10])):
            with self.subTest(spec):
                planned = self.weir("group", "reset", "moves", *spec, "-o", "jsonl")
                self.assertEqual([json.loads(line)["new"] for line in planned.out.splitlines()], wanted)
                self.assertIn("dry run", planned.err)
        self.assertEqual(self.offsets("moves"), {0: 10, 1: 10})
        self.weir("group", "reset", "moves", "--to-offset", 3, "--topic", "moves:1", "--execute")
        self.assertEqual(self.offsets("moves"), {0: 10, 1: 3})
        self.assertEqual(len(self.consume("moves", "moves")), 7)
        with tempfile.NamedTemporaryFile("w") as file:
            file.write("moves,0,8\nmoves,1,9\n")
            file.flush()
            self.weir("group", "reset", "moves", "--from-file", file.name, "--execute")
        self.assertEqual(self.offsets("moves"), {0: 8, 1: 9})
        self.weir("group", "reset", "made-by-reset", "--topic", "moves", "--to-offset", 2, "--execute")
        self.assertEqual(self.offsets("made-by-reset"), {0: 2, 1: 2})
        self.weir("group", "reset", "moves", expect=2)
        self.weir("group", "reset", "moves", "--to-latest", "--topic", "no-such", expect=5)

    def test_delete_wants_consent(self):
        self.make("gone", 2)
        self.consume("gone", "gone")
        self.assertIn("2 committed offsets", self.weir("group", "delete", "gone", expect=3).err)
        self.weir("group", "delete", "gone", "--yes")
        self.assertNotIn("gone", [row["name"] for row in self.rows("group", "list")])
        self.weir("group", "delete", "gone", "--yes", expect=5)

    def test_lag_is_told_in_records_and_seconds(self):
        self.make("late", 20)
        self.consume("late", "late")
        self.weir("group", "reset", "late", "--to-offset", 8, "--topic", "late:1", "--execute")
        rows = self.rows("lag", "late")
        self.assertEqual([(row["partition"], row["lag"]) for row in rows], [(0, 0), (1, 2)])
        self.assertEqual(rows[0]["seconds"], 0)
        self.assertAlmostEqual(rows[1]["seconds"], time.time() - 1000, delta=60)
        watching = proc.Process([broker.program(), "lag", "late", "--watch", "--interval", "100ms"],
                                env={"WEIR_BOOTSTRAP": self.address})
        self.addCleanup(watching.kill)
        poll_until(lambda: len(watching.output("out").splitlines()) >= 6, DEADLINE_S, "three rounds")
        self.assertEqual(json.loads(watching.output("out").splitlines()[5])["lag"], 2)
        watching.signal(signal.SIGINT)
        self.assertEqual(watching.wait(DEADLINE_S), 0)


class OnWeirsBroker(GroupCommands, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.broker = broker.WeirBroker(cls.folder.name)
        cls.address = cls.broker.address

    @classmethod
    def tearDownClass(cls):
        cls.broker.process.stop()
        cls.folder.cleanup()


class OnApacheKafka(GroupCommands, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = kafka.Kafka(heap="512m")
        cls.address = cls.cluster.address

    @classmethod
    def tearDownClass(cls):
        cls.cluster.stop()


if __name__ == "__main__":
    unittest.main()
