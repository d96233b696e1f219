"""Random topologies over random events: weir's test driver gives what Kafka Streams' TopologyTestDriver gives, record for record.

`stream_scripts_test.py COUNT [--seed S]` is the long proof, over a fresh seed unless one is given; `--seed S/N` plays script N
of seed S alone.
"""
import argparse
import json
import secrets
import shutil
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from lib import java, proc, stream_scripts  # noqa: E402
from lib.broker import helper  # noqa: E402
from lib.stream_app import partition_for  # noqa: E402

SEED, COUNT = "reeds", 20
PARTITIONS = 3
ENOUGH = 100  # scripts in which all that is counted occurs
DEADLINE_S = 900
CHANGE_KEYS = {"map_key", "map", "flat_map", "process", "to_stream"}
STREAM_JOINS = {"stream_join_inner", "stream_join_left", "stream_join_outer"}
WINDOWS = {"window_count", "window_reduce", "window_aggregate", "session_count", "session_aggregate", "sliding_count", "sliding_aggregate"}
BY_KEY = {"join", "left_join", "count", "reduce", "aggregate", *WINDOWS, *STREAM_JOINS}


def ask(command, scripts):
    """What came out of each script: by event, what each topic got, or "error: ..."."""
    done = proc.run(command, stdin="".join(json.dumps(script) + "\n" for script in scripts), deadline_s=DEADLINE_S)
    answers = [json.loads(line) for line in done.out.splitlines()]
    if len(answers) != len(scripts):
        raise AssertionError(f"{len(answers)} answers to {len(scripts)} scripts: {done.err[-2000:]}")
    return [answer.get("outputs", f"error: {answer.get('error')}") for answer in answers]


def kafka_streams(scripts):
    memory = Path("/dev/shm")  # Kafka Streams syncs its state folder with every record
    classes, state = java.classes(), tempfile.mkdtemp(prefix="weir-scripts-", dir=memory if memory.is_dir() else None)
    try:
        return ask(java.command("StreamScripts", classes, state), scripts)
    finally:
        shutil.rmtree(classes)
        shutil.rmtree(state)


def weir(scripts, partitions=1, crashes=False):
    return ask([helper("stream_scripts")], [{**script, "partitions": partitions, "crashes": crashes} for script in scripts])


def of_partition(script, partition):
    """What a task of that partition sees of a script: its records, and the wall clock."""
    def sees(event):
        return event[0] == "advance" or (partition_for(event[1].encode(), PARTITIONS) if event[1] else 0) == partition
    return {**script, "events": [event for event in script["events"] if sees(event)]}


def together(script, parts):
    """What such tasks gave, as one driver of all of them gives it: one after another when the clock moves."""
    if broken := next((part for part in parts if isinstance(part, str)), None):
        return broken
    rest = [iter(part) for part in parts]
    made = []
    for event in script["events"]:
        given = {}
        for partition, part in enumerate(rest):
            if of_partition({"events": [event]}, partition)["events"]:
                for topic, records in next(part).items():
                    given.setdefault(topic, []).extend(records)
        made.append(given)
    return made


def without_lost_headers(script, outputs):
    """Kafka Streams' sessions lose them."""
    if not any(node["op"].startswith("session") for node in script["nodes"]):
        return outputs
    return [{topic: [record[:3] for record in records] for topic, records in event.items()} for event in outputs]


def by_key(outputs):
    """The same, of each event and topic by key: what several partitions keep of the order."""
    def split(records):
        keys = {}
        for record in records:
            keys.setdefault(json.dumps(record[0]), []).append(record)
        return keys
    return [{topic: split(records) for topic, records in event.items()} for event in outputs]


def difference(script, theirs, ours):
    """The first event that gave something else; "" if there is none."""
    if isinstance(theirs, str) or isinstance(ours, str):
        return f"Kafka Streams: {str(theirs)[:500]}\nweir: {str(ours)[:500]}"
    if not len(theirs) == len(ours) == len(script["events"]):
        return f"{len(script['events'])} events: Kafka Streams played {len(theirs)}, weir {len(ours)}"
    for number, (event, want, got) in enumerate(zip(script["events"], theirs, ours)):
        for topic in sorted(want.keys() | got.keys()):
            if want.get(topic) != got.get(topic):
                return (f"event {number}, {json.dumps(event)}, {topic}:\n"
                        f"  Kafka Streams: {json.dumps(want.get(topic))}\n  weir: {json.dumps(got.get(topic))}")
    return ""


