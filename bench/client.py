#!/usr/bin/env python3
"""What a record costs the application: weir's client, librdkafka and Kafka's Java client on one broker (weir's).

usage: client.py [--quick | --tiny] [--folder DIR] [--out DIR] [--note TEXT] [--preset NAME]

Each client runs in a process of its own, which warms up and then reports its own user and system time; clients take turns,
medians of five. Keyed records over six partitions, batches of 64 KiB, linger 5 ms, acks=all, idempotent, no compression; CRCs
are checked by all. consume reads a topic that was read once before. librdkafka consumes one record a call and in batches.
"""
import contextlib
import json
import shutil
import tempfile
from pathlib import Path

from common import brokers, machine, results, script
from common.results import median
from lib import kafka, proc

SOURCE = Path(__file__).resolve().parent / "client_cost" / "ClientCost.java"
SCALES = {  # runs, megabytes of values, seconds at the fixed rate
    "default": (5, 200, 5),
    "quick": (3, 50, 2),
    "tiny": (1, 0.2, 0.1),
}
SIZES = {20: "20 B", 100: "100 B", 1024: "1 KiB"}
MOST_RECORDS = 2_000_000
RATE = 100_000


class Clients:
    """The command lines of the clients that can be had here."""

    def __init__(self, folder):
        self.commands = {"weir": [brokers.program("weir_cost")]}
        with contextlib.suppress(SystemExit):
            self.commands["librdkafka"] = [brokers.program("rdkafka_cost")]
        if shutil.which("javac"):
            proc.run(["javac", "-cp", f"{kafka.jars()}/*", "-d", folder, SOURCE])
            line = kafka.java("ClientCost", heap="512m")
            line[line.index("-cp") + 1] += f":{folder}"
            self.commands["Java"] = line

    def run(self, name, *args):
        return json.loads(proc.run([*self.commands[name], *args], deadline_s=300).out)


def measure(clients, runs, make):
    """`make(client)` gives one run's figures; medians by client. The clients take turns."""
    figures = {}
    for _ in range(runs):
        for client in make:
            figures.setdefault(client, []).append(make[client]())
    return {client: {key: median([r[key] for r in all_runs]) for key in all_runs[0]} for client, all_runs in figures.items()}


def show(name, middle):
    print(f"\n{name}")
    print(results.table(["", "ns/record", "user ns", "system ns", "records/s"],
                        [[client, *(results.number(v) for v in (m["user_ns"] + m["system_ns"], m["user_ns"], m["system_ns"],
                                                                 m["records"] / m["seconds"]))]
                         for client, m in middle.items()]), flush=True)


def rows_of(name, middle):
    cost = {client: m["user_ns"] + m["system_ns"] for client, m in middle.items()}
    return [results.row("client", name, "cpu_ns_per_record", cost["weir"], peer, cost[peer])
            for peer in cost if peer != "weir" and cost["weir"] > 0 and cost[peer] > 0]


def run_cases(target, clients, scale):
    runs, megabytes, seconds = scale
    topics, rows, observed = brokers.Topics(target), [], {}

    def done(name, middle):
        show(name, middle)
        rows.extend(rows_of(name, middle))
        observed[name] = {client: {k: results.rounded(v) for k, v in m.items()} for client, m in middle.items()}

    made = 0

    def produce(client, size, records, rate):
        nonlocal made
        made += 1
        topic = f"cost-{made}"
        topics.create(topic)
        try:
            return clients.run(client, "produce", target.address, topic, size, records, rate)
        finally:
            topics.delete(topic)

    for size, label in SIZES.items():
        records = min(int(megabytes * 1e6 / size), MOST_RECORDS)
        make = {c: lambda c=c: produce(c, size, records, 0) for c in clients.commands}
        done(f"produce {label} flat out", measure(clients, runs, make))
        full = f"full-{size}"
        topics.create(full)
        clients.run("weir", "produce", target.address, full, size, records, 0)
        modes = [(c, c, "consume") for c in clients.commands]
        if "librdkafka" in clients.commands:
            modes.append(("librdkafka, batches", "librdkafka", "consume-batch"))
        make = {name: lambda c=c, mode=mode: clients.run(c, mode, target.address, full, size, records, 0)
                for name, c, mode in modes}
        done(f"consume {label} flat out", measure(clients, runs, make))
        topics.delete(full)
    make = {c: lambda c=c: produce(c, 100, max(int(RATE * seconds), 1000), RATE) for c in clients.commands}
    done(f"produce 100 B at {RATE:,}/s", measure(clients, runs, make))
    return rows, observed


def main():
    arguments = script.parse(__doc__)
    which = arguments.which
    with script.folder(arguments, "client") as folder:
        print(machine.description(), flush=True)
        with tempfile.TemporaryDirectory() as classes, brokers.Weir(folder / "weir") as target:
            rows, observed = run_cases(target, Clients(classes), SCALES[which])
    print()
    results.print_rows(rows)
    runs, megabytes, seconds = SCALES[which]
    settings = {"size": which, "runs": runs, "megabytes": megabytes, "seconds at the fixed rate": seconds,
                "partitions": brokers.PARTITIONS, "batch bytes": 65536, "linger ms": 5, "acks": "all", "idempotent": True,
                "compression": "none", "observed": observed}
    results.finish("client", arguments, settings, rows, which in ("quick", "tiny"))


if __name__ == "__main__":
    main()
