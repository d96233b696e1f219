"""Many connections: a thousand consumers that stop reading, ten thousand that say nothing. What they cost, and that the broker
goes on serving others."""
import contextlib
import resource
import select
import socket
import struct
import tempfile
import time
import unittest

from lib import wire
from lib.broker import WeirBroker
from lib.waiting import poll_until

STALLED, IDLE = 1000, 10_000
STALLED_MIB = 64  # at most, for all of them
IDLE_KIB = 32  # at most, for each
PROMPT_S = 2.0  # at most, for one produce and one fetch of somebody else
LARGE = 50 << 20
BATCH = wire.record_batch([bytes(1_000_000)])
BATCHES = 64


class ManyConnections(unittest.TestCase):
    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        folder = self.stack.enter_context(tempfile.TemporaryDirectory())
        self.broker = self.stack.enter_context(WeirBroker(folder))
        self.client = self.stack.enter_context(wire.RawClient(self.broker.port))

    def connect(self, count):
        limit, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        if limit < count + 500:
            if most < count + 500:
                self.skipTest(f"at most {most} open files are allowed here")
            resource.setrlimit(resource.RLIMIT_NOFILE, (count + 500, most))
        return [self.stack.enter_context(self.socket()) for _ in range(count)]

    def socket(self):
        made = socket.socket()
        # The kernel's share of what nobody reads is to be small: it is the broker's memory that is measured.
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        made.settimeout(20)
        made.connect(("127.0.0.1", self.broker.port))
        return made

    @staticmethod
    def take(connection, size):
        data = bytearray()
        while len(data) < size:
            more = connection.recv(min(size - len(data), 1 << 18))
            if not more:
                raise AssertionError(f"the broker closes the connection after {len(data)} of {size} bytes")
            data += more
        return bytes(data)

    @staticmethod
    def wait_for_answers(sockets):
        """Until every one has something to read."""
        waiting, poller = {s.fileno() for s in sockets}, select.poll()
        for s in sockets:
            poller.register(s, select.POLLIN)

        def none_left():
            for fd, _ in poller.poll(100):
                poller.unregister(fd)
                waiting.discard(fd)
            return not waiting
        poll_until(none_left, 60, "a beginning of every answer")

    def others(self, rounds):
        """The slowest of so many produces and fetches of somebody else, in seconds."""
        slowest = 0.0
        for number in range(rounds):
            began = time.monotonic()
            error, offset = self.client.produce("live", wire.record_batch([b"%d" % number]))
            self.assertEqual(error, 0)
            error, _, data = self.client.fetch("live", offset)
            self.assertEqual((error, wire.records(data)), (0, [(offset, b"%d" % number)]))
            slowest = max(slowest, time.monotonic() - began)
        return slowest

    def test_a_thousand_consumers_that_stop_reading_cost_little_and_stop_nobody(self):
        self.client.create_topic("wide")
        self.client.create_topic("live")
        for _ in range(BATCHES):
            self.assertEqual(self.client.produce("wide", BATCH)[0], 0)
        self.others(20)
        before = self.broker.rss_mib()
        stalled = self.connect(STALLED)
        for number, s in enumerate(stalled):
            # From everywhere in the log, several in a row.
            frames = [wire.request(wire.FETCH, 4, n, wire.fetch_body("wide", 0, (number + n) % BATCHES, max_bytes=LARGE))
                      for n in range(4)]
            s.sendall(b"".join(struct.pack(">i", len(frame)) + frame for frame in frames))
        self.wait_for_answers(stalled)
        slowest = self.others(200)
        for _ in range(8):  # the log grows on, and with it what its tail cache holds
            self.assertEqual(self.client.produce("wide", BATCH)[0], 0)
        grown = self.broker.rss_mib() - before
        print(f"{STALLED} stalled consumers: {grown:.1f} MiB over {before:.1f}; slowest of others {slowest * 1000:.0f} ms")
        self.assertLessEqual(grown, STALLED_MIB)
        self.assertLessEqual(slowest, PROMPT_S)
        # One of them reads on, and what it asked for is all there.
        stalled[0].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        size = struct.unpack(">i", self.take(stalled[0], 4))[0]
        self.assertGreater(size, len(BATCH))
        answer = self.take(stalled[0], size)
        records = struct.unpack_from(">i", answer, 4 + 4 + 4 + 2 + len("wide") + 4 + 26)[0]
        values = wire.records(answer[-records:])
        self.assertEqual({value for _, value in values}, {bytes(1_000_000)})
        self.assertEqual([offset for offset, _ in values], list(range(len(values))))

    def test_ten_thousand_idle_connections_cost_little_each(self):
        self.client.create_topic("live")
        self.others(20)
        before = self.broker.rss_mib()
        idle = self.connect(IDLE)
        frame = wire.request(wire.API_VERSIONS, 0, 1, b"")
        for s in idle:
            s.sendall(struct.pack(">i", len(frame)) + frame)
        self.wait_for_answers(idle)
        slowest = self.others(200)
        grown = self.broker.rss_mib() - before
        print(f"{IDLE} idle connections: {grown:.1f} MiB over {before:.1f}, {grown * 1024 / IDLE:.1f} KiB each; "
              f"slowest of others {slowest * 1000:.0f} ms")
        self.assertLessEqual(grown * 1024 / IDLE, IDLE_KIB)
        self.assertLessEqual(slowest, PROMPT_S)


if __name__ == "__main__":
    unittest.main()
