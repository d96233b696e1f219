"""The Nth system call of the real broker fails or is its last: SIGKILL, EIO, ENOSPC at a write, a sync or a rename. Afterwards
the broker starts, everything acknowledged is there, and nothing is there twice.

`injection_test.py all` runs every N of every scenario (the long proof); as a test, one N of each call and fault.
"""
import copy
import json
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import unittest
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from injection.scenarios import SCENARIOS  # noqa: E402
from lib.broker import WeirBroker  # noqa: E402

CALLS = ("pwritev", "fdatasync", "fsync", "rename")
FAULTS = ("signal=SIGKILL", "error=EIO", "error=ENOSPC")


def words(settings):
    return [word for name, value in {"weir.wal.max.bytes": 4 << 20, **settings}.items() for word in ("--set", f"{name}={value}")]


def end(broker):
    """kill -9 of the broker alone: strace is to write down what it has seen."""
    try:
        os.kill(broker.pid, signal.SIGKILL)
        broker.process.wait(20)
    except (OSError, IndexError):
        pass  # it has ended by itself
    broker.kill()


class Prepared:
    """A scenario and its folder, from which every run takes a copy."""

    def __init__(self, name, folder):
        self.name, self.folder, self.scenario = name, Path(folder), SCENARIOS[name]()
        with WeirBroker(self.folder / "prepared", words({})) as broker:
            self.scenario.prepare(broker)
            if self.scenario.unclean:
                broker.kill()
            else:
                broker.terminate()

    def run(self, call=None, fault=None, number=None, acts=True):
        """(what is wrong, what became of the run, calls of each kind in the busiest thread)."""
        data, trace, scenario = self.folder / "data", self.folder / "trace", copy.deepcopy(self.scenario)
        shutil.rmtree(data, ignore_errors=True)
        shutil.copytree(self.folder / "prepared", data)
        if not acts:
            scenario.act = lambda broker: None
        inject = [] if call is None else ["-e", f"inject={call}:{fault}:when={number}"]
        traced = ",".join(CALLS) if call is None else call
        # Without --seccomp-bpf, under which strace 6.1 sends no signal at the Nth call.
        prefix = ["strace", "-f", "-qq", "-o", trace, "-e", f"trace={traced}", *inject]
        became = self.act(scenario, data, prefix)
        text = trace.read_text(encoding="utf-8", errors="replace") if trace.exists() else ""
        if call is not None and became == "served on" and "INJECTED" not in text:
            became = "untouched"
        with WeirBroker(data, words({})) as broker:
            return scenario.judge(broker), became, self.count(text)

    @staticmethod
    def act(scenario, data, prefix):
        try:
            broker = WeirBroker(data, words(scenario.settings), prefix=prefix)
        except AssertionError:
            return "did not start"
        try:
            scenario.act(broker)
            return "served on" if broker.process.exit_code is None else "ended"
        except (ConnectionError, OSError) as problem:
            if isinstance(problem, TimeoutError):
                raise AssertionError(f"the broker does not answer: {broker.log()[-2000:]}") from None
            return "ended"
        finally:
            end(broker)

    @staticmethod
    def count(text):
        counts = Counter(re.findall(r"^(\d+) +(\w+)\(", text, re.M))
        return {call: max((n for (_, name), n in counts.items() if name == call), default=0) for call in CALLS}


def one_of(prepared, call, fault, number):
    """Runs one and says what is wrong with where; what became of it."""
    try:
        wrong, became, _ = prepared.run(call, fault, number)
    except AssertionError as problem:
        wrong, became = [str(problem)], "broken"
    return [f"{prepared.name}: {fault} at {call} {number}: {line}" for line in wrong], became


def every(name):
    """Every N of a scenario: what is wrong, and what became of the runs."""
    wrong, became = [], Counter()
    with tempfile.TemporaryDirectory() as folder:
        prepared = Prepared(name, folder)
        for call in CALLS:
            for fault in FAULTS:
                number = 1
                while True:
                    more, how = one_of(prepared, call, fault, number)
                    wrong += more
                    if how == "untouched":
                        break
                    became[how] += 1
                    number += 1
    return wrong, became


class NthCall(unittest.TestCase):
    def test_after_a_failing_call_the_broker_starts_and_keeps_what_it_acknowledged(self):
        if shutil.which("strace") is None:
            self.fail("strace is missing: ./run setup test")
        became, touched, broken = Counter(), Counter(), []
        for name in SCENARIOS:
            with tempfile.TemporaryDirectory() as folder:
                prepared = Prepared(name, folder)
                wrong, how, counts = prepared.run()
                self.assertEqual((wrong, how), ([], "served on"), name)
                # What the start calls is the business of one scenario.
                begun = Counter() if prepared.scenario.unclean else prepared.run(acts=False)[2]
                for call in CALLS:
                    for fault in FAULTS:
                        if counts[call] > begun[call]:
                            pick = random.Random(f"{name} {call} {fault}")
                            number = pick.randint(begun[call] + 1, counts[call])
                            wrong, how = one_of(prepared, call, fault, number)
                            # How many writes and syncs there are is a matter of moments: an earlier one, then.
                            while how == "untouched" and number > begun[call] + 1:
                                number = begun[call] + (number - begun[call]) // 2
                                wrong, how = one_of(prepared, call, fault, number)
                            broken += wrong
                            became[how] += 1
                            touched[name] += how != "untouched"
        print(dict(became))
        self.assertEqual(broken, [], "\n" + "\n".join(broken))
        self.assertEqual(set(touched), set(SCENARIOS), dict(touched))
        self.assertGreater(min(touched.values()), len(FAULTS), dict(touched))
        for how in ("served on", "ended", "did not start"):
            self.assertGreater(became[how], 0, how)


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] == "all":
        totals, faults = Counter(), []
        for scenario in sys.argv[2:] or SCENARIOS:
            found, counted = every(scenario)
            faults += found
            totals += counted
            print(scenario, dict(counted), len(found), flush=True)
        print("\n".join(faults))
        print(f"counters: {json.dumps({'runs': sum(totals.values()), **totals})}")
        sys.exit(1 if faults else 0)
    unittest.main()
