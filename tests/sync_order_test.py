"""Under strace: every acknowledgement of the real broker follows a returned fdatasync that covers its batch."""
import shutil
import struct
import tempfile
import unittest
from pathlib import Path

from lib import strace, wire
from lib.broker import WeirBroker

CONNECTIONS = 5
REQUESTS = 400
WINDOW = 16  # requests that a connection has in flight
MARK = b"batch-%08d-of-the-sync-order-test"
FIRST_CORRELATION = 0x5A000000  # correlation ids of the requests: unique in the run
CALLS = "fdatasync,fsync,pwrite64,pwritev,pwritev2,sendto,sendmsg,writev,write"
WRITES = ("pwrite64", "pwritev", "pwritev2")
SENDS = ("sendto", "sendmsg", "writev", "write")


def faults_of(calls, count):
    """One line for each of `count` batches that was acknowledged before it was synced, or not at all.

    A batch is known by its mark in what is written to a file, its acknowledgement by the correlation id in what is sent.
    """
    written, synced, sent, streams = {}, {}, {}, {}
    syncs = [c for c in calls if c.name in ("fdatasync", "fsync")]
    marks = {MARK % n: n for n in range(count)}
    size = len(MARK % 0)
    for call in calls:
        if call.name in WRITES and call.result > 0:
            data, at = call.data(), 0
            while (at := data.find(b"batch-", at)) >= 0:
                number = marks.get(data[at:at + size])
                if number is not None:
                    written.setdefault(number, []).append(call)
                at += 6
    for number, places in written.items():
        covering = [s.end for w in places for s in syncs if s.fd == w.fd and s.begin > w.end and s.result == 0]
        synced[number] = min(covering, default=None)
    for call in calls:
        if call.name in SENDS and call.result > 0:
            stream = streams.setdefault(call.fd, bytearray())
            data = call.data()
            if len(data) < call.result:
                raise AssertionError("strace has cut a reply: raise -s")
            stream += data[:call.result]
            while len(stream) >= 8 and len(stream) >= 4 + struct.unpack_from(">i", stream)[0] > 4:
                length, correlation = struct.unpack_from(">ii", stream)
                sent.setdefault(correlation - FIRST_CORRELATION, call)
                del stream[:4 + length]
    faults = []
    for number in range(count):
        if number not in written:
            faults.append(f"batch {number}: never written to a file")
        elif number not in sent:
            faults.append(f"batch {number}: no acknowledgement was seen")
        elif synced[number] is None or synced[number] >= sent[number].begin:
            faults.append(f"batch {number}: acknowledged at line {sent[number].begin + 1}, before its sync returned")
    return faults


class SyncOrder(unittest.TestCase):
    def test_every_acknowledgement_follows_a_returned_sync_of_its_batch(self):
        if shutil.which("strace") is None:
            self.fail("strace is missing: ./run setup test")
        with tempfile.TemporaryDirectory() as folder:
            trace = Path(folder) / "trace"
            prefix = ["strace", "-f", "-ttt", "-xx", "-s", "32768", "-e", f"trace={CALLS}", "-o", trace]
            with WeirBroker(Path(folder) / "data", prefix=prefix) as broker:
                self.produce(broker)
                self.assertEqual(broker.terminate(), 0)
            lines = trace.read_text(encoding="ascii", errors="replace").splitlines()
        calls = strace.parse(lines)
        self.assertEqual(faults_of(calls, REQUESTS)[:5], [])
        syncs = sum(c.name == "fdatasync" for c in calls)
        self.assertLess(syncs, REQUESTS, "one sync serves many: else this did not run under load")

    def produce(self, broker):
        with wire.RawClient(broker.port) as client:
            client.create_topic("t", CONNECTIONS)
        clients = [wire.RawClient(broker.port) for _ in range(CONNECTIONS)]
        waiting = [0] * CONNECTIONS
        for number in range(REQUESTS):
            index = number % CONNECTIONS
            if waiting[index] == WINDOW:
                clients[index].read_frame()
                waiting[index] -= 1
            batch = wire.record_batch([MARK % number])
            body = wire.produce_body("t", index, batch, acks=1 if number % 2 else -1)
            clients[index].send_frame(wire.request(wire.PRODUCE, 7, FIRST_CORRELATION + number, body))
            waiting[index] += 1
        for client, count in zip(clients, waiting):
            for _ in range(count):
                self.assertEqual(wire.produced(client.read_frame()[4:], "t")[0], 0)
            client.socket.close()


def hexed(data):
    return '"' + "".join(f"\\x{byte:02x}" for byte in data) + '"'


class PlantedTraces(unittest.TestCase):
    """The judgement itself, on traces made by hand: a broker that acknowledges too early is found."""

    WRITE = "7 1.0 pwritev(9, [{iov_base=%s, iov_len=99}], 1, 4096) = 99" % hexed(b"head" + MARK % 0)
    REPLY = struct.pack(">ii", 8, FIRST_CORRELATION) + b"rest"
    SEND = "8 1.0 sendmsg(12, {msg_name=NULL, msg_iov=[{iov_base=%s, iov_len=12}]}, MSG_NOSIGNAL) = 12" % hexed(REPLY)
    SYNC = "7 1.0 fdatasync(9) = 0"
    SYNC_BEGINS, SYNC_ENDS = "7 1.0 fdatasync(9 <unfinished ...>", "7 1.0 <... fdatasync resumed>) = 0"

    def faults(self, *lines):
        return faults_of(strace.parse(lines), 1)

    def test_an_acknowledgement_after_the_sync_is_right(self):
        self.assertEqual(self.faults(self.WRITE, self.SYNC, self.SEND), [])
        self.assertEqual(self.faults(self.WRITE, self.SYNC_BEGINS, self.SYNC_ENDS, self.SEND), [])

    def test_an_acknowledgement_before_the_sync_or_without_one_is_found(self):
        for lines in ((self.WRITE, self.SEND, self.SYNC), (self.WRITE, self.SEND), (self.SYNC, self.WRITE, self.SEND)):
            self.assertRegex(self.faults(*lines)[0], "batch 0: acknowledged at line")

    def test_an_acknowledgement_while_the_sync_runs_is_found(self):
        self.assertTrue(self.faults(self.WRITE, self.SYNC_BEGINS, self.SEND, self.SYNC_ENDS))

    def test_a_sync_that_began_before_the_write_ended_covers_nothing(self):
        begins, ends = self.WRITE.replace(", 1, 4096) = 99", " <unfinished ...>"), "7 1.0 <... pwritev resumed>, 1, 4096) = 99"
        other = self.SYNC_BEGINS.replace("7 ", "6 ", 1), self.SYNC_ENDS.replace("7 ", "6 ", 1)
        self.assertTrue(self.faults(begins, other[0], ends, other[1], self.SEND))

    def test_a_sync_of_another_file_or_one_that_failed_covers_nothing(self):
        self.assertTrue(self.faults(self.WRITE, self.SYNC.replace("(9)", "(4)"), self.SEND))
        failed = "7 1.0 fdatasync(9) = -1 EIO (Input/output error)"
        self.assertTrue(self.faults(self.WRITE, failed, self.SEND))

    def test_a_batch_that_was_never_written_or_never_answered_is_found(self):
        self.assertIn("never written", self.faults(self.SYNC, self.SEND)[0])
        self.assertIn("no acknowledgement", self.faults(self.WRITE, self.SYNC)[0])
