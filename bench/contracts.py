#!/usr/bin/env python3
"""What one order of 12 fields (154 bytes) costs to decode, to resolve from another schema, and to encode.

usage: contracts.py [--tiny] [--out DIR] [--note TEXT]

Ours: contract_bench (Google Benchmark), structs and views generated from src/contract/testdata/schemas/order.avsc, and generic
values; into objects that are used again. Beside it on the same machine: Apache Avro for Java (generic values, reused), for C
(libavro, generic values, reused; it cannot resolve), and fastavro. Each is warm, on one core. A metric `cpu_s_per_million` is
microseconds a record. Then what a registry answers in a second of CPU (requests to its REST API, without a
socket), what it costs that a record names its schema, and how much longer a source takes to compile that includes a generated header of
5, 50 and 200 fields. Aims: decode at most 0.06 borrowed, resolve 0.17, encode 0.08; 20,000 look-ups.
"""
import argparse
import io
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import ROOT, brokers, results

sys.path.insert(0, str(ROOT / "tests"))
from lib import avro, proc  # noqa: E402
from lib.avro_random import for_fastavro  # noqa: E402

SCHEMAS = ROOT / "src" / "contract" / "testdata" / "schemas"
CASES = {  # case -> our benchmark, what a peer calls it
    "decode, generated view": ("generated_same_schema/view", "decode"),
    "decode, generated struct": ("generated_same_schema/owned", "decode"),
    "decode, generic borrowed": ("generic_same_schema/borrow:1", "decode"),
    "resolve, generated view": ("generated_resolved/view", "resolve"),
    "resolve, generated struct": ("generated_resolved/owned", "resolve"),
    "resolve, generic borrowed": ("generic_resolved/borrow:1", "resolve"),
    "encode, generated view": ("generated_encode/view", "encode"),
    "encode, generated struct": ("generated_encode/owned", "encode"),
    "encode, generic": ("generic_encode", "encode"),
}


def ours(program, seconds, repetitions):
    """{benchmark of that program: median CPU nanoseconds}."""
    done = proc.run([brokers.program(program), f"--benchmark_min_time={seconds}", "--benchmark_format=json",
                     f"--benchmark_repetitions={repetitions}"], deadline_s=1200, cwd=ROOT)
    times = {}
    for run in json.loads(done.out)["benchmarks"]:
        if run["run_type"] == "iteration":
            times.setdefault(run["run_name"], []).append(run["cpu_time"])
    return {name: results.median(values) for name, values in times.items()}


def encoded(writer, order):
    out, schema = io.BytesIO(), json.loads(writer)
    avro.fastavro().schemaless_writer(out, schema, for_fastavro(schema, order))
    return out.getvalue().hex()


def fastavro(writer, earlier, data, earlier_data, seconds):
    module = avro.fastavro()
    parsed, old = module.parse_schema(json.loads(writer)), module.parse_schema(json.loads(earlier))
    value = module.schemaless_reader(io.BytesIO(data), parsed)

    def measure(step):
        count, began = 0, time.process_time()
        while time.process_time() - began < seconds:
            for _ in range(100):
                step()
            count += 100
        return (time.process_time() - began) / count * 1e9

    return {"decode": measure(lambda: module.schemaless_reader(io.BytesIO(data), parsed)),
            "resolve": measure(lambda: module.schemaless_reader(io.BytesIO(earlier_data), old, parsed)),
            "encode": measure(lambda: module.schemaless_writer(io.BytesIO(), parsed, value))}


def java(writer, earlier, data, earlier_data, seconds, folder):
    jars = avro.jars()
    proc.run(["javac", "-cp", f"{jars}/*", "-d", folder, ROOT / "bench" / "contracts" / "AvroBench.java"])

    def run(of, reader, hex_text):
        return json.loads(proc.run(["java", "-Xmx512m", "-Dslf4j.internal.verbosity=ERROR", "-cp", f"{jars}/*:{folder}", "AvroBench",
                                    of, reader, hex_text, seconds], deadline_s=600).out)

    same = run(writer, writer, data)
    return {"decode": same["decode"], "encode": same["encode"], "resolve": run(earlier, writer, earlier_data)["resolve"]}


