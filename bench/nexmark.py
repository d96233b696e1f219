#!/usr/bin/env python3
"""Nexmark on weir's streams and on Kafka Streams, on one broker (weir's), the results compared for equality.

usage: nexmark.py [--quick | --tiny] [--queries NAMES] [--runs N] [--onto FILE] [--folder DIR] [--out DIR] [--note TEXT] [--preset NAME]

The events (nexmark/generator.h) are written once, into eight partitions. Each query (nexmark/queries.cc, nexmark/Nexmark.java)
reads them and writes a topic; both run alone, in turns, one thread each, with one commit interval and one size of cache. A quarter
of the events warms Kafka Streams up; weir is measured from its start, because some queries are over before a look. The processor time of
the application is measured until it has committed all that it reads and nothing more comes out, for a million of the events that it took
meanwhile. Memory is the process's peak. After each pair what both have written is compared: every record where each is final, the last of
each key where updates are told. A run of all queries draws results/nexmark.svg.
"""
import collections
import contextlib
import json
import struct
import tempfile
import threading
import time
from pathlib import Path

from common import brokers, chart, machine, results, script
from common.results import median
from lib import proc
from streams import CACHE_BYTES, COMMIT_MS, PEER, THREADS, Applications, peak_mib

INPUT, PARTITIONS = "nexmark", 8
#         name, what of it is compared
QUERIES = {"q0": "all", "q1": "all", "q2": "all", "q3": "last", "q4": "last", "q5": "most", "q7": "most", "q8": "all", "q9": "last",
           "q11": "sessions", "q12": "totals", "q18": "last", "q20": "all"}
SIZES = {  # runs, events, of them to warm up with, guarantees, queries
    "default": (3, 1_000_000, 250_000, ("at_least_once", "exactly_once"), list(QUERIES)),
    "quick": (1, 1_000_000, 250_000, ("exactly_once",), list(QUERIES)),
    "tiny": (1, 20_000, 0, ("exactly_once",), ["q1", "q3", "q7", "q11", "q12"]),  # two seconds: no window of q5 ends
}
POLL_S, QUIET_S, DEADLINE_S = 0.05, 2, 900
_pause = threading.Event()


class Progress:
    """What an application has still to do."""

    def __init__(self, target, run):
        from confluent_kafka import Consumer
        self._consumer = Consumer({"bootstrap.servers": target.address, "group.id": run, "log_level": 2})
        self._run = run

    def _ends(self, topic, partitions):
        from confluent_kafka import TopicPartition
        return [self._consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=30)[1] for p in range(partitions)]

    def _inputs(self):
        topics = self._consumer.list_topics(timeout=30).topics
        own = [name for name in topics if name.startswith(f"{self._run}-") and name.endswith("-repartition")]
        return [(name, len(topics[name].partitions)) for name in (INPUT, *own)]

    def taken(self):
        """Events that are committed."""
        from confluent_kafka import TopicPartition
        done = self._consumer.committed([TopicPartition(INPUT, p) for p in range(PARTITIONS)], timeout=30)
        return sum(max(position.offset, 0) for position in done)

    def left(self):
        """Offsets that are not committed, but for a transaction's last marker in each partition of a repartition."""
        from confluent_kafka import TopicPartition
        left = 0
        for topic, partitions in self._inputs():
            ends = self._ends(topic, partitions)
            done = self._consumer.committed([TopicPartition(topic, p) for p in range(partitions)], timeout=30)
            marker = 0 if topic == INPUT else 1
            left += sum(max(0, end - max(position.offset, 0) - marker) for end, position in zip(ends, done))
        return left

    def written(self, topic):
        return sum(self._ends(topic, PARTITIONS))

    def close(self):
        self._consumer.close()


