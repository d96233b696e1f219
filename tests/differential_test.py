"""weir against Apache Kafka 4.3.1: the same requests to both, in every version of every API that weir serves.

What answers may differ in is in `lib/differential.py`; where they are meant to differ, in kafka_differences.toml.
"""
import os
import tempfile
import time
import traceback
import unittest
from pathlib import Path

from differential import epochs, groups, records, topics, transactions
from lib import kafka, messages, ports
from lib.broker import WeirBroker
from lib.waiting import poll_until
from lib.differential import NAMES, Known, Pair

DIFFERENCES = Path(__file__).resolve().parent / "kafka_differences.toml"
# Of both, so that nothing but the code differs.
SETTINGS = {"num.partitions": 1, "group.max.size": 2, "offsets.topic.num.partitions": 1, "transaction.state.log.num.partitions": 1}
# The errors that a broker of Kafka's protocol is to know.
NAMED = (-1, 0, 1, 2, 3, 6, 7, 10, 12, *range(14, 20), *range(21, 41), *range(42, 55), 56, 58, 59, *range(68, 72), 74, 75, 76, 79,
         81, 82, *range(84, 94), 96, 100, 103, 105, 106, *range(110, 114), *range(120, 124), *range(128, 134))
MODULES = (topics, records, groups, transactions, epochs)


class AgainstKafka(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        kafka.jars()
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        # Its controller takes a killed broker back after this time.
        cls.peer = kafka.Kafka(settings={**SETTINGS, "broker.session.timeout.ms": 5000}, heap="512m")
        cls.addClassCleanup(cls.peer.stop)
        cls.words = [word for name, value in SETTINGS.items() for word in ("--set", f"{name}={value}")]
        cls.broker = WeirBroker(cls.folder.name, cls.words)
        cls.addClassCleanup(lambda: cls.broker.process.stop())
        cls.pair = Pair(cls.peer.ports[0], cls.broker.port)
        cls.addClassCleanup(cls.pair.close)
        cls.pair.restart = cls.restart
        line = cls.pair.line()
        answer = line.receive(line.send("ApiVersions", 0, {}, sides=(1,)), 1)
        cls.pair.served = {messages.APIS[row["api_key"]].name: (row["min_version"], row["max_version"])
                           for row in answer["api_keys"]}
        cls.pair.cells.clear()
        cls.broken = []
        wanted = os.environ.get("SCENARIO", "")
        for module in MODULES:
            for scenario in module.SCENARIOS:
                if wanted in scenario.__name__:
                    cls.pair.where = scenario.__name__
                    started = time.monotonic()
                    try:
                        scenario(cls.pair)
                    except Exception:  # the other scenarios still say what they find
                        cls.broken.append(f"{scenario.__name__}: {traceback.format_exc()}")
                        cls.pair.reset()
                    print(f"{scenario.__name__}: {time.monotonic() - started:.1f} s", flush=True)
        cls.known = Known(DIFFERENCES)
        cls.unknown = cls.known.judge(cls.pair.found)

    @classmethod
    def restart(cls):
        """kill -9 of both, and a start over what they have left, at the same addresses."""
        cls.pair.reset()
        cls.broker.kill()
        cls.peer.kill_and_start()
        cls.broker = WeirBroker(cls.folder.name, cls.words, port=cls.broker.port)
        poll_until(lambda: ports.is_open(cls.peer.ports[0]), kafka.START_DEADLINE_S, "Kafka's port")

    def test_every_scenario_came_to_its_end(self):
        self.assertEqual(self.broken, [], "\n".join(self.broken))

    def test_every_version_that_is_served_was_asked_for(self):
        empty = []
        for api, (low, high) in sorted(self.pair.served.items()):
            counts = [self.pair.cells.get((api, v), 0) for v in range(low, high + 1)]
            print(f"{api:24} {low:2}-{high:<2} " + " ".join(f"{n:4}" for n in counts))
            empty += [f"{api} {low + i}" for i, n in enumerate(counts) if not n]
        print(f"{sum(high - low + 1 for low, high in self.pair.served.values())} cells, {sum(self.pair.cells.values())} requests")
        self.assertEqual(empty, [])

    def test_the_answers_differ_only_where_they_are_meant_to(self):
        rows = {}
        for where, api, v, path, kafkas, ours in self.unknown:
            rows.setdefault(f"{where}: {api} VERSIONS: {path}: Kafka {kafkas!r:.300}, weir {ours!r:.300}", set()).add(v)
        lines = [line.replace("VERSIONS", ",".join(map(str, sorted(found)))) for line, found in rows.items()]
        self.assertEqual(lines, [], "\n" + "\n".join(lines))

    def test_every_listed_difference_is_still_there(self):
        self.assertEqual(self.known.unused(), [])

    def test_every_error_code_occurs(self):
        unreachable, ours = self.known.unreachable, self.pair.codes[NAMES.index("weir")]
        for code, name in sorted(messages.ERRORS.items()):
            seen = [codes.get(name) for codes in self.pair.codes]
            if any(seen):
                print(f"{code:4} {name:37} " + "; ".join(f"{who}: {where}" for who, where in zip(NAMES, seen)))
        self.assertEqual([name for name in unreachable if name in ours], [], "they do occur")
        self.assertEqual([name for name in unreachable if name not in messages.ERRORS.values()], [], "there are no such errors")
        self.assertEqual([messages.ERRORS[code] for code in NAMED
                          if messages.ERRORS[code] not in ours and messages.ERRORS[code] not in unreachable], [])


if __name__ == "__main__":
    unittest.main()
