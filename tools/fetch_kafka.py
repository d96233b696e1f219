#!/usr/bin/env python3
"""Fetches the jars of Apache Kafka 4.3.1, a peer and oracle of the tests, and prints the folder they are in.

usage: fetch_kafka.py [--write-list]

The jars go to ${XDG_CACHE_HOME:-~/.cache}/weir/kafka-4.3.1 and never into the tree. Each must be named in
tools/kafka-4.3.1.sha256 with its SHA-256, and nothing else may be there; --write-list makes that list from what Maven
fetched, for a person to read and commit when the version changes. Needs `mvn` and the network once.
"""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from jars import JarSet

VERSION = "4.3.1"
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
KAFKA = JarSet("Apache Kafka", "kafka", VERSION, ARTIFACTS)
fetch = KAFKA.fetch

if __name__ == "__main__":
    KAFKA.main()
