"""weir app reset, and --reset of an application's own program, on weir's broker and on Apache Kafka."""
import json
import unittest
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition

from lib import kafka, proc, stream_app
from lib.broker import helper, weir
from lib.stream_app import HITS, HITS_LOG, IN, LETTERS, LETTERS_LOG, NAME, REPARTITION, Reader
from lib.stream_case import DEADLINE_S, PARTITIONS, WithBroker
from lib.waiting import poll_until

WORDS = ["apple", "avocado", "banana", "apricot", "blueberry", "cherry"]
UNDER_WAY = "counter: a reset of the application has begun and not ended; run it again"


class ResetCase(WithBroker):
    def weir(self, *args, **kwargs):
        return weir(*args, env={"WEIR_BOOTSTRAP": self.address}, **kwargs)

    def reset(self, *args, **kwargs):
        return self.weir("app", "reset", NAME, *args, **kwargs)

    def plan(self, *args):
        return [json.loads(line) for line in self.reset(*args, "-o", "jsonl").out.splitlines()]

    def topics(self):
        return set(self.weir("topic", "list", "-o", "name").out.split())

    def offsets(self):
        """{(topic, partition): offset} of the application's group; below 0: there is none."""
        reader = Consumer({"bootstrap.servers": self.address, "group.id": NAME, "log_level": 2})
        try:
            asked = [TopicPartition(topic, n) for topic in (IN, REPARTITION) for n in range(PARTITIONS)]
            return {(p.topic, p.partition): p.offset for p in reader.committed(asked, timeout=30)}
        finally:
            reader.close()

    def counted(self):
        """A broker on which the application has counted the words and was stopped."""
        self.start_broker()
        self.create_topics()
        self.count_words()

    def create_topics(self):
        self.create(IN, HITS)
        self.create(LETTERS, **{"cleanup.policy": "compact"})

    def count_words(self, **kwargs):
        self.write(WORDS, partition=1)
        process = self.running(**kwargs)
        self.wait_for(LETTERS, len(WORDS), process)
        self.assertEqual(process.terminate(DEADLINE_S), 0, process.output())

    def member(self, *args):
        """It runs, and is a member of its group, which it joins once it runs."""
        process = self.running(*args)
        poll_until(lambda: "with 1 member" in self.reset(expect=None).err, DEADLINE_S, "a member of the group")
        return process

    def run_again(self, count, **kwargs):
        """Starts it, waits until `letters` has so many records, ends it."""
        process = self.running(**kwargs)
        self.wait_for(LETTERS, count, process)
        self.assertEqual(process.terminate(DEADLINE_S), 0, process.output())

    def letters(self):
        """[(letter, count)] of each partition."""
        with Reader(self.address, PARTITIONS) as reader:
            return [[(record.key, int.from_bytes(record.value, "big")) for _, record in records if record.value is not None]
                    for records in reader.read(LETTERS, DEADLINE_S)]

    def assert_counted_twice_from_the_start(self):
        for records in self.letters():
            half = len(records) // 2
            self.assertEqual(records[half:], records[:half])

    def commit(self, group, topic, offset):
        reader = Consumer({"bootstrap.servers": self.address, "group.id": group, "log_level": 2})
        try:
            reader.commit(offsets=[TopicPartition(topic, 0, offset)], asynchronous=False)
        finally:
            reader.close()

    def check_a_reset(self):
        """What must be so whoever the broker is."""
        topics, offsets = self.topics(), self.offsets()
        rows = self.plan("--state-dir", f"{self.folder.name}/state", "--output-topic", LETTERS)
        steps = [row["step"] for row in rows]
        self.assertEqual(list(dict.fromkeys(steps)), ["fence", "hold", "delete", "clear", "keep", "move"])
        self.assertEqual({row["name"] for row in rows if row["step"] == "delete"}, {REPARTITION, LETTERS_LOG, HITS_LOG})
        self.assertEqual([(row["name"], row["partition"], row["from"] or 0, row["to"]) for row in rows if row["step"] == "move"],
                         [(IN, 1, offsets[IN, 1], 0) if n == 1 else (IN, n, 0, 0) for n in range(PARTITIONS)])
        done = self.reset("--execute", "--state-dir", f"{self.folder.name}/state", expect=3)
        self.assertIn("nothing was changed; --yes does it", done.err)
        self.assertEqual((self.topics(), self.offsets()), (topics, offsets))
        done = self.reset("--execute", "--yes", "--state-dir", f"{self.folder.name}/state")
        self.assertIn("counter: reset; its next start begins anew", done.err)
        self.assertEqual(self.topics(), topics - {REPARTITION, LETTERS_LOG, HITS_LOG})
        self.assertEqual([self.offsets()[IN, n] for n in range(PARTITIONS)], [0] * PARTITIONS)
        self.assertTrue(all(self.offsets()[REPARTITION, n] < 0 for n in range(PARTITIONS)))
        self.run_again(2 * len(WORDS))
        self.assert_counted_twice_from_the_start()


