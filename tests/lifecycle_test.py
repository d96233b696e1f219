"""The life of `weir broker`: starts, settings, listeners, readiness, a drained stop, and starts that are refused."""
import json
import os
import re
import socket
import struct
import tempfile
import unittest
from pathlib import Path

from lib import ports, proc, wire
from lib.broker import WeirBroker, program
from lib.waiting import poll_until

INFO = ["--log-level", "info"]


def refused(folder, *args, listen="127.0.0.1:0", env=None):
    """Runs a broker that must not start; how it ended."""
    command = [program(), "broker", "--data", folder, "--listen", listen, *args]
    done = proc.run(command, deadline_s=20, env=env, expect=None)
    if done.code == 0 or "listening on" in done.out:
        raise AssertionError(f"it started: {done.out}{done.err}")
    return done


def brokers_told(address):
    """The addresses that clients of `address` are told to connect to."""
    said = proc.run(["kcat", "-L", "-J", "-b", address]).out
    return [broker["name"] for broker in json.loads(said)["brokers"]]


def broker_setting(port, name):
    """The value in force, by DescribeConfigs 1 for node 1."""
    with wire.RawClient(port) as client:
        body = struct.pack(">ib", 1, 4) + wire.string("1") + struct.pack(">i", 1) + wire.string(name) + b"\0"
        reply = client.call(32, 1, body)
    at = reply.index(wire.string(name)) + 2 + len(name)
    size = struct.unpack_from(">h", reply, at)[0]
    return reply[at + 2:at + 2 + size].decode()


class Folder(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name) / "data"


class Stop(Folder):
    def test_sigterm_answers_what_is_under_way_and_ends_with_0(self):
        with WeirBroker(self.folder) as broker, wire.RawClient(broker.port) as writer, wire.RawClient(broker.port) as reader:
            writer.create_topic("t")
            # A fetch that waits, and produce requests that are on their way.
            waiting = struct.pack(">iiiibi", -1, 60_000, 1, 1 << 20, 0, 1) + wire.string("t") + struct.pack(">iiqi", 1, 0, 0, 1 << 20)
            reader.send_frame(wire.request(wire.FETCH, 4, 9, waiting))
            batch = wire.record_batch([b"last words"])
            body = wire.produce_body("t", 0, batch)
            writer.send(b"".join(struct.pack(">i", len(f)) + f for f in
                                 (wire.request(wire.PRODUCE, 7, 100 + i, body) for i in range(50))))
            writer.read_frame()  # the broker has begun with them
            self.assertEqual(broker.terminate(20), 0)
            self.assertEqual(struct.unpack_from(">i", reader.read_frame())[0], 9)
            answered = 1
            try:
                while True:
                    error, offset = wire.produced(writer.read_frame()[4:], "t")
                    self.assertEqual((error, offset), (0, answered))
                    answered += 1
            except ConnectionResetError:
                pass
        with WeirBroker(self.folder) as broker, wire.RawClient(broker.port) as client:
            self.assertGreaterEqual(client.fetch("t", 0)[1], answered)

    def test_sigint_stops_it_as_well(self):
        with WeirBroker(self.folder) as broker:
            os.kill(broker.pid, 2)
            self.assertEqual(broker.process.wait(20), 0)

    def test_a_client_that_is_connected_and_silent_does_not_hold_the_stop_up(self):
        with WeirBroker(self.folder) as broker, wire.RawClient(broker.port) as silent:
            silent.send(struct.pack(">i", 1000) + b"half a frame")
            self.assertEqual(broker.terminate(8), 0)
            self.assertTrue(silent.closed_by_broker())

    def test_a_clean_stop_is_seen_as_clean_and_a_kill_as_unclean(self):
        with WeirBroker(self.folder, INFO) as broker:
            with wire.RawClient(broker.port) as client:
                client.create_topic("t")
                client.produce("t", wire.record_batch([b"x"]))
            self.assertEqual(broker.terminate(), 0)
            self.assertTrue((self.folder / ".kafka_cleanshutdown").exists())
        with WeirBroker(self.folder, INFO) as broker:
            broker.wait_for_log(r"clean start, 0 WAL records read back, 0 batches written again, 2 partitions")
            self.assertNotIn("unclean", broker.log())
            self.assertFalse((self.folder / ".kafka_cleanshutdown").exists())
            with wire.RawClient(broker.port) as client:
                self.assertEqual(client.produce("t", wire.record_batch([b"y"])), (0, 1))
            broker.kill()
        with WeirBroker(self.folder, INFO) as broker:
            broker.wait_for_log(r"unclean start, [1-9]\d* WAL records read back, [1-9]\d* batches written again")
            with wire.RawClient(broker.port) as client:
                self.assertEqual(client.produce("t", wire.record_batch([b"z"])), (0, 2))


