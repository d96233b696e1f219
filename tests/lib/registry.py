"""weir's schema registry as its users start it, a small HTTP client for it, and its foreign clients."""
import base64
import http.client
import json
import os
import re
import subprocess
import sys
import unittest
import urllib.parse
import zlib
from pathlib import Path

from lib import node, proc
from lib.broker import program, weir

START_DEADLINE_S = 60
TESTS = Path(__file__).resolve().parent.parent
# Python's client with all that its serialisers of Avro, Protobuf and JSON need; Debian's own is older than its registry client of today.
PYTHON_PACKAGES = ("confluent-kafka==2.16.1", "anyio==4.16.0", "attrs==26.1.0", "authlib==1.9.10", "avro==1.12.2", "cachetools==8.0.2",
                   "certifi==2026.10.19.post1", "cffi==2.1.1", "charset-normalizer==3.5.3", "cryptography==50.0.2", "fastavro==1.13.1",
                   "googleapis-common-protos==1.76.0", "h11==0.16.0", "httpcore2==2.16.2", "httpx2==2.16.2", "idna==3.20",
                   "joserfc==1.8.0", "jsonschema==4.26.0", "jsonschema-specifications==2025.9.1", "protobuf==7.36.2", "pycparser==3.12",
                   "referencing==0.37.0", "requests==2.34.2", "rpds-py==2026.9.1", "truststore==0.10.5", "typing_extensions==4.16.0",
                   "urllib3==2.8.0")
NODE_PACKAGES = {"@kafkajs/confluent-schema-registry": "4.1.0", "@confluentinc/schemaregistry": "1.10.1"}
JSON = "application/vnd.schemaregistry.v1+json"


class Answer:
    """What the registry has answered: status, and the body as JSON where it is that."""

    def __init__(self, status, headers, text):
        self.status, self.headers, self.text = status, headers, text
        try:
            self.body = json.loads(text) if text else None
        except ValueError:
            self.body = None

    @property
    def code(self):
        return self.body.get("error_code") if isinstance(self.body, dict) else None

    def __repr__(self):
        return f"{self.status} {self.text[:500]}"


def call(address, method, path, body=None, user=None, deadline_s=60, content_type=JSON, tls=None):
    """One request on a connection of its own. `body`: a value, or text as it is; `user`: (name, password); `tls`: an ssl.SSLContext."""
    if tls:
        connection = http.client.HTTPSConnection(address, timeout=deadline_s, context=tls)
    else:
        connection = http.client.HTTPConnection(address, timeout=deadline_s)
    headers = {}
    if body is not None:
        headers["Content-Type"] = content_type
        body = body if isinstance(body, (str, bytes)) else json.dumps(body)
    if user:
        headers["Authorization"] = "Basic " + base64.b64encode(":".join(user).encode()).decode()
    try:
        connection.request(method, path, body=body, headers=headers)
        response = connection.getresponse()
        return Answer(response.status, dict(response.getheaders()), response.read().decode())
    finally:
        connection.close()


class Caller:
    """What every registry under test can be asked."""

    url = None  # http://HOST:PORT, or https
    user = None  # (name, password), if it wants one
    tls = None  # an ssl.SSLContext, if it wants one

    @property
    def address(self):
        return self.url.split("//")[1]

    def call(self, method, path, body=None, **kwargs):
        return call(self.address, method, path, body, **{"user": self.user, "tls": self.tls, **kwargs})

    def register(self, subject, schema, **more):
        """Registers Avro text, or a value that is it."""
        text = schema if isinstance(schema, str) else json.dumps(schema)
        path = f"/subjects/{urllib.parse.quote(subject, safe='')}/versions"
        return self.call("POST", path, {"schema": text, **more})


class WeirRegistry(Caller):
    """`weir registry` on a port that it picks, over a broker's address. Use it in `with`."""

    def __init__(self, bootstrap, args=(), port=0):
        self.process = proc.Process([program(), "registry", "--bootstrap", bootstrap, "--listen", f"127.0.0.1:{port}",
                                     "--log-level", "info", *args])
        try:
            match = self.process.wait_for_line(r"\blistening on (https?://127\.0\.0\.1:\d+)$", START_DEADLINE_S)
        except AssertionError:
            self.process.kill()
            raise
        self.url = match.group(1)
        self.port = int(self.address.split(":")[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stop()

    def log(self):
        return self.process.output("err")


class WeirUp(Caller):
    """`weir up` over a data folder: broker and registry. Use it in `with`."""

    def __init__(self, data, args=()):
        self.process = proc.Process([program(), "up", "--data", data, "--broker", "127.0.0.1:0", "--registry", "127.0.0.1:0", "-o", "json",
                                     *args])
        try:
            match = self.process.wait_for_line(r'"address":"(https?://127\.0\.0\.1:\d+)"', START_DEADLINE_S)
        except AssertionError:
            self.process.kill()
            raise
        self.url = match.group(1)
        self.broker = re.search(r'"service":"broker","address":"(127\.0\.0\.1:\d+)"', self.process.output("out")).group(1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stop()


def records(bootstrap, topic):
    """Every record of a topic, [(key, value)], as text; None is null."""
    done = weir("consume", topic, "--bootstrap", bootstrap, "-o", "jsonl")
    rows = [json.loads(line) for line in done.out.splitlines() if line]
    return [(row.get("key"), row.get("value")) for row in rows]


def python_client(script, *args):
    """The command line of a script of tests/peers and its environment; unittest.SkipTest if its packages cannot be had."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "weir" / PYTHON_PACKAGES[0].replace("==", "-")
    marker = folder / f"complete-{zlib.crc32(' '.join(PYTHON_PACKAGES).encode()):08x}"
    if not marker.exists():
        done = subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--only-binary=:all:", "--upgrade",
                               "--target", str(folder), *PYTHON_PACKAGES], capture_output=True, text=True)
        if done.returncode:
            raise unittest.SkipTest(f"{PYTHON_PACKAGES[0]} cannot be had: {done.stderr[-500:]}")
        marker.touch()
    return [sys.executable, TESTS / "peers" / script, *args], {"PYTHONPATH": str(folder)}


def node_client(script, *args):
    return node.command(script, *args, packages=NODE_PACKAGES, folder="node-registry")
