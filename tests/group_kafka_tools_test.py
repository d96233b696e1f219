"""Apache Kafka 4.3.1's own consumers and command-line tools on groups of weir: over the wire, and on the files."""
import re
import tempfile
import unittest
from pathlib import Path

from lib import kafka, ports, proc
from lib.broker import WeirBroker
from lib.groups import GroupClient
from lib.waiting import poll_until

RECORDS = 3000


class OverTheWire(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.port = ports.free_port()
        self.broker = WeirBroker(self.folder.name, port=self.port)
        self.addCleanup(lambda: self.broker.process.stop())
        self.client = GroupClient(self.port)
        self.addCleanup(lambda: self.client.socket.close())
        self.client.create_topic("t", 3)

    def tool(self, name, *args, **kwargs):
        return kafka.tool(name, "--bootstrap-server", self.broker.address, *args, **kwargs).out

    def groups(self, *args, **kwargs):
        return self.tool("ConsumerGroupCommand", *args, **kwargs)

    def send(self, count, topic="t"):
        # Keys, because without them librdkafka fills one partition at a time.
        proc.run(["kcat", "-P", "-b", self.broker.address, "-t", topic, "-K", ":"],
                 stdin="".join(f"{i}:v{i}\n" for i in range(count)))

    def consumer(self, group, *args):
        """A console consumer of a group, started and in possession of its partitions."""
        process = proc.Process(kafka.java(kafka.TOOLS["ConsoleConsumer"], "--bootstrap-server", self.broker.address, "--topic", "t",
                                          "--group", group, "--from-beginning", *args))
        self.addCleanup(process.stop)
        return process

    def read(self, *consumers):
        return [line for c in consumers for line in c.output("out").split()]

    def rows(self, group):
        """{partition: (current, end, lag, consumer)} as the tool describes a group."""
        text = self.groups("--describe", "--group", group)
        found = re.findall(r"^%s\s+t\s+(\d)\s+(\S+)\s+(\d+)\s+(\S+)\s+(\S+)" % group, text, re.M)
        return {int(p): (current, end, lag, who) for p, current, end, lag, who in found}

    def test_consumers_share_a_topic_and_the_tools_describe_reset_and_delete_their_group(self):
        self.send(RECORDS)
        first = self.consumer("g")
        poll_until(lambda: len(self.read(first)) == RECORDS, 60, "every record")
        second = self.consumer("g")
        poll_until(lambda: len({m["assignment"] for m in self.client.describe("g")[0]["members"]}) == 2
                   and self.client.describe("g")[0]["state"] == "Stable", 60, "two members")
        self.send(300)
        poll_until(lambda: len(self.read(first, second)) == RECORDS + 300, 60, "the new records, once each")
        self.assertTrue(self.read(second), "both have read")
        self.assertRegex(self.groups("--list"), r"^g$")
        self.assertRegex(self.groups("--describe", "--group", "g", "--state"), r"g\s+\S+\s+\(1\)\s+range\s+Stable\s+2")
        members = self.groups("--describe", "--group", "g", "--members", "--verbose")
        self.assertEqual(len(re.findall(r"^g\s+console-consumer-\S+\s+/127.0.0.1\s+console-consumer\s+[12]\s", members, re.M)), 2)
        refused = self.groups("--reset-offsets", "--group", "g", "--topic", "t", "--to-earliest", "--execute", expect=None)
        self.assertIn("Stable", refused)
        for consumer in (first, second):
            self.assertIn(consumer.terminate(), (0, 130, 143))
        self.assertEqual(self.client.describe("g")[0]["state"], "Empty", "a consumer that is closed leaves")
        rows = self.rows("g")
        self.assertEqual({lag for _, _, lag, _ in rows.values()}, {"0"})
        self.assertEqual(sum(int(current) for current, _, _, _ in rows.values()), RECORDS + 300)

        self.groups("--reset-offsets", "--group", "g", "--topic", "t:0", "--to-offset", "5", "--execute")
        self.assertEqual(self.rows("g")[0][0], "5")
        self.groups("--delete-offsets", "--group", "g", "--topic", "t:1")
        self.assertEqual(set(self.rows("g")), {0, 2})
        self.assertIn("successful", self.groups("--delete", "--group", "g"))
        self.assertEqual(self.groups("--list").strip(), "")
        self.assertIn("Group g not found", kafka.tool("ConsumerGroupCommand", "--bootstrap-server", self.broker.address, "--describe",
                                                   "--group", "g", expect=None).err + self.groups("--list"))

    def test_a_static_member_and_cooperative_assignment(self):
        self.send(300)
        how = ["--command-property", "partition.assignment.strategy=org.apache.kafka.clients.consumer.CooperativeStickyAssignor"]
        first = self.consumer("c", *how, "--command-property", "group.instance.id=one")
        second = self.consumer("c", *how, "--command-property", "group.instance.id=two")
        poll_until(lambda: len(set(self.read(first, second))) == 300, 60, "every record")

        def described():
            return self.client.describe("c")[0]

        poll_until(lambda: described()["state"] == "Stable" and len(described()["members"]) == 2, 60, "two members")
        self.assertEqual({m["instance"] for m in described()["members"]}, {"one", "two"})
        self.assertEqual(described()["protocol"], "cooperative-sticky")
        first.terminate()
        self.assertEqual({m["instance"] for m in described()["members"]}, {"one", "two"}, "a static member stays for its session")
        self.groups("--describe", "--group", "c", "--members")

    def test_consumers_go_on_through_a_restart_and_a_kill(self):
        self.send(300)
        consumer = self.consumer("g")
        poll_until(lambda: len(self.read(consumer)) == 300, 60, "the records")
        for count, end in ((600, WeirBroker.terminate), (900, WeirBroker.kill)):
            end(self.broker)
            self.broker = WeirBroker(self.folder.name, port=self.port)
            self.send(300)
            poll_until(lambda: len(self.read(consumer)) >= count, 60, "records after the restart")
        self.assertEqual(len(self.read(consumer)), 900, "none was read twice")

    def test_the_performance_tool_consumes_in_a_group(self):
        self.send(RECORDS)
        out = self.tool("ConsumerPerformance", "--topic", "t", "--num-records", str(RECORDS), "--group", "p",
                        "--timeout", "30000")
        figures = out.splitlines()[-1].split(", ")
        self.assertEqual(int(figures[4]), RECORDS, out)

    def test_offsets_by_topic_id_are_those_of_the_topic_that_is_there_now(self):
        # The Java admin client of 4.3.1 speaks versions 10, which name topics by id.
        self.send(10)
        self.groups("--reset-offsets", "--group", "g", "--topic", "t", "--to-latest", "--execute")
        self.assertEqual(sum(int(current) for current, _, _, _ in self.rows("g").values()), 10)
        self.tool("TopicCommand", "--delete", "--topic", "t")
        self.client.create_topic("t", 3)
        self.assertEqual(self.rows("g"), {})


class Mixed(unittest.TestCase):
    def test_java_and_librdkafka_in_one_group_share_through_joins_a_leave_and_a_kill(self):
        from group_clients_test import Member, send
        for java_name, name in (("RangeAssignor", "range"), ("CooperativeStickyAssignor", "cooperative-sticky")):
            with self.subTest(name), tempfile.TemporaryDirectory() as folder, WeirBroker(folder) as broker, \
                    GroupClient(broker.port) as client:
                client.create_topic("t", 6)
                sent = 0

                def send_more(count=300):
                    nonlocal sent
                    send(broker.address, "t", range(sent, sent + count))
                    sent += count

                def java():
                    process = proc.Process(kafka.java(
                        kafka.TOOLS["ConsoleConsumer"], "--bootstrap-server", broker.address, "--topic", "t", "--group", "g",
                        "--from-beginning", "--command-property", "session.timeout.ms=6000", "--command-property",
                        "partition.assignment.strategy=org.apache.kafka.clients.consumer." + java_name))
                    self.addCleanup(process.stop)
                    return process

                def settled(count):
                    described = client.describe("g")[0]
                    return (described["state"] == "Stable" and len(described["members"]) == count
                            and all(len(m["assignment"]) > 12 for m in described["members"]))

                def read():
                    ours = {n for m in native for n in m.seen}
                    return ours | {int(n) for p in foreign for n in p.output("out").split()}

                foreign, native = [java()], []
                send_more()
                poll_until(lambda: read() == set(range(sent)), 60, "what Java reads alone")
                native = [Member(broker.address, "g", "t", partition_assignment_strategy=name) for _ in range(2)]
                poll_until(lambda: settled(3), 60, "three members")
                self.assertEqual(client.describe("g")[0]["protocol"], name)
                send_more()
                poll_until(lambda: read() == set(range(sent)), 60, "what three read")
                native[0].leave()
                foreign.append(java())
                poll_until(lambda: settled(3), 60, "three others")
                send_more()
                poll_until(lambda: read() == set(range(sent)), 60, "what is read after one left and one came")
                foreign[0].kill()
                poll_until(lambda: settled(2), 60, "the two that are left")
                send_more()
                poll_until(lambda: read() == set(range(sent)), 60, "what is read after a kill")
                native[1].leave()


class OnTheFiles(unittest.TestCase):
    def test_the_offsets_decoder_reads_the_stream(self):
        with tempfile.TemporaryDirectory() as folder:
            with WeirBroker(folder) as broker, GroupClient(broker.port) as client:
                client.create_topic("orders", 2)
                member = client.join("g", protocols=(("range", b"\0\1\0\0\0\1\0\6orders\xff\xff\xff\xff\0\0\0\0"),))["member"]
                joined = client.join("g", member, protocols=(("range", b"\0\1\0\0\0\1\0\6orders\xff\xff\xff\xff\0\0\0\0"),))
                client.sync("g", joined["generation"], member,
                            assignments=[(member, b"\0\1\0\0\0\1\0\6orders\0\0\0\2\0\0\0\0\0\0\0\1\xff\xff\xff\xff")])
                self.assertEqual(client.commit("g", [("orders", 1, 4711, "noted")], joined["generation"], member), [0])
                client.leave("g", (member, None))
                client.delete("g")
                self.assertEqual(broker.terminate(), 0)
            segments = sorted(Path(folder, "__consumer_offsets-0").glob("*.log"))
            dumped = kafka.tool("DumpLogSegments", "--offsets-decoder", "--files", ",".join(map(str, segments))).out
        self.assertNotIn("isvalid: false", dumped)
        self.assertRegex(dumped, r'"type":"?1"?.*"group":"g","topic":"orders","partition":1.*"offset":4711.*"metadata":"noted"')
        self.assertRegex(dumped, r'"group":"g".*"protocolType":"consumer","generation":1.*"orders"|'
                                 r'"group":"g".*"protocolType":"consumer","generation":1')
        self.assertRegex(dumped, r'"group":"g","topic":"orders","partition":1.*payload: ?(null|<DELETE>|\{"version".*null|$)?')
        self.assertIn(member, dumped)
