"""The monitoring listener of `weir broker`: what the metrics say against what was done, liveness, readiness, the lines
about slow requests and about all of them."""
import http.client
import json
import os
import re
import socket
import struct
import tempfile
import unittest
from pathlib import Path

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

from lib import ports, prometheus, proc, wire
from lib.broker import ROOT, WeirBroker, program, weir
from lib.waiting import poll_until


class Monitored(unittest.TestCase):
    """A broker with a monitoring listener, over a folder of its own."""

    args = ()

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name) / "data"
        self.broker = self.start(*self.args)

    def start(self, *args):
        broker = WeirBroker(self.folder, ["--metrics", "127.0.0.1:0", *args])
        self.addCleanup(broker.process.stop)
        self.http_port = int(broker.process.wait_for_line(r"^metrics on http://127\.0\.0\.1:(\d+)/metrics$", 10)[1])
        return broker

    def get(self, path, headers=None, method="GET"):
        """Status, headers and text of the answer."""
        return prometheus.get(self.http_port, path, headers, method)

    def metrics(self):
        status, _, text = self.get("/metrics")
        self.assertEqual(status, 200)
        return prometheus.parse(text)

    def value(self, name, **labels):
        return self.metrics()[name].value(**labels)


class Metrics(Monitored):
    def test_every_metric_of_the_page_is_there_and_no_other(self):
        page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
        self.assertEqual(page, weir("help", "--metrics").out)
        rows = [row for row in prometheus.rows(page) if row[3] not in ("client", "streams")]
        families = self.metrics()
        self.assertEqual(sorted(families), sorted(row[0] for row in rows))
        for name, kind, labels, _ in rows:
            with self.subTest(name=name):
                self.assertEqual(families[name].kind, "gauge" if kind == "info" else kind)
                for _, own, _ in families[name].samples:
                    self.assertEqual(sorted(set(own) - {"le"}), sorted(labels))

    def test_requests_bytes_and_offsets_are_those_that_were(self):
        with wire.RawClient(self.broker.port) as client:
            client.create_topic("orders", 2)
            batch = wire.record_batch([b"a", b"b", b"c"])
            for _ in range(5):
                self.assertEqual(client.produce("orders", batch)[0], 0)
            client.produce("orders", batch, partition=7)
            client.fetch("orders", 0)
        families = self.metrics()
        requests = families["weir_requests_total"]
        self.assertEqual(requests.value(api="Produce", error="none"), 5)
        self.assertEqual(requests.value(api="Produce", error="unknown_topic_or_partition"), 1)
        self.assertEqual(requests.value(api="CreateTopics", error="none"), 1)
        self.assertEqual(requests.value(api="Fetch", error="none"), 1)
        frame = 4 + len(wire.request(wire.PRODUCE, 7, 1, wire.produce_body("orders", 0, batch)))
        self.assertEqual(families["weir_request_bytes_total"].value(api="Produce"), 6 * frame)
        self.assertGreater(families["weir_response_bytes_total"].value(api="Fetch"), 5 * len(batch))
        duration = [s for s in families["weir_request_duration_seconds"].samples if s[1].get("api") == "Produce"]
        self.assertEqual(next(v for name, _, v in duration if name.endswith("_count")), 6)
        ack = {name: value for name, labels, value in families["weir_produce_ack_duration_seconds"].samples if "le" not in labels}
        self.assertEqual(ack["weir_produce_ack_duration_seconds_count"], 5)
        self.assertEqual(families["kafka_topic_partition_high_water_mark"].value(topic_name="orders", partition_id="0"), 15)
        self.assertEqual(families["kafka_topic_partition_high_water_mark"].value(topic_name="orders", partition_id="1"), 0)
        self.assertEqual(families["kafka_topic_high_water_mark_sum"].value(topic_name="orders"), 15)
        self.assertEqual(families["kafka_topic_log_dir_size_total_bytes"].value(topic_name="orders"), 5 * len(batch))
        self.assertEqual(families["kafka_topic_info"].value(topic_name="orders", partition_count="2", replication_factor="1",
                                                            cleanup_policy="delete"), 1)
        self.assertEqual(families["weir_partitions"].value(state="online"), 2)
        self.assertEqual(families["weir_log_appended_batches_total"].total(), 6)  # and the topic's record

    def test_the_time_that_a_fetch_waits_is_not_its_latency(self):
        with wire.RawClient(self.broker.port) as client:
            client.create_topic("t")
            body = struct.pack(">iiiibi", -1, 400, 1, 1 << 20, 0, 1) + wire.string("t") + struct.pack(">iiqi", 1, 0, 0, 1 << 20)
            client.call(wire.FETCH, 4, body)
        families = self.metrics()
        waited = {name: value for name, labels, value in families["weir_fetch_wait_seconds"].samples if "le" not in labels}
        self.assertEqual(waited["weir_fetch_wait_seconds_count"], 1)
        self.assertGreaterEqual(waited["weir_fetch_wait_seconds_sum"], 0.4)
        latency = [v for name, labels, v in families["weir_request_duration_seconds"].samples
                   if labels.get("api") == "Fetch" and name.endswith("_sum")]
        self.assertLess(latency[0], 0.3)

    def test_connections_and_what_ends_them_are_counted(self):
        with wire.RawClient(self.broker.port) as client:
            client.call(wire.API_VERSIONS, 0, b"")
            self.assertEqual(self.value("weir_connections"), 1)
        with wire.RawClient(self.broker.port) as client:
            client.send_frame(b"\x7f\xff\x7f\xff nonsense")
            self.assertTrue(client.closed_by_broker())
        poll_until(lambda: self.value("weir_connections") == 0, 10, "connections to end")
        families = self.metrics()
        self.assertEqual(families["weir_connections_opened_total"].total(), 2)
        self.assertEqual(families["weir_connections_closed_total"].value(reason="peer"), 1)
        self.assertEqual(families["weir_connections_closed_total"].value(reason="protocol"), 1)
        self.assertEqual(families["weir_protocol_errors_total"].total(), 1)

    def test_the_process_tells_of_itself(self):
        families = self.metrics()
        status = Path(f"/proc/{self.broker.pid}/status").read_text(encoding="ascii")
        resident = int(re.search(r"VmRSS:\s+(\d+)", status)[1]) * 1024
        self.assertAlmostEqual(families["process_resident_memory_bytes"].total(), resident, delta=4 << 20)
        self.assertGreater(families["process_open_fds"].total(), 5)
        self.assertLess(families["process_cpu_seconds_total"].total(), 60)
        version = weir("version", "-o", "json").out
        self.assertEqual(families["weir_build_info"].samples[0][1]["version"], json.loads(version)[0]["version"])

    def test_openmetrics_is_what_its_own_parser_reads_and_says_the_same(self):
        with wire.RawClient(self.broker.port) as client:
            client.create_topic("t")
            client.produce("t", wire.record_batch())
        asked = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"}
        _, headers, text = self.get("/metrics", asked)
        self.assertEqual(headers["Content-Type"], "application/openmetrics-text; version=1.0.0; charset=utf-8")
        read = {sample.name: sample.value for family in parse_openmetrics(text) for sample in family.samples}
        for name in ("kafka_topic_high_water_mark_sum", "weir_log_cycles_total", "weir_build_info", "weir_topics"):
            self.assertEqual(read[name], self.metrics()[name].samples[0][2], name)
        _, headers, _ = self.get("/metrics")
        self.assertEqual(headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")

    def test_counters_never_fall_and_scrapes_do_not_count_as_requests(self):
        with wire.RawClient(self.broker.port) as client:
            client.create_topic("t")
            before = self.metrics()
            for _ in range(20):
                client.produce("t", wire.record_batch())
        after = self.metrics()
        for name, family in before.items():
            if family.kind == "counter":
                for _, labels, value in family.samples:
                    self.assertGreaterEqual(after[name].value(**labels), value, name)
        self.assertEqual(after["weir_requests_total"].total() - before["weir_requests_total"].total(), 20)


def commit(client, group, offsets):
    """OffsetCommit 5 of nobody's for topic t: offset by partition."""
    rows = b"".join(struct.pack(">iq", partition, offset) + wire.string("") for partition, offset in offsets.items())
    body = wire.string(group) + struct.pack(">i", -1) + wire.string("") + struct.pack(">i", 1)
    reply = client.call(8, 5, body + wire.string("t") + struct.pack(">i", len(offsets)) + rows)
    if b"\xff" in reply or not reply.endswith(b"\0\0"):
        raise AssertionError(f"the commit failed: {reply!r}")


def find_coordinator(client, group):
    """Waits for the stream of offsets, which this request makes."""
    poll_until(lambda: client.call(10, 0, wire.string(group))[:2] == b"\0\0", 10, "a coordinator")


class Groups(Monitored):
    def test_lag_is_between_what_was_committed_and_the_end(self):
        with wire.RawClient(self.broker.port) as client:
            client.create_topic("t", 3)
            for _ in range(4):
                client.produce("t", wire.record_batch([b"a", b"b"]))
            client.produce("t", wire.record_batch([b"c"]), partition=1)
            find_coordinator(client, "billing")
            commit(client, "billing", {0: 5, 1: 0, 2: 0})
            commit(client, "late \u00e9", {0: 8})
        families = self.metrics()
        lag = families["kafka_consumer_group_topic_partition_lag"]
        for partition, value in enumerate((3, 1, 0)):
            self.assertEqual(lag.value(group_id="billing", topic_name="t", partition_id=str(partition)), value)
        self.assertEqual(families["kafka_consumer_group_topic_lag"].value(group_id="billing", topic_name="t"), 4)
        self.assertEqual(families["weir_consumer_group_lag"].value(group_id="late \u00e9"), 0)
        self.assertEqual(families["kafka_consumer_group_topic_offset_sum"].value(group_id="billing", topic_name="t"), 5)
        self.assertEqual(families["weir_consumer_groups"].value(state="Empty"), 2)
        self.assertEqual(families["weir_group_offset_commits_total"].total(), 4)

    def test_members_and_their_assignments_are_those_of_the_group(self):
        with wire.RawClient(self.broker.port) as client:
            client.create_topic("t", 3)
            client.produce("t", wire.record_batch())
        # A wait for the other members is no slow request.
        consumers = [proc.Process(["kcat", "-b", f"127.0.0.1:{self.broker.port}", "-G", "shop", "-q", "-X",
                                   "session.timeout.ms=6000", "t"]) for _ in range(4)]
        for consumer in consumers:
            self.addCleanup(consumer.stop)
        def settled():
            families = self.metrics()
            info = families["kafka_consumer_group_info"].samples
            members = families["kafka_consumer_group_members"]
            return info and info[0][1]["state"] == "Stable" and members.value(group_id="shop") == 4 and families
        families = poll_until(settled, 60, "four members to be stable")
        self.assertEqual(families["kafka_consumer_group_info"].samples[0][1]["protocol_type"], "consumer")
        self.assertEqual(families["kafka_consumer_group_empty_members"].value(group_id="shop"), 1)
        self.assertEqual(families["kafka_consumer_group_topic_members"].value(group_id="shop", topic_name="t"), 3)
        self.assertEqual(families["kafka_consumer_group_topic_assigned_partitions"].value(group_id="shop", topic_name="t"), 3)
        self.assertGreaterEqual(families["weir_group_rebalances_total"].total(), 1)
        self.assertNotIn("slow:", self.broker.log())


class GroupBounds(Monitored):
    args = ("--set", "weir.metrics.groups=2")

    def test_groups_beyond_the_bound_are_summed_up(self):
        with wire.RawClient(self.broker.port) as client:
            client.create_topic("t", 3)
            client.produce("t", wire.record_batch([b"a"] * 10))
            find_coordinator(client, "a")
            commit(client, "a", {0: 1, 1: 0, 2: 0})
            commit(client, "b", {0: 2})
            commit(client, "c", {0: 3})
        families = self.metrics()
        lag = families["weir_consumer_group_lag"]
        self.assertEqual([(labels["group_id"], value) for _, labels, value in lag.samples], [("a", 9), ("b", 8)])
        by_topic = families["kafka_consumer_group_topic_lag"]
        self.assertEqual([labels["group_id"] for _, labels, _ in by_topic.samples], ["b"], "three partitions do not fit")
        self.assertEqual(families["weir_metrics_groups_left_out"].total(), 1)
        self.assertEqual(families["weir_metrics_groups_left_out_lag"].total(), 7)


class Cardinality(Monitored):
    args = ("--set", "weir.metrics.partitions=3")

    def test_partitions_beyond_the_bound_are_summed_up_and_nothing_is_lost(self):
        with wire.RawClient(self.broker.port) as client:
            for name, partitions in (("a", 2), ("b", 5), ("c", 1), ("d", 1), ("e", 4)):
                client.create_topic(name, partitions)
                for partition in range(partitions):
                    client.produce(name, wire.record_batch(), partition)
        families = self.metrics()
        per_partition = families["kafka_topic_partition_high_water_mark"]
        self.assertEqual({labels["topic_name"] for _, labels, _ in per_partition.samples}, {"a", "c"})
        self.assertEqual(per_partition.total(), 3)
        sums = families["kafka_topic_high_water_mark_sum"]
        self.assertEqual([(labels["topic_name"], value) for _, labels, value in sums.samples],
                         [("a", 2), ("b", 5), ("c", 1), ("(other)", 5)])
        self.assertEqual(families["weir_metrics_partitions_left_out"].total(), 10)
        self.assertEqual(families["weir_partitions"].total(), 13)
        size = families["kafka_topic_log_dir_size_total_bytes"].total()
        self.assertEqual(size, 13 * len(wire.record_batch()))


class Health(Monitored):
    def test_alive_and_ready_and_the_version(self):
        self.assertEqual(self.get("/livez")[::2], (200, "live\n"))
        self.assertEqual(self.get("/readyz")[::2], (200, "ready\n"))
        for path, headers in (("/readyz?format=json", {}), ("/readyz", {"Accept": "application/json"})):
            status, answered, text = self.get(path, headers)
            self.assertEqual((status, answered["Content-Type"]), (200, "application/json"))
            self.assertEqual(json.loads(text), {"ready": True, "reasons": []})
        version = json.loads(self.get("/version")[2])
        self.assertEqual(version["kafka"], "4.3.1")
        self.assertEqual(version["node_id"], 1)
        self.assertEqual(self.value("weir_ready"), 1)

    def test_a_broker_that_stops_is_not_ready_but_alive(self):
        with wire.RawClient(self.broker.port) as client:
            client.create_topic("t")
            # Answers that nobody takes keep the stop busy: requests until the sockets between are full.
            client.produce("t", wire.record_batch([b"x" * 900_000]))
            body = struct.pack(">iiiibi", -1, 0, 1, 1 << 20, 0, 1) + wire.string("t") + struct.pack(">iiqi", 1, 0, 0, 1 << 20)
            for number in range(40):
                client.send_frame(wire.request(wire.FETCH, 4, number, body))
            poll_until(lambda: self.value("weir_reply_queued_bytes") > 0, 10, "answers to wait")
            self.broker.process.signal(15)
            poll_until(lambda: self.get("/readyz")[0] == 503, 5, "it to be unready")
            status, _, text = self.get("/readyz")
            self.assertRegex(text, r"^not ready: the broker is stopping")
            self.assertEqual(self.get("/livez")[0], 200)
            self.assertRegex(json.loads(self.get("/readyz?format=json")[2])["reasons"][0], "stopping")
        self.assertEqual(self.broker.process.wait(20), 0)

    def test_what_is_not_there_and_what_may_not_be_done(self):
        self.assertEqual(self.get("/")[0], 404)
        self.assertEqual(self.get("/metrics/../etc/passwd")[0], 404)
        status, headers, _ = self.get("/metrics", method="DELETE")
        self.assertEqual((status, headers["Allow"]), (405, "GET, HEAD"))
        self.assertEqual(self.get("/metrics", {"Host": "evil.example"})[0], 421)
        status, headers, body = self.get("/metrics", method="HEAD")
        self.assertEqual((status, body), (200, ""))
        self.assertGreater(int(headers["Content-Length"]), 1000)

    def test_a_hostile_client_costs_the_others_nothing(self):
        held = [socket.create_connection(("127.0.0.1", self.http_port)) for _ in range(40)]
        for connection in held:
            self.addCleanup(connection.close)
        for connection in held[:10]:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        self.assertEqual(self.get("/livez")[0], 200, "idle connections make room")
        with socket.create_connection(("127.0.0.1", self.http_port)) as one:
            one.settimeout(10)
            one.sendall(b"\x16\x03\x01\x02\x00\x01")  # a TLS hello
            self.assertTrue(one.recv(100).startswith(b"HTTP/1.1 400 "))


class Remote(Monitored):
    def test_peers_of_other_machines_see_health_alone_unless_a_setting_lets_them(self):
        address = ports.own_address()
        if address is None:
            self.skipTest("this machine has no address beside the loopback")
        for setting, wanted in (("false", 403), ("true", 200)):
            self.broker.process.stop()
            port = ports.free_port()
            self.broker = WeirBroker(self.folder, ["--metrics", f"0.0.0.0:{port}",
                                                   "--set", f"weir.metrics.allow.remote.peers={setting}"])
            self.addCleanup(self.broker.process.stop)
            for path, status in (("/livez", 200), ("/readyz", 200), ("/metrics", wanted), ("/version", wanted)):
                connection = http.client.HTTPConnection(address, port, timeout=20)
                connection.request("GET", path)
                self.assertEqual(connection.getresponse().status, status, path)
                connection.close()


class Refusals(unittest.TestCase):
    def test_a_listener_that_cannot_be_is_refused_before_the_folder_is_touched(self):
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) / "data"
            for setting, why in (("weir.metrics.listener=nowhere", "weir.metrics.listener: .*no port"),
                                 ("weir.metrics.hosts=a b", "weir.metrics.hosts: 'a b' is no host name")):
                settings = ["--metrics", "127.0.0.1:0"] if "hosts" in setting else []
                done = weir("broker", "--data", folder, "--listen", "127.0.0.1:0", *settings, "--set", setting, expect=None)
                self.assertNotEqual(done.code, 0)
                self.assertRegex(done.err, why)
                self.assertFalse(folder.exists())

    def test_a_port_that_is_taken_is_named(self):
        with tempfile.TemporaryDirectory() as temporary, socket.socket() as holder:
            holder.bind(("127.0.0.1", 0))
            holder.listen()
            at = f"127.0.0.1:{holder.getsockname()[1]}"
            done = weir("broker", "--data", Path(temporary) / "data", "--listen", "127.0.0.1:0", "--metrics", at, expect=None)
            self.assertEqual(done.code, 1)
            self.assertRegex(done.err, f"weir.metrics.listener: .*{at}")


