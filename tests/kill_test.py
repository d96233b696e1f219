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


class Kill(unittest.TestCase):
    def test_twenty_kills_under_load_lose_and_double_nothing_that_was_acknowledged(self):
        port = ports.free_port()
        with tempfile.TemporaryDirectory() as folder:
            broker = WeirBroker(folder, SETTINGS, port=port)
            client = proc.Process([helper("kill_client"), port, ROUNDS, ACKNOWLEDGED])
            try:
                with client:
                    for number in range(ROUNDS):
                        client.wait_for_line(rf"^ready {number}$", 30)
                        broker.kill()
                        cut = client.wait_for_line(rf"^cut {number} in_flight=(\d+) acknowledged=(\d+)$", 10)
                        self.assertGreaterEqual(int(cut.group(1)), IN_FLIGHT)
                        self.assertGreaterEqual(int(cut.group(2)), ACKNOWLEDGED)
                        broker = WeirBroker(folder, SETTINGS, port=port)
                    code = client.wait(60)
                    self.assertEqual(code, 0, client.output()[-4000:])
                    checked = client.wait_for_line(r"^checked batches=(\d+) records=(\d+) resent=(\d+)$", 5)
                    self.assertGreaterEqual(int(checked.group(1)), ROUNDS * ACKNOWLEDGED)
                    self.assertGreaterEqual(int(checked.group(3)), ROUNDS * IN_FLIGHT)
            finally:
                broker.process.stop()
