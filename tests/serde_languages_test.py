"""Protobuf and JSON records: weir's commands and the serialisers of confluent-kafka-python and @confluentinc/schemaregistry read each other."""
import json
import tempfile
import unittest

from lib import broker, proc
from lib.broker import weir
from lib.registry import WeirUp, node_client, python_client

COUNT = 50
FLOCKS = [{"species": f"species {n}", "headCount": str(n * 10**12), "seenAt": f"2026-01-02T03:04:{n:02}Z"} for n in range(1, COUNT)]
FLOCKS.append({"species": "none"})  # zero and absent are not written
SIGHTINGS = [{"species": f"species {n}", "count": n, **({"place": f"place {n}"} if n % 2 else {})} for n in range(COUNT)]
SIGHTING = {"$schema": "http://json-schema.org/draft-07/schema#", "title": "Sighting", "type": "object", "properties": {
    "species": {"type": "string"}, "count": {"type": "integer", "minimum": 0}, "place": {"type": "string"}},
    "required": ["species", "count"], "additionalProperties": False}
FLOCK = """syntax = "proto3";
package birds;
import "google/protobuf/timestamp.proto";
message Watcher {}
message Flock {
  message Sighting {
    string species = 1;
    int64 head_count = 2;
    google.protobuf.Timestamp seen_at = 3;
  }
}
"""
HEADER = "value.schema.id.serializer=io.confluent.kafka.serializers.schema.id.HeaderSchemaIdSerializer"
VALUES = {"PROTOBUF": FLOCKS, "JSON": SIGHTINGS}


def lines(values):
    return "".join(json.dumps(value) + "\n" for value in values)


