#!/usr/bin/env python3
"""What durability costs without sockets: the write-ahead log's space, appends over 1, 16 and 1,000 partitions, checkpoints.

usage: log.py [--quick | --tiny] [--folder DIR] [--out DIR] [--note TEXT] [--preset NAME]

    space        write + fdatasync into a file that grows, was allocated, was filled with zeros, was used before
    cycles       appends of ten records until each is durable, 1 or 100 of them under way at a time
    checkpoints  one append of 16 KiB at a time, while a checkpoint runs and while none does

The program bench/log_cost does the measuring; the peer of a row is the plainer way, or the smaller load.
"""
import json

from common import brokers, machine, results, script
from lib import proc

SCALES = {  # share of the writes, most partitions
    "default": (1.0, 1000),
    "quick": (0.2, 1000),
    "tiny": (0.002, 32),
}
SIZES = {4096: "4 KiB", 65536: "64 KiB", 1048576: "1 MiB"}


def part(lines, name):
    return [line for line in lines if line["part"] == name]


def space_rows(lines):
    measured = {(line["kind"], line["bytes"]): line for line in part(lines, "space")}
    print(results.table(["space", "write", "p50 us", "p99 us", "max us", "MB/s"],
                        [[k, SIZES[b], *(results.number(v[f]) for f in ("p50_us", "p99_us", "max_us", "mb_per_s"))]
                         for (k, b), v in measured.items()]), end="\n\n")
    peers = {"growing": "a growing file", "fallocate": "fallocate", "zero-filled": "a file filled with zeros, first use"}
    return [results.row("log", f"write + fdatasync of {SIZES[size]} into recycled space", "p99_us",
                        measured["recycled", size]["p99_us"], peers[kind], measured[kind, size]["p99_us"])
            for size in SIZES for kind in peers]


def cycle_rows(lines):
    measured = {(line["partitions"], line["waiting"]): line for line in part(lines, "cycles")}
    shown = ("p50_us", "p99_us", "max_us", "appends_per_s", "appends_per_cycle", "cpu_us")
    print(results.table(["partitions", "under way", "p50 us", "p99 us", "max us", "appends/s", "appends/cycle", "CPU us/append"],
                        [[f"{p:,}", w, *(results.number(v[f]) for f in shown)] for (p, w), v in measured.items()]), end="\n\n")
    rows = []
    for (partitions, waiting), line in measured.items():
        if partitions == 1:
            continue
        case = f"{waiting} append{'s' if waiting > 1 else ''} under way over {partitions:,} partitions"
        one = measured[1, waiting]
        peer = "weir, the same over 1 partition"
        rows.append(results.row("log", case, "p99_us", line["p99_us"], peer, one["p99_us"]))
        rows.append(results.row("log", case, "records_per_s", line["appends_per_s"] * line["records"], peer,
                                one["appends_per_s"] * one["records"]))
        rows.append(results.row("log", case, "cpu_s_per_million", line["cpu_us"] / line["records"], peer,
                                one["cpu_us"] / one["records"]))
    return rows


def checkpoint_rows(lines):
    measured = {(line["partitions"], line["what"]): line for line in part(lines, "checkpoint")}
    named = {"during": "append while a checkpoint runs", "without": "append while none runs",
             "checkpoint": "the checkpoint itself"}
    print(results.table(["what", "partitions", "count", "p50 us", "p99 us", "max us"],
                        [[named[what], f"{p:,}", v["count"], *(results.number(v[f]) for f in ("p50_us", "p99_us", "max_us"))]
                         for (p, what), v in measured.items()]), end="\n\n")
    return [results.row("log", f"append of 16 KiB while a checkpoint of {p:,} partition{'s' if p > 1 else ''} runs", "p99_us",
                        line["p99_us"], "weir, while none runs", measured[p, "without"]["p99_us"])
            for (p, what), line in measured.items() if what == "during" and line["count"] and measured[p, "without"]["count"]]


def main():
    arguments = script.parse(__doc__)
    which = arguments.which
    with script.folder(arguments, "log") as folder:
        kind, _ = machine.file_system(folder)
        print(f"{machine.description()}\nfile system {kind} (whether a virtual disk's flush is honest cannot be told from "
              "inside)\n", flush=True)
        done = proc.run([brokers.program("log_cost"), folder, *SCALES[which]], deadline_s=900)
    lines = [json.loads(line) for line in done.out.splitlines()]
    rows = space_rows(lines) + cycle_rows(lines) + checkpoint_rows(lines)
    results.print_rows(rows)
    settings = {"size": which, "scale": SCALES[which][0], "file system": kind, "observed": lines}
    results.finish("log", arguments, settings, rows, which != "default")


if __name__ == "__main__":
    main()