def compile_cost(folder):
    """Seconds of CPU that including a generated header costs more than an empty source, and than one with <weir/topic.h>."""
    kinds = ["string", "long", "double", ["null", "string"], {"type": "long", "logicalType": "timestamp-millis"},
             {"type": "array", "items": "string"}, "int", {"type": "map", "values": "long"}]
    sizes = (5, 50, 200)
    for size in sizes:
        schema = {"type": "record", "name": f"Wide{size}", "namespace": "w",
                  "fields": [{"name": f"field_{n}", "type": kinds[n % len(kinds)]} for n in range(size)]}
        (folder / f"wide{size}.avsc").write_text(json.dumps(schema))
    generator = Path(brokers.program("weir")).parents[2] / "src" / "contract" / "contract_generate"
    proc.run([generator, folder, *(folder / f"wide{size}.avsc" for size in sizes)])

    def seconds(include):
        (folder / "one.cc").write_text(f"{include}\nint main() {{}}\n")
        best = 1e9
        for _ in range(5):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(["g++", "-std=c++20", "-O1", f"-I{ROOT}/include", f"-I{folder}", "-c", folder / "one.cc", "-o", "/dev/null"], check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            best = min(best, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
        return best

    empty, topic = seconds(""), seconds("#include <weir/topic.h>")
    costs = {size: seconds(f'#include <weir/topic.h>\n#include "w/wide{size}.h"') - topic for size in sizes}
    alone = {size: seconds(f'#include "w/wide{size}.h"') - empty for size in sizes}
    return {"beside <weir/topic.h>": {f"{size} fields": round(cost, 3) for size, cost in costs.items()},
            "alone": {f"{size} fields": round(cost, 3) for size, cost in alone.items()}}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="prove that it runs")
    results.add_arguments(parser)
    arguments = parser.parse_args()
    brokers.use_preset(arguments.preset)
    seconds, repetitions = (0.01, 1) if arguments.tiny else (0.5, 5)
    writer, earlier = (SCHEMAS / "order.avsc"), (SCHEMAS / "earlier-order.avsc")
    order = json.loads((SCHEMAS / "order.json").read_text())
    data = encoded(writer.read_text(), order)
    older = {key: value for key, value in order.items() if key != "currency"} | {"clerk": "cl-77"}
    earlier_data = encoded(earlier.read_text(), older)
    mine = ours("contract_bench", seconds, repetitions)
    look_ups = {name: round(1e9 / ns) for name, ns in ours("registry_bench", seconds, repetitions).items()}
    serde = {name: round(ns, 1) for name, ns in ours("serde_bench", seconds, repetitions).items()}
    peers = {"fastavro 1.13.1": fastavro(writer.read_text(), earlier.read_text(), bytes.fromhex(data), bytes.fromhex(earlier_data), seconds)}
    with tempfile.TemporaryDirectory() as name:
        peers["Apache Avro 1.12.2 for Java"] = java(writer, earlier, data, earlier_data, seconds, Path(name))
        costs = compile_cost(Path(name))
    peers["Apache Avro for C"] = json.loads(proc.run([brokers.program("contracts_libavro"), writer, data, seconds]).out)
    rows = [results.row("contracts", case, "cpu_s_per_million", mine[benchmark] / 1000, peer, times[step] / 1000)
            for case, (benchmark, step) in CASES.items() for peer, times in peers.items() if step in times]
    results.print_rows(rows)
    for where, by_size in costs.items():
        print(f"a generated header costs, {where}: " + ", ".join(f"{size} {cost} s" for size, cost in by_size.items()))
    print("the registry answers, in a second of CPU: " + ", ".join(f"{name} {n:,}" for name, n in look_ups.items()))
    print("ns of a record with and without a registry: " + ", ".join(f"{name} {ns}" for name, ns in serde.items()))
    settings = {"size": "tiny" if arguments.tiny else "default", "bytes of the order": len(data) // 2,
                "observed": {"ns of ours": {name: round(value, 1) for name, value in mine.items()},
                             "answers of the registry in a second of CPU": look_ups,
                             "ns of a record with and without a registry": serde,
                             "seconds more to compile with a generated header": costs}}
    results.finish("contracts", arguments, settings, rows, arguments.tiny)


if __name__ == "__main__":
    main()