def described(script):
    return "".join(f"  {json.dumps(node)}\n" for node in script["nodes"])


def operator(node):
    return f"{node['op']} {node['fn']}" if node["op"] == "process" else node["op"]


def asks_a_clock(script):
    """A crash begins its clock anew."""
    return any(node.get("fn", "").startswith(("gather", "clock")) for node in script["nodes"])


def repartitions(script):
    changed, count = set(), 0
    for node in script["nodes"]:
        comes_changed = any(of in changed for of in node["of"])
        if node["op"] == "repartition" or "by" in node or (comes_changed and node["op"] in BY_KEY):
            count += 1
        elif comes_changed or node["op"] in CHANGE_KEYS:
            changed |= {node["id"], *(branch["id"] for branch in node.get("branches", ()))}
    return count


def chain(script):
    """The operators on the longest way from a source to a sink."""
    length = {}
    for node in script["nodes"]:
        length[node["id"]] = 1 + max((length[of] for of in node["of"]), default=-1)
        for branch in node.get("branches", ()):
            length[branch["id"]] = length[node["id"]]
    return max(length.values()) - 1  # the sink is none


def count(scripts, outputs):
    nodes = [node for script in scripts for node in script["nodes"]]
    written = [record for script in outputs for event in script for records in event.values() for record in records]
    with_node = {"with_stream_time": ("gather_stream", "clock"), "with_wall_clock": ("gather_wall",), "with_stores": ("keep",)}

    def holding(holds):
        return sum(any(map(holds, script["nodes"])) for script in scripts)
    return {
        "scripts": len(scripts), "longest_chain": max(map(chain, scripts)),
        "operators": sum(node["op"] not in ("stream", "table", "to", "write_table") for node in nodes),
        "repartitions": sum(map(repartitions, scripts)),
        "events": sum(len(script["events"]) for script in scripts),
        "outputs": len(written), "outputs_with_headers": sum(bool(record[3]) for record in written),
        "with_windows": holding(lambda node: node["op"] in WINDOWS),
        "with_stream_joins": holding(lambda node: node["op"] in STREAM_JOINS), "with_emission_on_close": holding(lambda node: node.get("on_close")),
        "with_caches": sum(script["cached"] for script in scripts),
        "in_rocksdb": sum(not script["in_memory"] for script in scripts),
        **{name: holding(lambda node: node.get("fn", "").startswith(kinds)) for name, kinds in with_node.items()},
    }


def prove(scripts):
    """Counters; AssertionError with the scripts that differ.

    The TopologyTestDriver knows one partition. So several are compared in two ways: a topology without repartitions with a
    driver of Kafka Streams for each partition, in full order, late records and punctuations and all; one that gives the same
    for a key whatever its partition is, by the order of each key.
    """
    alone = [script for script in scripts if not repartitions(script)]
    theirs = kafka_streams(scripts + [of_partition(script, p) for script in alone for p in range(PARTITIONS)])
    theirs, parts = theirs[:len(scripts)], theirs[len(scripts):]
    found = []

    def compare(how, played, view=lambda outputs: outputs, **settings):
        for (script, want), got in zip(played, weir([script for script, _ in played], **settings)):
            broken = isinstance(want, str) or isinstance(got, str)
            both = (want, got) if broken else (view(without_lost_headers(script, one)) for one in (want, got))
            if wrong := difference(script, *both):
                found.append(f"seed {script['seed']}, {how}:\n{described(script)}{wrong}\n")
        return len(played)

    def those(some):
        return [(script, want) for script, want in zip(scripts, theirs) if some(script)]
    compare("one partition", those(lambda script: True))
    again = {
        "again_with_crashes": compare("with crashes", those(lambda script: not asks_a_clock(script)), crashes=True),
        "again_with_partitions": compare(f"{PARTITIONS} partitions, by key", those(lambda script: script["style"] == "partitions"),
                                         by_key, partitions=PARTITIONS),
        "again_with_partitions_in_order": compare(
            f"{PARTITIONS} partitions, a driver each",
            [(script, together(script, parts[n * PARTITIONS:(n + 1) * PARTITIONS])) for n, script in enumerate(alone)],
            partitions=PARTITIONS)}
    if found:
        raise AssertionError(f"{len(found)} differences in {len(scripts)} scripts\n" + "\n".join(found[:3]))
    return {**count(scripts, theirs), **again}


