#!/usr/bin/env python3
"""Transactions on weir's broker and on Apache Kafka: of 1, 100 and 10,000 records, 1 to 16 producers, 1, 16 and 1,000 partitions.

usage: transactions.py [--quick | --tiny] [--folder DIR] [--out DIR] [--note TEXT] [--preset NAME]

The same Java program (transactions/TransactionLoad.java, Kafka's own client) runs against both. Its producers begin, send, commit
and begin again, without a pause; every topic is new. weir syncs what a transaction wrote, its prepare and its markers before
commit returns; Kafka, with its defaults, has them in the page cache. Runs alternate, the first of each is dropped, medians of
the rest. The latency is that of a whole transaction. CPU is that of the broker's process.
"""
import contextlib
import json
import os
import tempfile
import threading

from common import ROOT, brokers, machine, results, script
from lib import kafka, proc

PEER = f"{brokers.KAFKA}, page cache (defaults)"
SETTLE_S = 0.5
#        records, partitions, producers
CASES = ((1, 16, 1), (1, 16, 16), (100, 16, 1), (100, 16, 16), (10_000, 16, 1), (10_000, 16, 4), (100, 1, 1), (100, 1, 16),
         (100, 1_000, 1), (10_000, 1_000, 1))
SIZES = {"default": {"runs": 3, "seconds": 5, "warm": 2, "cases": CASES},
         "quick": {"runs": 1, "seconds": 3, "warm": 1, "cases": CASES},
         "tiny": {"runs": 1, "seconds": 1, "warm": 0.2, "cases": CASES[:1] + CASES[2:3]}}
_pause = threading.Event()


class Load:
    """The Java program, compiled."""

    def __init__(self, classes):
        proc.run(["javac", "-cp", f"{kafka.jars()}/*", "-d", classes, ROOT / "bench" / "transactions" / "TransactionLoad.java"])
        self._classes = classes

    def run(self, target, topic, partitions, records, producers, size):
        line = kafka.java("TransactionLoad", target.address, topic, partitions, records, producers, size["seconds"], size["warm"],
                          heap=brokers.TOOL_HEAP)
        line[line.index("-cp") + 1] += f":{self._classes}"
        return json.loads(proc.run(line, deadline_s=300).out)


def measure(load, targets, topics, case, size):
    records, partitions, producers = case
    runs = {t.name: [] for t in targets}
    for number in range(size["runs"] + 1):
        for target in targets:
            topic = f"transactions-{records}-{partitions}-{producers}-{number}"
            topics[target.name].create(topic, partitions=partitions)
            os.sync()
            meter = machine.Meter(target.pids)
            figures = load.run(target, topic, partitions, records, producers, size)
            _pause.wait(SETTLE_S)
            meter.end()
            topics[target.name].delete(topic)
            if figures["transactions"] > 0 and number > 0:
                runs[target.name].append(figures | {
                    "records_per_s": figures["records"] / size["seconds"],
                    "transactions_per_s": figures["transactions"] / size["seconds"],
                    "cpu_per_million": meter.broker.total / (figures["all_records"] / 1e6)})
    return {name: {key: results.median([r[key] for r in figures]) for key in figures[0]} for name, figures in runs.items() if figures}


def run_cases(folder, size):
    rows, observed = [], {}
    with contextlib.ExitStack() as stack:
        load = Load(stack.enter_context(tempfile.TemporaryDirectory()))
        weir = stack.enter_context(brokers.Weir(folder / "weir"))
        peer = stack.enter_context(brokers.KafkaBroker(folder / "kafka"))
        targets = [weir, brokers.Target(PEER, peer.address, peer.pids)]
        topics = {t.name: brokers.Topics(t) for t in targets}
        for case in size["cases"]:
            records, partitions, producers = case
            name = f"produce transactions of {records:,}, {partitions:,} partitions, {producers} producers"
            middle = measure(load, targets, topics, case, size)
            shown = ("transactions_per_s", "records_per_s", "p50_us", "p99_us", "cpu_per_million")
            print(f"\n{name}\n" + results.table(["", "transactions/s", "records/s", "p50 us", "p99 us", "CPU s/M records"], [
                [target, *(results.number(m[k]) for k in shown)] for target, m in middle.items()]), flush=True)
            observed[name] = {target: {k: results.rounded(v) for k, v in m.items()} for target, m in middle.items()}
            if len(middle) < 2:
                continue
            for metric, key in (("records_per_s", "records_per_s"), ("p99_us", "p99_us"), ("cpu_s_per_million", "cpu_per_million")):
                if middle["weir"][key] > 0 and middle[PEER][key] > 0:
                    rows.append(results.row("transactions", name, metric, middle["weir"][key], PEER, middle[PEER][key]))
    return rows, observed


def main():
    arguments = script.parse(__doc__)
    size = SIZES[arguments.which]
    with script.folder(arguments, "transactions") as folder:
        probe = machine.sync_probe(folder, 100 if arguments.which == "tiny" else 1000)
        print(f"{machine.description()}\nwrite + fdatasync of 4 KiB: p50 {probe['p50_us']} us, p99 {probe['p99_us']} us", flush=True)
        rows, observed = run_cases(folder, size)
    print()
    results.print_rows(rows)
    settings = {"size": arguments.which, "runs": size["runs"], "seconds": size["seconds"], "record bytes": 100,
                "kafka heap": "1 GiB", "write and fdatasync of 4 KiB": probe, "observed": observed}
    results.finish("transactions", arguments, settings, rows, arguments.which != "default")


if __name__ == "__main__":
    main()
