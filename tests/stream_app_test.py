"""A stream application as a program: its flags, its environment, what it says when it cannot start, how it ends."""
import json
import os
import re
import signal
import socket
import unittest
from pathlib import Path

from confluent_kafka import Producer

from lib import ports, proc, prometheus, stream_app
from lib.broker import ROOT, helper
from lib.stream_app import HITS, IN, LETTERS, REPARTITION, RUNS, Reader
from lib.stream_case import DEADLINE_S, PARTITIONS, WithBroker
from lib.waiting import poll_until

FLAGS = ("bootstrap", "threads", "state-dir", "at-least-once", "commit-interval-ms", "cache-bytes", "max-task-idle-ms", "session-timeout-ms", "heartbeat-interval-ms",
         "transaction-timeout-ms", "on-error", "dead-letters", "repartition-purge-interval-ms",
         "standby-replicas", "assignment", "fixed-slots", "fixed-slot", "tag", "spread-tag", "group-instance-id",
         "restore-bytes-per-second", "replication-factor", "monitor", "monitor-allow-remote", "monitor-host",
         "set", "describe", "reset", "reset-to", "execute", "yes", "force", "help")
PROCESS = ("process_cpu_seconds_total", "process_resident_memory_bytes", "process_virtual_memory_bytes", "process_open_fds",
           "process_max_fds", "weir_heap_bytes")


def run(*args, expect=0, env=None):
    return proc.run([helper("stream_app"), *args], expect=expect, env=env, deadline_s=DEADLINE_S)


class CommandLine(unittest.TestCase):
    """Without a broker."""

    def test_help_names_every_flag(self):
        told = run("--help").out
        self.assertEqual(re.findall(r"^  --([a-z-]+)", told, re.M), list(FLAGS))
        self.assertIn("WEIR_STATE_DIR", told)

    def test_describe_shows_the_topology_in_each_form(self):
        text = run("--describe").out
        self.assertEqual(text, run("--describe=text").out)
        self.assertIn("write-back cache of 1000000 bytes an instance", run("--describe", "--cache-bytes=1000000").out)
        self.assertEqual(json.loads(run("--describe=json").out)["cacheBytes"], 64 << 20)
        for part in ("sub-topology 0", "sub-topology 1", REPARTITION, stream_app.HITS_LOG, stream_app.LETTERS_LOG):
            self.assertIn(part, text)
        form = json.loads(run("--describe=json").out)
        self.assertEqual((form["name"], [sub["id"] for sub in form["subTopologies"]]), ("counter", [0, 1]))
        stores = [store["changelog"] for sub in form["subTopologies"] for store in sub["stores"]]
        self.assertEqual(stores, [stream_app.HITS_LOG, stream_app.LETTERS_LOG])
        mermaid, dot = run("--describe=mermaid").out, run("--describe=dot").out
        self.assertTrue(mermaid.startswith("flowchart TD\n"), mermaid)
        self.assertEqual(mermaid.count(" --> "), dot.count(" -> "))
        self.assertTrue(dot.startswith('digraph "counter" {\n') and dot.endswith("}\n"), dot)
        self.assertEqual(dot.count("{"), dot.count("}"))

    def refused(self, *args, env=None):
        """What it says before it ends with 2."""
        done = run(*args, expect=2, env=env)
        self.assertEqual(done.out, "")
        self.assertTrue(done.err.startswith("counter: "), done.err)
        return done.err

    def test_a_flag_that_it_does_not_have_is_named(self):
        self.assertIn("there is no --bogus", self.refused("--bogus"))
        self.assertIn("there is no --bogus", self.refused("--bogus=1", "--help"))
        self.assertIn("'words' is no flag", self.refused("words"))

    def test_a_value_that_it_cannot_use_is_named_with_its_flag(self):
        for flag, value in (("threads", "0"), ("threads", "two"), ("commit-interval-ms", "0"), ("cache-bytes", "some"), ("session-timeout-ms", "1s"),
                            ("transaction-timeout-ms", "-1"), ("replication-factor", "40000"), ("on-error", "panic"),
                            ("describe", "xml"), ("set", "security.protocol")):
            self.assertIn(f"--{flag} '{value}': want ", self.refused(f"--{flag}={value}"))
        self.assertIn("--state-dir needs a value: DIR", self.refused("--state-dir"))

    def test_the_environment_is_checked_as_flags_are(self):
        self.assertIn("--threads 'many': want ", self.refused(env={"WEIR_THREADS": "many"}))

    def test_dead_letters_without_a_topic_for_them_are_refused(self):
        self.assertIn("no topic is named", run("--on-error=dead-letter", expect=1).err)


