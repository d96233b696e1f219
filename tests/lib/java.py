"""The Java programs of tests/java, compiled against Kafka's jars."""
import shutil
import tempfile
import unittest
from pathlib import Path

from lib import kafka, proc

SOURCES = Path(__file__).resolve().parent.parent / "java"


def classes():
    """A folder with the classes of tests/java, compiled now, to be removed by the caller; unittest.SkipTest without a compiler."""
    if shutil.which("javac") is None:
        raise unittest.SkipTest("javac is not there")
    folder = tempfile.mkdtemp(prefix="weir-java-")
    proc.run(["javac", "-cp", f"{kafka.jars()}/*", "-d", folder, *sorted(SOURCES.glob("*.java"))])
    return folder


def command(main, folder, *args):
    """The command line that runs a class of that folder."""
    line = kafka.java(main, *args)
    line[line.index("-cp") + 1] += f":{folder}"
    return line
