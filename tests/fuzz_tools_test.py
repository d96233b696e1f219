"""The tools around the fuzz targets: what counts as reached, where first inputs come from, and that no target lacks its row."""
import re
import sys
import tempfile
import tomllib
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import fuzz  # noqa: E402
import fuzz_seeds  # noqa: E402

LCOV = f"""SF:{ROOT}/src/log/a.cc
DA:3,7
DA:4,0
DA:9,1
end_of_record
SF:./src/log/b.h
DA:1,0
DA:1,2
end_of_record
"""
FUNCTIONS = """{"data": [{"functions": [
  {"name": "_ZN4weir3log3Two4readEv", "filenames": ["./src/log/a.cc"], "regions": [[3, 1, 4, 2, 7, 0, 0, 0]]},
  {"name": "_ZN4weir3log6readerEv", "filenames": ["./src/log/a.cc"], "regions": [[9, 1, 9, 2, 1, 0, 0, 0]]}]}]}"""


class Reached(unittest.TestCase):
    def test_lines_are_read_by_source_and_the_largest_count_of_a_line_holds(self):
        self.assertEqual(fuzz.read_lcov(LCOV), {"src/log/a.cc": {3: 7, 4: 0, 9: 1}, "src/log/b.h": {1: 2}})

    def test_a_function_is_named_alone_or_with_its_class(self):
        functions = fuzz.read_functions(FUNCTIONS)
        self.assertEqual(fuzz.lines_of("src/log/a.cc", ["read"], functions), {3, 4})
        self.assertEqual(fuzz.lines_of("src/log/a.cc", ["Two::read", "reader"], functions), {3, 4, 9})

    def test_a_name_does_not_match_a_longer_one(self):
        self.assertFalse(fuzz.mangled("decode").search("_ZN4weir16decode_aborted_xEv"))
        self.assertTrue(fuzz.mangled("decode").search("_ZN4weir6decodeEv"))
        self.assertTrue(fuzz.mangled("decode").search("a.cc:_ZN4weir12_GLOBAL__N_16decodeEv"))

    def test_a_function_that_is_not_there_is_said(self):
        with self.assertRaisesRegex(fuzz.Unreached, "src/log/a.cc has no function write"):
            fuzz.lines_of("src/log/a.cc", ["write"], fuzz.read_functions(FUNCTIONS))

    def test_missed_lines_are_told_as_ranges(self):
        self.assertEqual(fuzz.ranges([1, 2, 3, 7, 9, 10]), "1-3, 7, 9-10")


class Measured(unittest.TestCase):
    def line(self, decodes):
        return f"Done 5 runs\nfuzz: measured {decodes} decodes, at most 12.5 % of a bound\n"

    def test_a_target_that_measures_nothing_fails_unless_it_decodes_nothing(self):
        self.assertEqual(fuzz.measured_problem("batch_fuzz", self.line(3)), "")
        self.assertIn("no decode", fuzz.measured_problem("batch_fuzz", self.line(0)))
        self.assertEqual(fuzz.measured_problem("group_request_fuzz", self.line(0)), "")
        self.assertIn("does not say", fuzz.measured_problem("batch_fuzz", "Done 5 runs\n"))


class Arguments(unittest.TestCase):
    def test_each_form_of_the_command_is_read(self):
        self.assertEqual(fuzz.read_arguments([]), ("fuzz", [], fuzz.DEFAULT_SECONDS, None))
        self.assertEqual(fuzz.read_arguments(["batch", "9"]), ("fuzz", ["batch"], 9, None))
        self.assertEqual(fuzz.read_arguments(["--minutes", "3"]), ("fuzz", [], fuzz.DEFAULT_SECONDS, 3))
        self.assertEqual(fuzz.read_arguments(["batch", "--coverage"])[:2], ("coverage", ["batch"]))
        for words in (["--minutes"], ["--else"], ["--minimise"]):
            with self.assertRaises(SystemExit):
                fuzz.read_arguments(words)


class Inputs(unittest.TestCase):
    def test_first_inputs_are_made_of_golden_bytes_and_of_what_clients_sent(self):
        with tempfile.TemporaryDirectory() as out:
            fuzz_seeds.write_all(out)
            count = {folder.name: len(list(folder.iterdir())) for folder in Path(out).iterdir()}
        self.assertEqual(set(count), set(fuzz_seeds.INPUTS))
        self.assertGreater(count["message_fuzz"], 2700)
        golden = sum("hex" in row for row in fuzz_seeds.rows(fuzz_seeds.TESTDATA / "batches.jsonl.zst"))
        self.assertGreaterEqual(count["batch_fuzz"], golden + 4)  # tests/recorded_test.cc counts four

    def test_every_target_has_its_row_and_inputs_and_every_row_its_target(self):
        targets = set()
        for path in (ROOT / "src").glob("*/CMakeLists.txt"):
            targets |= {Path(file).stem for file in re.findall(r"\S+_fuzz\.cc", path.read_text())}
        table = tomllib.loads(fuzz.DECODERS.read_text())
        self.assertEqual(set(table), targets)
        for target in targets - set(fuzz_seeds.INPUTS):
            self.assertTrue(any((ROOT / "tests" / "corpus" / target).iterdir()), target)
        for folder in ("corpus", "fuzz/near"):
            for path in (ROOT / "tests" / folder).iterdir():
                self.assertIn(path.name, targets)

    def test_every_function_that_a_row_names_is_in_its_source(self):
        for target, row in tomllib.loads(fuzz.DECODERS.read_text()).items():
            for source, names in row.items():
                path = ROOT / source
                if not path.is_file():  # generated, or a row's other key
                    continue
                text = path.read_text()
                for name in names["without"] if isinstance(names, dict) else [] if names == "all" else names:
                    for part in name.split("::"):
                        found = re.search(rf"\b{part}(\(|::)|\bclass {part}\b", text)
                        self.assertTrue(found, f"{target}: {source} has no {name}")

    def test_the_corpora_of_the_tree_stay_small(self):
        for target in (ROOT / "tests" / "corpus").iterdir():
            files = list(target.iterdir())
            self.assertLess(sum(f.stat().st_size for f in files), 200_000, target.name)
            self.assertLess(len(files), 250, target.name)


if __name__ == "__main__":
    unittest.main()