class Refusals(Folder):
    def test_a_second_broker_on_one_folder(self):
        with WeirBroker(self.folder):
            done = refused(self.folder)
        self.assertEqual(done.code, 1)
        self.assertRegex(done.err, "data: another process has this folder open; stop it first")
        with WeirBroker(self.folder):
            pass  # and afterwards the folder is free

    def test_a_port_that_is_taken(self):
        with socket.socket() as holder:
            holder.bind(("127.0.0.1", 0))
            holder.listen()
            port = holder.getsockname()[1]
            done = refused(self.folder, listen=f"127.0.0.1:{port}")
        self.assertEqual(done.code, 1)
        self.assertRegex(done.err, rf"127\.0\.0\.1:{port}.*(in use|taken)")
        self.assertIn("address_in_use", done.err)

    def test_a_newer_data_format(self):
        with WeirBroker(self.folder):
            pass
        properties = self.folder / "meta.properties"
        text = properties.read_text(encoding="ascii")
        properties.write_text(re.sub(r"weir\.format=\d+", "weir.format=99", text), encoding="ascii")
        done = refused(self.folder)
        self.assertRegex(done.err, r"data format '99', this program reads '\d+'; use the version of weir that wrote it")
        self.assertIn("newer_format", done.err)

    def test_a_newer_write_ahead_log(self):
        with WeirBroker(self.folder) as broker:
            with wire.RawClient(broker.port) as client:
                client.create_topic("t")
            broker.kill()
        for file in (self.folder / "wal").glob("*.wal"):
            data = bytearray(file.read_bytes())
            if data.startswith(b"weirwal"):
                data[8:12] = struct.pack(">I", 99)
                file.write_bytes(data)
        done = refused(self.folder)
        self.assertIn("newer_format", done.err)

    def test_the_folder_of_another_node(self):
        with WeirBroker(self.folder):
            pass
        self.assertRegex(refused(self.folder, "--set", "node.id=7").err, "the folder belongs to node.id 1, not 7")

    def test_data_without_its_identity(self):
        with WeirBroker(self.folder):
            pass
        (self.folder / "meta.properties").unlink()
        self.assertRegex(refused(self.folder).err, "holds data but no meta.properties")

    def test_settings_that_are_unknown_wrong_or_not_honoured(self):
        done = refused(self.folder, "--set", "num.partition=3")
        self.assertRegex(done.err, r"num\.partition\b.*did you mean num\.partitions")
        self.assertRegex(refused(self.folder, "--set", "num.partitions=many").err, "num.partitions")
        self.assertRegex(refused(self.folder, "--set", "log.preallocate=true").err, "log.preallocate")
        self.assertEqual(refused(self.folder, "--set", "num.partitions").code, 2)
        self.assertFalse(self.folder.exists(), "a start that is refused by its settings touches no folder")


class Settings(Folder):
    def test_the_flag_beats_the_environment_and_the_environment_beats_the_file(self):
        file = self.folder.parent / "broker.properties"
        file.write_text("# a settings file\nnum.partitions=3\nmessage.max.bytes=300000\nfetch.max.bytes=3000000\n", encoding="ascii")
        env = {"WEIR_NUM_PARTITIONS": "5", "WEIR_MESSAGE_MAX_BYTES": "500000"}
        with WeirBroker(self.folder, ["--config", file, "--set", "num.partitions=7"], env=env) as broker:
            self.assertEqual(broker_setting(broker.port, "num.partitions"), "7")
            self.assertEqual(broker_setting(broker.port, "message.max.bytes"), "500000")
            self.assertEqual(broker_setting(broker.port, "fetch.max.bytes"), "3000000")

    def test_the_data_folder_and_the_listeners_can_come_from_the_file(self):
        port = ports.free_port()
        file = self.folder.parent / "broker.properties"
        file.write_text(f"log.dirs={self.folder}\nlisteners=PLAINTEXT://127.0.0.1:{port}\n", encoding="ascii")
        with proc.Process([program(), "broker", "--config", file]) as broker:
            broker.wait_for_line(rf"^listening on 127\.0\.0\.1:{port}\b", 20)
            self.assertTrue((self.folder / "meta.properties").exists())


