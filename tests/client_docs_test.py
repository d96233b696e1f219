"""docs/client.md: each example stands in examples/client/guide.cc, which is compiled and runs."""
import re
import textwrap
import unittest

from lib import broker, proc

DOC = broker.ROOT / "docs" / "client.md"
GUIDE = broker.ROOT / "examples" / "client" / "guide.cc"


def lines(text):
    return [line.strip() for line in text.splitlines() if line.strip()]


class ClientDocs(unittest.TestCase):
    def test_every_example_of_the_page_is_a_part_of_the_program(self):
        program = "\n".join(lines(GUIDE.read_text()))
        blocks = re.findall(r"```cpp\n(.*?)```", DOC.read_text(), re.S)
        self.assertGreater(len(blocks), 4)
        for block in blocks:
            with self.subTest(textwrap.shorten(block, 60)):
                self.assertIn("\n".join(lines(block)), program)

    def test_the_program_runs(self):
        done = proc.run([broker.ROOT / "build" / "dev" / "examples" / "client" / "client_guide"], deadline_s=60)
        self.assertEqual(done.out, "every example has run\n")