class Reset(ResetCase):
    def test_it_counts_from_the_start_again(self):
        self.counted()
        self.check_a_reset()

    def test_an_instance_with_another_folder_counts_from_the_start_too(self):
        self.counted()
        self.reset("--execute", "--yes")
        self.run_again(2 * len(WORDS), state="another")
        self.assert_counted_twice_from_the_start()

    def test_a_folder_of_before_is_not_believed(self):
        self.counted()
        self.reset("--to-latest", "--execute", "--yes")
        others = [chr(n) * 3 for n in range(ord("b"), ord("z") + 1)]
        for times in (1, 2):  # so the new changelogs reach further than what the folder has of the old ones
            self.write(others, partition=1)
            self.run_again(len(WORDS) + times * len(others), state="another")
        self.write(["apple"], partition=1)
        self.run_again(len(WORDS) + 2 * len(others) + 1)
        last = {key: count for records in self.letters() for key, count in records}
        self.assertEqual((last[b"a"], last[b"b"], last[b"z"]), (1, 2, 2))

    def test_offsets_go_where_they_are_told_to_go(self):
        self.counted()
        for spec, to in ((("--to-latest",), 6), (("--to-offset", 4), 4), (("--shift-by", -1), 5),
                         (("--to-datetime", "2023-11-14T22:13:20.002Z"), 2)):
            rows = self.plan(*spec)
            self.assertEqual([row["to"] for row in rows if row["step"] == "move" and row["partition"] == 1], [to])
        self.reset("--to-offset", 4, "--execute", "--yes")
        self.run_again(len(WORDS) + 2, state="another")
        last = {key: count for records in self.letters() for key, count in records}
        self.assertEqual(last, {b"a": 3, b"b": 1, b"c": 1})

    def test_members_are_in_the_way_unless_they_are_forced_out(self):
        self.counted()
        process = self.member("--commit-interval-ms", 100)
        refused = self.reset("--execute", "--yes", expect=1)
        self.assertRegex(refused.err, r"group counter: is \w+ with 1 member; stop them first, or --force removes them")
        self.assertIn("WEIR-0068", refused.err)
        locked = self.reset("--force", "--state-dir", f"{self.folder.name}/state", expect=1)
        self.assertIn("another process has this folder open", locked.err)
        rows = self.plan("--force")
        self.assertEqual([row["step"] for row in rows][:2], ["evict", "fence"])
        self.reset("--force", "--execute", "--yes")
        self.assertEqual(process.wait(DEADLINE_S), 1, process.output())
        self.assertIn(UNDER_WAY, process.output("err"))
        self.run_again(2 * len(WORDS), state="another")
        self.assert_counted_twice_from_the_start()

    def test_what_ended_half_way_lets_no_instance_run_and_is_completed_by_the_same_command(self):
        self.counted()
        before = self.offsets()
        self.assertEqual(self.broker.terminate(DEADLINE_S), 0)
        self.start_broker("--set", "delete.topic.enable=false")
        ended = self.reset("--shift-by", -2, "--execute", "--yes", expect=1)
        self.assertIn("counter is held", ended.err)
        self.assertIn("delete.topic.enable", ended.err)
        self.assertEqual(self.offsets()[IN, 1], before[IN, 1])
        refused = self.weir("group", "reset", NAME, "--to-latest", "--execute", expect=1)
        self.assertIn("weir app reset counter completes it", refused.err)
        self.assertIn(UNDER_WAY, self.fails(state="another"))
        self.assertEqual(self.broker.terminate(DEADLINE_S), 0)
        self.start_broker()
        self.assertIn(UNDER_WAY, self.fails(state="another"))
        # An instance that ends so does not leave the group: its session ends.
        poll_until(lambda: self.weir("group", "list", "--filter", "name = 'counter' and state = 'Empty'", "-o", "name").out,
                   DEADLINE_S, "the group without members")
        rows = self.plan("--shift-by", -2)
        self.assertIn("an earlier reset has not ended", [row["detail"] for row in rows if row["step"] == "hold"][0])
        self.reset("--shift-by", -2, "--execute", "--yes")
        self.assertEqual(self.offsets()[IN, 1], before[IN, 1] - 2)
        self.run_again(len(WORDS) + 2, state="another")
        last = {key: count for records in self.letters() for key, count in records}
        self.assertEqual(last, {b"a": 3, b"b": 1, b"c": 1})

    def test_outputs_are_treated_as_asked_and_their_readers_are_named(self):
        self.counted()
        self.commit("reports", LETTERS, 0)
        self.commit("audit", HITS, 0)
        rows = self.plan("--output-topic", LETTERS, "--output-topic", HITS)
        self.assertEqual({row["name"]: row["detail"].split(" ")[1] for row in rows if row["step"] == "reader"},
                         {"reports": LETTERS, "audit": HITS})
        self.assertEqual({row["name"] for row in rows if row["step"] == "keep"}, {LETTERS, HITS})
        refused = self.reset("--output-topic", HITS, "--outputs", "tombstone", expect=1)
        self.assertIn("hits: its cleanup.policy is delete: tombstones delete nothing there", refused.err)
        refused = self.reset("--output-topic", LETTERS, "--outputs", "delete-records", expect=1)
        self.assertIn("letters: its cleanup.policy is compact", refused.err)
        refused = self.reset("--output-topic", IN, "--outputs", "delete-records", expect=1)
        self.assertIn("in: is read by the application itself", refused.err)
        done = self.reset("--output-topic", LETTERS, "--outputs", "tombstone", "--execute", "--yes")
        self.assertIn("wrote 3 tombstones to letters", done.err)
        last = {record.key: record.value for record in self.read(LETTERS)}
        self.assertEqual(last, {b"a": None, b"b": None, b"c": None})
        self.reset("--output-topic", HITS, "--outputs", "delete-records", "--execute", "--yes")
        self.assertEqual(self.read(HITS), [])
        done = self.reset("--output-topic", LETTERS, "--outputs", "tombstone", "--execute", "--yes")
        self.assertIn("wrote 0 tombstones to letters", done.err)

    def test_a_name_that_may_be_of_two_applications_is_not_guessed(self):
        self.counted()
        self.commit("counter-hits", IN, 0)
        refused = self.reset("--execute", "--yes", expect=1)
        self.assertIn("counter-hits-changelog: it may be of counter or of counter-hits; name those of counter with "
                      "--internal-topic", refused.err)
        rows = self.plan("--internal-topic", LETTERS_LOG)
        self.assertEqual({row["name"] for row in rows if row["step"] == "delete"}, {LETTERS_LOG, REPARTITION})
        self.assertIn("no changelog or repartition of counter", self.reset("--internal-topic", IN, expect=1).err)

    def test_what_cannot_be_done_is_said(self):
        self.counted()
        missing = self.weir("app", "reset", "conter", expect=5)
        self.assertIn("conter: no such group; did you mean counter?", missing.err)
        self.assertIn("no name of an application", self.weir("app", "reset", "a/b", expect=2).err)
        self.assertIn("no such topic; did you mean in?", self.reset("--input", "inn", expect=5).err)
        self.assertIn("is no input", self.reset("--input", REPARTITION, expect=1).err)
        self.assertIn("more than one place is given", self.reset("--to-latest", "--to-offset", 3, expect=2).err)
        self.assertIn("--output-topic says of which", self.reset("--outputs", "tombstone", expect=2).err)
        self.reset("--outputs", "burn", expect=2)
        self.assertIn("no local state of counter", self.reset("--state-dir", self.folder.name, expect=5).err)
        self.weir("group", "delete", NAME, "--yes")
        self.assertIn("--input names the topics that it reads", self.reset(expect=5).err)
        self.assertEqual([row["from"] for row in self.plan("--input", IN) if row["step"] == "move"], [None] * PARTITIONS)

    def test_a_table_is_for_people_and_names_are_what_the_steps_are_about(self):
        self.counted()
        table = self.reset()
        self.assertRegex(table.out, r"(?m)^NAME +STEP +PARTITION +FROM +TO +DETAIL$")
        self.assertRegex(table.out, r"(?m)^in +move +1 +6 +0")
        self.assertIn("dry run: nothing was changed; --execute does it", table.err)
        self.assertIn(LETTERS_LOG, self.reset("-o", "name").out.split())
        self.assertIn("dry run", self.reset("--execute", "--yes", "--dry-run").err)
        self.assertIn(LETTERS_LOG, self.topics())