class Listeners(Folder):
    def test_localhost_is_reached_over_either_protocol_and_clients_stay_on_the_one_they_chose(self):
        with WeirBroker(self.folder) as broker:
            self.assertEqual(brokers_told(f"127.0.0.1:{broker.port}"), [f"127.0.0.1:{broker.port}"])
            if not socket.has_ipv6 or not Path("/proc/net/if_inet6").exists():
                self.skipTest("this machine has no IPv6")
            self.assertEqual(brokers_told(f"[::1]:{broker.port}"), [f"::1:{broker.port}"])
            with wire.RawClient(broker.port, "::1") as client:
                client.create_topic("t")
                self.assertEqual(client.produce("t", wire.record_batch([b"six"])), (0, 0))

    def test_clients_are_told_the_advertised_address_of_the_listener_that_they_came_by(self):
        inner, outer = ports.free_ports(2)
        settings = ["--set", f"listeners=INNER://127.0.0.1:{inner},OUTER://127.0.0.2:{outer}",
                    "--set", "advertised.listeners=OUTER://broker.example:19092"]
        with WeirBroker(self.folder, settings, listen="") as broker:
            self.assertIn(f"127.0.0.2:{outer}", broker.process.output("out"))
            self.assertEqual(brokers_told(f"127.0.0.1:{inner}"), [f"127.0.0.1:{inner}"])
            self.assertEqual(brokers_told(f"127.0.0.2:{outer}"), ["broker.example:19092"])
            with wire.RawClient(outer, "127.0.0.2") as client:
                client.create_topic("t")
            with wire.RawClient(inner) as client:
                self.assertEqual(client.produce("t", wire.record_batch([b"x"])), (0, 0))

    def test_an_advertised_listener_that_does_not_exist_is_refused(self):
        done = refused(self.folder, "--set", "advertised.listeners=OTHER://h:1")
        self.assertIn("no listener is named OTHER", done.err)


class Supervision(Folder):
    def test_systemd_is_told_when_it_is_ready_and_when_it_stops(self):
        for path in (str(self.folder.parent / "notify"), f"@weir-lifecycle-test-{os.getpid()}"):
            with self.subTest(path=path[:5]), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
                receiver.bind("\0" + path[1:] if path[0] == "@" else path)
                receiver.settimeout(20)
                with WeirBroker(self.folder, env={"NOTIFY_SOCKET": path}) as broker:
                    self.assertEqual(receiver.recv(4096), b"READY=1")
                    self.assertTrue(ports.is_open(broker.port), "ready means that clients can connect")
                    self.assertEqual(broker.terminate(), 0)
                    self.assertEqual(receiver.recv(4096), b"STOPPING=1")

    def test_the_limit_of_descriptors_is_raised_to_what_the_system_allows(self):
        with WeirBroker(self.folder, prefix=["sh", "-c", 'ulimit -Sn 64; exec "$@"', "sh"]) as broker:
            limits = Path(f"/proc/{broker.process.pid}/limits").read_text(encoding="ascii")
            soft, hard = re.search(r"Max open files\s+(\S+)\s+(\S+)", limits).groups()
            self.assertEqual(soft, hard)

    def test_standard_output_carries_the_one_line_and_nothing_else(self):
        with WeirBroker(self.folder, INFO) as broker:
            poll_until(lambda: "clean start" in broker.log(), 10, "the log on standard error")
            self.assertEqual(broker.terminate(), 0)
            self.assertEqual(len(broker.process.output("out").splitlines()), 1)
