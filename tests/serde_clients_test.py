"""Typed records through a registry: weir's serialiser and Python's read each other, on weir and on Apache Kafka."""
import re
import tempfile
import unittest

from lib import broker, kafka, proc
from lib.broker import WeirBroker, weir
from lib.registry import WeirRegistry, WeirUp, python_client

COUNT = 200
WANTED = "".join(f"species {n} {n} {f'place {n}' if n % 2 else '-'}\n" for n in range(COUNT))
WANTED_WITHOUT_PLACE = "".join(f"species {n} {n} -\n" for n in range(COUNT))
HEADER = "value.schema.id.serializer=io.confluent.kafka.serializers.schema.id.HeaderSchemaIdSerializer"


class OnAnyBroker:
    bootstrap = None
    registry = None

    def probe(self, mode, topic, *settings, count=COUNT, expect=0):
        return proc.run([broker.helper("serde_probe"), mode, self.bootstrap, topic, count, f"schema.registry.url={self.registry.url}",
                         *settings], expect=expect)

    def python(self, mode, topic, place="prefix", count=COUNT):
        command, env = python_client("confluent_serde.py", mode, self.registry.url, self.bootstrap, topic, count, place)
        done = proc.run(command, env=env)
        self.assertTrue(done.out.endswith("done\n"), done.out[-500:])
        return done.out.removesuffix("done\n")

    def topic(self):
        name = self.id().rsplit(".", 1)[1].replace("_", "-")
        weir("topic", "create", name, "--partitions", "1", "--bootstrap", self.bootstrap)
        return name

    def test_weir_writes_and_both_read(self):
        for place, settings in (("prefix", ()), ("header", (HEADER,))):
            with self.subTest(place):
                topic = f"{self.topic()}" if place == "prefix" else "weir-writes-headers"
                done = self.probe("write", topic, *settings)
                self.assertEqual(done.err, "requests 1\n")  # one schema, one question
                self.assertEqual(self.probe("read", topic).out, WANTED)
                self.assertEqual(self.python("read", topic), WANTED)

    def test_python_writes_with_an_older_schema_and_weir_reads(self):
        for place in ("prefix", "header"):
            with self.subTest(place):
                topic = self.topic() if place == "prefix" else "python-writes-headers"
                self.python("write", topic, place)
                done = self.probe("read", topic)
                self.assertEqual(done.out, WANTED_WITHOUT_PLACE)
                self.assertEqual(done.err, "requests 1\n")
                self.assertEqual(self.probe("check", topic, count=0).out, "readable\n")

    def test_writes_by_the_latest_version(self):
        topic = self.topic()
        self.python("write", topic, count=1)
        self.probe("write", topic, "use.latest.version=true", "auto.register.schemas=false")
        self.assertEqual(self.registry.call("GET", f"/subjects/{topic}-value/versions").body, [1])
        self.assertEqual(self.python("read", topic, count=COUNT + 1), "species 0 0 -\n" + WANTED_WITHOUT_PLACE)

    def test_in_production_a_schema_is_registered_by_hand(self):
        topic = self.topic()
        done = self.probe("write", topic, "weir.profile=production", expect=1)
        mend = re.search(r"weir (schema register \S+) FILE", done.err).group(1)
        weir(*mend.split(), broker.ROOT / "src" / "serde" / "testdata" / "sighting.avsc", "--registry", self.registry.url)
        self.probe("write", topic, "weir.profile=production")
        self.assertEqual(self.probe("read", topic).out, WANTED)

    def test_an_incompatible_version_is_told_before_and_while_it_is_read(self):
        topic = self.topic()
        self.registry.register(f"{topic}-value", {"type": "record", "name": "Sighting", "namespace": "birds", "fields": [
            {"name": "species", "type": "bytes"}, {"name": "count", "type": "string"}]})
        done = self.probe("check", topic, count=0, expect=1)
        self.assertRegex(done.err, "incompatible_schema .*birds.Sighting.count")
        done = self.probe("write", topic, expect=1)
        self.assertRegex(done.err, "incompatible_schema")

    def test_consume_shows_records_as_json(self):
        topic = self.topic()
        self.probe("write", topic, count=2)
        out = weir("consume", topic, "--bootstrap", self.bootstrap, "--registry", self.registry.url, "--output", "key-value").out
        self.assertEqual(out, 'key 0\t{"species":"species 0","count":0,"place":null}\nkey 1\t{"species":"species 1","count":1,"place":"place 1"}\n')
        rows = weir("consume", topic, "--bootstrap", self.bootstrap, "-r", self.registry.url, "-o", "jsonl").out
        self.assertIn('"value":{"species":"species 0","count":0,"place":null}', rows)
        table = weir("consume", topic, "--bootstrap", self.bootstrap, "-r", self.registry.url).out
        self.assertIn('"place 1"', table)


class OnWeir(OnAnyBroker, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        data = tempfile.TemporaryDirectory()
        cls.addClassCleanup(data.cleanup)
        cls.registry = WeirUp(data.name)
        cls.addClassCleanup(cls.registry.process.stop)
        cls.bootstrap = cls.registry.broker
        for name in ("weir-writes-headers", "python-writes-headers"):
            weir("topic", "create", name, "--partitions", "1", "--bootstrap", cls.bootstrap)

    def test_a_registry_that_is_killed_stops_only_what_is_new(self):
        with tempfile.TemporaryDirectory() as data, WeirBroker(data) as kept:
            weir("topic", "create", "t", "--partitions", "1", "--bootstrap", kept.address)
            with WeirRegistry(kept.address) as registry:
                command = [broker.helper("serde_probe"), "write", kept.address, "t", 10, f"schema.registry.url={registry.url}",
                           "weir.schema.timeout.ms=500"]
                proc.run(command)
                registry.process.kill()
            done = proc.run(command, expect=1)
            self.assertRegex(done.err, "schema_registry_unavailable .*no answer in 500 ms.*" + re.escape(registry.url))
            lines = weir("consume", "t", "--bootstrap", kept.address, "-o", "name").out.splitlines()
            self.assertEqual(len(lines), 10)


class OnKafka(OnAnyBroker, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kafka = kafka.Kafka(heap="512m")
        cls.addClassCleanup(cls.kafka.stop)
        cls.bootstrap = cls.kafka.address
        cls.registry = WeirRegistry(cls.bootstrap)
        cls.addClassCleanup(cls.registry.process.stop)
        for name in ("weir-writes-headers", "python-writes-headers"):
            weir("topic", "create", name, "--partitions", "1", "--bootstrap", cls.bootstrap)


if __name__ == "__main__":
    unittest.main()