class Languages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        data = tempfile.TemporaryDirectory()
        cls.addClassCleanup(data.cleanup)
        cls.registry = WeirUp(data.name)
        cls.addClassCleanup(cls.registry.process.stop)
        cls.bootstrap = cls.registry.broker

    def python(self, mode, language, topic, given, place="prefix"):
        command, env = python_client("confluent_languages.py", mode, language, self.registry.url, topic, place)
        return proc.run(command, env=env, stdin=given).out

    def node(self, mode, language, topic, given):
        return proc.run([*node_client("confluent_languages.mjs"), mode, language, self.registry.url, topic], stdin=given).out

    def topic(self, name):
        weir("topic", "create", name, "--partitions", "1", "--bootstrap", self.bootstrap)
        return name

    def produce(self, topic, given, *args):
        weir("produce", topic, "--bootstrap", self.bootstrap, *args, stdin=given)

    def shown(self, topic):
        out = weir("consume", topic, "--bootstrap", self.bootstrap, "--registry", self.registry.url, "-o", "value").out
        return [json.loads(line) for line in out.splitlines()]

    def raw(self, topic):
        return weir("consume", topic, "--bootstrap", self.bootstrap, "-o", "jsonl").out

    def register(self, language, topic):
        body = {"schema": FLOCK, "schemaType": "PROTOBUF"} if language == "PROTOBUF" else {"schema": json.dumps(SIGHTING), "schemaType": "JSON"}
        answer = self.registry.call("POST", f"/subjects/{topic}-value/versions", body)
        self.assertEqual(answer.status, 200, answer)

    def test_python_writes_and_weir_reads(self):
        for language in VALUES:
            for place in ("prefix", "header"):
                with self.subTest(language=language, place=place):
                    topic = self.topic(f"python-{language}-{place}".lower())
                    written = self.python("write", language, topic, lines(VALUES[language]), place)
                    self.produce(topic, written, "--format", "jsonl")
                    self.assertEqual(self.shown(topic), VALUES[language])

    def test_weir_writes_and_python_reads(self):
        for language in VALUES:
            with self.subTest(language):
                topic = self.written_by_weir(language, f"weir-for-python-{language}".lower())
                read = self.python("read", language, topic, self.raw(topic))
                self.assertEqual([json.loads(line) for line in read.splitlines()], VALUES[language])

    def test_node_writes_and_weir_reads(self):
        for language in VALUES:
            with self.subTest(language):
                topic = self.topic(f"node-{language}".lower())
                if language == "JSON":
                    self.register(language, topic)
                written = self.node("write", language, topic, lines(VALUES[language]))
                self.produce(topic, written, "--format", "jsonl")
                self.assertEqual(self.shown(topic), VALUES[language])

    def test_weir_writes_and_node_reads(self):
        for language in VALUES:
            with self.subTest(language):
                topic = self.written_by_weir(language, f"weir-for-node-{language}".lower())
                read = self.node("read", language, topic, self.raw(topic))
                self.assertEqual([json.loads(line) for line in read.splitlines()], VALUES[language])

    def written_by_weir(self, language, name):
        topic = self.topic(name)
        self.register(language, topic)
        message = ("--message", "birds.Flock.Sighting") if language == "PROTOBUF" else ()
        self.produce(topic, lines(VALUES[language]), "--registry", self.registry.url, *message)
        self.assertEqual(self.shown(topic), VALUES[language])
        return topic

    def probe(self, mode, language, topic, *settings):
        return proc.run([broker.helper("serde_languages_probe"), mode, language, self.bootstrap, topic, COUNT - 1,
                         f"schema.registry.url={self.registry.url}", *settings]).out

    def test_generated_structs_are_read_by_python_and_node(self):
        wanted = {"PROTOBUF": FLOCKS[:-1], "JSON": [{**one} for one in SIGHTINGS[1:]]}
        for language, values in wanted.items():
            for place in ("prefix", "header"):
                with self.subTest(language=language, place=place):
                    topic = self.topic(f"structs-{language}-{place}".lower())
                    self.probe("write", language, topic, *([HEADER] if place == "header" else []))
                    self.assertEqual(self.shown(topic), values)
                    raw = self.raw(topic)
                    self.assertEqual([json.loads(line) for line in self.python("read", language, topic, raw).splitlines()], values)
                    if place == "prefix":
                        self.assertEqual([json.loads(line) for line in self.node("read", language, topic, raw).splitlines()], values)

    def test_generated_structs_read_what_python_and_node_write(self):
        for language, peer in ((language, peer) for language in VALUES for peer in (self.python, self.node)):
            with self.subTest(language=language, peer=peer.__name__):
                topic = self.topic(f"for-structs-{language}-{peer.__name__}".lower())
                if language == "JSON":
                    self.register(language, topic)
                values = FLOCKS[:-1] if language == "PROTOBUF" else SIGHTINGS[1:]
                self.produce(topic, peer("write", language, topic, lines(values)), "--format", "jsonl")
                wanted = [f"species {n} {n * 10**12} {n}" if language == "PROTOBUF" else f"species {n} {n} {f'place {n}' if n % 2 else '-'}"
                          for n in range(1, COUNT)]
                self.assertEqual(self.probe("read", language, topic).splitlines(), wanted)

    def test_what_does_not_fit_is_refused_with_its_line_and_place(self):
        topic = self.topic("refused")
        self.register("JSON", topic)
        done = weir("produce", topic, "--bootstrap", self.bootstrap, "--registry", self.registry.url,
                    stdin='{"species":"wren","count":1}\n{"species":"wren","count":-1}\n', expect=None)
        self.assertNotEqual(done.code, 0)
        self.assertRegex(done.err, "line 2: value: .*count")
        self.assertEqual(self.shown(topic), [{"species": "wren", "count": 1}])

    def test_a_tombstone_stays_one_and_keys_have_schemas_of_their_own(self):
        topic = self.topic("keyed")
        self.register("JSON", topic)
        self.registry.register(f"{topic}-key", {"type": "record", "name": "Key", "fields": [{"name": "id", "type": "int"}]})
        self.produce(topic, '{"key":{"id":7},"value":{"species":"wren","count":2}}\n{"key":{"id":7},"value":null}\n', "--format", "jsonl",
                     "--registry", self.registry.url, "--key-schema", f"{topic}-key")
        rows = [json.loads(line) for line in
                weir("consume", topic, "--bootstrap", self.bootstrap, "-r", self.registry.url, "-o", "jsonl").out.splitlines()]
        self.assertEqual([(row["key"], row["value"]) for row in rows], [({"id": 7}, {"species": "wren", "count": 2}), ({"id": 7}, None)])

    def test_a_missing_schema_or_registry_is_told(self):
        topic = self.topic("bare")
        done = weir("produce", topic, "--bootstrap", self.bootstrap, "--registry", self.registry.url, stdin="{}\n", expect=None)
        self.assertRegex(done.err, "weir schema register bare-value FILE")
        done = weir("produce", topic, "--bootstrap", self.bootstrap, "--value-schema", "x", stdin="{}\n", expect=None)
        self.assertRegex(done.err, "--value-schema needs --registry")


if __name__ == "__main__":
    unittest.main()
