#!/usr/bin/env python3
"""What a record costs a stream application: weir's streams and Kafka Streams on one broker (weir's).

usage: streams.py [--quick | --tiny] [--cases WORD] [--folder DIR] [--out DIR] [--note TEXT] [--preset NAME]

Both applications (streams/streams_cost.cc, streams/StreamsCost.java) read one topic of 100-byte values with keys of 8 bytes in
six partitions and write another one: as it came, filtered and mapped, or counted by key with state in RocksDB. They take turns
and run alone, one thread each, with one commit interval and one size of cache. A part of the input warms each of them up; CPU
is that of the application's process from there to the end of the input, by what its group has committed. Then each gets records
at half the rate that Kafka Streams has just reached, and how long they take to the output, committed, is measured there. Memory
is the process's peak; output and changelog are the offsets that they have taken by the end of the input, markers of transactions
among them. Before that, small inputs are worked through by both and the results compared. And how long applications of 5, 20
and 60 operators take to compile without optimisation, beside an empty one that includes the header. With --cases only those
whose name has that word are measured; in the results file the others stay as they are, and it says of which commit.
"""
import contextlib
import re
import resource
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from common import ROOT, brokers, machine, results, script
from common.results import median
from lib import kafka, proc

PEER = "Kafka Streams 4.3.1"
THREADS, CACHE_BYTES = 1, 64 << 20
COMMIT_MS = {"exactly_once": 100, "at_least_once": 1000}
#        mode, keys, name, times the records of the size
MODES = (("pass", 100_000, "pass through", 3), ("filter_map", 100_000, "filter and map", 3),
         ("count", 100_000, "count, 100,000 keys", 1), ("count", 10_000_000, "count, 10 million keys", 1))
SIZES = {  # runs, records to warm up with, records in all, seconds at half the rate, modes, guarantees
    "default": (3, 1_000_000, 5_000_000, 8, MODES, ("at_least_once", "exactly_once")),
    "quick": (1, 500_000, 2_000_000, 7, MODES, ("exactly_once",)),
    "tiny": (1, 0, 200_000, 3, (MODES[0], MODES[2]), ("exactly_once",)),
}
FIGURES = {"cpu_per_million": "CPU s/million", "records_per_s": "records/s", "peak_mib": "peak MiB", "p50_us": "p50 us",
           "p99_us": "p99 us", "paced_per_s": "at 1/s", "output": "output", "changelog": "changelog"}
ROWS = {"cpu_per_million": "cpu_s_per_million", "records_per_s": "records_per_s", "peak_mib": "rss_mib", "p99_us": "p99_us"}
OPERATORS = (5, 20, 60)
SAMPLE = 20_000  # records whose results are compared
POLL_S, DEADLINE_S = 0.05, 900
_pause = threading.Event()


class Applications:
    """The command lines of the two: a program of ours, and a Java class beside it that takes the same words."""

    def __init__(self, classes, java="streams/StreamsCost.java", program="streams_cost"):
        proc.run(["javac", "-cp", f"{kafka.jars()}/*", "-d", classes, ROOT / "bench" / java])
        self._classes, self._main = classes, Path(java).stem
        self.cost = brokers.program(program)

    def command(self, which, mode, address, guarantee, state, run):
        words = [mode, address, guarantee, str(COMMIT_MS[guarantee]), str(state), str(CACHE_BYTES), run]
        if which == "weir":
            return [self.cost, *words]
        line = kafka.java(self._main, *words, heap="1G")
        line[line.index("-cp") + 1] += f":{self._classes}"
        return line


def fill(apps, target, records, keys):
    proc.run([apps.cost, "fill", target.address, "streams-in", str(records), str(keys)], deadline_s=DEADLINE_S)


class Progress:
    """How far a group has committed the input."""

    def __init__(self, target, group):
        from confluent_kafka import Consumer, TopicPartition
        self._consumer = Consumer({"bootstrap.servers": target.address, "group.id": group, "log_level": 2})
        self._all = [TopicPartition("streams-in", p) for p in range(brokers.PARTITIONS)]

    def committed(self):
        return sum(max(p.offset, 0) for p in self._consumer.committed(self._all, timeout=30))

    def wait_for(self, records, process):
        deadline = time.monotonic() + DEADLINE_S
        while (done := self.committed()) < records:
            if process.exit_code is not None:
                raise SystemExit(f"the application has ended: {process.output()[-2000:]}")
            if time.monotonic() > deadline:
                raise SystemExit(f"only {done} of {records} records were committed in {DEADLINE_S} s")
            _pause.wait(POLL_S)
        return done

    def written(self, topic):
        """The offsets that a topic has taken, markers of transactions among them; 0 without the topic."""
        from confluent_kafka import TopicPartition
        if topic not in self._consumer.list_topics(timeout=30).topics:
            return 0
        return sum(self._consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=30)[1] for p in range(brokers.PARTITIONS))

    def close(self):
        self._consumer.close()