class RequestLines(Monitored):
    args = ("--set", "weir.slow.request.ms=0")

    def test_a_slow_request_gets_a_line_with_who_what_and_where_the_time_went(self):
        with wire.RawClient(self.broker.port) as client:
            client.create_topic("t")
            client.produce("t", wire.record_batch())
        line = self.broker.wait_for_log(r"WARN  slow: (.* Produce .*)")[1]
        self.assertRegex(line, r"^127\.0\.0\.1:\d+ client 'raw' Produce v7 #\d+: [\d.]+ ms, [\d.]+ ms of it for the disk, "
                               r"\d+ bytes in, \d+ bytes out, no error$")
        self.assertGreaterEqual(self.value("weir_slow_requests_total", api="Produce"), 1)

    def test_lines_are_at_most_ten_a_second_and_the_rest_is_counted(self):
        with wire.RawClient(self.broker.port) as client:
            for _ in range(300):
                client.call(wire.API_VERSIONS, 0, b"")
            def said():
                client.call(wire.API_VERSIONS, 0, b"")
                return re.search(r"slow: \d+ more slow requests of that second left out", self.broker.log())
            poll_until(said, 10, "the count of lines left out")
        slow = self.value("weir_slow_requests_total", api="ApiVersions")
        self.assertGreaterEqual(slow, 300)
        self.assertLess(len(re.findall(r"WARN  slow: 127", self.broker.log())), slow / 3)


