"""The airport demo: its totals are those of the CSV files, whatever rows these hold and however often it is killed."""
import json
import random
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from lib import flights
from lib.broker import ROOT

DATA = ROOT / "examples" / "airport" / "data"
PROGRAM = ROOT / "build" / "dev" / "examples" / "airport" / "airport_demo"
FIGURES = ("flights", "cancelled", "with_delay", "delay_minutes", "largest_delay", "seats")


def demo(folder, data=DATA, timeout=120):
    """One run to its end; its totals."""
    done = subprocess.run([PROGRAM, "--once", "--json", "--listen", "127.0.0.1:0", "--folder", str(folder), "--data", str(data)],
                          capture_output=True, text=True, timeout=timeout)
    if done.returncode != 0:
        raise AssertionError(f"airport_demo exits {done.returncode}: {done.stderr[-2000:]}")
    return json.loads(done.stdout)


class Demo(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        holder = tempfile.TemporaryDirectory(prefix="weir-demo-")
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)

    def assert_same(self, found, wanted):
        self.assertEqual(set(found["by_origin_and_airline"]), set(wanted["by_origin_and_airline"]))
        for name in FIGURES:
            self.assertEqual(found["all"][name], wanted["all"][name], name)
        for group, figures in wanted["by_origin_and_airline"].items():
            for name in FIGURES:
                self.assertEqual(found["by_origin_and_airline"][group][name], figures[name], f"{group}: {name}")

    def test_a_year_of_flights_gives_the_totals_of_the_files_and_a_second_run_the_same(self):
        wanted = flights.totals(DATA)
        self.assertEqual(wanted["all"]["flights"], 336776)
        self.assertEqual(wanted["all"]["cancelled"], 8255)
        first = demo(self.folder / "broker")
        self.assert_same(first, wanted)
        self.assertEqual(demo(self.folder / "broker"), first)

    def test_totals_follow_the_rows_that_are_there(self):
        data = self.folder / "data"
        data.mkdir()
        dropped = flights.drop_rows(DATA, data, random.Random(time.time_ns()), 3)
        wanted = flights.totals(data)
        self.assertEqual(wanted["all"]["flights"], 336776 - dropped)
        self.assert_same(demo(self.folder / "broker", data), wanted)

    def test_a_kill_at_any_moment_changes_nothing_in_the_totals(self):
        data = self.folder / "data"
        data.mkdir()
        flights.drop_rows(DATA, data, random.Random(1), 2)
        rng = random.Random(time.time_ns())
        for _ in range(6):
            program = subprocess.Popen([PROGRAM, "--once", "--json", "--listen", "127.0.0.1:0", "--folder",
                                        str(self.folder / "broker"), "--data", str(data)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                program.wait(timeout=rng.uniform(0.02, 1.5))
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait()
        self.assert_same(demo(self.folder / "broker", data), flights.totals(data))


if __name__ == "__main__":
    unittest.main()
