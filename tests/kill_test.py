"""kill -9 of the real broker under load: what was acknowledged is there, once, and in its place."""
import tempfile
import unittest

from lib import ports, proc
from lib.broker import WeirBroker, helper

ROUNDS = 20
ACKNOWLEDGED = 2000  # at least, between two kills
IN_FLIGHT = 100  # at least, at a kill
# A small log: checkpoints, recycled files and rolled segments fall under the kills too.
SETTINGS = ["--set", "weir.wal.max.bytes=16777216", "--set", "log.segment.bytes=1048576"]


class UnderLoad(unittest.TestCase):
    def test_twenty_kills_lose_and_double_nothing_that_was_acknowledged(self):
        self.end_again_and_again(WeirBroker.kill, ROUNDS)

    def test_orderly_stops_refuse_lose_and_double_nothing(self):
        def stop(broker):
            self.assertEqual(broker.terminate(20), 0)

        self.end_again_and_again(stop, 5)

    def end_again_and_again(self, end, rounds):
        port = ports.free_port()
        with tempfile.TemporaryDirectory() as folder:
            broker = WeirBroker(folder, SETTINGS, port=port)
            client = proc.Process([helper("kill_client"), port, rounds, ACKNOWLEDGED])
            try:
                with client:
                    for number in range(rounds):
                        client.wait_for_line(rf"^ready {number}$", 30)
                        end(broker)
                        cut = client.wait_for_line(rf"^cut {number} in_flight=(\d+) acknowledged=(\d+)$", 10)
                        if end is WeirBroker.kill:
                            self.assertGreaterEqual(int(cut.group(1)), IN_FLIGHT)
                        self.assertGreaterEqual(int(cut.group(2)), ACKNOWLEDGED)
                        broker = WeirBroker(folder, SETTINGS, port=port)
                    code = client.wait(60)
                    self.assertEqual(code, 0, client.output()[-4000:])
                    checked = client.wait_for_line(r"^checked batches=(\d+) records=(\d+) resent=(\d+)$", 5)
                    self.assertGreaterEqual(int(checked.group(1)), rounds * ACKNOWLEDGED)
                    if end is WeirBroker.kill:
                        self.assertGreaterEqual(int(checked.group(3)), rounds * IN_FLIGHT)
            finally:
                broker.process.stop()
