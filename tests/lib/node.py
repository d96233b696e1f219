"""Kafka clients and Avro of Node.js: exact versions from npm, installed on the first use into a cache outside the tree."""
import os
import shutil
import subprocess
import unittest
from pathlib import Path

PACKAGES = {"kafkajs": "2.2.4", "@platformatic/kafka": "1.35.0", "avsc": "5.7.9"}
SCRIPTS = Path(__file__).resolve().parent.parent / "node"
OLDEST_NODE = (20, 19, 4)


def command(script, *args, packages=None, folder="node-clients"):
    """The command line of tests/node/SCRIPT, with its packages; unittest.SkipTest if they cannot be had."""
    packages = packages or PACKAGES
    if not shutil.which("node") or not shutil.which("npm"):
        raise unittest.SkipTest("no node and npm")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if tuple(map(int, version.lstrip("v").split(".")[:3])) < OLDEST_NODE:
        raise unittest.SkipTest(f"node {version} is older than the clients need")
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "weir" / folder
    marker = folder / ("-".join(f"{name}@{v}" for name, v in packages.items()).replace("/", "+"))
    if not marker.exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text('{"private": true}\n')
        done = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--save-exact",
                               *(f"{name}@{v}" for name, v in packages.items())], cwd=folder, capture_output=True, text=True)
        if done.returncode:
            raise unittest.SkipTest(f"npm install failed: {done.stderr[-500:]}")
        marker.touch()
    # Packages are found beside the script that asks for them.
    shutil.copy(SCRIPTS / script, folder / script)
    return ["node", folder / script, *args]