class Start(WithBroker):
    def test_all_missing_topics_are_named(self):
        self.start_broker()
        self.assertIn("reads or writes topics that do not exist: hits, in, letters; create them", self.fails())
        self.create(IN)
        self.assertIn("topics that do not exist: hits, letters; create them", self.fails())

    def test_an_internal_topic_with_another_number_of_partitions_is_named_with_both(self):
        self.begin()
        self.create(REPARTITION, partitions=2)
        self.assertIn(f"{REPARTITION} has 2 partitions, counter needs 3", self.fails())

    def test_a_topic_of_dead_letters_that_does_not_exist_is_named(self):
        self.begin()
        self.assertIn("the topic of dead letters, graves, does not exist",
                      self.fails("--on-error", "dead-letter", "--dead-letters", "graves"))

    def test_a_state_folder_is_of_one_process_at_a_time(self):
        self.begin()
        first = self.running()
        said = self.fails()
        self.assertIn(f"{self.folder.name}/state/counter", said)
        self.assertIn("each instance on one machine needs a state folder of its own", said)
        first.kill()
        self.running()

    def test_a_start_that_is_killed_while_it_names_itself_stops_no_later_one(self):
        self.begin()
        name = f"{self.folder.name}/state/counter/process-id"
        cut = proc.run(["strace", "-f", "-qq", "-o", "/dev/null", "-P", name, "-P", f"{name}.tmp",
                        "-e", "inject=pwritev:signal=SIGKILL", helper("stream_app"), "--bootstrap", self.address,
                        "--state-dir", f"{self.folder.name}/state"], expect=None, deadline_s=DEADLINE_S)
        self.assertEqual(cut.code, -signal.SIGKILL, cut.err)
        self.assertEqual(self.running().terminate(DEADLINE_S), 0)
        named = Path(name).read_text(encoding="ascii")
        self.assertEqual(self.running().terminate(DEADLINE_S), 0)
        self.assertEqual(Path(name).read_text(encoding="ascii"), named)

    def test_the_environment_says_what_flags_do_not(self):
        self.begin()
        self.write(["apple"])
        state = f"{self.folder.name}/from-environment"
        env = {"WEIR_BOOTSTRAP": self.address, "WEIR_STATE_DIR": state, "WEIR_THREADS": "2"}
        process = self.running(state=None, env=env, bootstrap=False)
        self.wait_for(LETTERS, 1, process)
        self.assertTrue(Path(state, "counter", "process-id").exists())
        self.assertEqual(process.terminate(DEADLINE_S), 0)
        other = {**env, "WEIR_STATE_DIR": "/proc/not-to-be-used", "WEIR_BOOTSTRAP": "127.0.0.1:1"}
        self.assertEqual(self.running(env=other).terminate(DEADLINE_S), 0)

    def test_a_broker_that_comes_later_is_waited_for(self):
        self.begin()
        self.write(["apple"])
        self.assertEqual(self.broker.terminate(DEADLINE_S), 0)
        held = socket.create_server(("127.0.0.1", self.port))
        process = self.start()
        held.accept()[0].close()  # it has asked, in vain
        held.close()
        self.start_broker()
        process.wait_for_line(RUNS, DEADLINE_S, "err")
        self.wait_for(LETTERS, 1, process)


class State(WithBroker):
    RECORDS = 300

    def records_read(self, process):
        """Of changelogs, once every task runs."""
        def all_run():
            self.assertIsNone(process.exit_code, process.output())
            lines = dict(re.findall(r"task (\d_\d) runs; (\d+) changelog records were read", process.output("err")))
            return len(lines) == 2 * PARTITIONS and lines
        return sum(map(int, poll_until(all_run, DEADLINE_S, "all tasks").values()))

    def test_a_folder_is_used_again_after_an_end_in_order_and_restored_when_it_is_lost(self):
        self.begin()
        self.write([f"{n % 26:c}{n}" for n in range(97, 97 + self.RECORDS)])
        first = self.running()
        self.wait_for(LETTERS, self.RECORDS, first)
        self.assertEqual(first.terminate(DEADLINE_S), 0, first.output())
        again = self.running()
        self.assertEqual(self.records_read(again), 0)
        self.assertEqual(again.terminate(DEADLINE_S), 0, again.output())
        elsewhere = self.running(state="another")
        self.assertGreater(self.records_read(elsewhere), self.RECORDS)
        self.write(["apple"])
        self.wait_for(LETTERS, self.RECORDS + 1, elsewhere)

    def test_a_folder_is_used_again_after_a_kill_and_what_had_not_reached_it_is_restored(self):
        self.begin()
        self.write(["apple"] * self.RECORDS)
        first = self.running()
        self.wait_for(LETTERS, self.RECORDS, first)
        self.assertEqual(first.terminate(DEADLINE_S), 0, first.output())
        second = self.running()
        self.write(["apple"])
        self.wait_for(LETTERS, self.RECORDS + 1, second)
        second.kill()
        third = self.running()
        # Of each of the two stores the row that the second one has written, or not even that.
        self.assertLessEqual(self.records_read(third), 2)
        self.write(["apple"])
        self.wait_for(LETTERS, self.RECORDS + 2, third)
        self.assertEqual([int.from_bytes(record.value, "big") for record in self.read(LETTERS)],
                         list(range(1, self.RECORDS + 3)))