def peak_mib(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("VmHWM is not told")


def pace(apps, target, rate, seconds, keys):
    """p50 and p99, in ms, of records at this rate."""
    said = proc.run([apps.cost, "pace", target.address, str(int(rate)), str(seconds), str(keys)], deadline_s=DEADLINE_S).out
    return tuple(int(n) for n in re.search(r"p50 (\d+) ms, p99 (\d+) ms", said).groups())


def work(apps, target, which, case, guarantee, run, state, warm, total, paced=None):
    """One application through the input; its figures. `paced`: (rate or absent for half its own, seconds)."""
    mode = case[0]
    process = proc.Process(apps.command(which, mode, target.address, guarantee, state, run))
    progress = Progress(target, run)
    try:
        # Without a warm-up the start is measured too.
        first = progress.wait_for(warm, process) if warm else 0
        begin, meter = time.monotonic(), machine.Meter([process.pid])
        last = progress.wait_for(total, process)
        meter.end()
        figures = {"cpu_per_million": meter.broker.total / max(last - first, 1) * 1e6,
                   "records_per_s": (last - first) / (time.monotonic() - begin),
                   "peak_mib": peak_mib(process.pid), "output": progress.written("streams-out"),
                   "changelog": progress.written(f"{run}-counts-changelog")}
        if paced:
            rate = paced[0] or figures["records_per_s"] / 2
            p50, p99 = pace(apps, target, rate, paced[1], case[1])
            figures |= {"paced_per_s": rate, "p50_us": p50 * 1000, "p99_us": p99 * 1000}
        return figures
    finally:
        progress.close()
        process.stop()


def read_committed(target, topic):
    """[(key, value)] of all that is committed."""
    from confluent_kafka import Consumer, TopicPartition
    consumer = Consumer({"bootstrap.servers": target.address, "group.id": "check", "enable.auto.commit": False, "log_level": 2,
                         "isolation.level": "read_committed", "enable.partition.eof": True})
    consumer.assign([TopicPartition(topic, p, 0) for p in range(brokers.PARTITIONS)])
    out, ends = [], set()
    while len(ends) < brokers.PARTITIONS:
        for message in consumer.consume(10_000, timeout=1):
            if message.error():
                ends.add(message.partition())
            else:
                out.append((message.key(), message.value()))
    consumer.close()
    return out


def compare(apps, target, topics, folder, cases):
    """Both give the same: every record where each is written, the last of each key where states are."""
    for case in cases:
        mode, keys, name, _ = case
        found = {}
        topics.create("streams-in")
        fill(apps, target, SAMPLE, min(keys, 1_000))
        for which in ("weir", "java"):
            topics.create("streams-out")
            run = f"check-{which}-{mode}-{keys}"
            work(apps, target, which, case, "exactly_once", run, folder / run, 1, SAMPLE)
            written = read_committed(target, "streams-out")
            found[which] = dict(written) if mode == "count" else sorted(written)
            topics.delete("streams-out")
        topics.delete("streams-in")
        if found["weir"] != found["java"] or not found["weir"]:
            raise SystemExit(f"{name}: the two applications give different results")
    print("results compared: equal", flush=True)


def measure(apps, target, topics, folder, size):
    runs, warm, records, seconds, cases, guarantees = size
    rows, observed = [], {}
    for case in cases:
        mode, keys, name, times = case
        topics.create("streams-in")
        fill(apps, target, times * records, keys)
        for guarantee in guarantees:
            figures = {"java": [], "weir": []}
            for number in range(runs):
                rate = None
                for which in figures:
                    topics.create("streams-out")
                    run = f"{which}-{mode}-{keys}-{guarantee}-{number}"
                    # The records of earlier paces are read too.
                    total = Progress(target, run).written("streams-in")
                    found = work(apps, target, which, case, guarantee, run, folder / run, warm, total, (rate, seconds))
                    rate = rate or found["paced_per_s"]
                    figures[which].append(found)
                    topics.delete("streams-out")
            middle = {which: {key: median([r[key] for r in all_runs]) for key in all_runs[0]} for which, all_runs in figures.items()}
            title = f"{name}, {guarantee.replace('_', ' ')}"
            observed[title] = {which: {k: results.rounded(v) for k, v in m.items()} for which, m in middle.items()}
            print(f"\n{title}")
            print(results.table(["", *FIGURES.values()], [[label, *(results.number(middle[which][k]) for k in FIGURES)]
                                                          for which, label in (("weir", "weir"), ("java", PEER))]), flush=True)
            for key, metric in ROWS.items():
                # A tiny run may be over before its first look.
                if middle["weir"][key] > 0 and middle["java"][key] > 0:
                    rows.append(results.row("streams", title, metric, middle["weir"][key], PEER, middle["java"][key]))
        topics.delete("streams-in")
    return rows, observed


def application(blocks):
    """The source of one with five operators a block, each with a function and so a type of its own."""
    operators = "".join(f"""
      .filter([](const Text& value) {{ return value.size() != {n}; }})
      .map_values([](const Text& value) {{ return value + "{n}"; }})
      .map_key([](const Text& value) {{ return value.substr({n}); }}, "key-{n}")
      .group_by_key("by-{n}")
      .reduce([](const Text& a, const Text& b) {{ return a + b + "{n}"; }}, "store-{n}")
      .to_stream()
      .map_values([](const std::optional<Text>& value) {{ return value.value_or("{n}"); }})""" for n in range(blocks))
    return f"""#include <weir/streams.h>
using Text = std::string;
const weir::Topic<Text, Text> in{{"in", &weir::string_codec, &weir::string_codec}}, out{{"out", &weir::string_codec, &weir::string_codec}};
int main(int argc, char** argv) {{
  weir::streams::Topology topology("app");
  topology.stream(in){operators}
      .to(out);
  return run(std::move(topology), argc, argv);
}}
"""


def compile_cost(folder, sizes):
    """Seconds to compile an application, by its number of operators; 0: the header alone."""
    def seconds(text):
        (folder / "application.cc").write_text(text)
        best = None
        for _ in range(3):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(["g++", "-std=c++20", "-O0", f"-I{ROOT}/include", "-c", folder / "application.cc", "-o", "/dev/null"], check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            took = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
            best = took if best is None else min(best, took)
        return best
    costs = {0: seconds("#include <weir/streams.h>\nint main() {}\n")}
    costs |= {size: seconds(application(size // 5)) for size in sizes}
    print(results.table(["operators", "seconds to compile at -O0", "a further operator"],
                        [[str(size), f"{cost:.2f}", f"{(cost - costs[0]) / size:.3f}" if size else ""] for size, cost in costs.items()]))
    return {str(size): round(cost, 2) for size, cost in costs.items()}


def main():
    arguments = script.parse(__doc__, more=lambda parser: parser.add_argument("--cases", help="measure those whose name has this"))
    size = list(SIZES[arguments.which])
    if arguments.cases:
        size[4] = [case for case in size[4] if arguments.cases in case[2]]
        if not size[4]:
            raise SystemExit(f"--cases {arguments.cases}: no case of that name; there are {', '.join(m[2] for m in MODES)}")
    with script.folder(arguments, "streams") as folder, contextlib.ExitStack() as stack:
        print(machine.description(), flush=True)
        apps = Applications(stack.enter_context(tempfile.TemporaryDirectory()))
        target = stack.enter_context(brokers.Weir(folder / "weir"))
        topics = brokers.Topics(target)
        costs = compile_cost(folder, OPERATORS if arguments.which != "tiny" else OPERATORS[:1])
        compare(apps, target, topics, folder, size[4][:1] + size[4][-1:])
        rows, observed = measure(apps, target, topics, folder, size)
    print()
    results.print_rows(rows)
    note = {}
    if arguments.cases and arguments.which == "default":
        rows, observed, note = results.keep_others("streams", arguments.cases, rows, observed)
    settings = {"size": arguments.which, "runs": size[0], "records to warm up": size[1], "records of a count": size[2], "records without state": 3 * size[2], "seconds paced": size[3],
                "partitions": brokers.PARTITIONS, "threads": THREADS, "cache bytes": CACHE_BYTES, "commit ms": COMMIT_MS,
                "value bytes": 100, "key bytes": 8, "state": "RocksDB", "java heap": "1 GiB",
                "observed": {**observed, "seconds to compile, by operators": costs}, **note}
    results.finish("streams", arguments, settings, rows, arguments.which in ("quick", "tiny"))


if __name__ == "__main__":
    main()
