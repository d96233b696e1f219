#!/usr/bin/env python3
"""What much data and many connections cost: restarts over 10 GB, and the memory of 10,000 idle connections; Kafka's beside it.

usage: scale.py [--quick | --tiny] [--folder DIR] [--out DIR] [--note TEXT] [--preset NAME]

A topic of 16 partitions, and then one of 1,000, is filled with 10 GB by Kafka's ProducerPerformance (1 KiB records, flat out).
    clean     SIGTERM, then the time from the start of the process to the first acknowledged record of a client that was trying
    unclean   the same after kill -9 under load
Both brokers over data of their own, one after the other, so that 12 GB of disk are enough. What the page cache holds of the data
is left as it is: the folder was written just before. Aims: 1 s clean, 3 s unclean.
Connections: each says what it is (ApiVersions) and is idle then; the broker's resident memory before and after.
"""
import os
import resource
import shutil
import socket
import struct
import threading

from common import brokers, machine, results, script
from start import PEER, KafkaStarts, WeirStarts, start_once

RECORD_BYTES = 1024
SIZES = {  # GB of data, partitions, starts of each kind, connections
    "default": {"gb": 10, "partitions": (16, 1_000), "starts": 3, "connections": 10_000},
    "quick": {"gb": 2, "partitions": (16,), "starts": 1, "connections": 10_000},
    "tiny": {"gb": 0.002, "partitions": (4,), "starts": 1, "connections": 50},
}
_pause = threading.Event()


def start(target, topic):
    """The running process and the milliseconds to its first acknowledged record."""
    return start_once(target, create=False, topic=topic)


def fill(target, topic, partitions, gb):
    target.make_empty()
    machine.wait_until_calm(target.folder.parent)
    process, _ = start_once(target, create=True, topic="ready", partitions=1)
    address = f"127.0.0.1:{target.port}"
    brokers.Topics(brokers.Target(target.name, address, [process.pid])).create(topic, partitions=partitions)
    brokers.producer_performance(address, topic, int(gb * 1e9 / RECORD_BYTES), RECORD_BYTES, deadline_s=1800, least=0.99)
    return process


def restarts(target, partitions, size):
    topic = f"scale-{partitions}"
    fill(target, topic, partitions, size["gb"]).stop(120)
    clean, unclean = [], []
    for _ in range(size["starts"]):
        process, ms = start(target, topic)
        clean.append(ms)
        process.stop(120)
    for _ in range(size["starts"]):
        process, _ = start(target, topic)
        brokers.load("produce", f"127.0.0.1:{target.port}", topic, "--rate", 20_000, "--seconds", 2, "--warmup", 0)
        process.kill()
        process, ms = start(target, topic)
        unclean.append(ms)
        process.stop(120)
    target.make_empty()
    print(f"{target.name}, {partitions:,} partitions: clean {[round(v) for v in clean]} ms, unclean {[round(v) for v in unclean]} ms",
          flush=True)
    return results.median(clean), results.median(unclean)


def idle_connections(target, count):
    """MiB that the connections take."""
    target.make_empty()
    process, _ = start_once(target, create=True, topic="ready", partitions=1)
    _pause.wait(1)
    before = machine.resident_mib([process.pid])
    request = struct.pack(">hhih5s", 18, 0, 1, 5, b"bench")
    sockets = []
    try:
        for _ in range(count):
            sock = socket.create_connection(("127.0.0.1", target.port), timeout=30)
            sock.sendall(struct.pack(">i", len(request)) + request)
            sockets.append(sock)
        for sock in sockets:
            size, = struct.unpack(">i", sock.recv(4, socket.MSG_WAITALL))
            sock.recv(size, socket.MSG_WAITALL)
        _pause.wait(1)
        return machine.resident_mib([process.pid]) - before
    finally:
        for sock in sockets:
            sock.close()
        process.stop(120)


def raise_descriptor_limit(count):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < count + 100:
        raise SystemExit(f"scale: {count} connections need as many descriptors, the limit is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count + 100), hard))


def main():
    arguments = script.parse(__doc__)
    size = SIZES[arguments.which]
    raise_descriptor_limit(size["connections"])
    rows = []
    with script.folder(arguments, "scale") as folder:
        if shutil.disk_usage(folder).free < size["gb"] * 1.3e9:
            raise SystemExit(f"scale: {folder} has no room for {size['gb']} GB")
        targets = [WeirStarts(folder / "weir"), KafkaStarts(folder / "kafka", {"connections.max.idle.ms": "600000"})]
        for partitions in size["partitions"]:
            weir, peer = (restarts(target, partitions, size) for target in targets)
            case = f"{size['gb']} GB in {partitions:,} partitions"
            for what, ours, theirs in zip(("clean", "unclean"), weir, peer):
                rows.append(results.row("scale", f"restart {what}, {case}", "start_ms", ours, PEER, theirs))
        ours, theirs = (idle_connections(target, size["connections"]) for target in targets)
        rows.append(results.row("scale", f"{size['connections']:,} idle connections", "rss_mib", max(ours, 0.01), PEER,
                                max(theirs, 0.01)))
        os.sync()
    print()
    results.print_rows(rows)
    settings = {"size": arguments.which, "gb": size["gb"], "starts": size["starts"], "record bytes": RECORD_BYTES}
    results.finish("scale", arguments, settings, rows, arguments.which != "default")


if __name__ == "__main__":
    main()
