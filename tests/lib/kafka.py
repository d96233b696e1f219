"""Apache Kafka 4.3.1: one broker or three on this machine, and its own command-line tools."""
import importlib.util
import shutil
import signal
import tempfile
import unittest
from pathlib import Path

from lib import ports, proc
from lib.waiting import poll_until

START_DEADLINE_S = 90
CLUSTER_ID = "d2Vpci10ZXN0cy1rYWZrYQ"
TOOLS = {  # short name -> class; others are found in org.apache.kafka.tools by their own
    "StorageTool": "kafka.tools.StorageTool",
    "ConfigCommand": "kafka.admin.ConfigCommand",
    "ConsoleConsumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "ConsumerGroupCommand": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "ShareGroupCommand": "org.apache.kafka.tools.consumer.group.ShareGroupCommand",
    "StreamsGroupCommand": "org.apache.kafka.tools.streams.StreamsGroupCommand",
}
LOG4J = """status=error
appender.out.type=Console
appender.out.name=out
appender.out.target=SYSTEM_ERR
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{ISO8601} %p %c: %m%n
rootLogger.level=warn
rootLogger.appenderRef.out.ref=out
"""
_jars = None


def jars():
    """The folder of Kafka's jars, fetched on the first use; unittest.SkipTest if they cannot be had."""
    global _jars
    if _jars is None:
        path = Path(__file__).resolve().parent.parent.parent / "tools" / "fetch_kafka.py"
        spec = importlib.util.spec_from_file_location("fetch_kafka", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        try:
            _jars = module.fetch()
        except SystemExit as problem:
            raise unittest.SkipTest(str(problem))
    return _jars


def java(main, *args, heap="256m", log4j=None):
    """The command line that runs a class of Kafka's."""
    log4j = log4j or _log4j()
    return ["java", f"-Xmx{heap}", "-XX:TieredStopAtLevel=1" if heap == "256m" else "-XX:+UseG1GC",
            f"-Dlog4j2.configurationFile={log4j}", "-cp", f"{jars()}/*", main, *args]


def _log4j():
    path = jars() / "log4j2-warn.properties"
    if not path.exists():
        path.write_text(LOG4J)
    return path


def tool(name, *args, deadline_s=120, stdin="", expect=0):
    """Runs one of Kafka's tools to its end: tool('TopicCommand', '--bootstrap-server', address, '--list')."""
    main = TOOLS.get(name, f"org.apache.kafka.tools.{name}")
    return proc.run(java(main, *args), deadline_s=deadline_s, stdin=stdin, expect=expect)


class Kafka:
    """Kafka brokers (each its own controller too), started and answering. Use it in `with`.

    settings: further lines of server.properties, as a dictionary. folder: where the data goes, kept; else temporary.
    features: levels to begin with, such as {"transaction.version": 1}; else Kafka's own.
    listeners: further ones beside PLAINTEXT, which the brokers use among themselves: {"MUTUAL": "SSL"}, name and security
    protocol; their settings are `listener.name.mutual....`, their addresses are `at["MUTUAL"]`.
    format_args: further words for `kafka-storage format`, such as those that make users of SCRAM.
    """

    def __init__(self, brokers=1, settings=None, heap="1G", folder=None, features=None, listeners=None, format_args=()):
        self._listeners = listeners or {}
        self._format_args = list(format_args)
        self._features = [word for name, level in (features or {}).items() for word in ("--feature", f"{name}={level}")]
        self._temporary = folder is None
        self.folder = Path(folder or tempfile.mkdtemp(prefix="weir-kafka-"))
        picked = ports.free_ports((2 + len(self._listeners)) * brokers)
        self.ports, controllers = picked[:brokers], picked[brokers:2 * brokers]
        rest = iter(picked[2 * brokers:])
        self._listener_ports = {name: [next(rest) for _ in range(brokers)] for name in self._listeners}
        self.at = {name: ",".join(f"127.0.0.1:{p}" for p in taken) for name, taken in self._listener_ports.items()}
        self.addresses = [f"127.0.0.1:{p}" for p in self.ports]
        self.address = ",".join(self.addresses)
        self.processes = []
        try:
            quorum = self._directory_ids(controllers)
            for index in range(brokers):
                self._start(index, controllers, quorum, settings or {}, heap)
            for process, port in zip(self.processes, self.ports):
                poll_until(lambda: ports.is_open(port) or process.exit_code is not None, START_DEADLINE_S, "Kafka's port")
            tool("TopicCommand", "--bootstrap-server", self.address, "--list", deadline_s=START_DEADLINE_S)
        except unittest.SkipTest:
            self.stop()
            raise
        except BaseException as problem:
            said = "\n".join(p.output()[-2000:] for p in self.processes)
            self.stop()
            raise AssertionError(f"Kafka did not start: {problem}\n{said}")

    def _directory_ids(self, controllers):
        """Kafka's `ID@HOST:PORT:UUID,...`; Kafka itself makes the UUIDs, because it refuses some. Empty for one broker."""
        if len(controllers) == 1:
            return ""
        ids = [tool("StorageTool", "random-uuid").out.split()[-1] for _ in controllers]
        return ",".join(f"{n}@127.0.0.1:{port}:{uuid}" for n, (port, uuid) in enumerate(zip(controllers, ids), 1))

    def _start(self, index, controllers, quorum, settings, heap):
        count = len(controllers)
        data = self.folder / f"broker-{index + 1}"
        file = self.folder / f"broker-{index + 1}.properties"
        more = "".join(f",{name}://127.0.0.1:{taken[index]}" for name, taken in self._listener_ports.items())
        lines = {
            "process.roles": "broker,controller",
            "node.id": index + 1,
            "listeners": f"PLAINTEXT://127.0.0.1:{self.ports[index]},CONTROLLER://127.0.0.1:{controllers[index]}{more}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.ports[index]}{more}",
            "listener.security.protocol.map": ",".join(f"{name}:{protocol}" for name, protocol in {
                "PLAINTEXT": "PLAINTEXT", "CONTROLLER": "PLAINTEXT", **self._listeners}.items()),
            "controller.listener.names": "CONTROLLER",
            "controller.quorum.bootstrap.servers": ",".join(f"127.0.0.1:{port}" for port in controllers),
            "log.dirs": data,
            "num.partitions": 6,
            "default.replication.factor": count,
            "min.insync.replicas": 1 if count == 1 else count - 1,
            "offsets.topic.replication.factor": count,
            "transaction.state.log.replication.factor": count,
            "transaction.state.log.min.isr": 1 if count == 1 else count - 1,
            "share.coordinator.state.topic.replication.factor": count,
            "share.coordinator.state.topic.min.isr": 1 if count == 1 else count - 1,
            "group.initial.rebalance.delay.ms": 0,
            **settings,
        }
        file.write_text("".join(f"{key}={value}\n" for key, value in lines.items()))
        if not data.exists():
            how = ["--initial-controllers", quorum] if quorum else ["--standalone"]
            tool("StorageTool", "format", *how, *self._features, *self._format_args, "-t", CLUSTER_ID, "-c", str(file))
        self.processes.append(proc.Process(java("kafka.Kafka", str(file), heap=heap)))

    def terminate(self, index, deadline_s=60):
        """SIGTERM for one broker: it hands its partitions over and ends."""
        self.processes[index].signal(signal.SIGTERM)
        self.processes[index].wait(deadline_s)

    def start_again(self, index):
        """A broker that has ended, over its own data, at its own address."""
        process = self.processes[index] = proc.Process(self.processes[index].command)
        poll_until(lambda: ports.is_open(self.ports[index]) or process.exit_code is not None, START_DEADLINE_S, "Kafka's port")

    def kill_and_start(self):
        """kill -9 of every broker, and a start over what they have left, at the same addresses."""
        for index, process in enumerate(self.processes):
            process.kill()
            self.processes[index] = proc.Process(process.command)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Ends every broker: a temporary folder is thrown away with a kill -9, another is closed cleanly first."""
        if self._temporary:
            for process in self.processes:
                process.kill()
            shutil.rmtree(self.folder, ignore_errors=True)
            return
        for process in self.processes:
            if process.exit_code is None:
                process.signal(signal.SIGTERM)
        for process in self.processes:
            process.stop(30)
