"""Brokers under measurement, the load generator, and Kafka's own performance tools."""
import json
import re
import shutil
import signal
import subprocess

from common import ROOT
from lib import kafka, proc

KAFKA = "Apache Kafka 4.3.1"
PARTITIONS = 6
TOOL_HEAP = "512m"
_preset = "release"


def use_preset(name):
    """Measurements take the release preset; the test suite runs what it has built."""
    global _preset
    _preset = name


def end_cleanly():
    """SIGTERM and SIGINT end a benchmark through its `with` and `finally`, so that no broker and no data is left."""
    def stop(number, _frame):
        raise SystemExit(128 + number)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)


def program(name):
    """The path of a program of the preset, as CMake registered it."""
    listing = ROOT / "build" / _preset / "programs.txt"
    for line in listing.read_text().splitlines() if listing.exists() else ():
        kind, found, path = line.split(" ", 2)
        if found == name and kind in ("program", "bench"):
            return path
    raise SystemExit(f"{name}: not a program of the preset {_preset}; ./run build {_preset}")


def load(mode, address, topic, *args, deadline_s=600):
    """One run of the load generator; its report as a dictionary."""
    done = proc.run([program("load"), mode, "--bootstrap", address, "--topic", topic, *args], deadline_s=deadline_s)
    return json.loads(done.out)


def start_load(mode, address, topic, *args):
    """The same, begun and not waited for; see load_report."""
    return subprocess.Popen([program("load"), mode, "--bootstrap", address, "--topic", topic, *map(str, args)],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def load_report(process, deadline_s=120):
    try:
        out, err = process.communicate(timeout=deadline_s)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    if process.returncode:
        raise SystemExit(f"load: {err.strip()}")
    return json.loads(out)


def weir_command(data, port=0):
    return [program("weir"), "broker", "--data", data, "--listen", f"127.0.0.1:{port}"]


class Target:
    """A broker or a cluster that is measured. `topic_settings` go to every topic made on it."""

    def __init__(self, name, address, pids, topic_settings=None):
        self.name, self.address, self.pids, self.topic_settings = name, address, pids, topic_settings or {}


class Weir(Target):
    """`weir broker` over a folder of its own. Use it in `with`."""

    def __init__(self, folder):
        self.process = proc.Process(weir_command(folder))
        match = self.process.wait_for_line(r"\blistening on ([\w.\-\[\]:]+?):(\d+)\b", 30)
        super().__init__("weir", f"127.0.0.1:{match.group(2)}", [self.process.pid])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stop()


class KafkaBroker(kafka.Kafka):
    """Kafka over a folder that is thrown away at the end, not closed cleanly."""

    def __init__(self, folder, brokers=1, heap="1G"):
        folder.mkdir(parents=True)
        super().__init__(brokers=brokers, heap=heap, folder=folder)

    @property
    def pids(self):
        return [p.pid for p in self.processes]

    def stop(self):
        for process in self.processes:
            process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class Topics:
    """Makes and removes topics on a target, by librdkafka."""

    def __init__(self, target):
        from confluent_kafka.admin import AdminClient
        self._target, self._admin = target, AdminClient({"bootstrap.servers": target.address, "log_level": 2})

    def create(self, name, replicas=1, partitions=PARTITIONS, settings=None):
        from confluent_kafka.admin import NewTopic
        topic = NewTopic(name, partitions, replicas, config={**self._target.topic_settings, **(settings or {})})
        for made in self._admin.create_topics([topic], operation_timeout=30).values():
            made.result()

    def delete(self, name):
        for gone in self._admin.delete_topics([name], operation_timeout=30).values():
            gone.result()


def producer_performance(address, topic, records, size, rate=-1, deadline_s=600, least=1.0):
    """Kafka's ProducerPerformance with its defaults and acks=all: {"records", "records_per_s", "p50_ms", "p99_ms"}.

    least: the part of the records that must arrive; the others have failed by their delivery timeout."""
    command = kafka.java("org.apache.kafka.tools.ProducerPerformance", "--topic", topic, "--num-records", records,
                         "--record-size", size, "--throughput", rate, "--bootstrap-server", address,
                         "--command-property", "acks=all", heap=TOOL_HEAP)
    said = proc.run(command, deadline_s=deadline_s).out
    last = said.strip().splitlines()[-1]
    match = re.search(r"^(\d+) records sent, ([\d.]+) records/sec .*?, ([\d.]+) ms avg latency, ([\d.]+) ms max latency, "
                      r"(\d+) ms 50th, (\d+) ms 95th, (\d+) ms 99th", last)
    if not match or int(match.group(1)) < records * least:
        raise SystemExit(f"ProducerPerformance: sent not {records} records; it said: {said[-2000:]}")
    return {"records": int(match.group(1)), "records_per_s": float(match.group(2)), "p50_ms": int(match.group(5)),
            "p99_ms": int(match.group(7))}


def consumer_performance(address, topic, records, group):
    """Kafka's ConsumerPerformance in a group that is new, from the beginning: {"records", "records_per_s"}, the time without the
    rebalance."""
    command = kafka.java("org.apache.kafka.tools.ConsumerPerformance", "--topic", topic, "--num-records", records, "--group", group,
                         "--bootstrap-server", address, "--timeout", 60_000, heap=TOOL_HEAP)
    said = proc.run(command, deadline_s=600).out
    names, figures = (line.split(", ") for line in said.strip().splitlines()[-2:])
    row = dict(zip(names, figures))
    # It may take a little more than it was asked for: what one poll brings is whole.
    read = int(row.get("data.consumed.in.nMsg", 0))
    if read < records:
        raise SystemExit(f"ConsumerPerformance: read {read} of {records} records; it said: {said[-2000:]}")
    return {"records": read, "records_per_s": float(row["fetch.nMsg.sec"])}
