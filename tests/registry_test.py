"""The schema registry: over weir's broker and over Apache Kafka 4.3.1, restarted, killed, raced, led by one of two; foreign clients."""
import http.client
import json
import os
import re
import shutil
import signal
import stat
import tempfile
import threading
import unittest
from pathlib import Path

from lib import kafka, proc
from lib.broker import WeirBroker, weir
from lib.registry import WeirRegistry, WeirUp, call, node_client, python_client, records
from lib.waiting import poll_until

DEADLINE_S = 60


def record(name, *fields):
    return {"type": "record", "name": name, "fields": list(fields)}


def field(name, **more):
    return {"name": name, "type": "int", **more}


def everything(registry):
    """Answers that have to outlive a restart."""
    paths = ["/subjects", "/subjects?deleted=true", "/schemas?deleted=true&subjectPrefix=:*:", "/contexts", "/config", "/mode",
             "/config/a?defaultToGlobal=true", "/config/b?defaultToGlobal=true"]
    return {path: registry.call("GET", path).text for path in paths}


class OnAnyBroker:
    """What has to hold whoever keeps the events. `bootstrap` is the address, `topic()` gives another stream for each test."""

    bootstrap = None
    number = 0

    def registry(self, group=None):
        """A registry of a stream of this test's own."""
        name = f"_schemas-{self.id().rsplit('.', 1)[1]}"
        started = WeirRegistry(self.bootstrap, ["--topic", name, "--changes-topic", f"{name}.changes", "--group", group or name])
        self.addCleanup(started.process.stop)
        return started

    def stream(self, suffix=""):
        return records(self.bootstrap, f"_schemas-{self.id().rsplit('.', 1)[1]}{suffix}")

    def fill(self, registry):
        self.assertEqual(registry.register("a", record("A", field("x"))).status, 200)
        self.assertEqual(registry.register("a", record("A", field("x"), field("y", default=0))).status, 200)
        self.assertEqual(registry.register("b", record("B", field("x"))).status, 200)
        self.assertEqual(registry.register(":.eu:a", '"string"').status, 200)
        self.assertEqual(registry.call("PUT", "/config/b", {"compatibility": "FULL"}).status, 200)
        self.assertEqual(registry.call("DELETE", "/subjects/a/versions/1").text, "1")

    def test_records_have_the_bytes_of_the_confluent_registry(self):
        registry = self.registry()
        self.fill(registry)
        text = json.dumps(record("B", field("x")), separators=(",", ":"))
        self.assertIn(('{"keytype":"SCHEMA","subject":"b","version":1,"magic":1}',
                       json.dumps({"subject": "b", "version": 1, "id": 3, "schema": text, "deleted": False}, separators=(",", ":"))),
                      self.stream())
        self.assertIn(('{"keytype":"CONFIG","subject":"b","magic":0}', '{"subject":"b","compatibilityLevel":"FULL"}'), self.stream())
        self.assertIn(('{"keytype":"CONTEXT","tenant":"default","context":".eu","magic":0}', '{"tenant":"default","context":".eu"}'),
                      self.stream())
        self.assertIn(('{"keytype":"NOOP","magic":0}', None), self.stream())

    def test_a_stream_of_another_registry_is_taken_over(self):
        first = self.registry()
        first.process.terminate()
        name = f"_schemas-{self.id().rsplit('.', 1)[1]}"
        foreign = [('{"keytype":"SCHEMA","subject":"old","version":1,"magic":0}', '{"subject":"old","version":1,"id":7,"schema":"\\"string\\"","deleted":false}'),
                   ('{"keytype":"CONFIG","subject":null,"magic":0}', '{"compatibilityLevel":"NONE"}'),
                   ('{"keytype":"ASSOC","magic":0}', '{"what":"ever"}')]
        lines = "".join(json.dumps({"key": key, "value": value}) + "\n" for key, value in foreign)
        weir("produce", name, "--format", "jsonl", "--bootstrap", self.bootstrap, stdin=lines)
        second = self.registry()
        self.assertEqual(second.call("GET", "/schemas/ids/7").body["schema"], '"string"')
        self.assertEqual(second.call("GET", "/config").body, {"compatibilityLevel": "NONE"})
        self.assertEqual(second.register("old", '"int"').body["id"], 8)

    def test_a_restart_and_a_kill_lose_nothing(self):
        registry = self.registry()
        self.fill(registry)
        before = everything(registry)
        registry.process.terminate()
        again = self.registry()
        self.assertEqual(everything(again), before)
        self.assertEqual(again.register("c", '"bytes"').body["id"], 4)
        before = everything(again)
        again.process.kill()
        third = self.registry()
        self.assertEqual(everything(third), before)
        self.assertEqual(third.register("c", '"bytes"').body["id"], 4)

    def test_every_answered_write_survives_kill_9_in_the_middle_of_writing(self):
        registry = self.registry()
        answered, stop = {}, threading.Event()

        def write(worker):
            for n in range(10000):
                if stop.is_set():
                    return
                name = f"k{worker}x{n}"
                try:
                    answer = registry.register(name, record(name, field("x")))
                except OSError:
                    return
                if answer.status == 200:
                    answered[name] = answer.body["id"]

        writers = [threading.Thread(target=write, args=(worker,)) for worker in range(3)]
        for writer in writers:
            writer.start()
        poll_until(lambda: len(answered) >= 30, DEADLINE_S, "thirty registered schemas")
        registry.process.kill()
        stop.set()
        for writer in writers:
            writer.join()
        again = self.registry()
        for name, number in answered.items():
            self.assertEqual(again.call("GET", f"/subjects/{name}/versions/1").body["id"], number)
        self.assertEqual(len(set(answered.values())), len(answered), "an id was given twice")

    def test_two_clients_that_race_get_one_id(self):
        """Each to a registry of its own, the leader and a follower, which forwards."""
        first = self.registry()
        first.register("warm", '"string"')
        second = self.registry()
        # The second answers as a follower once it knows the leader.
        poll_until(lambda: second.register("warm2", '"long"').status == 200, DEADLINE_S, "a forwarded write")
        for n in range(20):
            schema, answers = record(f"R{n}", field("x")), {}
            threads = [threading.Thread(target=lambda r=registry: answers.setdefault(r, registry_answer(r, f"r{n}", schema)))
                       for registry in (first, second)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual({(a.status, a.body.get("id"), a.body.get("version")) for a in answers.values()},
                             {(200, answers[first].body["id"], 1)}, answers)
        versions = [key for key, _ in self.stream() if key.startswith('{"keytype":"SCHEMA","subject":"r')]
        self.assertEqual(len(versions), 20)

    def test_what_a_follower_has_forwarded_it_can_be_asked_for_at_once(self):
        leader = self.registry()
        leader.register("warm", '"string"')
        follower = self.registry()
        poll_until(lambda: "the leader is" in follower.log(), DEADLINE_S, "a follower")
        for n in range(30):
            answer = follower.register(f"r{n}", record(f"R{n}", field("x")))
            self.assertEqual(answer.status, 200, answer)
            self.assertEqual(follower.call("GET", f"/schemas/ids/{answer.body['id']}").status, 200, n)
        self.assertEqual(follower.call("DELETE", "/subjects/r0").text, "[1]")
        self.assertEqual(follower.call("GET", "/subjects/r0/versions").code, 40401)

    def test_a_follower_takes_over_when_the_leader_is_killed(self):
        first = self.registry()
        self.assertEqual(first.register("a", '"string"').status, 200)
        second = self.registry()
        poll_until(lambda: "the leader is" in second.log(), DEADLINE_S, "a follower")
        first.process.kill()
        answer = poll_until(lambda: (lambda a: a if a.status == 200 else None)(second.register("b", '"long"')), DEADLINE_S, "a new leader")
        self.assertEqual(answer.body["id"], 2)
        self.assertEqual(second.call("GET", "/subjects").body, ["a", "b"])

    def test_leaders_that_are_killed_under_load_give_no_id_twice_and_lose_none(self):
        """Two registries with writers at both; the leader is killed and comes back as a follower, round after round."""
        registries = [self.registry(), self.registry()]
        for registry in registries:
            poll_until(lambda: registry.register("warm", '"string"').status == 200, DEADLINE_S, "a first write")
        answered, stop = {}, threading.Event()

        def write(worker):
            n = 0
            while not stop.is_set():
                n += 1
                name = f"k{worker}x{n}"
                for _ in range(1000):  # until it is answered: by this node, or by the next that stands in its place
                    if stop.is_set():
                        return
                    try:
                        answer = registries[worker % 2].register(name, record(name, field("x")))
                    except (OSError, http.client.HTTPException):
                        continue
                    if answer.status == 200:
                        answered[name] = answer.body["id"]
                        break

        writers = [threading.Thread(target=write, args=(worker,)) for worker in range(4)]
        for writer in writers:
            writer.start()
        try:
            for _ in range(3):
                enough = len(answered) + 40
                poll_until(lambda: len(answered) >= enough, DEADLINE_S, "forty more schemas")
                leader = 0 if "leads the group" in last_of(registries[0].log(), "leads the group", "leads no more", "the leader is") else 1
                registries[leader].process.kill()
                registries[leader] = self.registry()
            enough = len(answered) + 40
            poll_until(lambda: len(answered) >= enough, DEADLINE_S, "forty more schemas")
        finally:
            stop.set()
            for writer in writers:
                writer.join()
        self.assertEqual(len(set(answered.values())), len(answered), "an id was given twice")
        for registry in registries:
            for name, number in answered.items():
                self.assertEqual(registry.call("GET", f"/subjects/{name}/versions/1").body["id"], number)

    def test_a_leader_that_leaves_makes_way_at_once(self):
        first = self.registry()
        self.assertEqual(first.register("a", '"string"').status, 200)
        second = self.registry()
        poll_until(lambda: "the leader is" in second.log(), DEADLINE_S, "a follower")
        self.assertEqual(first.process.terminate(), 0)
        answer = poll_until(lambda: (lambda a: a if a.status == 200 else None)(second.register("b", '"long"')), DEADLINE_S, "a new leader")
        self.assertEqual(answer.body["id"], 2)

    def test_a_registry_that_was_fenced_does_not_write(self):
        """Two groups on one stream, which is a mistake: whoever writes last fences the other, and no id is given twice."""
        first = self.registry()
        self.assertEqual(first.register("a", '"string"').body["id"], 1)
        second = self.registry(group=f"other-{self.id()}")
        self.assertEqual(second.register("b", '"long"').body["id"], 2)
        # The first is fenced; once it has taken over again it has read what the other wrote.
        answer = first.register("c", '"bytes"')
        self.assertIn(answer.status, (200, 500), answer)
        answer = poll_until(lambda: (lambda a: a if a.status == 200 else None)(first.register("c", '"bytes"')), DEADLINE_S, "a write")
        self.assertEqual(answer.body["id"], 3)

    def test_changes_are_told_with_their_difference(self):
        registry = self.registry()
        self.fill(registry)
        told = [(key, json.loads(value)) for key, value in self.stream(".changes")]
        self.assertEqual([(key, value["change"]) for key, value in told],
                         [("a", "version-registered"), ("a", "version-registered"), ("b", "version-registered"), (":.eu:", "context-created"),
                          (":.eu:a", "version-registered"), ("b", "config-changed"), ("a", "version-soft-deleted")])
        self.assertEqual(told[1][1]["difference"], {"fieldsAdded": ["y"]})
        self.assertEqual(told[5][1]["after"], {"compatibilityLevel": "FULL"})

    def test_tags_are_registered_shown_and_outlive_a_restart(self):
        registry = self.registry()
        tagged = [{"schemaEntity": {"entityPath": "A.x", "entityType": "sr_field"}, "tags": ["PII"]}]
        self.assertEqual(registry.register("a", record("A", field("x"))).body["version"], 1)
        answer = registry.register("a", record("A", field("x")), schemaTagsToAdd=tagged)
        self.assertEqual(answer.body["version"], 2, answer)
        record_tag = [{"schemaEntity": {"entityPath": "A", "entityType": "sr_record"}, "tags": ["owned"]}]
        answer = registry.call("POST", "/subjects/a/versions/2/tags", {"newVersion": 3, "tagsToAdd": record_tag})
        self.assertEqual((answer.status, answer.body["version"]), (200, 3), answer)
        self.assertEqual(json.loads(answer.body["schema"]),
                         record("A", field("x", **{"confluent:tags": ["PII"]})) | {"confluent:tags": ["owned"]})
        registry.process.terminate()
        registry = self.registry()
        answer = registry.call("GET", "/subjects/a/versions/3?findTags=true")
        self.assertEqual(answer.body["schemaTags"], record_tag + tagged)
        grown = registry.register("a", record("A", field("x"), field("y", default=0)), propagateSchemaTags=True)
        self.assertEqual(registry.call("GET", f"/schemas/ids/{grown.body['id']}?findTags=true").body["schemaTags"], record_tag + tagged)

    def test_python_clients(self):
        command, env = python_client("confluent_registry.py")
        registry = WeirRegistry(self.bootstrap, ["--topic", "_schemas-python", "--group", "python"])
        self.addCleanup(registry.process.stop)
        with proc.Process([*command, registry.url, self.bootstrap], env=env) as process:
            process.wait_for_line("^done$", DEADLINE_S * 2)

    def test_kafkajs(self):
        command = node_client("kafkajs_registry.mjs")
        registry = self.registry()
        with proc.Process([*command, registry.url]) as process:
            process.wait_for_line("^done$", DEADLINE_S)

    def test_confluentinc_for_node(self):
        command = node_client("confluent_registry.mjs")
        registry = self.registry()
        with proc.Process([*command, registry.url]) as process:
            process.wait_for_line("^done$", DEADLINE_S)


def last_of(text, *wanted):
    """The last line with one of these in it."""
    return next((line for line in reversed(text.splitlines()) if any(one in line for one in wanted)), "")


def registry_answer(registry, subject, schema):
    return registry.register(subject, schema)


class OnWeir(OnAnyBroker, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.broker = WeirBroker(cls.folder.name, ["--set", "group.initial.rebalance.delay.ms=0"])
        cls.bootstrap = cls.broker.address

    @classmethod
    def tearDownClass(cls):
        cls.broker.process.stop()
        cls.folder.cleanup()


class OnKafka(OnAnyBroker, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kafka = kafka.Kafka()
        cls.bootstrap = cls.kafka.address

    @classmethod
    def tearDownClass(cls):
        cls.kafka.stop()


class Up(unittest.TestCase):
    """`weir up`, and what a registry does at its edges."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def test_broker_and_registry_are_one_process_and_outlive_kill_9(self):
        with WeirUp(self.folder / "data") as up:
            self.assertEqual(up.register("a", '"string"').body["id"], 1)
            self.assertIn("_schemas", weir("topic", "list", "--bootstrap", up.broker).out)
            up.process.kill()
        with WeirUp(self.folder / "data") as up:
            self.assertEqual(up.call("GET", "/subjects/a/versions/1").body["id"], 1)
            self.assertEqual(up.register("b", '"long"').body["id"], 2)
            self.assertEqual(up.process.terminate(), 0)

    def test_only_users_get_in(self):
        hashed = weir("registry", "hash-password", "ann", stdin="geheim\n").out
        self.assertRegex(hashed, r"^ann:pbkdf2-sha256\$")
        users, password = self.folder / "users", self.folder / "password"
        users.write_text(f"# people\n{hashed}")
        password.write_text("top secret\n")
        with WeirUp(self.folder / "data", ["--users", users, "--auth", f"bob:{password}"]) as up:
            self.assertEqual(up.call("GET", "/subjects").status, 401)
            self.assertIn("Basic", up.call("GET", "/subjects").headers["WWW-Authenticate"])
            for user in (("ann", "wrong"), ("eve", "geheim"), ("ann", "")):
                self.assertEqual(up.call("GET", "/subjects", user=user).status, 401, user)
            for user in (("ann", "geheim"), ("bob", "top secret")) * 2:
                self.assertEqual(up.call("GET", "/subjects", user=user).status, 200, user)
            self.assertEqual(call(up.address, "POST", "/subjects/a/versions", {"schema": '"int"'}).status, 401)

    def test_a_body_of_more_than_a_mebibyte_is_refused(self):
        with WeirUp(self.folder / "data") as up:
            try:
                self.assertEqual(up.call("POST", "/subjects/a/versions", "x" * (2 << 20)).status, 413)
            except (ConnectionResetError, BrokenPipeError):
                pass  # it does not wait for the rest
            large = record("A", *(field(f"f{n}", doc="d" * 100) for n in range(5000)))
            self.assertEqual(up.register("a", large).status, 200)
            larger = json.dumps(record("A", *(field(f"f{n}", doc="d" * 100) for n in range(6800))), separators=(",", ":"))
            self.assertEqual(up.register("b", larger).code, 42209)

    def test_a_stream_that_would_lose_schemas_is_refused(self):
        with WeirBroker(self.folder / "data") as broker:
            weir("topic", "create", "_schemas", "--partitions", "1", "--bootstrap", broker.address)
            done = weir("registry", "--bootstrap", broker.address, "--listen", "127.0.0.1:0", expect=None)
            self.assertNotEqual(done.code, 0)
            self.assertIn("cleanup.policy", done.err)
            weir("topic", "create", "_many", "--partitions", "2", "--set", "cleanup.policy=compact", "--bootstrap", broker.address)
            done = weir("registry", "--topic", "_many", "--bootstrap", broker.address, "--listen", "127.0.0.1:0", expect=None)
            self.assertIn("one partition", done.err)


if __name__ == "__main__":
    unittest.main()