class Watched(WithBroker):
    """What its HTTP listener says."""

    def setUp(self):
        super().setUp()
        self.http = ports.free_port()

    def watched(self, *args):
        process = self.start("--monitor", f"127.0.0.1:{self.http}", *args)
        process.wait_for_line(RUNS, DEADLINE_S, "err")
        return process

    def ready(self):
        return prometheus.get(self.http, "/readyz")[0] == 200

    def metrics(self):
        status, _, text = prometheus.get(self.http, "/metrics")
        self.assertEqual(status, 200)
        return prometheus.parse(text)

    def test_every_metric_of_the_page_is_there_and_no_other(self):
        self.begin()
        self.watched()
        poll_until(self.ready, DEADLINE_S, "ready")
        rows = [row for row in prometheus.rows((ROOT / "docs" / "metrics.md").read_text(encoding="utf-8"))
                if row[3] == "streams" or row[0] in PROCESS]
        families = self.metrics()
        self.assertEqual(sorted(families), sorted(row[0] for row in rows))
        for name, kind, labels, _ in rows:
            with self.subTest(name=name):
                self.assertEqual(families[name].kind, kind)
                for _, own, _ in families[name].samples:
                    self.assertEqual(sorted(set(own) - {"le"}), sorted(labels))

    def test_numbers_are_those_of_the_work(self):
        self.begin()
        process = self.watched("--threads", 2)
        self.write(["apple", "pear", "quince"], partition=1)
        self.wait_for(LETTERS, 3, process)
        app = {"application": stream_app.NAME}
        def settled():
            now = self.metrics()
            running = now["weir_streams_tasks"].total(**app, state="running")
            return running == 2 * PARTITIONS and len(now["weir_streams_lag"].samples) == running and now["weir_streams_lag"].total() == 0
        poll_until(settled, DEADLINE_S, "all tasks without a lag")
        families = self.metrics()
        self.assertEqual(families["weir_streams_processed_records_total"].value(**app, task="0_1"), 3)
        self.assertEqual(families["weir_streams_processed_records_total"].total(), 6)
        self.assertEqual(families["weir_streams_threads"].total(), 2)
        self.assertEqual(families["weir_streams_lag"].value(**app, task="0_1", topic=IN, partition="1"), 0)
        self.assertEqual(families["weir_streams_lag_seconds"].total(), 0)
        self.assertGreater(families["weir_streams_commits_total"].value(**app, outcome="done"), 0)
        self.assertGreater(families["weir_streams_state_bytes"].total(kind="cache"), 0)
        self.assertGreater(families["weir_streams_state_bytes"].total(kind="memory"), 0)

    def test_late_failed_and_skipped_records_are_counted_by_their_reason(self):
        self.begin()
        self.write(["rotten", "apple"])
        process = self.start("--monitor", f"127.0.0.1:{self.http}", "--on-error=skip", env=Failure.ENV)
        self.wait_for(LETTERS, 1, process)
        app = {"application": stream_app.NAME, "task": "0_0"}
        self.assertEqual(self.metrics()["weir_streams_failed_records_total"].value(**app, reason="failed"), 1)
        producer = Producer({"bootstrap.servers": self.address, "log_level": 2})
        producer.produce(IN, "late", "key", 0, timestamp=1_600_000_000_000)
        self.assertEqual(producer.flush(DEADLINE_S), 0)
        dropped = lambda: self.metrics()["weir_streams_dropped_records_total"].total(**app, node="hits", reason="late")
        poll_until(lambda: dropped() == 1, DEADLINE_S, "a late record")

    def test_it_lives_before_it_is_ready_and_says_what_it_waits_for(self):
        process = self.start("--monitor", f"127.0.0.1:{self.http}")
        def answers():
            try:
                return prometheus.get(self.http, "/livez")
            except ConnectionRefusedError:
                return None
        status, headers, text = poll_until(answers, DEADLINE_S, "a listener")
        self.assertEqual((status, text), (200, "live\n"))
        self.assertEqual(headers["Cache-Control"], "no-store")
        status, _, text = prometheus.get(self.http, "/readyz?format=json")
        self.assertEqual((status, json.loads(text)), (503, {"ready": False, "reasons": ["thread 0 is starting"]}))
        self.begin()
        poll_until(self.ready, DEADLINE_S, "ready")
        self.assertEqual(process.terminate(DEADLINE_S), 0, process.output())

    def test_a_thread_that_hangs_is_not_live(self):
        self.begin()
        process = self.start("--monitor", f"127.0.0.1:{self.http}", env={"STREAM_APP_HANGS": "mud"})
        poll_until(lambda: process.output("err") and self.ready(), DEADLINE_S, "ready")
        self.write(["mud"])
        def stuck():
            status, _, text = prometheus.get(self.http, "/livez")
            return status == 503 and text
        self.assertEqual(poll_until(stuck, DEADLINE_S, "a thread that hangs"), "thread 0 does not answer\n")
        self.assertEqual(self.metrics()["weir_streams_threads"].value(application=stream_app.NAME, phase="silent"), 1)

    def test_what_a_listener_cannot_be_is_said(self):
        self.assertIn("monitor: ", self.fails("--monitor", "nowhere"))
        with socket.create_server(("127.0.0.1", 0)) as taken:
            self.assertIn("monitor: ", self.fails("--monitor", f"127.0.0.1:{taken.getsockname()[1]}"))