class OwnProgram(ResetCase):
    def own(self, *args, expect=0, state="state"):
        return proc.run([helper("stream_app"), "--bootstrap", self.address, "--state-dir", f"{self.folder.name}/{state}",
                         "--reset", *args], expect=expect, deadline_s=DEADLINE_S)

    def test_it_resets_itself_with_its_folder(self):
        self.counted()
        self.commit("counter-hits", IN, 0)  # it knows its own topics by its topology
        text = self.own()
        self.assertIn("move in-1 from 6 to 0", text.out)
        self.assertIn("dry run: nothing was changed; --execute does it", text.err)
        rows = json.loads(self.own("--reset=json").out)
        self.assertEqual(list(dict.fromkeys(row["step"] for row in rows)), ["fence", "hold", "delete", "clear", "keep", "move"])
        self.assertEqual({row["name"] for row in rows if row["step"] == "keep"}, {LETTERS, HITS})
        latest = json.loads(self.own("--reset=json", "--reset-to", "latest").out)
        self.assertEqual([row["to"] for row in latest if row["step"] == "move"], [0, 6, 0])
        self.assertIn("nothing was changed; --yes does it", self.own("--execute", expect=3).err)
        self.assertTrue(list(Path(self.folder.name, "state", NAME, "tasks").iterdir()))
        self.assertIn("counter: reset", self.own("--execute", "--yes").err)
        self.assertFalse(Path(self.folder.name, "state", NAME, "tasks").exists())
        self.run_again(2 * len(WORDS))
        self.assert_counted_twice_from_the_start()

    def test_a_running_instance_is_in_the_way(self):
        self.counted()
        process = self.member()
        self.assertRegex(self.own("--execute", "--yes", expect=1).err, r"is \w+ with 1 member")
        self.assertIn("another process has this folder open", self.own("--force", expect=1).err)
        self.own("--force", "--execute", "--yes", state="none")
        self.assertEqual(process.wait(DEADLINE_S), 1, process.output())

    def test_flags_of_a_reset_want_it(self):
        for flag in ("--execute", "--yes", "--force", "--reset-to=latest"):
            done = proc.run([helper("stream_app"), flag], expect=2)
            self.assertIn("--reset-to, --execute, --yes and --force are for --reset", done.err)
        self.assertIn("--reset-to 'then': want earliest or latest", proc.run([helper("stream_app"), "--reset-to", "then"],
                                                                              expect=2).err)


class OnApacheKafka(ResetCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = kafka.Kafka(heap="512m")

    @classmethod
    def tearDownClass(cls):
        cls.cluster.stop()

    def setUp(self):
        super().setUp()
        self.address = self.cluster.address

    def test_it_counts_from_the_start_again(self):
        self.create_topics()
        self.count_words()
        self.check_a_reset()
        process = self.member()
        self.assertRegex(self.reset(expect=1).err, r"is \w+ with 1 member")
        self.reset("--force", "--execute", "--yes", "--output-topic", LETTERS, "--outputs", "tombstone")
        self.assertEqual(process.wait(DEADLINE_S), 1, process.output())
        self.assertIn(UNDER_WAY, process.output("err"))
        last = {record.key: record.value for record in self.read(LETTERS)}
        self.assertEqual(last, {b"a": None, b"b": None, b"c": None})


if __name__ == "__main__":
    unittest.main()