def work(apps, target, which, query, guarantee, run, state, events, warm):
    """One application through all events; its figures."""
    process = proc.Process(apps.command(which, query, target.address, guarantee, state, run))
    start = time.monotonic()
    progress = Progress(target, run)

    def go_on():
        if process.exit_code is not None:
            raise SystemExit(f"{which} {query}: the application has ended: {process.output()[-2000:]}")
        if time.monotonic() - start > DEADLINE_S:
            raise SystemExit(f"{which} {query}: {progress.left()} records are left after {DEADLINE_S} s")
    try:
        while progress.taken() < warm:
            go_on()
            _pause.wait(POLL_S)
        meter, begin, events = machine.Meter([process.pid]), time.monotonic(), events - (progress.taken() if warm else 0)
        quiet_since, written, last_change = None, -1, begin
        while quiet_since is None or time.monotonic() - quiet_since < QUIET_S:
            go_on()
            now = progress.written(f"{query}-out")
            if progress.left() > 0 or now != written:
                quiet_since, written, last_change = None, now, time.monotonic()
            elif quiet_since is None:
                quiet_since = time.monotonic()
            _pause.wait(POLL_S)
        meter.end()
        # All may be over by then: so few are no measure.
        events = max(events, 1)
        return {"cpu_per_million": meter.broker.total / events * 1e6, "records_per_s": events / max(last_change - begin, POLL_S),
                "peak_mib": peak_mib(process.pid)}
    finally:
        progress.close()
        process.stop()


def read_committed(target, topic):
    """(key, value) of all that is committed."""
    from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
    consumer = Consumer({"bootstrap.servers": target.address, "group.id": "check", "enable.auto.commit": False, "log_level": 2,
                         "isolation.level": "read_committed", "enable.partition.eof": True})
    consumer.assign([TopicPartition(topic, p, 0) for p in range(PARTITIONS)])
    ends = set()
    while len(ends) < PARTITIONS:
        for message in consumer.consume(10_000, timeout=1):
            if not message.error():
                yield message.key(), message.value()
            elif message.error().code() == KafkaError._PARTITION_EOF:
                ends.add(message.partition())
            elif not message.error().retriable():
                raise KafkaException(message.error())
    consumer.close()


def result(target, query):
    """What a query has written, as what is compared of it."""
    written, how = read_committed(target, f"{query}-out"), QUERIES[query]
    if how == "all":
        return collections.Counter(written)
    if how == "sessions":  # a row: bidder, count, start, end; of what was merged the count is 0 in the end
        last = {}
        for _, value in written:
            bidder, count, start, end = struct.unpack(">4q", value)
            last[bidder, start, end] = count
        return {session: count for session, count in last.items() if count}
    if how == "totals":  # a row: bidder, count, start of a window of the clock, which is another in each run
        last, totals = {}, collections.Counter()
        for _, value in written:
            bidder, count, start = struct.unpack(">3q", value)
            last[bidder, start] = count
        for (bidder, _), count in last.items():
            totals[bidder] += count
        return totals
    last = dict(written)
    if how == "most":  # the rows of one window come in no order
        size = 16 if query == "q5" else 32
        return {key: (value[:8], sorted(value[10 + n:10 + n + size] for n in range(0, len(value) - 10, size)))
                for key, value in last.items()}
    return {key: value for key, value in last.items() if value is not None}


def differing(weir, java):
    """For the error: how much of both is not in the other."""
    a, b = ({(str(key), str(value)) for key, value in one.items()} for one in (weir, java))
    return f"{len(a - b)} of {len(a)} of weir's, {len(b - a)} of {len(b)} of Kafka Streams': {sorted(a ^ b)[:4]}"


