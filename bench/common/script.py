"""What every benchmark script does around its measuring: options, a folder on a disk, results."""
import argparse
import contextlib
import os
import shutil

from common import brokers, machine, results


def parse(doc, sizes=("quick", "tiny"), more=None):
    """The arguments, with `which` of `sizes` or "default"; the preset is chosen, signals end the run cleanly. `more` adds
    arguments to the parser."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    size = parser.add_mutually_exclusive_group()
    for name in sizes:
        size.add_argument(f"--{name}", dest="which", action="store_const", const=name, default="default")
    parser.add_argument("--folder", help="where the data goes; must be on a disk (build/bench-data)")
    results.add_arguments(parser)
    if more:
        more(parser)
    arguments = parser.parse_args()
    brokers.use_preset(arguments.preset)
    brokers.end_cleanly()
    return arguments


@contextlib.contextmanager
def folder(arguments, name):
    """A folder on a disk, removed at the end."""
    path = machine.data_folder(arguments.folder) / f"{name}-{os.getpid()}"
    path.mkdir()
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