class Scripts(unittest.TestCase):
    def test_scripts_of_a_fixed_seed_give_the_same(self):
        scripts = [stream_scripts.script(SEED, number) for number in range(COUNT)]
        print(json.dumps(prove(scripts)))

    def test_fixed_scripts_hold_every_operator(self):
        """So many that chance is no reason."""
        held = {operator(node) for number in range(1000) for node in stream_scripts.script(SEED, number)["nodes"]}
        self.assertEqual(held, {
            "stream", "table", "filter", "map_values", "map_key", "map", "flat_map", "flat_map_values", "peek", "split", "merge",
            "repartition", "join", "left_join", "count", "reduce", "aggregate", "to_stream", "to", "write_table",
            *WINDOWS, *STREAM_JOINS,
            *(f"process {kind}" for kind in ("stamp", "stamp_twice", "pass", "show_headers", "shift", "clock", "keep", "recall",
                                             "gather_wall", "gather_wall_clear", "gather_stream", "gather_stream_clear"))})

    def test_a_seed_gives_the_same_script_again(self):
        self.assertEqual(stream_scripts.script("a", 7), stream_scripts.script("a", "7"))
        self.assertNotEqual(stream_scripts.script("a", 7), stream_scripts.script("b", 7))


IN = ("stream", (), {"topic": "in0"})
MEANT = [  # what we do not do as Kafka Streams does, on purpose; name, script, what it gives, what we give
    ("of several updates by one record a cache gives the last",
     stream_scripts.of_nodes([IN, ("flat_map_values", [0], {"fn": "twice"}), ("aggregate", [1], {"fn": "append"}),
                              ("to_stream", [2], {}), ("to", [3], {"topic": "out"})], [["in0", "k", "a", 1, []]], cached=True),
     [["k", "aaa", 1, []]], [["k", "a", 1, []], ["k", "aaa", 1, []]]),
    ("what a cache gives comes behind all else that the record gave",
     stream_scripts.of_nodes([IN, ("count", [0], {}), ("to_stream", [1], {}), ("merge", [2, 0], {}),
                              ("to", [3], {"topic": "out"})], [["in0", "k", "a", 1, []]], cached=True),
     [["k", "a", 1, []], ["k", "1", 1, []]], [["k", "1", 1, []], ["k", "a", 1, []]]),
    ("behind a cache the tombstone of an aggregate has the record's time, else the latest of the row",
     stream_scripts.of_nodes([IN, ("aggregate", [0], {"fn": "append_or_forget"}), ("to_stream", [1], {}),
                              ("to", [2], {"topic": "out"})],
                             [["in0", "k", "abcdefg", 9, []], ["in0", "k", "b", 5, []]], cached=True),
     [["k", "abcdefg", 9, []], ["k", None, 5, []]], [["k", "abcdefg", 9, []], ["k", None, 9, []]]),
    ("a cache does not tell that a row is deleted which was not there",
     stream_scripts.of_nodes([("table", (), {"topic": "in0"}), ("to_stream", [0], {}), ("to", [1], {"topic": "out"})],
                             [["in0", "k", None, 1, []]], cached=True),
     [], [["k", None, 1, []]]),
    ("where time jumps further than the retention, windows that have just closed are not emitted",
     stream_scripts.of_nodes([IN, ("window_count", [0], {"size": 5, "advance": 5, "grace": 0, "on_close": True}),
                              ("to_stream", [1], {}), ("to", [2], {"topic": "out"})],
                             [["in0", "k", "a", 1, []], ["in0", "k", "b", 100, []]]),
     [], [["k@0/5", "1", 1, []]]),
    ("sessions are given on without headers",
     stream_scripts.of_nodes([IN, ("session_count", [0], {"gap": 5, "grace": 0, "on_close": False}), ("to_stream", [1], {}),
                              ("to", [2], {"topic": "out"})], [["in0", "k", "a", 1, [["h", "x"]]]]),
     [["k@1/1", "1", 1, []]], [["k@1/1", "1", 1, [["h", "x"]]]]),
    ("all sub-topologies are one task of the TopologyTestDriver, with one stream time",
     stream_scripts.of_nodes([IN, ("stream", (), {"topic": "in1"}), ("peek", [1], {}), ("repartition", [0], {}),
                              ("process", [3], {"fn": "gather_stream", "store": "s", "number": 10}), ("to", [4], {"topic": "out"})],
                             [["in0", "k", "a", 1, []], ["in1", "k", "b", 25, []], ["in0", "k", "c", 21, []]]),
     [["k", "a@25", 25, []]], [["k", "a@1", 1, []], ["k", "ac@21", 21, []]]),
]


