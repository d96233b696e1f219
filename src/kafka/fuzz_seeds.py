#!/usr/bin/env python3
"""Writes seeds for the fuzz targets from the golden files.

usage: fuzz_seeds.py TESTDATA OUT

Makes OUT/message_fuzz, OUT/batch_fuzz and OUT/decompress_fuzz, one small file a seed, thinned to a few hundred.
"""
import json
import subprocess
import sys
from pathlib import Path

EVERY = 9  # of the golden messages, so that a corpus stays small


def rows(path):
    text = subprocess.run(["zstd", "-dcq", str(path)], check=True, capture_output=True).stdout
    return [json.loads(line) for line in text.splitlines()]


def write(folder, name, data):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def main():
    testdata, out = Path(sys.argv[1]), Path(sys.argv[2])
    # The target counts messages in the order of the golden file: requests and responses by key, then records by name.
    order, lowest = {}, {}
    messages = rows(testdata / "messages.jsonl.zst")
    for row in messages:
        key = (row["api"], row["kind"] != "request")
        lowest[key] = min(lowest.get(key, row["version"]), row["version"])
    order = {key: n for n, key in enumerate(sorted(lowest))}
    for n, row in enumerate(messages[::EVERY]):
        key = (row["api"], row["kind"] != "request")
        head = order[key].to_bytes(2, "big") + (row["version"] - lowest[key]).to_bytes(2, "big")
        write(out / "message_fuzz", f"{n:04}", head + bytes.fromhex(row["hex"]))
    codecs = ["none", "gzip", "snappy", "lz4", "zstd"]
    for n, row in enumerate(r for r in rows(testdata / "batches.jsonl.zst") if "hex" in r):
        batch = bytes.fromhex(row["hex"])
        write(out / "batch_fuzz", f"{n:04}", bytes([1, 0]) + batch)
        codec = codecs.index(row.get("codec", "none"))
        write(out / "decompress_fuzz", f"{n:04}", bytes([codec]) + batch[61:])


if __name__ == "__main__":
    main()
