"""kill -9 of the real broker under load: what was acknowledged is there, once, and in its place.

`kill_test.py ROUNDS` is the long proof.
"""
import json
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from lib import ports, proc  # noqa: E402
from lib.broker import WeirBroker, helper  # noqa: E402

ROUNDS = 20
ACKNOWLEDGED = 2000  # at least, between two kills
IN_FLIGHT = 100  # at least, at a kill
# A small log: checkpoints, recycled files and rolled segments fall under the kills too.
SETTINGS = ["--set", "weir.wal.max.bytes=16777216", "--set", "log.segment.bytes=1048576"]


def end_again_and_again(test, end, rounds):
    """Ends the broker `rounds` times while the client writes; (batches, records, batches that were sent again)."""
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
                        test.assertGreaterEqual(int(cut.group(1)), IN_FLIGHT)
                    test.assertGreaterEqual(int(cut.group(2)), ACKNOWLEDGED)
                    broker = WeirBroker(folder, SETTINGS, port=port)
                code = client.wait(60)
                test.assertEqual(code, 0, client.output()[-4000:])
                checked = client.wait_for_line(r"^checked batches=(\d+) records=(\d+) resent=(\d+)$", 5)
                test.assertGreaterEqual(int(checked.group(1)), rounds * ACKNOWLEDGED)
                if end is WeirBroker.kill:
                    test.assertGreaterEqual(int(checked.group(3)), rounds * IN_FLIGHT)
                return tuple(map(int, checked.groups()))
        finally:
            broker.process.stop()


class UnderLoad(unittest.TestCase):
    def test_twenty_kills_lose_and_double_nothing_that_was_acknowledged(self):
        end_again_and_again(self, WeirBroker.kill, ROUNDS)

    def test_orderly_stops_refuse_lose_and_double_nothing(self):
        def stop(broker):
            self.assertEqual(broker.terminate(20), 0)

        end_again_and_again(self, stop, 5)


if __name__ == "__main__":
    batches, records, resent = end_again_and_again(unittest.TestCase(), WeirBroker.kill, int(sys.argv[1]))
    counters = {"kills": int(sys.argv[1]), "batches": batches, "records": records, "batches_sent_again": resent}
    print(f"counters: {json.dumps(counters)}")
