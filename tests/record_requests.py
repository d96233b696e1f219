#!/usr/bin/python3
"""Records what real clients send, anew: tests/testdata/recorded/CLIENT.jsonl. usage: record_requests.py

A proxy stands between each client and `weir broker`. Of every API and version a client's first two different requests
are kept, if they are not too long. Run it when a client or its version changes, or when the broker serves more.
"""
import json
import struct
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from lib import kafka, proc, recorder  # noqa: E402
from lib.broker import WeirBroker  # noqa: E402

OUT = Path(__file__).resolve().parent / "testdata" / "recorded"
LONGEST = 700
EACH = 2


def kcat(address):
    def run(*args, stdin=""):
        proc.run(["kcat", "-b", address, *args], stdin=stdin)

    run("-L")
    run("-P", "-t", "plain", "-K", ":", "-H", "h=v", stdin="k:v\n")
    run("-P", "-t", "plain", "-z", "gzip", "-X", "enable.idempotence=true", stdin="v\n" * 40)
    run("-C", "-t", "plain", "-e", "-q")
    run("-C", "-t", "plain", "-o", "s@1700000000000", "-e", "-q")


def confluent(address):
    from confluent_kafka import Consumer, Producer, TopicPartition
    from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic
    settings = {"bootstrap.servers": address}
    admin = AdminClient(settings)
    admin.create_topics([NewTopic("made", 2, 1, config={"retention.ms": "-1"})])["made"].result(20)
    admin.create_partitions([NewPartitions("made", 3)])["made"].result(20)
    resource = ConfigResource(ConfigResource.Type.TOPIC, "made", set_config={"retention.ms": "1000"})
    admin.describe_configs([resource])[resource].result(20)
    admin.alter_configs([resource])[resource].result(20)
    producer = Producer({**settings, "enable.idempotence": True, "compression.type": "zstd"})
    producer.produce("made", "value " * 20, "key", partition=0)
    producer.flush(20)
    consumer = Consumer({**settings, "group.id": "g", "enable.auto.commit": False})
    consumer.get_watermark_offsets(TopicPartition("made", 0), 20)
    consumer.offsets_for_times([TopicPartition("made", 0, 1700000000000)], 20)
    consumer.assign([TopicPartition("made", 0, 0)])
    consumer.consume(1, 20)
    consumer.close()
    admin.delete_topics(["made"])["made"].result(20)


def kafka_clients(address):
    def tool(name, *args, **more):
        kafka.tool(name, "--bootstrap-server", address, *args, **more)

    topic = ["--entity-type", "topics", "--entity-name", "made"]
    tool("TopicCommand", "--create", "--topic", "made", "--partitions", "2", "--config", "retention.ms=-1")
    tool("TopicCommand", "--alter", "--topic", "made", "--partitions", "3")
    tool("TopicCommand", "--describe", "--topic", "made")
    tool("ConfigCommand", "--alter", "--add-config", "retention.ms=1000", *topic)
    tool("ConfigCommand", "--describe", *topic)
    tool("ConsoleProducer", "--topic", "made", "--compression-codec", "lz4", stdin="a\nb\n")
    for partition in "012":
        tool("ConsoleConsumer", "--topic", "made", "--partition", partition, "--offset", "earliest", "--max-messages", "1",
             "--timeout-ms", "2000", expect=None)
    tool("GetOffsetShell", "--topic", "made")
    tool("LogDirsCommand", "--describe", "--topic-list", "made")
    tool("BrokerApiVersionsCommand")
    tool("TopicCommand", "--delete", "--topic", "made")


def record(name, drive):
    rows, seen = [], {}
    with recorder.Recorder() as proxy, tempfile.TemporaryDirectory() as folder:
        with WeirBroker(folder, ["--set", f"advertised.listeners=PLAINTEXT://127.0.0.1:{proxy.port}"]) as broker:
            proxy.target_port = broker.port
            drive(f"127.0.0.1:{proxy.port}")
    for frame in proxy.frames:
        key = struct.unpack_from(">hh", frame)
        kept = seen.setdefault(key, [])
        body = frame[8:]
        if len(frame) > LONGEST or len(kept) == EACH or body in kept:
            continue
        kept.append(body)
        rows.append({"api": key[0], "version": key[1], "hex": frame.hex()})
    rows.sort(key=lambda row: (row["api"], row["version"], len(row["hex"])))
    OUT.mkdir(parents=True, exist_ok=True)
    with open(OUT / f"{name}.jsonl", "w", encoding="ascii") as out:
        for row in rows:
            out.write(json.dumps(row) + "\n")
    print(f"{name}: {len(rows)} requests of {len(seen)} versions, {len({key[0] for key in seen})} APIs")


if __name__ == "__main__":
    record("kcat-1.7.1", kcat)
    record("confluent-kafka-1.7.0", confluent)
    record("kafka-clients-4.3.1", kafka_clients)