def measure(apps, target, topics, folder, size, queries, before):
    """Rows, and what was measured: of each case of each application every run, those of `before` included."""
    runs, events, warm, guarantees, _ = size
    rows, observed = [], {}
    topics.create(INPUT, partitions=PARTITIONS, settings={"retention.ms": "-1"})  # the events are of 2015
    proc.run([apps.cost, "fill", target.address, str(events)], deadline_s=DEADLINE_S)
    for query in queries:
        for guarantee in guarantees:
            title = f"{query}, {guarantee.replace('_', ' ')}"
            figures = {which: list(before.get(title, {}).get(which, ())) for which in ("java", "weir")}
            for number in range(runs):
                found = {}
                for which in figures:
                    topics.create(f"{query}-out", partitions=PARTITIONS)
                    run = f"{which}-{query}-{guarantee}-{number}"
                    figures[which].append(work(apps, target, which, query, guarantee, run, folder / run, events,
                                               warm if which == "java" else 0))
                    found[which] = result(target, query)
                    topics.delete(f"{query}-out")
                if found["weir"] != found["java"] or not (found["weir"] or query == "q5"):
                    raise SystemExit(f"{query}, {guarantee}: the results differ: {differing(found['weir'], found['java'])}")
            middle = {which: {key: median([r[key] for r in all_runs]) for key in all_runs[0]} for which, all_runs in figures.items()}
            observed[title] = {which: [{k: results.rounded(v) for k, v in one.items()} for one in all_runs]
                               for which, all_runs in figures.items()}
            # A tiny run may be over before its first look.
            for key, metric in (("cpu_per_million", "cpu_s_per_million"), ("records_per_s", "records_per_s"), ("peak_mib", "rss_mib")):
                if middle["weir"][key] > 0 and middle["java"][key] > 0:
                    rows.append(results.row("nexmark", title, metric, middle["weir"][key], PEER, middle["java"][key]))
            print(f"{title}: equal; {results.number(middle['weir']['cpu_per_million'])} CPU s a million, Kafka Streams "
                  f"{results.number(middle['java']['cpu_per_million'])}", flush=True)
    return rows, observed


def runs_of(path, size):
    """What a run before has measured: it must be of as many events."""
    settings = json.loads(Path(path).read_text())["settings"]
    if (settings["events"], settings["events to warm up"]) != (size[1], size[2]):
        raise SystemExit(f"--onto {path}: is of {settings['events']} events, this run is of {size[1]}")
    return settings["observed"]


def picture(rows):
    less = chart.times_less(rows)
    queries = [query for query in QUERIES if any(case.startswith(f"{query},") for case in less)]
    guarantees = ("at least once", "exactly once")
    return chart.draw("Nexmark: events per CPU second, times Apache Kafka Streams 4.3.1",
                      [(query, [less.get(f"{query}, {guarantee}") for guarantee in guarantees]) for query in queries],
                      guarantees, [(1, "1"), (5, "5"), (10, "10")])


def main():
    def more(parser):
        parser.add_argument("--queries", help="comma-separated; absent: all")
        parser.add_argument("--runs", type=int, help="of each, whose medians count (3; short sizes 1)")
        parser.add_argument("--onto", help="a results file of the same settings, whose runs count too")
    arguments = script.parse(__doc__, more=more)
    size = SIZES[arguments.which]
    size = (arguments.runs or size[0], *size[1:])
    queries = arguments.queries.split(",") if arguments.queries else size[4]
    if unknown := [query for query in queries if query not in QUERIES]:
        raise SystemExit(f"--queries: no {', '.join(unknown)}; there are {', '.join(QUERIES)}")
    with script.folder(arguments, "nexmark") as folder, contextlib.ExitStack() as stack:
        print(machine.description(), flush=True)
        apps = Applications(stack.enter_context(tempfile.TemporaryDirectory()), "nexmark/Nexmark.java", "nexmark_cost")
        target = stack.enter_context(brokers.Weir(folder / "weir"))
        before = runs_of(arguments.onto, size) if arguments.onto else {}
        rows, observed = measure(apps, target, brokers.Topics(target), folder, size, queries, before)
    print()
    results.print_rows(rows)
    settings = {"size": arguments.which, "runs": max(len(one["weir"]) for one in observed.values()), "events": size[1], "events to warm up": size[2], "partitions": PARTITIONS, "threads": THREADS,
                "cache bytes": CACHE_BYTES, "commit ms": COMMIT_MS, "state": "RocksDB", "java heap": "1 GiB", "observed": observed}
    path = results.finish("nexmark", arguments, settings, rows, arguments.which in ("quick", "tiny") or bool(arguments.queries))
    path.with_suffix(".svg").write_text(picture(rows))


if __name__ == "__main__":
    main()
