"""docs/client.md, docs/contracts.md and docs/streams.md: each example stands in a program of examples/client, which is compiled and runs."""
import re
import textwrap
import unittest
from pathlib import Path

from lib import broker, proc

PAGES = {"client.md": "guide.cc", "contracts.md": "contracts_guide.cc", "streams.md": "streams_guide.cc"}
EXAMPLES = broker.ROOT / "examples" / "client"
BUILT = Path(broker.program()).parents[2] / "examples" / "client"


def lines(text):
    return [line.strip() for line in text.splitlines() if line.strip()]


class ClientDocs(unittest.TestCase):
    def test_every_example_of_a_page_is_a_part_of_its_program(self):
        for page, source in PAGES.items():
            program = "\n".join(lines((EXAMPLES / source).read_text()))
            blocks = re.findall(r"```cpp\n(.*?)```", (broker.ROOT / "docs" / page).read_text(), re.S)
            self.assertGreater(len(blocks), 4)
            for block in blocks:
                with self.subTest(f"{page}: {textwrap.shorten(block, 60)}"):
                    self.assertIn("\n".join(lines(block)), program)

    def test_the_programs_run(self):
        for name in ("client_guide", "contracts_guide", "streams_guide"):
            done = proc.run([BUILT / name], deadline_s=60)
            self.assertTrue(done.out.endswith("every example has run\n"), done.out)
