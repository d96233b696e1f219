#!/usr/bin/env python3
"""weir's broker against Apache Kafka: throughput, CPU and latency of producing and consuming, acks=-1.

usage: broker.py [--full | --quick | --tiny] [--cases TEXT] [--folder DIR] [--out DIR] [--note TEXT] [--preset NAME]

weir syncs before every acknowledgement. The peers, from weaker to stronger promises:
    page cache      Kafka with its defaults: acknowledged before it is on the disk
    flush.messages=1  Kafka with a sync for each append to a partition: the promise of weir, in Kafka's way
    3 brokers       Kafka on three brokers, acks=all, two in sync: page cache of several processes on this one machine

Throughput is Kafka's ProducerPerformance and ConsumerPerformance with their defaults, so both brokers get the same batches and
the same fetches; consumption once more by the load generator's consume mode, which costs the machine less than Java. Latency
is the load generator's open loop. Every run has a topic of its own; runs alternate between the targets, the first of each is
dropped, medians of the rest count; what was written before is synced between runs, and nothing is deleted until the end. CPU is that of the broker's processes
from the start of a run until half a second after it, and of the whole machine less the clients.

default: about 12 minutes. --full: 100 B and 1 KiB at both rates, 1 and 100 partitions too. --quick: one short run of each
after the first, 4 minutes.
--tiny: proves that this runs; its numbers mean nothing. --cases: only those with TEXT in their names; in the results file
the others stay as they are, and it says of which commit.
"""
import contextlib
import os
import threading
import time

from common import brokers, machine, results, script
from common.results import median

PAGE_CACHE = f"{brokers.KAFKA}, page cache (defaults)"
FLUSH = f"{brokers.KAFKA}, flush.messages=1 (a sync for each append to a partition)"
THREE = f"{brokers.KAFKA}, 3 brokers, acks=all, page cache"
SETTLE_S = 0.5

#          runs, records of 100 B and 1 KiB, seconds at a fixed rate, of latency, how often all is consumed
SIZES = {
    "full": {"runs": 3, "records": {100: 5_000_000, 1024: 1_000_000}, "fixed_s": 10, "latency_s": 20, "repeat": 10},
    "default": {"runs": 3, "records": {100: 2_000_000, 1024: 300_000}, "fixed_s": 5, "latency_s": 8, "repeat": 10},
    "quick": {"runs": 1, "records": {100: 500_000, 1024: 50_000}, "fixed_s": 2, "latency_s": 3, "repeat": 5},
    "tiny": {"runs": 1, "records": {100: 2_000, 1024: 500}, "fixed_s": 0.1, "latency_s": 0.2, "repeat": 1},
}
BYTES = {100: "100 B", 1024: "1 KiB"}
_pause = threading.Event()


class Case:
    """One thing that is measured on every target. `run(target, last)` gives one run's figures."""

    def __init__(self, name, run, targets=None):
        self.name, self.run, self.targets = name, run, targets


