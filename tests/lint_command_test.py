"""weir contract lint: files, waivers, SARIF, a registry's subjects, and what samples of their streams show."""
import json
import tempfile
import unittest
import uuid
from pathlib import Path

from lib.broker import ROOT, weir
from lib.registry import WeirUp

REFUSED = 4
GOOD = {"type": "record", "name": "shop.OrderPlaced", "doc": "Emitted when a customer has paid for an order.", "weir.key": "string", "fields": [
    {"name": "reference", "type": "string", "doc": "How customers name it."},
    {"name": "placed_at", "type": {"type": "long", "logicalType": "timestamp-millis"}, "doc": "When it was paid."},
    {"name": "total_cents", "type": "long", "doc": "What it costs, in cents."}]}


def with_field(**field):
    return {**GOOD, "fields": [*GOOD["fields"], {"doc": "As it was given.", **field}]}


class Files(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def lint(self, schema, *args, expect=0):
        path = self.folder / "order.avsc"
        path.write_text(json.dumps(schema))
        done = weir("contract", "lint", path, "-o", "jsonl", *args, expect=expect)
        return [json.loads(line) for line in done.out.splitlines()]

    def test_the_contracts_of_the_demo_pass_and_waive_nothing(self):
        files = sorted(file for file in (ROOT / "examples" / "airport" / "contracts").glob("*") if file.is_file())
        self.assertGreaterEqual(len(files), 5)
        done = weir("contract", "lint", *files, "--severity", "warn", "-o", "jsonl")
        self.assertEqual(done.out, "")

    def test_a_good_contract_passes_and_a_bad_one_says_what_and_how_to_mend(self):
        self.assertEqual(self.lint(GOOD), [])
        found = self.lint(with_field(name="price", type="double"), expect=REFUSED)
        self.assertEqual([(row["severity"], row["rule"], row["place"]) for row in found], [("error", "EV012", "shop.OrderPlaced.price")])
        self.assertIn("decimal", found[0]["mend"])

    def test_a_waiver_with_a_reason_lets_it_pass(self):
        waived = with_field(name="price", type="double", **{"weir.lint.ignore": {"EV012": "partners send doubles"}})
        rows = self.lint(waived)
        self.assertEqual([(row["severity"], row["waived"]) for row in rows], [("waived", "partners send doubles")])
        self.lint(with_field(name="price", type="double", **{"weir.lint.ignore": {"EV012": ""}}), expect=REFUSED)

    def test_what_fails_and_what_is_shown_are_chosen(self):
        slight = with_field(name="status", type="string")
        self.assertEqual([row["rule"] for row in self.lint(slight)], ["EV014"])
        self.assertEqual(self.lint(slight, "--severity", "warn"), [])
        self.lint(slight, "--fail-on", "info", expect=REFUSED)

    def test_sarif_has_the_rules_and_the_findings(self):
        target = self.folder / "lint.sarif"
        self.lint(with_field(name="price", type="double"), "--sarif", target, expect=REFUSED)
        sarif = json.loads(target.read_text())
        self.assertEqual(sarif["version"], "2.1.0")
        run = sarif["runs"][0]
        self.assertEqual([result["ruleId"] for result in run["results"]], ["EV012"])
        self.assertEqual(run["results"][0]["level"], "error")
        self.assertEqual(len(run["tool"]["driver"]["rules"]), 45)

    def test_protobuf_and_json_schema_are_looked_at_too(self):
        proto = self.folder / "order.proto"
        proto.write_text('syntax = "proto3";\npackage shop;\n// Emitted when an order was paid.\nmessage OrderPlaced {\n'
                         "  // What it costs.\n  double price = 1;\n  // weir:ignore EV012 partners send doubles\n  double total = 2;\n}\n")
        done = weir("contract", "lint", proto, "-o", "jsonl", expect=REFUSED)
        money = [json.loads(line) for line in done.out.splitlines() if '"EV012"' in line]
        self.assertEqual([(row["severity"], row["place"]) for row in money],
                         [("error", "shop.OrderPlaced.price"), ("waived", "shop.OrderPlaced.total")])
        schema = self.folder / "order.json"
        schema.write_text(json.dumps({"title": "OrderPlaced", "type": "object", "properties": {"price": {"type": "number"}}}))
        done = weir("contract", "lint", schema, "-o", "jsonl", expect=REFUSED)
        self.assertTrue({"EV012", "EV067"} <= {json.loads(line)["rule"] for line in done.out.splitlines()})

    def test_every_rule_is_explained(self):
        rows = [json.loads(line) for line in weir("contract", "explain", "-o", "jsonl").out.splitlines()]
        self.assertEqual(len(rows), 45)
        for row in rows:
            self.assertTrue(row["why"] and row["mend"] and row["good"] and row["bad"], row)
        self.assertIn("EV012", weir("contract", "explain", "narrow-money").out)
        self.assertIn("did you mean", weir("contract", "explain", "narrow-monye", expect=None).err)


class Plans(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def schema(self, name, value):
        path = self.folder / name
        path.write_text(json.dumps(value))
        return path

    def test_a_plan_has_steps_whose_commands_exist(self):
        old = self.schema("old.avsc", GOOD)
        broken = {**GOOD, "fields": [{**GOOD["fields"][0], "type": "int"}, *GOOD["fields"][1:]]}
        for new, way in ((with_field(name="coupon", type=["null", "string"], default=None), "compatible change"), (broken, "eventual migration")):
            done = weir("contract", "plan", self.schema("new.avsc", new), "--against", old, "--stream", "orders", "-o", "jsonl")
            self.assertTrue(done.err.startswith(way + ": "), done.err)
            steps = [json.loads(line) for line in done.out.splitlines()]
            self.assertEqual([step["step"] for step in steps], list(range(1, len(steps) + 1)))
            for command in (step["how"].split() for step in steps if step["how"]):
                words = command[1:3] if not command[2].startswith("-") else command[1:2]
                self.assertIn("usage: weir", weir(*words, "--help").out)

    def test_readers_and_decisions_change_the_way(self):
        old, new = self.schema("old.avsc", GOOD), self.schema("new.avsc", {**GOOD, "fields": [{"name": "reference", "type": "int"}]})
        done = weir("contract", "plan", new, "--against", old, "--stream", "orders", "--reader", "billing", "-o", "jsonl")
        self.assertTrue(done.err.startswith("synchronised migration"), done.err)
        self.assertIn('"who":"billing"', done.out)

    def test_a_contract_is_compared_in_three_languages_on_a_sample(self):
        sample = self.folder / "sample.jsonl"
        sample.write_text("".join(json.dumps({"reference": f"R{n}", "placed_at": 1700000000000 + n, "total_cents": n * 100}) + "\n" for n in range(200)))
        rows = [json.loads(line) for line in
                weir("contract", "compare", self.schema("order.avsc", GOOD), "--sample", sample, "-o", "jsonl").out.splitlines()]
        self.assertEqual([(row["language"], row["given"]) for row in rows], [("AVRO", True), ("PROTOBUF", False), ("JSON", False)])
        self.assertTrue(rows[0]["bytes"] < rows[1]["bytes"] < rows[2]["bytes"], rows)
        self.assertTrue(all(row["write_us"] > 0 and row["read_us"] > 0 and row["zstd"] < row["bytes"] for row in rows), rows)
        changes = weir("contract", "compare", self.folder / "order.avsc", "--changes").out
        self.assertRegex(changes, r"a field that is always there is renamed +neither +both ways +neither")
        done = weir("contract", "compare", self.folder / "order.avsc", expect=None)
        self.assertIn("--sample FILE", done.err)


class Registry(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        data = tempfile.TemporaryDirectory()
        cls.addClassCleanup(data.cleanup)
        cls.registry = WeirUp(data.name)
        cls.addClassCleanup(cls.registry.process.stop)

    def lint(self, prefix, *args, expect=0):
        done = weir("contract", "lint", "--registry", self.registry.url, "--prefix", prefix, "--bootstrap", self.registry.broker,
                    "-o", "jsonl", *args, expect=expect)
        return [json.loads(line) for line in done.out.splitlines()]

    def test_history_and_keys_are_known(self):
        self.registry.register("history-value", GOOD)
        self.registry.call("PUT", "/config/history-value", {"compatibility": "NONE"})
        self.registry.register("history-value", with_field(name="customer", type="string"))
        self.registry.register("history-key", {"type": "record", "name": "shop.OrderKey", "fields": [{"name": "customer_email", "type": "string"}]})
        rules = {row["rule"] for row in self.lint("history", expect=REFUSED)}
        self.assertTrue({"EV070", "EV052", "EV051"} <= rules, rules)

    def test_samples_show_what_names_do_not(self):
        self.registry.register("sampled-value", with_field(name="trace", type="string"))
        weir("topic", "create", "sampled", "--partitions", "3", "--bootstrap", self.registry.broker)
        lines = "".join(json.dumps({"key": f"k{n}", "value": {"reference": f"R{n}", "placed_at": n, "total_cents": n, "trace": str(uuid.UUID(int=n))}})
                        + "\n" for n in range(1500))
        weir("produce", "sampled", "--format", "jsonl", "--registry", self.registry.url, "--bootstrap", self.registry.broker, stdin=lines)
        weir("produce", "sampled", "--bootstrap", self.registry.broker, stdin="no record of a registry\n")
        self.assertEqual(self.lint("sampled"), [])
        found = {row["rule"]: row["what"] for row in self.lint("sampled", "--evidence", expect=REFUSED)}
        self.assertIn("1500 of 1500 sampled values are UUIDs", found["EV010"])
        self.assertIn("1 of 1501 sampled records cannot be read", found["EV001"])
        self.assertIn("31 bits", found["EV015"])
        self.assertNotIn(str(uuid.UUID(int=7)), json.dumps(found))


if __name__ == "__main__":
    unittest.main()
