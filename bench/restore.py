#!/usr/bin/env python3
"""How fast the state of a stream task comes back from its changelog: weir and Kafka Streams on one broker (weir's).

usage: restore.py [--quick | --tiny] [--folder DIR] [--out DIR] [--note TEXT] [--preset NAME]

One partition of records of 100 bytes (keys of 8 bytes in no order, each once) is restored into an empty RocksDB, in turns: by
weir in sorted runs, as long changelogs are; by weir in batches, as short ones are; and by Kafka Streams, as a table whose topic
is its changelog. The time is that from the beginning of the restore to its end, as each program says it; CPU is that of the
whole process, its start included.
"""
import contextlib
import tempfile

from common import brokers, machine, results, script
from common.results import median
from lib import kafka, proc
from streams import PEER, Applications

SIZES = {"default": (3, 5_000_000), "quick": (1, 2_000_000), "tiny": (1, 20_000)}  # runs, records
TOPIC, GROUP = "restore-rows", "restore"
WAYS = {"runs": "restore in sorted runs", "batches": "restore in batches"}
DEADLINE_S = 900


def commit_the_end(target, records):
    """A table is restored up to what its application has committed."""
    from confluent_kafka import Consumer, TopicPartition
    consumer = Consumer({"bootstrap.servers": target.address, "group.id": GROUP, "enable.auto.commit": False, "log_level": 2})
    consumer.commit(offsets=[TopicPartition(TOPIC, 0, records)], asynchronous=False)
    consumer.close()


def restore(apps, target, which, records, state):
    """One of them once; its figures."""
    if which == "java":
        command = apps.command("java", "restore", target.address, "at_least_once", state, GROUP)
    else:
        command = [brokers.program("restore_cost"), which, target.address, TOPIC, str(records), str(state)]
    process = proc.Process(command)
    try:
        # Once it has said so, it does nothing more, or ends.
        told = process.wait_for_line(r"^restored (\d+) (\d+) (\d+)$", DEADLINE_S)
        restored, took_ms, cpu_ms = (int(told[n]) for n in (1, 2, 3))
        if restored != records:
            raise SystemExit(f"{which}: {restored} of {records} records were restored")
        return {"records_per_s": records / max(took_ms, 1) * 1000, "cpu_per_million": cpu_ms / 1000 / records * 1e6}
    finally:
        process.stop()


def measure(apps, target, folder, size):
    runs, records = size
    brokers.Topics(target).create(TOPIC, partitions=1)
    proc.run([brokers.program("restore_cost"), "fill", target.address, TOPIC, str(records)], deadline_s=DEADLINE_S)
    commit_the_end(target, records)
    figures = {which: [] for which in (*WAYS, "java")}
    for number in range(runs):
        for which, found in figures.items():
            found.append(restore(apps, target, which, records, folder / f"{which}-{number}"))
    middle = {which: {key: median([r[key] for r in found]) for key in found[0]} for which, found in figures.items()}
    print(results.table(["", "records/s", "CPU s/million"],
                        [[label, results.number(middle[which]["records_per_s"]), results.number(middle[which]["cpu_per_million"])]
                         for which, label in (*WAYS.items(), ("java", PEER))]), flush=True)
    return [results.row("restore", title, metric, middle[which][key], PEER, middle["java"][key])
            for which, title in WAYS.items()
            for key, metric in (("records_per_s", "records_per_s"), ("cpu_per_million", "cpu_s_per_million"))]


def main():
    arguments = script.parse(__doc__)
    size = SIZES[arguments.which]
    with script.folder(arguments, "restore") as folder, contextlib.ExitStack() as stack:
        print(machine.description(), flush=True)
        apps = Applications(stack.enter_context(tempfile.TemporaryDirectory()))
        target = stack.enter_context(brokers.Weir(folder / "weir"))
        rows = measure(apps, target, folder, size)
    print()
    results.print_rows(rows)
    settings = {"size": arguments.which, "runs": size[0], "records": size[1], "value bytes": 92, "key bytes": 8, "state": "RocksDB",
                "java heap": "1 GiB"}
    results.finish("restore", arguments, settings, rows, arguments.which in ("quick", "tiny"))


if __name__ == "__main__":
    main()
