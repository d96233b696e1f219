"""`weir schema` and `weir contract test`: versions are listed, shown, registered, checked, compared and deleted; golden records stay readable."""
import json
import tempfile
import unittest
from pathlib import Path

from lib.broker import weir
from lib.registry import WeirUp

ID = {"name": "id", "type": "string"}


def schema(*fields, name="shop.Order"):
    return json.dumps({"type": "record", "name": name, "fields": list(fields)})


class Schemas(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        data = tempfile.TemporaryDirectory()
        cls.addClassCleanup(data.cleanup)
        cls.folder = Path(data.name)
        cls.registry = WeirUp(cls.folder / "data")
        cls.addClassCleanup(cls.registry.process.stop)

    def file(self, *fields, name="shop.Order", end=".avsc"):
        path = self.folder / f"{self.id().rsplit('.', 1)[1]}-{len(list(self.folder.iterdir()))}{end}"
        path.write_text(schema(*fields, name=name))
        return path

    def run_schema(self, verb, *args, expect=0, **kwargs):
        return weir("schema", verb, *args, "--registry", self.registry.url, expect=expect, **kwargs)

    def rows(self, verb, *args, expect=0, **kwargs):
        return [json.loads(line) for line in self.run_schema(verb, *args, "-o", "jsonl", expect=expect, **kwargs).out.splitlines()]

    def test_a_schema_from_its_registration_to_its_end(self):
        one, two = self.file(ID), self.file(ID, {"name": "note", "type": "string", "default": ""})
        wrong = self.file(ID, {"name": "cents", "type": "long"})
        subject = "orders-value"
        first, = self.rows("register", subject, one)
        self.assertEqual((first["version"], first["subject"]), (1, subject))
        self.assertEqual(self.rows("register", subject, one), [first])
        self.assertEqual(self.rows("check", subject, two), [])
        self.assertIn("compatible", self.run_schema("check", subject, two).err)
        refused = self.rows("check", subject, wrong, expect=4)
        self.assertIn("cents", refused[0]["message"])
        done = self.run_schema("register", subject, wrong, expect=4)
        self.assertIn("cents", done.err)
        self.assertIn("incompatible_schema", done.err)
        second, = self.rows("register", subject, two)
        self.assertEqual(second["version"], 2)
        row, = [row for row in self.rows("list") if row["subject"] == subject]
        self.assertEqual((row["versions"], row["latest"], row["id"], row["type"], row["level"]),
                         ([1, 2], 2, second["id"], "AVRO", "BACKWARD"))
        self.assertIn(subject, self.run_schema("list", "-o", "name").out.splitlines())
        self.assertEqual(self.run_schema("list", "--prefix", "none").out.strip().count("\n"), 0)

        shown, = self.rows("show", subject, "--version", "1")
        self.assertEqual(json.loads(shown["schema"])["fields"], [ID])
        self.assertEqual(shown["guid"], first["guid"])
        by_id, = self.rows("show", "--id", second["id"])
        self.assertEqual((by_id["subject"], by_id["version"]), (None, None))
        self.assertEqual(json.loads(self.run_schema("show", subject, "--text").out)["fields"][1]["name"], "note")
        self.assertIn(f"{subject} version 2: id {second['id']}, AVRO", self.run_schema("show", subject).out)

        change, = self.rows("diff", subject)
        self.assertEqual((change["what"], change["place"], change["after"]), ("added", "shop.Order.note", 'string, default ""'))
        done = self.run_schema("diff", subject, wrong, "--from", "1")
        self.assertRegex(done.err, r"cannot read what version 1 writes:\n  shop\.Order\.cents")
        self.assertIn("version 1 reads what", done.err)

        self.assertEqual(self.run_schema("delete", subject, expect=3).out, "")
        self.assertEqual([row["version"] for row in self.rows("delete", subject, "--version", "1", "--yes")], [1])
        self.assertEqual([row["version"] for row in self.rows("delete", subject, "--yes")], [2])
        self.run_schema("show", subject, expect=5)
        self.assertEqual(sorted(row["version"] for row in self.rows("delete", subject, "--permanent", "--yes")), [1, 2])
        self.run_schema("show", "--id", first["id"], expect=5)

    def test_types_of_other_schemas(self):
        place = self.file({"name": "city", "type": "string"}, name="geo.Place")
        self.run_schema("register", "place", place)
        trip = self.file({"name": "to", "type": "geo.Place"}, name="shop.Trip")
        self.run_schema("check", "trips-value", trip, expect=4)
        self.assertEqual(self.rows("check", "trips-value", trip, "--reference", "geo.Place=place"), [])
        made, = self.rows("register", "trips-value", trip, "--reference", "geo.Place=place:1", "--property", "owner=logistics")
        shown, = self.rows("show", "trips-value")
        self.assertEqual(shown["references"], [{"name": "geo.Place", "subject": "place", "version": 1}])
        self.assertEqual(shown["properties"], {"owner": "logistics"})
        whole, = self.rows("show", "--id", made["id"])
        self.assertEqual(json.loads(whole["schema"])["fields"][0]["type"]["namespace"], "geo")
        self.run_schema("delete", "place", "--yes", expect=4)

    def test_an_idl_file_is_registered_as_its_schema(self):
        path = self.folder / "tree.avdl"
        path.write_text("namespace forest;\nschema Tree;\n/** It grows. */ record Tree { string species; }\n")
        self.run_schema("register", "trees-value", path)
        self.assertEqual(json.loads(self.run_schema("show", "trees-value", "--text").out)["doc"], "It grows.")

    def test_mistakes_are_told(self):
        broken = self.folder / "broken.avsc"
        broken.write_text('{"type":"record"')
        self.assertIn("invalid_schema", self.run_schema("register", "x-value", broken, expect=4).err)
        self.run_schema("show", expect=2)
        self.run_schema("show", "x", "--version", "0", expect=2)
        self.run_schema("show", "nobody", expect=5)
        self.run_schema("register", "x-value", __file__, expect=2)
        done = weir("schema", "list", "--registry", "http://127.0.0.1:1", "--timeout", "200ms", expect=1)
        self.assertIn("schema_registry_unavailable", done.err)

    def test_the_address_comes_from_the_environment_or_a_file(self):
        self.run_schema("register", "env-value", self.file(ID))
        self.assertIn("env-value", weir("schema", "list", env={"WEIR_SCHEMA_REGISTRY_URL": self.registry.url}).out)
        file = self.folder / "both.properties"
        file.write_text(f"schema.registry.url={self.registry.url}\nbootstrap.servers={self.registry.broker}\n")
        self.assertIn("env-value", weir("schema", "list", "--command-config", file).out)
        self.assertIn("_schemas", weir("topic", "list", "--command-config", file, "--internal").out)


class Golden(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)

    def schema(self, *fields):
        path = self.folder / "order.avsc"
        path.write_text(schema(*fields))
        return path

    def run_test(self, *args, expect=0, **kwargs):
        done = weir("contract", "test", self.folder / "order.avsc", "--golden", self.folder / "golden", *args, "-o", "jsonl", expect=expect, **kwargs)
        return [json.loads(line) for line in done.out.splitlines()]

    def test_records_of_every_version_stay_what_they_were(self):
        cents = {"name": "cents", "type": "long", "default": 0}
        self.schema(ID, cents)
        row, = self.run_test("--add", "v1", "--update", stdin='{"id":"a","cents":5}\n{"id":"b"}\n')
        self.assertEqual(row, {"file": "v1.avro", "records": 2, "failed": 0, "why": ""})
        values = (self.folder / "golden" / "v1.jsonl").read_text().splitlines()
        self.assertEqual([json.loads(value) for value in values], [{"id": "a", "cents": 5}, {"id": "b", "cents": 0}])
        weir("contract", "test", self.folder / "order.avsc", "--golden", self.folder / "golden", "--add", "v1", stdin="", expect=1)

        # Compatible by the rules, but a record is read as something else: the field has a new name and no alias.
        self.schema(ID, {"name": "euro_cents", "type": "long", "default": 0})
        row, = self.run_test(expect=4)
        self.assertEqual((row["records"], row["failed"]), (2, 2))
        self.assertIn("cents", row["why"])

        self.schema(ID, {"name": "euro_cents", "type": "long", "default": 0, "aliases": ["cents"]})
        row, = self.run_test("--update")
        self.assertEqual(row["failed"], 0)
        rows = self.run_test("--add", "v2", "--update", stdin='{"id":"c","euro_cents":7}\n')
        self.assertEqual([(row["file"], row["failed"]) for row in rows], [("v1.avro", 0), ("v2.avro", 0)])

        self.schema(ID, {"name": "total", "type": "string"})
        rows = self.run_test(expect=4)
        self.assertEqual([(row["records"], row["failed"]) for row in rows], [(2, 2), (1, 1)])
        self.assertIn("total", rows[0]["why"])

    def test_files_that_are_none_are_named(self):
        self.schema(ID)
        (self.folder / "golden").mkdir()
        weir("contract", "test", self.folder / "order.avsc", "--golden", self.folder / "golden", expect=5)
        (self.folder / "golden" / "v1.avro").write_bytes(b"no container")
        done = weir("contract", "test", self.folder / "order.avsc", "--golden", self.folder / "golden", expect=1)
        self.assertIn("v1.avro", done.err)
        (self.folder / "golden" / "v1.avro").unlink()
        done = weir("contract", "test", self.folder / "order.avsc", "--golden", self.folder / "golden", "--add", "v1",
                    stdin='{"id":"a"}\n{"id":5}\n', expect=1)
        self.assertIn("line 2", done.err)
        self.assertFalse((self.folder / "golden" / "v1.avro").exists())


if __name__ == "__main__":
    unittest.main()
