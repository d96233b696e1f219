"""What no honest client sends, over raw sockets to the real broker: the protocol's error or a closed connection, a log
line that names the peer and the reason, and a broker that serves on within its memory."""
import contextlib
import itertools
import os
import re
import socket
import struct
import tempfile
import threading
import unittest
import zlib

from lib import ports, wire
from lib.broker import WeirBroker
from lib.waiting import poll_until

CORRUPT_MESSAGE, MESSAGE_TOO_LARGE, INVALID_TIMESTAMP, UNSUPPORTED_VERSION, INVALID_RECORD = 2, 10, 32, 35, 87
RSS_LIMIT_MIB = 64  # after all of it; a broker at rest has some 20
MIB = 1 << 20
TLS_HELLO = bytes.fromhex("1603010200010001fc0303") + bytes(64)


def length(size):
    return struct.pack(">i", size)


def framed(frame):
    return length(len(frame)) + frame


class BadInput(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.broker = WeirBroker(cls.folder.name, ["--set", "auto.create.topics.enable=false"])
        cls.hosts = (f"127.7.{a}.{b}" for a, b in itertools.product(range(1, 250), range(1, 250)))
        with wire.RawClient(cls.broker.port) as client:
            client.create_topic("t")

    @classmethod
    def tearDownClass(cls):
        cls.broker.process.stop()
        cls.folder.cleanup()

    def setUp(self):
        self.addCleanup(self.assert_serves)

    def assert_serves(self):
        """It answers a newcomer, and its memory is in bounds."""
        with self.client() as client:
            self.assertEqual(client.produce("t", wire.record_batch([b"still here"]))[0], 0)
        self.assertIsNone(self.broker.process.exit_code)
        self.assertLess(self.broker.rss_mib(), RSS_LIMIT_MIB)

    def client(self, host="127.0.0.1"):
        """A connection from an address of its own choice: each address has its own share of log lines."""
        client = wire.RawClient.__new__(wire.RawClient)
        client.socket = socket.create_connection(("127.0.0.1", self.broker.port), timeout=20, source_address=(host, 0))
        client.correlation = 0
        return client

    def assert_closed(self, data, reason):
        """The broker closes a connection that says `data`, without a word, and logs who it was and why."""
        host = next(self.hosts)
        with self.client(host) as client:
            client.send(data)
            self.assertTrue(client.closed_by_broker(), f"{data[:60]!r} was answered")
        line = rf"{re.escape(host)}:\d+: .*{reason}"
        poll_until(lambda: re.search(line, self.broker.log()), 10, f"a log line like {line!r}")

    def test_other_protocols_are_closed_and_named(self):
        self.assert_closed(TLS_HELLO, "this looks like TLS")
        self.assert_closed(b"GET / HTTP/1.1\r\nHost: weir\r\n\r\n", "frame of 1195725856 bytes, at most 104857600")
        self.assert_closed(b"SSH-2.0-OpenSSH_9.2\r\n", "frame of ")

    def test_a_length_that_no_frame_has_is_refused_before_memory_is_taken(self):
        for size in (2**31 - 1, 104857601, 0, -1, -2**31):
            with self.subTest(size=size):
                self.assert_closed(length(size), f"frame of {size} bytes")

    def test_an_unknown_api_is_closed(self):
        for key in (999, -1, 32767):
            with self.subTest(key=key):
                self.assert_closed(framed(wire.request(key, 0, 1, b"")), rf"(^|\W){key}\b")

    def test_an_api_of_kafkas_that_is_not_served_is_closed(self):
        self.assert_closed(framed(wire.request(4, 0, 1, b"")), "LeaderAndIsr is not served|API key 4")

    def served(self):
        """{key: (min, max)} as ApiVersions says."""
        with self.client() as client:
            reply = client.call(wire.API_VERSIONS, 0, b"")
        error, count = struct.unpack_from(">hi", reply)
        self.assertEqual(error, 0)
        return {key: (low, high) for key, low, high in struct.iter_unpack(">hhh", reply[6:6 + 6 * count])}

    def test_versions_that_are_not_served_are_closed_for_every_api(self):
        served = self.served()
        self.assertGreater(len(served), 15)
        for key, (low, high) in served.items():
            for version in (high + 1, 32767, -1, -32768):
                if key != wire.API_VERSIONS:
                    with self.subTest(key=key, version=version):
                        self.assert_closed(framed(wire.request(key, version, 1, b"", flexible=version > high)),
                                           f"version {version} is not served")
        self.assert_closed(framed(wire.request(wire.PRODUCE, 2, 1, b"")), "Produce version 2 is not served, only 3 to")

    def test_an_unknown_version_of_api_versions_is_answered_in_version_0_and_the_connection_goes_on(self):
        high = self.served()[wire.API_VERSIONS][1]
        with self.client() as client:
            for version in (high + 1, 32767):
                reply = client.call(wire.API_VERSIONS, version, b"\xff" * 20, flexible=True)
                error, count, key, low, top = struct.unpack(">hihhh", reply[:12])
                self.assertEqual((error, count, key, low, top), (UNSUPPORTED_VERSION, 1, wire.API_VERSIONS, 0, high))
                self.assertEqual(len(reply), 12)
            self.assertEqual(struct.unpack_from(">h", client.call(wire.API_VERSIONS, 0, b""))[0], 0)

    def test_a_body_that_is_cut_anywhere_is_closed(self):
        bodies = {
            (wire.METADATA, 1): struct.pack(">i", 2) + wire.string("t") + wire.string("u"),
            (wire.PRODUCE, 7): wire.produce_body("t", 0, wire.record_batch([b"cut"])),
            (wire.FETCH, 4): wire.fetch_body("t", 0, 0),
            (wire.CREATE_TOPICS, 4): wire.create_topic_body("cut", configs=[("retention.ms", "1")]),
        }
        for (api, version), body in bodies.items():
            for cut in range(len(body)):
                with self.client(next(self.hosts)) as client:
                    client.send_frame(wire.request(api, version, 1, body[:cut]))
                    self.assertTrue(client.closed_by_broker(), f"API {api}, {cut} bytes of {len(body)}")
            self.assert_closed(framed(wire.request(api, version, 1, body + b"\0")), "left over")

    def test_a_header_that_is_cut_or_lies_is_closed(self):
        header = wire.request(wire.METADATA, 1, 7, b"")
        for cut in range(1, len(header)):
            with self.client(next(self.hosts)) as client:
                client.send_frame(header[:cut])
                self.assertTrue(client.closed_by_broker(), f"{cut} bytes")
        self.assert_closed(framed(header[:8] + b"\x7f\xff" + b"raw"), "")

    def test_a_count_over_what_the_frame_can_hold_is_closed_without_taking_memory(self):
        huge = struct.pack(">i", 2**31 - 1)
        compact = b"\xff\xff\xff\xff\x0f"
        for api, version, body, flexible in (
                (wire.METADATA, 1, huge, False),
                (wire.METADATA, 9, compact, True),
                (wire.PRODUCE, 7, struct.pack(">hhi", -1, -1, 1) + huge, False),
                (wire.PRODUCE, 9, b"\0" + struct.pack(">hi", -1, 1) + compact, True),
                (wire.PRODUCE, 7, struct.pack(">hhii", -1, -1, 1, 1) + wire.string("t") + huge, False),
                (wire.FETCH, 4, struct.pack(">iiiib", -1, 0, 0, 1, 0) + huge, False),
                (wire.CREATE_TOPICS, 4, huge, False),
                (wire.API_VERSIONS, 3, compact, True)):
            with self.subTest(api=api, version=version):
                before = self.broker.rss_mib()
                self.assert_closed(framed(wire.request(api, version, 1, body, flexible)), "")
                self.assertLess(self.broker.rss_mib(), before + 8)

    def test_a_null_where_none_may_be_is_closed(self):
        null_string, null_array = struct.pack(">h", -1), struct.pack(">i", -1)
        for api, version, body in (
                (wire.METADATA, 0, null_array),
                (wire.METADATA, 1, struct.pack(">i", 1) + null_string),
                (wire.PRODUCE, 7, struct.pack(">hhi", -1, -1, 1) + null_array),
                (wire.PRODUCE, 7, struct.pack(">hhii", -1, -1, 1, 1) + null_string + struct.pack(">i", 0)),
                (wire.CREATE_TOPICS, 4, null_array + struct.pack(">ib", 1, 0)),
                (wire.FETCH, 4, struct.pack(">iiiib", -1, 0, 0, 1, 0) + struct.pack(">i", 1) + null_string + null_array)):
            with self.subTest(api=api, version=version):
                self.assert_closed(framed(wire.request(api, version, 1, body)), "")

    def test_a_batch_that_is_wrong_gets_its_error_and_the_connection_goes_on(self):
        good = wire.record_batch([b"good"])
        gzip = zlib.compressobj(9, wbits=31)
        bomb = gzip.compress(bytes(200 * MIB)) + gzip.flush()
        lie = zlib.compressobj(9, wbits=31)
        packed = lie.compress(wire.record(b"one")) + lie.flush()
        cases = {
            "a wrong CRC": (wire.record_batch([b"x"], crc_off=1), CORRUPT_MESSAGE),
            "two batches": (good + good, INVALID_RECORD),
            "magic 1": (wire.record_batch([b"x"], magic=1), INVALID_RECORD),
            "magic 3": (wire.record_batch([b"x"], magic=3), INVALID_RECORD),
            "a control batch": (wire.record_batch([b"x"], attributes=0x20), INVALID_RECORD),
            "the timestamps of a log": (wire.record_batch([b"x"], attributes=0x08), INVALID_TIMESTAMP),
            "a time of the far future": (wire.record_batch([b"x"], timestamp=2**50), INVALID_TIMESTAMP),
            "more than max.message.bytes": (wire.record_batch([bytes(1048588)]), MESSAGE_TOO_LARGE),
            "no record": (wire.record_batch([]), INVALID_RECORD),
            "a count that is not there": (wire.record_batch([b"x"], count=1000), INVALID_RECORD),
            "a count of two milliards": (wire.record_batch([b"x"], count=2**31 - 1), INVALID_RECORD),
            "a length over the frame": (wire.record_batch([b"x"], length_off=100), INVALID_RECORD),
            "a length below its own header": (wire.record_batch([b"x"], length_off=-60), CORRUPT_MESSAGE),
            "fewer bytes than a header": (good[:40], INVALID_RECORD),
            "nothing": (b"", INVALID_RECORD),
            "records that are noise": (wire.record_batch([b"x"], body=b"\xff" * 40), INVALID_RECORD),
            "an unknown codec": (wire.record_batch([b"x"], attributes=7), None),
            "gzip that is none": (wire.record_batch([b"x"], attributes=1), None),
            "gzip with fewer records than it says": (wire.record_batch(body=packed, attributes=1, count=2), INVALID_RECORD),
            "a bomb": (wire.record_batch(body=bomb, attributes=1, count=1), INVALID_RECORD),
            "a sequence without a producer's": (wire.record_batch([b"x"], producer=(7, 0, -1)), INVALID_RECORD),
        }
        with self.client() as client:
            for name, (batch, wanted) in cases.items():
                with self.subTest(name):
                    _, end, _ = client.fetch("t", 0)
                    error, offset = client.produce("t", batch)
                    if wanted is None:
                        self.assertIn(error, (CORRUPT_MESSAGE, INVALID_RECORD, 76))
                    else:
                        self.assertEqual(error, wanted)
                    self.assertEqual(offset, -1)
                    self.assertEqual(client.fetch("t", 0)[1], end, "it was appended all the same")
                    self.assertEqual(client.produce("t", good), (0, end))

    def test_a_decompressor_is_bounded_in_memory(self):
        peak = self.peak_mib()
        gzip = zlib.compressobj(9, wbits=31)
        bomb = gzip.compress(bytes(500 * MIB)) + gzip.flush()
        with self.client() as client:
            for _ in range(5):
                self.assertEqual(client.produce("t", wire.record_batch(body=bomb, attributes=1, count=1))[0], INVALID_RECORD)
        self.assertLess(self.peak_mib(), peak + 80)

    def peak_mib(self):
        with open(f"/proc/{self.broker.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) / 1024

    def test_a_client_that_sends_a_byte_at_a_time_is_served_and_holds_nobody_up(self):
        with self.client() as slow, self.client() as other:
            slow.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            data = framed(wire.request(wire.PRODUCE, 7, 77, wire.produce_body("t", 0, wire.record_batch([b"slow"]))))
            for byte in data[:-1]:
                slow.send(bytes([byte]))
                if byte % 16 == 0:
                    self.assertEqual(other.produce("t", wire.record_batch([b"other"]))[0], 0)
            slow.send(data[-1:])
            reply = slow.read_frame()
            self.assertEqual(struct.unpack_from(">i", reply)[0], 77)
            self.assertEqual(wire.produced(reply[4:], "t")[0], 0)

    def test_connections_that_stop_inside_the_largest_frames_keep_nobody_out(self):
        with contextlib.ExitStack() as held:
            for size in (100, 100, 56, 100, 50, 25, 10, 5, 1):  # the first three: 256 MiB
                client = held.enter_context(self.client())
                client.send(length(size * MIB) + b"\0\0\0\x07\0\0\0\x01")
            with self.client() as other:
                other.socket.settimeout(10)
                self.assertEqual(other.produce("t", wire.record_batch([b"let in"]))[0], 0)
                self.assertEqual(other.produce("t", wire.record_batch([bytes(900_000)]))[0], 0)

    def test_a_connection_that_is_cut_inside_a_frame_leaves_nothing_behind(self):
        frame = framed(wire.request(wire.PRODUCE, 7, 1, wire.produce_body("t", 0, wire.record_batch([bytes(500_000)]))))
        with self.client() as client:
            _, end, _ = client.fetch("t", 0)
        for cut in (1, 4, 5, 20, 4096, len(frame) // 2, len(frame) - 1):
            with self.client() as client:
                client.send(frame[:cut])
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
        with self.client() as client:
            self.assertEqual(client.fetch("t", 0)[1], end)

    def test_two_hundred_connections_are_served_and_forgotten(self):
        descriptors = self.descriptors()
        with contextlib.ExitStack() as held:
            clients = [held.enter_context(self.client()) for _ in range(200)]
            batch = wire.record_batch([b"one of many"])
            for client in clients:
                client.send_frame(wire.request(wire.PRODUCE, 7, 5, wire.produce_body("t", 0, batch)))
            offsets = {wire.produced(client.read_frame()[4:], "t") for client in clients}
            self.assertEqual(len(offsets), 200)
            self.assertEqual({error for error, _ in offsets}, {0})
        poll_until(lambda: self.descriptors() <= descriptors + 5, 10, "closed connections")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.broker.pid}/fd"))

    def test_a_client_that_asks_and_never_reads_is_held_back(self):
        with self.client() as client:
            for _ in range(20):
                self.assertEqual(client.produce("t", wire.record_batch([bytes(900_000)]))[0], 0)
        before = self.broker.rss_mib()
        with self.client() as greedy:
            greedy.socket.settimeout(2)
            request = framed(wire.request(wire.FETCH, 4, 1, wire.fetch_body("t", 0, 0, 50 * MIB)))
            sent = threading.Event()

            def ask():
                with contextlib.suppress(OSError):
                    for _ in range(20_000):
                        greedy.send(request)
                sent.set()

            thread = threading.Thread(target=ask)
            thread.start()
            with self.client() as other:
                for _ in range(50):
                    self.assertEqual(other.produce("t", wire.record_batch([b"x"]))[0], 0)
            thread.join(30)
            self.assertTrue(sent.is_set())
            self.assertLess(self.broker.rss_mib(), before + 40)

    def test_one_peer_cannot_fill_the_log(self):
        host = next(self.hosts)
        for _ in range(200):
            with self.client(host) as client:
                client.send(length(-1))
                self.assertTrue(client.closed_by_broker())
        lines = sum(line.find(f"{host}:") >= 0 for line in self.broker.log().splitlines())
        self.assertGreater(lines, 0)
        self.assertLess(lines, 100)

    def test_what_a_peer_sends_cannot_forge_a_log_line(self):
        with self.client(next(self.hosts)) as client:
            client.send_frame(wire.request(wire.CREATE_TOPICS, 4, 1, wire.create_topic_body("a\n2026 ERROR forged: b")))
            client.read_frame()
        self.assertNotIn("\n2026 ERROR forged", self.broker.log())


class Peers(unittest.TestCase):
    def test_a_peer_that_is_not_on_this_machine_is_refused_unless_a_setting_lets_it_in(self):
        address = ports.own_address()
        if address is None:
            self.skipTest("this machine has no address beside the loopback")
        with tempfile.TemporaryDirectory() as folder:
            with WeirBroker(folder, listen="0.0.0.0:0") as broker:
                with wire.RawClient(broker.port, address) as client:
                    self.assertTrue(client.closed_by_broker())
                poll_until(lambda: re.search(rf"{re.escape(address)}:\d+: refused: this listener has no authentication",
                                             broker.log()), 10, "the log line")
                self.assertIn("weir.allow.unauthenticated.remote.peers=true", broker.log())
                with wire.RawClient(broker.port) as client:
                    client.create_topic("t")
            open_to_all = ["--set", "weir.allow.unauthenticated.remote.peers=true"]
            with WeirBroker(folder, open_to_all, listen="0.0.0.0:0") as broker, wire.RawClient(broker.port, address) as client:
                self.assertEqual(client.produce("t", wire.record_batch([b"from afar"])), (0, 0))