class End(WithBroker):
    RECORDS = 50

    def test_a_signal_ends_it_in_order_and_what_it_has_done_is_committed(self):
        self.begin()
        done = 0
        for number in (signal.SIGTERM, signal.SIGINT):
            # So long that no commit comes by itself.
            process = self.running("--commit-interval-ms", 300_000, "--transaction-timeout-ms", 600_000)
            self.write([f"v{n}" for n in range(self.RECORDS)])
            done += self.RECORDS
            self.wait_for(HITS, done, process, committed=False)
            self.assertEqual((len(self.read(HITS)), self.committed()), (done - self.RECORDS,) * 2)
            os.kill(process.pid, number)
            self.assertEqual(process.wait(DEADLINE_S), 0, process.output())
            self.assertEqual((len(self.read(HITS)), self.committed()), (done, done))

    def test_it_goes_on_when_the_broker_is_restarted(self):
        self.begin()
        process = self.running()
        self.write(["apple"])
        self.wait_for(LETTERS, 1, process)
        for again in (2, 3):
            self.broker.kill() if again == 2 else self.broker.terminate(DEADLINE_S)
            self.start_broker()
            self.write(["apple"])
            self.wait_for(LETTERS, again, process)
        self.assertEqual(process.terminate(DEADLINE_S), 0, process.output())
        self.assertEqual([int.from_bytes(record.value, "big") for record in self.read(LETTERS)], [1, 2, 3])


class Failure(WithBroker):
    ENV = {"STREAM_APP_FAILS": "rotten"}

    def test_a_function_that_fails_ends_it_with_the_place_and_nothing_of_the_record_is_committed(self):
        self.begin()
        self.write(["apple", "pear"], partition=1)
        process = self.running(env=self.ENV)
        self.wait_for(LETTERS, 2, process)
        self.write(["rotten"], partition=1)
        self.assertEqual(process.wait(DEADLINE_S), 1, process.output())
        said = process.output("err").splitlines()[-1]
        self.assertIn("counter: by-letter-key, record in-1 at offset 2: cannot map rotten", said)
        self.assertEqual((len(self.read(HITS)), self.committed()), (2, 2))
        healed = self.running()
        self.wait_for(LETTERS, 3, healed)

    def test_dead_letters_have_the_record_and_its_place_and_the_rest_goes_on(self):
        self.begin()
        self.create("dead", partitions=1)
        self.write(["apple", "rotten", "pear"], partition=2)
        process = self.running("--on-error", "dead-letter", "--dead-letters", "dead", env=self.ENV)
        self.wait_for(LETTERS, 2, process)
        with Reader(self.address, 1) as reader:
            (letter,) = reader.read("dead", DEADLINE_S)[0]
            headers = dict(reader.headers[0])
        self.assertEqual((letter[1].key, letter[1].value), (b"key-1", b"rotten"))
        self.assertEqual({name: headers[f"__streams.errors.{name}"] for name in ("node", "topic", "partition", "offset")},
                         {"node": b"by-letter-key", "topic": b"in", "partition": b"2", "offset": b"1"})
        self.assertIn(b"cannot map rotten", headers["__streams.errors.message"])
        self.assertEqual(self.committed(), 3)
        self.assertEqual(len(self.read(HITS)), 3, "the other branch has the record too")

    def test_records_that_fail_are_skipped_on_request(self):
        self.begin()
        self.write(["rotten", "apple", "rotten"])
        process = self.running("--on-error=skip", env=self.ENV)
        self.wait_for(LETTERS, 1, process)
        self.assertEqual(process.terminate(DEADLINE_S), 0, process.output())


if __name__ == "__main__":
    unittest.main()
