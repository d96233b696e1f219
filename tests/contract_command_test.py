"""`weir contract`: types are generated for a build, versions of a schema are judged."""
import json
import tempfile
import unittest
from pathlib import Path

from lib import proc
from lib.broker import ROOT, weir

SCHEMAS = ROOT / "src" / "contract" / "testdata" / "schemas"


def rows(*arguments, expect=0):
    done = weir("contract", *arguments, "--output", "jsonl", expect=expect)
    return [json.loads(line) for line in done.out.splitlines()]


def schema(folder, name, *fields):
    path = Path(folder, name)
    path.write_text(json.dumps({"type": "record", "name": "shop.Order", "fields": list(fields)}))
    return path


class Generate(unittest.TestCase):
    def test_files_are_written_once_and_again_only_where_they_change(self):
        with tempfile.TemporaryDirectory() as folder:
            source = schema(folder, "order.avsc", {"name": "id", "type": "string"})
            out = Path(folder, "out")
            self.assertEqual(rows("generate", "--out", out, "--list", source),
                             [{"file": "shop/order.h", "state": "new"}, {"file": "shop/order.cc", "state": "new"}])
            self.assertFalse(out.exists())
            self.assertEqual({row["state"] for row in rows("generate", "--out", out, source)}, {"written"})
            self.assertEqual({row["state"] for row in rows("generate", "--out", out, source)}, {"same"})
            header = (out / "shop" / "order.h").read_text()
            self.assertIn("struct Order", header)
            self.assertIn("struct OrderView", header)
            main = Path(folder, "main.cc")
            main.write_text('#include "shop/order.h"\nint main() { return shop::Order{.id = "x"} == shop::Order{} ? 1 : 0; }\n')
            proc.run(["g++", "-std=c++20", "-fsyntax-only", f"-I{out}", f"-I{ROOT / 'include'}", main])
            rows("generate", "--out", out, "--no-views", source)
            self.assertNotIn("OrderView", (out / "shop" / "order.h").read_text())

    def test_a_schema_that_is_none_is_named_with_its_place(self):
        with tempfile.TemporaryDirectory() as folder:
            source = schema(folder, "order.avsc", {"name": "id", "type": "strin"})
            done = weir("contract", "generate", "--out", folder, source, expect=1)
            self.assertIn("order.avsc", done.err)
            self.assertIn("strin", done.err)


class Check(unittest.TestCase):
    def test_a_refusal_says_which_field_why_and_what_would_be_accepted(self):
        with tempfile.TemporaryDirectory() as folder:
            key = {"name": "id", "type": "string"}
            one = schema(folder, "1.avsc", key)
            two = schema(folder, "2.avsc", key, {"name": "amount", "type": "long"})
            mended = schema(folder, "2b.avsc", key, {"name": "amount", "type": "long", "default": 0})
            self.assertEqual(rows("check", mended, "--against", one), [])
            found, = rows("check", two, "--against", one, expect=4)
            self.assertEqual((found["kind"], found["direction"]), ("READER_FIELD_MISSING_DEFAULT_VALUE", "backward"))
            self.assertIn("amount", found["field"])
            self.assertIn("default", found["accepted"])
            self.assertEqual(found["version"], str(one))
            self.assertEqual(rows("check", two, "--against", one, "--level", "FORWARD"), [])

    def test_every_version_counts_with_a_transitive_level_else_the_last(self):
        with tempfile.TemporaryDirectory() as folder:
            versions = [schema(folder, "1.avsc", {"name": "a", "type": "string"}),
                        schema(folder, "2.avsc", {"name": "a", "type": "string"}, {"name": "b", "type": "int", "default": 1}),
                        schema(folder, "3.avsc", {"name": "a", "type": "string"}, {"name": "b", "type": "int"})]
            against = "--against", versions[0], "--against", versions[1]
            self.assertEqual(rows("check", versions[2], *against), [])
            self.assertEqual(rows("check", versions[2], *against, "--level", "backward_transitive", expect=4)[0]["version"],
                             str(versions[0]))
            self.assertIn("--level", weir("contract", "check", versions[2], *against, "--level", "sideways", expect=2).err)


if __name__ == "__main__":
    unittest.main()