class MeantDifferences(unittest.TestCase):
    """The reasons for which the generator leaves something out are there."""

    def test_they_are_as_they_are_written_down(self):
        scripts = [script for _, script, _, _ in MEANT]
        for (name, _, want, wanted_of_us), theirs, ours in zip(MEANT, kafka_streams(scripts), weir(scripts)):
            for outputs, expected in ((theirs, want), (ours, wanted_of_us)):
                self.assertIsInstance(outputs, list, f"{name}: {outputs}")
                self.assertEqual([record for event in outputs for record in event.get("out", [])], expected, name)


class TheComparison(unittest.TestCase):
    """It sees what it is there to see."""
    script = {"events": [["in0", "k", "v", 1, []], ["advance", 5]]}
    right = [{"out0": [["a", "1", 5, [["h", "x"]]], ["b", "2", 5, []], ["a", "3", 5, []]]}, {}]

    def test_equal_is_equal(self):
        self.assertEqual(difference(self.script, self.right, self.right), "")

    def test_key_value_timestamp_header_order_and_event_count(self):
        a1, b2, a3 = self.right[0]["out0"]
        wrong = [[{"out0": records}, {}] for records in (
            [["c", *a1[1:]], b2, a3], [["a", None, *a1[2:]], b2, a3], [["a", "1", 6, a1[3]], b2, a3], [["a", "1", 5, []], b2, a3],
            [b2, a1, a3], [a1, b2], [a1, b2, a3, a3])]
        wrong += [[{}, self.right[0]], [{"out1": self.right[0]["out0"]}, {}], self.right[:1], "error: why"]
        for outputs in wrong:
            self.assertNotEqual(difference(self.script, self.right, outputs), "", outputs)
            self.assertNotEqual(difference(self.script, outputs, self.right), "", outputs)

    def test_of_several_partitions_the_order_of_a_key_counts(self):
        a1, b2, a3 = self.right[0]["out0"]
        for records, equal in (([b2, a1, a3], True), ([a1, a3, b2], True), ([a3, b2, a1], False), ([a1, a3], False)):
            found = difference(self.script, by_key(self.right), by_key([{"out0": records}, {}]))
            self.assertEqual(found == "", equal, records)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("count", nargs="?", type=int)
    parser.add_argument("--seed", default="")
    args = parser.parse_args()
    seed, _, number = args.seed.partition("/")
    seed = seed or secrets.token_hex(8)
    if number:
        script = stream_scripts.script(seed, number)
        print(f"{json.dumps(script['events'])}\n{described(script)}")
        return print(json.dumps(prove([script])))
    print(f"seed {seed}", flush=True)
    counters = prove([stream_scripts.script(seed, number) for number in range(args.count)])
    if args.count >= ENOUGH and not all(counters.values()):
        raise AssertionError(f"something did not occur: {counters}")
    return print(f"counters: {json.dumps({'seed': seed, **counters})}")


if __name__ == "__main__":
    if len(sys.argv) > 1 and (sys.argv[1].isdigit() or sys.argv[1] == "--seed"):
        main()
    else:
        unittest.main()
