"""Who reads what: consumers say it in _weir.readers, and the registry, lint and plans name those that a change would break."""
import json
import subprocess
import tempfile
import unittest
from pathlib import Path

from lib import broker
from lib.broker import weir
from lib.registry import WeirUp, records
from lib.waiting import poll_until

DEADLINE_S = 60
REFUSED = 4
OTHER = {"type": "record", "name": "Sighting", "namespace": "birds", "fields": [
    {"name": "species", "type": "string"}, {"name": "count", "type": "string"}]}


class Readers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        data = tempfile.TemporaryDirectory()
        cls.addClassCleanup(data.cleanup)
        cls.registry = WeirUp(data.name)
        cls.addClassCleanup(cls.registry.process.stop)
        weir("topic", "create", "birds", "--bootstrap", cls.registry.broker)

    def told(self):
        return {json.loads(key)["group"]: json.loads(value) for key, value in records(self.registry.broker, "_weir.readers")}

    def test_a_consumer_is_named_by_all_who_look_at_a_change(self):
        watcher = subprocess.Popen([broker.helper("serde_probe"), "notice", self.registry.broker, "birds", "100",
                                    f"schema.registry.url={self.registry.url}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(watcher.wait)
        self.addCleanup(watcher.stdin.close)
        self.addCleanup(watcher.stdout.close)
        self.assertEqual(watcher.stdout.readline(), "noticed\n")
        first = self.told()["billing"]
        self.assertEqual((first["subject"], first["schemaType"]), ("birds-value", "AVRO"))
        self.assertEqual(len(first["fingerprint"]), 64)
        poll_until(lambda: self.told()["billing"]["lastSeen"] > first["lastSeen"], DEADLINE_S, "a second notice")

        own = json.loads(first["schema"])
        self.assertEqual(self.registry.register("birds-value", own).status, 200)
        refused = poll_until(lambda: (lambda a: a if "billing" in a.text else None)(self.registry.register("birds-value", OTHER)), DEADLINE_S,
                             "a refusal that names the group")
        self.assertEqual(refused.status, 409)
        self.assertIn("consumer:'billing'", refused.text)

        with tempfile.TemporaryDirectory() as folder:
            new = Path(folder) / "new.avsc"
            new.write_text(json.dumps(OTHER))
            done = weir("contract", "plan", new, "--registry", self.registry.url, "--bootstrap", self.registry.broker, "--stream", "birds",
                        "--readers", "-o", "jsonl")
            self.assertIn('"who":"billing"', done.out)
            self.assertTrue(done.err.startswith("synchronised migration"), done.err)

        self.registry.call("PUT", "/config/birds-value", {"compatibility": "NONE"})
        self.assertEqual(self.registry.register("birds-value", OTHER).status, 200)
        done = weir("contract", "lint", "--registry", self.registry.url, "--bootstrap", self.registry.broker, "--prefix", "birds", "--evidence",
                    "-o", "jsonl", expect=REFUSED)
        impact = [row["what"] for row in map(json.loads, done.out.splitlines()) if row["rule"] == "EV071"]
        self.assertEqual(len(impact), 1, done.out)
        self.assertRegex(impact[0], "the group billing cannot read it: birds.Sighting.count")


if __name__ == "__main__":
    unittest.main()
