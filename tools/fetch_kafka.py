#!/usr/bin/env python3
"""Fetches the jars of Apache Kafka 4.3.1, a peer and oracle of the tests, and prints the folder they are in.

usage: fetch_kafka.py [--write-list]

The jars go to ${XDG_CACHE_HOME:-~/.cache}/weir/kafka-4.3.1 and never into the tree. Each must be named in
tools/kafka-4.3.1.sha256 with its SHA-256, and nothing else may be there; --write-list makes that list from what Maven
fetched, for a person to read and commit when the version changes. Needs `mvn` and the network once.
"""
import argparse
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

VERSION = "4.3.1"
ATTEMPTS = 3
LIST = Path(__file__).resolve().with_name(f"kafka-{VERSION}.sha256")
ARTIFACTS = [  # group, artifact, version, classifier
    ("org.apache.kafka", "kafka_2.13", VERSION, ""),
    ("org.apache.kafka", "kafka-tools", VERSION, ""),
    ("org.apache.kafka", "kafka-streams", VERSION, ""),
    ("org.apache.kafka", "kafka-streams-test-utils", VERSION, ""),
    ("org.apache.kafka", "kafka-clients", VERSION, "test"),
    ("org.apache.kafka", "kafka-streams", VERSION, "test"),
    ("org.apache.kafka", "kafka-tools", VERSION, "test"),
    ("org.apache.kafka", "kafka_2.13", VERSION, "test"),
    ("org.apache.logging.log4j", "log4j-slf4j-impl", "2.25.1", ""),
    ("org.apache.logging.log4j", "log4j-core", "2.25.1", ""),
]


def folder():
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "weir" / f"kafka-{VERSION}"


def pom():
    rows = []
    for group, artifact, version, classifier in ARTIFACTS:
        kind = f"<classifier>{classifier}</classifier>" if classifier else ""
        rows.append(f"<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>"
                    f"<version>{version}</version>{kind}</dependency>")
    return ("<project><modelVersion>4.0.0</modelVersion><groupId>weir</groupId><artifactId>peers</artifactId>"
            f"<version>1</version><packaging>pom</packaging><dependencies>{''.join(rows)}</dependencies></project>")


def sums(where):
    return {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in sorted(where.glob("*.jar"))}


def wanted():
    lines = LIST.read_text().splitlines() if LIST.exists() else []
    return {name: digest for digest, name in (line.split() for line in lines if not line.startswith("#"))}


def differences(have, want):
    """What is wrong with a folder of jars, a line each; nothing if it is as listed."""
    missing = [f"{name}: missing" for name in want.keys() - have.keys()]
    extra = [f"{name}: not in {LIST.name}" for name in have.keys() - want.keys()]
    wrong = [f"{name}: sha256 {have[name]}, want {want[name]}" for name in have.keys() & want.keys() if have[name] != want[name]]
    return sorted(missing + extra + wrong)


def download(into):
    with tempfile.TemporaryDirectory() as scratch:
        Path(scratch, "pom.xml").write_text(pom())
        command = ["mvn", "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={into}"]
        for attempt in range(1, ATTEMPTS + 1):
            print(f"fetching Apache Kafka {VERSION} with Maven, attempt {attempt} of {ATTEMPTS}", file=sys.stderr, flush=True)
            done = subprocess.run(command, cwd=scratch, capture_output=True, text=True, timeout=900)
            if done.returncode == 0:
                return
        raise SystemExit(f"Apache Kafka {VERSION} cannot be fetched: {(done.stdout + done.stderr)[-1500:]}")


def fetch(write_list=False):
    """The folder with every jar as listed; fetched if it is not there."""
    target = folder()
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target.parent / f"{target.name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test runs may ask at once
        stamp = target / "verified"
        if not write_list and stamp.exists() and LIST.exists() and stamp.read_bytes() == LIST.read_bytes():
            return target
        if write_list or differences(sums(target), wanted()):
            shutil.rmtree(target, ignore_errors=True)
            if shutil.which("mvn") is None:
                raise SystemExit("Apache Kafka cannot be fetched: there is no mvn on the PATH; ./run setup test")
            download(target)
        if write_list:
            rows = [f"{digest}  {name}\n" for name, digest in sums(target).items()]
            LIST.write_text(f"# SHA-256 of the jars of Apache Kafka {VERSION} and what it needs; fetch_kafka.py checks them.\n" + "".join(rows))
        problems = differences(sums(target), wanted())
        if problems:
            raise SystemExit("Apache Kafka's jars are not those of the list:\n" + "\n".join(problems))
        stamp.write_bytes(LIST.read_bytes())
    return target


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--write-list", action="store_true", help="make the list anew from what Maven fetches")
    print(fetch(parser.parse_args().write_list))
