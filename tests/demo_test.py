"""The airport demo: its totals are those of the CSV files, whatever rows these hold and however often it is killed."""
import json
import random
import re
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

from lib import flights, proc
from lib.broker import ROOT, program
from lib.registry import WeirUp

DATA = ROOT / "examples" / "airport" / "data"
PROGRAM = Path(program()).parents[2] / "examples" / "airport" / "airport_demo"
ROUNDS = 3  # of kills in the ordinary test
FIGURES = ("flights", "cancelled", "with_delay", "delay_minutes", "largest_delay", "seats")


def demo(folder, data=DATA, timeout=120):
    """One run to its end: its totals, and how many departures its instances have counted."""
    done = subprocess.run([PROGRAM, "--once", "--json", "--listen", "127.0.0.1:0", "--folder", str(folder), "--data", str(data)],
                          capture_output=True, text=True, timeout=timeout)
    if done.returncode != 0:
        raise AssertionError(f"airport_demo exits {done.returncode}: {done.stderr[-2000:]}")
    return json.loads(done.stdout), sum(int(n) for n in re.findall(r"delay-board \d counted (\d+) departures", done.stderr))


def part(name, up, *args):
    """The command line of a part of the demo, in front of another broker and registry."""
    return [PROGRAM, name, "--bootstrap", up.broker, "--registry", up.url, *args]


def assert_same(test, found, wanted):
    test.assertEqual(set(found["by_origin_and_airline"]), set(wanted["by_origin_and_airline"]))
    for name in FIGURES:
        test.assertEqual(found["all"][name], wanted["all"][name], name)
    for group, figures in wanted["by_origin_and_airline"].items():
        for name in FIGURES:
            test.assertEqual(found["by_origin_and_airline"][group][name], figures[name], f"{group}: {name}")


def kill_an_instance(test, data, wanted, rng):
    """Two instances share the work, one is killed somewhere on the way, and comes again, or another does with no state of its own:
    the totals are those of the files.

    True if it was still at work when it was killed.
    """
    with tempfile.TemporaryDirectory(prefix="weir-demo-") as folder, WeirUp(f"{folder}/up") as up:
        def instance(name):
            return proc.Process(part("delay-board", up, "--once", "--name", name, "--state-dir", f"{folder}/{name}"))

        proc.run(part("publish", up, "--data", data))
        names = ["1", "2"]
        instances = [instance(name) for name in names]
        victim = rng.randrange(2)
        heir = rng.choice([names[victim], "3"])
        victim = instances.pop(victim)
        try:
            if rng.random() < 0.7:  # after its start, else anywhere in it
                victim.wait_for_line("task .* runs", 30, stream="err")
            try:
                victim.wait(rng.uniform(0, 0.7))
            except AssertionError:
                pass
            at_work = victim.exit_code is None
            victim.kill()
            instances.append(instance(heir))
            for one in instances:
                test.assertEqual(one.wait(60), 0, one.output())
            done = proc.run(part("board", up, "--json"))
            assert_same(test, json.loads(done.out), wanted)
            return at_work
        finally:
            for one in instances:
                one.kill()


def kill_instances(test, kills):
    """So often, while they were at work; how many rounds that took."""
    with tempfile.TemporaryDirectory(prefix="weir-flights-") as folder:
        data, rng, done, rounds = Path(folder), random.Random(time.time_ns()), 0, 0
        flights.drop_rows(DATA, data, random.Random(1), 2)
        wanted = flights.totals(data)
        while done < kills:
            done += kill_an_instance(test, data, wanted, rng)
            rounds += 1
            test.assertLess(rounds, 5 * kills, "the instances are done before they can be killed")
        return rounds, wanted["all"]["flights"]


class Demo(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        holder = tempfile.TemporaryDirectory(prefix="weir-demo-")
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)

    def assert_same(self, found, wanted):
        assert_same(self, found, wanted)

    def test_a_year_of_flights_gives_the_totals_of_the_files_and_a_second_run_counts_nothing_again(self):
        wanted = flights.totals(DATA)
        self.assertEqual(wanted["all"]["flights"], 336776)
        self.assertEqual(wanted["all"]["cancelled"], 8255)
        first, counted = demo(self.folder / "demo")
        self.assert_same(first, wanted)
        self.assertGreaterEqual(counted, 336776)
        self.assertEqual(demo(self.folder / "demo"), (first, 0))

    def test_totals_follow_the_rows_that_are_there(self):
        data = self.folder / "data"
        data.mkdir()
        dropped = flights.drop_rows(DATA, data, random.Random(time.time_ns()), 3)
        wanted = flights.totals(data)
        self.assertEqual(wanted["all"]["flights"], 336776 - dropped)
        self.assert_same(demo(self.folder / "demo", data)[0], wanted)

    def test_a_kill_at_any_moment_changes_nothing_in_the_totals(self):
        data = self.folder / "data"
        data.mkdir()
        flights.drop_rows(DATA, data, random.Random(1), 2)
        rng = random.Random(time.time_ns())
        for _ in range(6):
            program = subprocess.Popen([PROGRAM, "--once", "--json", "--listen", "127.0.0.1:0", "--folder",
                                        str(self.folder / "demo"), "--data", str(data)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                program.wait(timeout=rng.uniform(0.02, 2.5))
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait()
        self.assert_same(demo(self.folder / "demo", data)[0], flights.totals(data))

    def test_killing_either_of_two_instances_changes_nothing_in_the_totals(self):
        kill_instances(self, ROUNDS)


if __name__ == "__main__":
    kills = int(sys.argv[1])
    rounds, departures = kill_instances(unittest.TestCase(), kills)
    print(f"counters: {json.dumps({'kills': kills, 'rounds': rounds, 'departures_a_round': departures})}")
