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

SEED, COUNT = "reeds", 120
PARTITIONS = 3
ENOUGH = 100  # scripts in which all that is counted occurs
DEADLINE_S = 900
CHANGE_KEYS = {"map_key", "map", "flat_map", "process", "to_stream"}
STREAM_JOINS = {"stream_join_inner", "stream_join_left", "stream_join_outer"}
WINDOWS = {"window_count", "window_reduce", "window_aggregate", "session_count", "session_aggregate", "sliding_count", "sliding_aggregate"}
TABLE_JOINS = {"table_join_inner", "table_join_left", "table_join_outer"}
TABLE_GROUPS = {"table_count", "table_reduce", "table_aggregate"}
SUPPRESSIONS = {"suppress_close", "suppress_limit", "suppress_records"}
FOREIGN_KEY_JOINS = {"foreign_key_join", "foreign_key_left_join"}
VERSION_JOINS = {"version_join", "version_left_join"}
GLOBAL_JOINS = {"global_join", "global_left_join"}
BY_KEY = {"join", "left_join", "to_table", "count", "reduce", "aggregate", *WINDOWS, *STREAM_JOINS, *VERSION_JOINS}
SOURCES = {"stream", "table", "versioned_table", "global_table"}


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


def sees(script, partition, event):
    """Whether a task of that partition does: its records, global tables, and the wall clock."""
    everywhere = {"advance", *(node["topic"] for node in script["nodes"] if node["op"] == "global_table")}
    return event[0] in everywhere or (partition_for(event[1].encode(), PARTITIONS) if event[1] else 0) == partition


def of_partition(script, partition):
    """What such a task sees of a script."""
    return {**script, "events": [event for event in script["events"] if sees(script, partition, event)]}


