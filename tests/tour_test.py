"""Every command of docs/tour.md, in its order, in front of the demo."""
import os
import re
import tempfile
import unittest
from pathlib import Path

from lib import proc
from lib.broker import ROOT, program

PAGE = ROOT / "docs" / "tour.md"
BUILD = Path(program()).parents[2]
START_DEADLINE_S = 120


def commands():
    """[(line, exit code)]: what stands in blocks of sh, but for what starts the demo and says where it is."""
    lines = [line for block in re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.S) for line in block.splitlines()]
    out = []
    for line in lines:
        code = re.search(r"   # exit code (\d+)$", line)
        out.append((line[:code.start()] if code else line, int(code.group(1)) if code else 0))
    return out


class Tour(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        holder = tempfile.TemporaryDirectory(prefix="weir-tour-")
        cls.addClassCleanup(holder.cleanup)
        cls.folder = Path(holder.name)
        (cls.folder / "examples").symlink_to(ROOT / "examples")
        demo = BUILD / "examples" / "airport"
        cls.demo = proc.Process([demo / "airport_demo", "--listen", "127.0.0.1:0", "--folder", cls.folder / "demo",
                                 "--data", ROOT / "examples" / "airport" / "data"])
        cls.addClassCleanup(cls.demo.stop)
        found = cls.demo.wait_for_line(r"--bootstrap (\S+) --registry (\S+)", START_DEADLINE_S, stream="err")
        cls.environment = {"WEIR_BOOTSTRAP": found.group(1), "WEIR_SCHEMA_REGISTRY_URL": found.group(2),
                           "PATH": f"{Path(program()).parent}:{demo}:{os.environ['PATH']}"}

    def test_every_command_does_what_the_page_says(self):
        first, *settings = [line for line, _ in commands()[:3]]
        self.assertEqual(first, "./run demo")
        self.assertTrue(all(line.startswith("export WEIR_") for line in settings), settings)
        told = {}
        for line, code in commands()[3:]:
            with self.subTest(line):
                done = proc.run(["bash", "-o", "pipefail", "-c", line], cwd=self.folder, env=self.environment, expect=code)
                told[line] = done.out + done.err
        self.assertGreater(len(told), 12)
        self.assert_told(told, "schema list", "flights.departures-value", "operations.delay-board-value")
        self.assert_told(told, "consume", '"origin":', '"scheduled_at":')
        self.assert_told(told, "schema diff flights.departures-value examples", "airport.Departure.gate",
                         "departure_with_gate.avsc reads what version 1 writes", "version 1 reads what")
        self.assert_told(told, "airport_demo board", "336776")
        self.assert_told(told, "schema register flights.departures-value examples/airport/contracts/next/departure_that_breaks",
                         "airport.Departure.flight", "airport.Departure.gate", "incompatible_schema")

    def assert_told(self, told, beginning, *texts):
        found = [text for line, text in told.items() if beginning in line]
        self.assertTrue(found, beginning)
        for text in texts:
            self.assertTrue(any(text in one for one in found), f"{beginning}: {text} is not in {found[0][:1000]}")


if __name__ == "__main__":
    unittest.main()
