#!/usr/bin/env python3
"""Fetches the jars of Apache Avro 1.12.2 for Java, an oracle of the tests, and prints the folder they are in.

usage: fetch_avro.py [--write-list]

See tools/jars.py for where they go and how they are checked.
"""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from jars import JarSet

AVRO = JarSet("Apache Avro", "avro", "1.12.2", [("org.apache.avro", "avro", "1.12.2", "")])
fetch = AVRO.fetch

if __name__ == "__main__":
    AVRO.main()
