"""Benchmarks do not rot: every committed results file has the shape that readers rely on, and each runs with tiny input."""
import copy
import json
import sys
import tempfile
import unittest
from pathlib import Path

from lib import avro, kafka, proc

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench"))
from common import chart, machine, results  # noqa: E402
import nexmark  # noqa: E402

PYTHON = "/usr/bin/python3"
GOOD = {"machine": "2 cores", "versions": {"weir": "1"}, "settings": {"size": "tiny"}, "date": "2026-01-01",
        "rows": [results.row("broker", "produce 100 B", "p99_us", 500, "Kafka", 2000)]}


class ResultsFiles(unittest.TestCase):
    def test_every_committed_results_file_has_the_shape(self):
        for path in sorted((ROOT / "bench" / "results").glob("*.json")):
            with self.subTest(path.name):
                self.assertEqual(results.faults(path.stem, json.loads(path.read_text())), [])

    def test_the_chart_of_nexmark_shows_its_results(self):
        for path in (ROOT / "bench" / "results").glob("nexmark.json"):
            self.assertEqual(path.with_suffix(".svg").read_text(), nexmark.picture(json.loads(path.read_text())["rows"]))

    def test_a_chart_has_a_bar_for_each_number(self):
        drawn = chart.draw("a < b", [("q0", [4.0, None]), ("q1", [None, 2.0])], ("one", "two"), [(5, "5")])
        self.assertIn("a &lt; b", drawn)
        self.assertEqual(drawn.count('height="12"'), 2 + 2)  # two of the legend
        self.assertIn(">4.0<", drawn)

    def test_a_complete_file_has_no_faults(self):
        self.assertEqual(results.faults("broker", GOOD), [])

    def broken(self, **changes):
        content = copy.deepcopy(GOOD)
        content["rows"][0].update(changes)
        return results.faults("broker", content)

    def test_a_ratio_that_does_not_follow_from_its_row_is_found(self):
        self.assertEqual(GOOD["rows"][0]["ratio"], 0.25)
        self.assertRegex(self.broken(ratio=4.0)[0], "ratio")

    def test_an_incomplete_row_is_found(self):
        content = copy.deepcopy(GOOD)
        del content["rows"][0]["peer_value"]
        self.assertRegex(results.faults("broker", content)[0], "want bench, case")
        self.assertRegex(self.broken(peer_value=None)[0], "numbers above 0")

    def test_an_unknown_metric_or_a_wrong_direction_is_found(self):
        self.assertTrue(self.broken(metric="speed"))
        self.assertTrue(self.broken(better="higher"))

    def test_a_case_of_the_broker_that_neither_produces_nor_consumes_is_found(self):
        self.assertRegex(self.broken(case="100 B")[0], "begins neither")

    def test_a_file_without_a_machine_or_rows_is_found(self):
        self.assertTrue(results.faults("broker", dict(GOOD, machine="")))
        self.assertTrue(results.faults("broker", dict(GOOD, rows=[])))


class TinyRuns(unittest.TestCase):
    """Each benchmark once; what it measures here means nothing."""

    def run_tiny(self, name):
        with tempfile.TemporaryDirectory() as out:
            proc.run([PYTHON, ROOT / "bench" / f"{name}.py", "--tiny", "--preset", "dev", "--out", out], deadline_s=300)
            content = json.loads((Path(out) / f"{name}.json").read_text())
        self.assertEqual(results.faults(name, content), [])
        return {(row["case"], row["metric"]) for row in content["rows"]}

    def test_the_log_alone(self):
        self.assertIn(("write + fdatasync of 4 KiB into recycled space", "p99_us"), self.run_tiny("log"))

    def test_contracts_beside_other_libraries(self):
        avro.fastavro()
        avro.jars()
        self.assertIn(("decode, generated view", "cpu_s_per_million"), self.run_tiny("contracts"))

    def test_the_client_beside_librdkafka_and_java(self):
        kafka.jars()
        self.assertTrue({("produce 100 B flat out", "cpu_ns_per_record"), ("consume 100 B flat out", "cpu_ns_per_record")} <=
                        self.run_tiny("client"))

    def test_nexmark_beside_kafka_streams(self):
        kafka.jars()
        self.assertIn(("q3, exactly once", "cpu_s_per_million"), self.run_tiny("nexmark"))

    def test_start_and_memory_beside_kafka(self):
        kafka.jars()
        self.assertIn(("idle, 10 empty partitions", "rss_mib"), self.run_tiny("start"))

    def test_transactions_beside_kafka(self):
        kafka.jars()
        self.assertIn(("produce transactions of 1, 16 partitions, 1 producers", "p99_us"), self.run_tiny("transactions"))

    def test_streams_beside_kafka_streams(self):
        kafka.jars()
        self.assertIn(("count, 100,000 keys, exactly once", "cpu_s_per_million"), self.run_tiny("streams"))

    def test_restore(self):
        kafka.jars()
        self.assertIn(("restore in sorted runs", "records_per_s"), self.run_tiny("restore"))

    def test_restarts_and_connections_beside_kafka(self):
        kafka.jars()
        self.assertIn(("50 idle connections", "rss_mib"), self.run_tiny("scale"))

    def test_the_broker_beside_kafka(self):
        kafka.jars()
        self.assertTrue({("produce 100 B flat out", "records_per_s"), ("consume 100 B flat out", "records_per_s")} <=
                        self.run_tiny("broker"))


class Refusals(unittest.TestCase):
    def test_a_folder_in_memory_is_refused(self):
        if machine.file_system("/dev/shm")[0] != "tmpfs":
            self.skipTest("/dev/shm is no tmpfs here")
        done = proc.run([PYTHON, ROOT / "bench" / "log.py", "--tiny", "--folder", "/dev/shm/weir-bench"], expect=1)
        self.assertIn("tmpfs", done.err)
        self.assertFalse(Path("/dev/shm/weir-bench").exists())


class LoadGenerator(unittest.TestCase):
    def test_a_wrong_option_or_a_broker_that_is_not_there_is_said(self):
        from common import brokers
        brokers.use_preset("dev")
        load = brokers.program("load")
        self.assertIn("--rate", proc.run([load, "--bootstrap", "127.0.0.1:1", "--topic", "t", "--rate", "fast"], expect=2).err)
        self.assertIn("refused", proc.run([load, "--bootstrap", "127.0.0.1:1", "--topic", "t", "--wait", "0"], expect=1).err)


if __name__ == "__main__":
    unittest.main()
