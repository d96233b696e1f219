"""Jars of a peer: fetched with Maven on the first use into a cache outside the tree, each checked against a pinned list."""
import argparse
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ATTEMPTS = 3


def sums(where):
    return {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in sorted(where.glob("*.jar"))}


def differences(have, want, listed_in):
    """What is wrong with a folder of jars, a line each; nothing if it is as listed."""
    missing = [f"{name}: missing" for name in want.keys() - have.keys()]
    extra = [f"{name}: not in {listed_in}" for name in have.keys() - want.keys()]
    wrong = [f"{name}: sha256 {have[name]}, want {want[name]}" for name in have.keys() & want.keys() if have[name] != want[name]]
    return sorted(missing + extra + wrong)


class JarSet:
    """The jars of `artifacts` [(group, artifact, version, classifier)] and what they need, in the cache folder NAME-VERSION.

    Each must be named in tools/NAME-VERSION.sha256, and nothing else may be there.
    """

    def __init__(self, title, name, version, artifacts):
        self.title, self.artifacts = f"{title} {version}", artifacts
        self.list = Path(__file__).resolve().with_name(f"{name}-{version}.sha256")
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        self.folder = cache / "weir" / f"{name}-{version}"

    def wanted(self):
        lines = self.list.read_text().splitlines() if self.list.exists() else []
        return {name: digest for digest, name in (line.split() for line in lines if not line.startswith("#"))}

    def problems(self):
        return differences(sums(self.folder), self.wanted(), self.list.name)

    def _pom(self):
        rows = []
        for group, artifact, version, classifier in self.artifacts:
            kind = f"<classifier>{classifier}</classifier>" if classifier else ""
            rows.append(f"<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>"
                        f"<version>{version}</version>{kind}</dependency>")
        return ("<project><modelVersion>4.0.0</modelVersion><groupId>weir</groupId><artifactId>peers</artifactId>"
                f"<version>1</version><packaging>pom</packaging><dependencies>{''.join(rows)}</dependencies></project>")

    def _download(self):
        if shutil.which("mvn") is None:
            raise SystemExit(f"{self.title} cannot be fetched: there is no mvn on the PATH; ./run setup test")
        with tempfile.TemporaryDirectory() as scratch:
            Path(scratch, "pom.xml").write_text(self._pom())
            command = ["mvn", "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={self.folder}"]
            for attempt in range(1, ATTEMPTS + 1):
                print(f"fetching {self.title} with Maven, attempt {attempt} of {ATTEMPTS}", file=sys.stderr, flush=True)
                done = subprocess.run(command, cwd=scratch, capture_output=True, text=True, timeout=900)
                if done.returncode == 0:
                    return
            raise SystemExit(f"{self.title} cannot be fetched: {(done.stdout + done.stderr)[-1500:]}")

    def fetch(self, write_list=False):
        """The folder with every jar as listed; fetched if it is not there. SystemExit if that fails."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with open(self.folder.parent / f"{self.folder.name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two test runs may ask at once
            stamp = self.folder / "verified"
            if not write_list and stamp.exists() and self.list.exists() and stamp.read_bytes() == self.list.read_bytes():
                return self.folder
            if write_list or self.problems():
                shutil.rmtree(self.folder, ignore_errors=True)
                self._download()
            if write_list:
                rows = [f"{digest}  {name}\n" for name, digest in sums(self.folder).items()]
                self.list.write_text(f"# SHA-256 of the jars of {self.title} and what it needs; tools/jars.py checks them.\n" + "".join(rows))
            problems = self.problems()
            if problems:
                raise SystemExit(f"the jars of {self.title} are not those of the list:\n" + "\n".join(problems))
            stamp.write_bytes(self.list.read_bytes())
        return self.folder

    def main(self):
        parser = argparse.ArgumentParser()
        parser.add_argument("--write-list", action="store_true", help="make the list anew from what Maven fetches")
        print(self.fetch(parser.parse_args().write_list))