def together(script, parts):
    """What such tasks gave, as one driver of all of them gives it: one after another when the clock moves."""
    if broken := next((part for part in parts if isinstance(part, str)), None):
        return broken
    rest = [iter(part) for part in parts]
    made = []
    for event in script["events"]:
        given = {}
        for partition, part in enumerate(rest):
            if sees(script, partition, event):
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
    if node["op"] in VERSION_JOINS:
        return node["op"] + (" with grace" if node["grace"] else "")
    if node.get("on_close"):
        return node["op"] + " on close"
    if node.get("kept"):
        return node["op"] + " kept"
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
        elif node["op"] in FOREIGN_KEY_JOINS:
            count += 2
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
    with_op = {"with_windows": WINDOWS, "with_stream_joins": STREAM_JOINS, "with_table_filters": {"table_filter"},
               "with_table_map_values": {"table_map_values"}, "with_to_table": {"to_table"}, "with_table_joins": TABLE_JOINS,
               "with_table_groups": TABLE_GROUPS, **{f"with_{op}": {op} for op in sorted(SUPPRESSIONS)},
               **{f"with_{op}": {op} for op in sorted(FOREIGN_KEY_JOINS)}, "with_version_joins": VERSION_JOINS,
               "with_global_joins": GLOBAL_JOINS}

    def holding(holds):
        return sum(any(map(holds, script["nodes"])) for script in scripts)
    return {
        "scripts": len(scripts), "longest_chain": max(map(chain, scripts)),
        "operators": sum(node["op"] not in SOURCES | {"to", "write_table"} for node in nodes),
        "repartitions": sum(map(repartitions, scripts)),
        "events": sum(len(script["events"]) for script in scripts),
        "outputs": len(written), "outputs_with_headers": sum(bool(record[3]) for record in written),
        **{name: holding(lambda node: node["op"] in ops) for name, ops in with_op.items()},
        "with_kept_tables": holding(lambda node: node.get("kept")), "with_version_joins_that_wait": holding(lambda node: node.get("grace") and node["op"] in VERSION_JOINS),
        **{f"with_{kind}_on_close": holding(lambda node: node.get("on_close") and node["op"].startswith(kind))
           for kind in ("window", "session", "sliding")},
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
        counters = prove(scripts)
        print(json.dumps(counters))
        self.assertTrue(all(counters.values()), "something does not occur")

    def test_fixed_scripts_hold_every_operator(self):
        """So many that chance is no reason."""
        held = {operator(node) for number in range(1000) for node in stream_scripts.script(SEED, number)["nodes"]}
        self.assertEqual(held, {
            "stream", "table", "filter", "map_values", "map_key", "map", "flat_map", "flat_map_values", "peek", "split", "merge",
            "repartition", "join", "left_join", "count", "reduce", "aggregate", "to_stream", "to", "write_table",
            *WINDOWS, *(f"{op} on close" for op in WINDOWS), *STREAM_JOINS, *SUPPRESSIONS, *FOREIGN_KEY_JOINS, *GLOBAL_JOINS, *TABLE_GROUPS,
            "versioned_table", "global_table", "to_table",
            *VERSION_JOINS, *(f"{op} with grace" for op in VERSION_JOINS),
            *TABLE_JOINS, "table_filter", "table_map_values",
            *(f"{op} kept" for op in (*TABLE_JOINS, "table_filter", "table_map_values")),
            *(f"process {kind}" for kind in ("stamp", "stamp_twice", "pass", "show_headers", "shift", "clock", "keep", "recall",
                                             "gather_wall", "gather_wall_clear", "gather_stream", "gather_stream_clear"))})

    def test_a_seed_gives_the_same_script_again(self):
        self.assertEqual(stream_scripts.script("a", 7), stream_scripts.script("a", "7"))
        self.assertNotEqual(stream_scripts.script("a", 7), stream_scripts.script("b", 7))


IN, TABLE = ("stream", (), {"topic": "in0"}), ("table", (), {"topic": "in0"})
MEANT = [  # what we do not do as Kafka Streams does, on purpose; name, script, what it gives or fails with, what we give
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
    ("where a later sliding window has begun, one that a record follows is not found",
     stream_scripts.of_nodes([IN, ("sliding_count", [0], {"difference": 8, "grace": 0, "on_close": False}), ("to_stream", [1], {}),
                              ("to", [2], {"topic": "out"})],
                             [["in0", "k", "a", 101, []], ["in0", "o", "b", 108, []], ["in0", "o", "c", 109, []],
                              ["in0", "k", "d", 109, []]]),
     [["k@93/101", "1", 101, []], ["o@100/108", "1", 108, []], ["o@109/117", "1", 109, []], ["o@101/109", "2", 109, []],
      ["k@101/109", "1", 109, []]],
     [["k@93/101", "1", 101, []], ["o@100/108", "1", 108, []], ["o@109/117", "1", 109, []], ["o@101/109", "2", 109, []],
      ["k@102/110", "1", 109, []], ["k@101/109", "2", 109, []]]),
    ("sessions are given on without headers",
     stream_scripts.of_nodes([IN, ("session_count", [0], {"gap": 5, "grace": 0, "on_close": False}), ("to_stream", [1], {}),
                              ("to", [2], {"topic": "out"})], [["in0", "k", "a", 1, [["h", "x"]]]]),
     [["k@1/1", "1", 1, []]], [["k@1/1", "1", 1, [["h", "x"]]]]),
    ("all sub-topologies are one task of the TopologyTestDriver, with one stream time",
     stream_scripts.of_nodes([IN, ("stream", (), {"topic": "in1"}), ("peek", [1], {}), ("repartition", [0], {}),
                              ("process", [3], {"fn": "gather_stream", "store": "s", "number": 10}), ("to", [4], {"topic": "out"})],
                             [["in0", "k", "a", 1, []], ["in1", "k", "b", 25, []], ["in0", "k", "c", 21, []]]),
     [["k", "a@25", 25, []]], [["k", "a@1", 1, []], ["k", "ac@21", 21, []]]),
    ("the first update of an aggregate tells its initial value as what was there before",
     stream_scripts.of_nodes([IN, ("aggregate", [0], {"fn": "append"}), ("table_filter", [1], {"fn": "short", "kept": False}),
                              ("to_stream", [2], {}), ("to", [3], {"topic": "out"})], [["in0", "k", "long", 1, []]]),
     [["k", None, 1, []]], []),
    ("a kept join both of whose sides one event changes tells as what was before what was never there",
     stream_scripts.of_nodes([TABLE, ("table_map_values", [0], {"fn": "first", "kept": True}),
                              ("table_join_outer", [0, 1], {"kept": True}), ("table_reduce", [2], {"by": "first_of_key"}),
                              ("to_stream", [3], {}), ("to", [4], {"topic": "out"})], [["in0", "k", "a1", 1, []]]),
     [["k", "a1&a", 1, []], ["k", "-null&a+a1&a", 1, []]], [["k", "a1&a", 1, []], ["k", "&a-a1&a+a1&a", 1, []]]),
    ("a record without a key may not wait for a versioned table",
     stream_scripts.of_nodes([IN, ("versioned_table", (), {"topic": "in1", "history": 10}),
                              ("version_left_join", [0, 1], {"grace": 5}), ("to", [2], {"topic": "out"})],
                             [["in0", None, "a", 1, []]]),
     "key cannot be null", [[None, "a|null", 1, []]]),
    ("what is kept of a versioned table takes its late versions",
     stream_scripts.of_nodes([("versioned_table", (), {"topic": "in0", "history": 10}),
                              ("table_filter", [0], {"fn": "short", "kept": True}), ("to_stream", [1], {}),
                              ("to", [2], {"topic": "out"})], [["in0", "k", "b", 9, []], ["in0", "k", "a", 5, []]]),
     [["k", "b", 9, []], ["k", "a", 5, []]], [["k", "b", 9, []]]),
    ("a suppressed update tells as what was before what was last held back, not what was last told",
     stream_scripts.of_nodes([TABLE, ("suppress_limit", [0], {"limit": 10}),
                              ("table_aggregate", [1], {"by": "first_of_value", "fn": "append"}), ("to_stream", [2], {}),
                              ("to", [3], {"topic": "out"})],
                             [["in0", "k", "a1", 1, []], ["in0", "z", "z", 11, []], ["in0", "k", "a2", 12, []],
                              ["in0", "k", "a3", 13, []], ["in0", "z", "z", 40, []]]),
     [["a", "a1", 1, []], ["z", "z", 40, []], ["a", "a1-a2a3", 13, []]],
     [["a", "a1", 1, []], ["z", "z", 40, []], ["a", "a1-a1a3", 13, []]]),
]


class MeantDifferences(unittest.TestCase):
    """The reasons for which the generator leaves something out are there."""

    def test_they_are_as_they_are_written_down(self):
        scripts = [script for _, script, _, _ in MEANT]
        for (name, _, want, wanted_of_us), theirs, ours in zip(MEANT, kafka_streams(scripts), weir(scripts)):
            for outputs, expected in ((theirs, want), (ours, wanted_of_us)):
                if isinstance(expected, str):
                    self.assertIn(expected, outputs, name)
                    continue
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