class AccessLog(Monitored):
    args = ("--set", "weir.access.log=true")

    def test_every_request_has_a_line_and_a_client_cannot_forge_one(self):
        with wire.RawClient(self.broker.port) as client:
            client.send_frame(wire.request(wire.API_VERSIONS, 0, 5, b"", client_id="x\nWARN  access: forged"))
            client.read_frame()
        self.get("/livez")
        self.broker.wait_for_log(r"WARN  access: 127\.0\.0\.1:\d+ client 'x\\x0aWARN  access: forged' ApiVersions v0 #5: ")
        self.broker.wait_for_log(r"WARN  access: 127\.0\.0\.1:\d+ GET /livez 200, \d+ bytes out")


class Quiet(Monitored):
    def test_without_being_asked_no_request_gets_a_line(self):
        with wire.RawClient(self.broker.port) as client:
            client.create_topic("t")
            client.produce("t", wire.record_batch())
        self.get("/metrics")
        self.assertEqual(self.broker.log(), "")

    def test_without_the_option_there_is_no_listener(self):
        with tempfile.TemporaryDirectory() as folder, proc.Process(
                [program(), "broker", "--data", f"{folder}/data", "--listen", "127.0.0.1:0"]) as broker:
            broker.wait_for_line("listening on", 20)
            sockets = {os.readlink(fd) for fd in Path(f"/proc/{broker.pid}/fd").iterdir()}
            listening = [row.split() for row in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
            own = [row[1] for row in listening if row[3] == "0A" and f"socket:[{row[9]}]" in sockets]
            self.assertEqual(len(own), 1, own)


if __name__ == "__main__":
    unittest.main()
