"""The program as a shell sees it: exit codes, streams, pipes, completion, the man page."""
import json
import subprocess
import unittest

from lib import broker, proc
from lib.broker import weir

BASH = """
source <("$1" completion bash)
shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_weir
printf '%s\\n' "${COMPREPLY[@]}"
"""


def completed(*words):
    """What bash would offer for the last of these words."""
    done = proc.run(["bash", "--norc", "-c", BASH, "bash", broker.program(), *words])
    return [line for line in done.out.splitlines() if line]


class Program(unittest.TestCase):
    def test_data_goes_to_standard_output_and_errors_to_standard_error_with_their_exit_codes(self):
        self.assertEqual(json.loads(weir("version", "-o", "json").out)[0]["kafka"], "4.3.1")
        wrong = weir("verison", expect=2)
        self.assertEqual(wrong.out, "")
        self.assertIn("did you mean version?", wrong.err)
        missing = weir("explain", "no_such_thing", expect=5)
        self.assertIn("code: WEIR-1002 not_found", missing.err)

    def test_every_error_can_be_explained_from_what_was_printed(self):
        rows = [json.loads(line) for line in weir("explain", "-o", "jsonl").out.splitlines()]
        self.assertGreater(len(rows), 150)
        for code in ("WEIR-0003", "WEIR-1008"):
            self.assertIn(code, weir("explain", code).out)

    def test_nothing_is_coloured_where_there_is_no_terminal(self):
        self.assertNotIn("\x1b", weir("version").out + weir("nonsense", expect=2).err)

    def test_a_reader_that_goes_away_ends_the_program_quietly(self):
        done = proc.run(["bash", "-c", '"$1" explain -o jsonl | head -n 1; echo "${PIPESTATUS[0]}"', "bash", broker.program()])
        self.assertEqual(done.out.splitlines()[-1], "0")
        self.assertEqual(done.err, "")

    def test_man_accepts_the_man_page(self):
        page = weir("help", "--man").out
        if subprocess.run(["sh", "-c", "command -v groff"], capture_output=True).returncode == 0:
            done = proc.run(["groff", "-man", "-Tutf8", "-ww"], stdin=page)
            self.assertEqual(done.err, "")
        self.assertTrue(page.startswith(".TH WEIR 1"))


class Completion(unittest.TestCase):
    def test_bash_completes_commands_options_and_values(self):
        self.assertEqual(completed("weir", "ver"), ["version"])
        self.assertEqual(completed("weir", "version", "--out"), ["--output"])
        self.assertEqual(completed("weir", "version", "--output", "js"), ["json", "jsonl"])
        self.assertEqual(completed("weir", "version", "--output", "=", "ya"), ["yaml"])
        self.assertEqual(completed("weir", "version", "x"), [])