class Bench:
    """The targets, the sizes of this run, and what was measured."""

    def __init__(self, size, targets, only=""):
        self.size, self.targets, self.only = size, targets, only
        self.topics = {t.name: brokers.Topics(t) for t in targets}
        self.made, self.rows, self.observed, self.full = 0, [], {}, {}

    def topic(self, target, partitions=brokers.PARTITIONS):
        self.made += 1
        name = f"bench-{self.made}"
        self.topics[target.name].create(name, replicas=len(target.pids), partitions=partitions)
        return name

    @contextlib.contextmanager
    def metered(self, target):
        """What was written before is on the disk first, so that it does not disturb; then CPU is counted."""
        os.sync()
        meter = machine.Meter(target.pids)
        yield meter
        _pause.wait(SETTLE_S)
        meter.end()

    def produce(self, size, rate, partitions=brokers.PARTITIONS):
        records = self.size["records"][size] if rate < 0 else max(int(rate * self.size["fixed_s"]), 100)

        def run(target, last):
            topic = self.topic(target, partitions)
            with self.metered(target) as meter:
                figures = brokers.producer_performance(target.address, topic, records, size, rate)
            figures |= costs(meter, records, records * size)
            if last:
                figures["records_per_batch"] = brokers.load("consume", target.address, topic)["records_per_batch"]
            return figures
        return run

    def latency(self, size, rate):
        def run(target, _last):
            topic = self.topic(target)
            with self.metered(target) as meter:
                figures = brokers.load("produce", target.address, topic, "--rate", rate, "--size", size, "--seconds",
                                       self.size["latency_s"], "--warmup", min(2, self.size["latency_s"]))
            figures |= costs(meter, figures["sent"], figures["sent"] * size)
            return figures
        return run

    def filled(self, target, size):
        """A topic of the target with records of this size, written once."""
        if (target.name, size) not in self.full:
            topic = self.full[target.name, size] = self.topic(target)
            brokers.producer_performance(target.address, topic, self.size["records"][size], size)
        return self.full[target.name, size]

    def consume(self, size):
        def run(target, _last):
            topic = self.filled(target, size)
            with self.metered(target) as meter:
                figures = brokers.load("consume", target.address, topic, "--repeat", self.size["repeat"])
            return figures | costs(meter, figures["records"], figures["records"] * size)
        return run

    def consume_in_group(self, size):
        def run(target, _last):
            topic = self.filled(target, size)
            self.made += 1
            with self.metered(target) as meter:
                figures = brokers.consumer_performance(target.address, topic, self.size["records"][size], f"bench-{self.made}")
            return figures | costs(meter, figures["records"], figures["records"] * size)
        return run

    def measure(self, case):
        """Runs a case on its targets in turn and prints what came out: what was not asked for gives nothing."""
        if self.only not in case.name:
            return {}
        began = time.monotonic()
        targets = case.targets or self.targets
        runs = {t.name: [] for t in targets}
        for number in range(self.size["runs"] + 1):
            for target in targets:
                figures = case.run(target, number == self.size["runs"])
                if number > 0:  # the first warms both up
                    runs[target.name].append(figures)
        middle = {name: {key: median([r[key] for r in figures if key in r]) for key in figures[-1]
                         if isinstance(figures[-1][key], (int, float))} for name, figures in runs.items()}
        self.observed[case.name] = {name: {k: results.rounded(v) for k, v in m.items() if k in SHOWN}
                                    for name, m in middle.items()}
        print(f"\n{case.name} ({time.monotonic() - began:.0f} s)")
        shown = [k for k in SHOWN if any(k in m for m in middle.values())]
        print(results.table(["", *(SHOWN[k] for k in shown)],
                            [[name, *(results.number(m[k]) if k in m else "-" for k in shown)] for name, m in middle.items()]),
              flush=True)
        return middle

    def compare(self, name, middle, metrics):
        """Rows of weir against every peer; metric -> the figure that it is taken from."""
        for peer, figures in middle.items():
            for metric, key in metrics.items():
                if peer != "weir" and middle["weir"].get(key, 0) > 0 and figures.get(key, 0) > 0:
                    self.rows.append(results.row("broker", name, metric, middle["weir"][key], peer, figures[key]))


SHOWN = {  # figure -> head of its column
    "records_per_s": "records/s", "records_per_batch": "records/batch", "p50_ms": "p50 ms", "p99_ms": "p99 ms",
    "p50_us": "p50 us", "p90_us": "p90 us", "p99_us": "p99 us", "p999_us": "p99.9 us", "max_us": "max us",
    "user_per_million": "user s/M", "system_per_million": "system s/M", "cpu_per_million": "CPU s/M",
    "machine_per_million": "machine s/M", "cpu_per_gb": "CPU s/GB",
}


def costs(meter, records, payload):
    million, gb = records / 1e6, payload / 1e9
    return {"user_per_million": meter.broker.user / million, "system_per_million": meter.broker.system / million,
            "cpu_per_million": meter.broker.total / million, "machine_per_million": max(meter.rest.total, 0) / million,
            "cpu_per_gb": meter.broker.total / gb}


