#!/usr/bin/env python3
"""How long the whole program takes from its start to the first acknowledged record, and what it holds in memory when idle.

usage: start.py [--quick | --tiny] [--folder DIR] [--out DIR] [--note TEXT] [--preset NAME]

The clock begins before the process is made and ends when a client that was already trying has its record acknowledged.
    empty folder      weir makes its folder, the topic and its 10 partitions within that time; Kafka's folder is formatted before
    existing folder   10 partitions with data, stopped cleanly (SIGTERM)
    killed            the same folder after kill -9, with everything to be recovered
Kafka is started in the same run. Medians. Resident memory: ten idle seconds after the start over the existing folder, and the
same over a fresh one. Aims: 50 ms, 16 MiB.
"""
import shutil
import threading
import time
from pathlib import Path

from common import brokers, machine, results, script
from lib import kafka, ports, proc

TOPIC = "start"
PARTITIONS = 10
SIZES = {  # starts of weir and of Kafka, records in the existing folder, idle seconds
    "default": {"weir starts": 21, "kafka starts": 3, "records": 100_000, "idle_s": 10},
    "quick": {"weir starts": 11, "kafka starts": 1, "records": 20_000, "idle_s": 10},
    "tiny": {"weir starts": 1, "kafka starts": 1, "records": 500, "idle_s": 0.1},
}
PEER = f"{brokers.KAFKA}, -Xmx1G"
_pause = threading.Event()


class WeirStarts:
    """weir over a folder, started as often as asked."""

    name = "weir"

    def __init__(self, folder):
        self.folder, self.port = folder, ports.free_port()

    def make_empty(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def command(self):
        return brokers.weir_command(self.folder, self.port)


class KafkaStarts:
    """Kafka over a folder; the file of settings and its ports stay, the data may be made anew."""

    name = PEER

    def __init__(self, folder, settings=None):
        self.folder = folder
        folder.mkdir()
        made = kafka.Kafka(folder=folder, settings=settings)
        self.port, self.settings = made.ports[0], folder / "broker-1.properties"
        made.stop()

    def make_empty(self):
        shutil.rmtree(self.folder / "broker-1", ignore_errors=True)
        kafka.tool("StorageTool", "format", "--standalone", "-t", kafka.CLUSTER_ID, "-c", str(self.settings))

    def command(self):
        return kafka.java("kafka.Kafka", str(self.settings), heap="1G")


def start_once(target, create, topic=TOPIC, partitions=PARTITIONS):
    """The running process and the milliseconds to its first acknowledged record."""
    options = ("--create", "--partitions", partitions) if create else ()
    client = brokers.start_load("first", f"127.0.0.1:{target.port}", topic, *options)
    _pause.wait(0.1)  # the client tries by now; the clock does not run yet
    began = time.monotonic_ns()
    process = proc.Process(target.command())
    report = brokers.load_report(client)
    return process, (report["acknowledged_ns"] - began) / 1e6


def fill(target, records):
    """Ten partitions with data, over a fresh folder; stopped cleanly."""
    target.make_empty()
    process, _ = start_once(target, create=True)
    brokers.load("produce", f"127.0.0.1:{target.port}", TOPIC, "--rate", min(records, 20_000), "--seconds",
                 records / min(records, 20_000), "--warmup", 0)
    return process


def measure_empty(target, count, idle_s):
    took, resident = [], 0
    for number in range(count):
        target.make_empty()
        process, ms = start_once(target, create=True)
        took.append(ms)
        if number == count - 1:
            _pause.wait(idle_s)
            resident = machine.resident_mib([process.pid])
        process.stop(30)
    return took, resident


def measure_existing(target, count, idle_s, records):
    fill(target, records).stop(30)
    took, killed, resident = [], [], 0
    for number in range(count):
        process, ms = start_once(target, create=False)
        took.append(ms)
        if number == count - 1:
            _pause.wait(idle_s)
            resident = machine.resident_mib([process.pid])
        process.stop(30)
    for _ in range(count):
        process, _ = start_once(target, create=False)
        brokers.load("produce", f"127.0.0.1:{target.port}", TOPIC, "--rate", min(records, 20_000), "--seconds", 0.5, "--warmup", 0)
        process.kill()
        process, ms = start_once(target, create=False)
        killed.append(ms)
        process.stop(30)
    return took, killed, resident


def measure(target, size):
    count = size["weir starts" if target.name == "weir" else "kafka starts"]
    empty, fresh_mib = measure_empty(target, count, size["idle_s"])
    existing, killed, full_mib = measure_existing(target, count, size["idle_s"], size["records"])
    return {"empty": empty, "existing": existing, "killed": killed, "fresh_mib": fresh_mib, "full_mib": full_mib}


CASES = (("start_ms", "empty folder, a topic of 10 partitions is made", "empty"),
         ("start_ms", "existing folder, 10 partitions with data", "existing"),
         ("start_ms", "existing folder after kill -9", "killed"),
         ("rss_mib", "idle, 10 empty partitions", "fresh_mib"),
         ("rss_mib", "idle, 10 partitions with data", "full_mib"))


def main():
    arguments = script.parse(__doc__)
    which = arguments.which
    with script.folder(arguments, "start") as folder:
        probe = machine.sync_probe(folder, 100 if which == "tiny" else 1000)
        weir = measure(WeirStarts(folder / "weir"), SIZES[which])
        peer = measure(KafkaStarts(folder / "kafka"), SIZES[which])
    middle = [{k: results.median(v) if isinstance(v, list) else v for k, v in m.items()} for m in (weir, peer)]
    rows = [results.row("start", case, metric, middle[0][key], PEER, middle[1][key]) for metric, case, key in CASES]
    print(f"{machine.description()}\nwrite + fdatasync of 4 KiB: p50 {probe['p50_us']} us, p99 {probe['p99_us']} us")
    spread = {key: {"lowest": round(min(weir[key]), 2), "highest": round(max(weir[key]), 2)}
              for key in ("empty", "existing", "killed")}
    said = (f"{key} {v['lowest']} to {v['highest']}" for key, v in spread.items())
    print(f"weir, ms, lowest to highest: {', '.join(said)}\n")
    results.print_rows(rows)
    program = Path(brokers.program("weir"))
    settings = {"size": which, **SIZES[which], "partitions": PARTITIONS, "write and fdatasync of 4 KiB": probe,
                "weir ms": spread, "program MiB": round(program.stat().st_size / 2**20, 1)}
    results.finish("start", arguments, settings, rows, which != "default")


if __name__ == "__main__":
    main()