def run_cases(bench, which):
    weir_and_kafka = [t for t in bench.targets if t.name in ("weir", PAGE_CACHE)]
    flat = {"records_per_s": "records_per_s", "cpu_s_per_million": "cpu_per_million"}
    for size in (100, 1024):
        name = f"produce {BYTES[size]} flat out"
        middle = bench.measure(Case(name, bench.produce(size, -1)))
        bench.compare(name, middle, flat | ({"cpu_s_per_gb": "cpu_per_gb"} if size == 1024 else {}))
        bench.compare(f"{name}, whole machine less clients", middle, {"cpu_s_per_million": "machine_per_million"})
    for size, rate in ((100, 50_000), *(((1024, 10_000),) if which == "full" else ())):
        name = f"produce {BYTES[size]} at {rate:,}/s"
        middle = bench.measure(Case(name, bench.produce(size, rate)))
        bench.compare(name, middle, {"cpu_s_per_million": "cpu_per_million"})
        bench.compare(f"{name}, whole machine less clients", middle, {"cpu_s_per_million": "machine_per_million"})
    for partitions in (1, 100) if which == "full" else ():
        name = f"produce 100 B flat out, {partitions} partitions"
        bench.compare(name, bench.measure(Case(name, bench.produce(100, -1, partitions))), flat)
    for size, rates in ((100, (5_000, 50_000)), *(((1024, (5_000, 20_000)),) if which == "full" else ())):
        for rate in rates if which != "tiny" else (1_000,):
            name = f"produce {BYTES[size]} latency at {rate:,}/s"
            middle = bench.measure(Case(name, bench.latency(size, rate)))
            bench.compare(name, middle, {"p99_us": "p99_us", "cpu_s_per_million": "cpu_per_million"})
    for size in (100, 1024):
        for name, how in ((f"consume {BYTES[size]} flat out", bench.consume_in_group),
                          (f"consume {BYTES[size]} flat out, native client", bench.consume)):
            middle = bench.measure(Case(name, how(size), bench.targets if which == "full" else weir_and_kafka))
            bench.compare(name, middle, flat | ({"cpu_s_per_gb": "cpu_per_gb"} if size == 1024 else {}))
            bench.compare(f"{name}, whole machine less clients", middle, {"cpu_s_per_million": "machine_per_million"})


def start_targets(stack, folder, which):
    weir = stack.enter_context(brokers.Weir(folder / "weir"))
    one = stack.enter_context(brokers.KafkaBroker(folder / "kafka"))
    targets = [weir, brokers.Target(PAGE_CACHE, one.address, one.pids)]
    if which != "tiny":
        targets.append(brokers.Target(FLUSH, one.address, one.pids, {"flush.messages": "1"}))
        three = stack.enter_context(brokers.KafkaBroker(folder / "kafka-3", brokers=3, heap="512m"))
        targets.append(brokers.Target(THREE, three.address, three.pids))
    return targets


def idle_draw(targets, seconds):
    """CPU of each broker while nobody asks anything, in thousandths of a core."""
    meters = {}
    for target in targets:  # two targets may be one broker
        meters.setdefault(tuple(target.pids), (target.name, machine.Meter(target.pids)))
    _pause.wait(seconds)
    return {name: round(meter.end().broker.total / seconds * 1000) for name, meter in meters.values()}


def main():
    arguments = script.parse(__doc__, ("full", "quick", "tiny"), lambda parser: parser.add_argument(
        "--cases", default="", help="only those with this in their names"))
    which = arguments.which
    with script.folder(arguments, "broker") as folder:
        kind, options = machine.file_system(folder)
        probe = machine.sync_probe(folder, 100 if which == "tiny" else 1000)
        print(f"{machine.description()}\nfile system {kind} ({options}); write + fdatasync of 4 KiB: p50 {probe['p50_us']} us, "
              f"p99 {probe['p99_us']} us\n(whether a virtual disk's flush is honest cannot be told from inside)", flush=True)
        if which != "tiny":
            machine.fill_page_cache(folder)
        with contextlib.ExitStack() as stack:
            targets = start_targets(stack, folder, which)
            idle = idle_draw(targets, 0.5 if which == "tiny" else 5)
            print("idle, in thousandths of a core: " + ", ".join(f"{name} {draw}" for name, draw in idle.items()), flush=True)
            bench = Bench(SIZES[which], targets, arguments.cases)
            run_cases(bench, which)
    if not bench.rows:
        raise SystemExit(f"--cases {arguments.cases}: no case has that in its name")
    print()
    results.print_rows(bench.rows)
    rows, observed, note = bench.rows, bench.observed, {}
    if arguments.cases and which == "default":
        rows, observed, note = results.keep_others("broker", arguments.cases, rows, observed)
    settings = {"size": which, **SIZES[which], "partitions": brokers.PARTITIONS, "acks": "all",
                "kafka heap": "1 GiB for one broker, 512 MiB each for three", "file system": kind,
                "write and fdatasync of 4 KiB": probe, "idle, thousandths of a core": idle, "observed": observed, **note}
    results.finish("broker", arguments, settings, rows, which in ("quick", "tiny"))


if __name__ == "__main__":
    main()
