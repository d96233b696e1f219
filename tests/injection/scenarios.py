"""The ten scenarios. `prepare` makes the folder that every run begins with, `act` runs under a failing call and notes what was
acknowledged, `judge` gives what is wrong after the next start."""
import time

from confluent_kafka import Consumer, TopicPartition

from lib import groups, messages, wire
from lib.waiting import poll_until

NOW = int(time.time() * 1000)
DEADLINE_S = 10
WAIT_S = 3  # for something that a failing disk may prevent


class Scenario:
    settings = {}  # of act alone
    unclean = False  # whether the prepared folder was killed

    def __init__(self):
        self.sent = {}  # value -> its offset, None while it is not acknowledged

    def prepare(self, broker):
        with messages.Client(broker.port) as client:
            client.create_topic("t")
            for n in range(3):
                self.produce(client, "t", b"before %d" % n)

    def act(self, broker):
        raise NotImplementedError

    def judge(self, broker):
        return self.judge_records(broker, "t")

    def produce(self, client, topic, value, body=None):
        """One batch; whether it was acknowledged."""
        self.sent[value] = None
        batch = wire.record_batch([value], timestamp=NOW, body=body, count=1, last_delta=0)
        error, offset = client.produce(topic, batch)
        if error == 0:
            self.sent[value] = offset
        return error == 0

    def judge_records(self, broker, topic, start=0):
        """From `start` on everything acknowledged is in its place, and nothing is there twice."""
        with messages.Client(broker.port) as client:
            there = wire.read_all(client, topic) if start == 0 else read_from(client, topic, start)
        by_offset, values = dict(there), [value for _, value in there]
        wrong = [f"lost: {value[-20:]} is not at {offset}" for value, offset in self.sent.items()
                 if offset is not None and offset >= start and by_offset.get(offset) != value]
        wrong += [f"doubled: {value[-20:]}" for value in set(values) if values.count(value) > 1]
        return wrong + [f"never sent: {value[-20:]}" for value in values if value not in self.sent]


def read_from(client, topic, offset):
    out = []
    while True:
        error, end, data = client.fetch(topic, offset, max_bytes=4 << 20)
        if error:
            raise AssertionError(f"{topic} at {offset}: error {error}")
        out += [(at, value) for at, value in wire.records(data) if at >= offset]
        if not data or out[-1][0] + 1 >= end:
            return out
        offset = out[-1][0] + 1


def earliest(client, topic):
    answer = client.ask("ListOffsets", 7, {"replica_id": -1, "topics": [{"name": topic, "partitions": [
        {"partition_index": 0, "timestamp": -2}]}]})
    return answer["topics"][0]["partitions"][0]["offset"]


def attempt(condition):
    """Waits for it, but not for ever: the disk may be in its way."""
    try:
        poll_until(condition, WAIT_S)
    except AssertionError:
        pass


class Produce(Scenario):
    def act(self, broker):
        with messages.Client(broker.port) as client:
            for n in range(12):
                self.produce(client, "t", b"value %d" % n)


class Roll(Scenario):
    settings = {"log.segment.bytes": 1 << 20}

    def act(self, broker):
        with messages.Client(broker.port) as client:
            for n in range(8):
                self.produce(client, "t", bytes(300_000) + b"rolled %d" % n)


class Retention(Scenario):
    settings = {"log.retention.check.interval.ms": 20, "log.segment.delete.delay.ms": 0}

    def prepare(self, broker):
        with messages.Client(broker.port) as client:
            client.create_topic("t", configs=[("segment.bytes", str(1 << 20)), ("retention.bytes", str(1 << 20))])
            for n in range(12):
                self.produce(client, "t", bytes(400_000) + b"old %d" % n)

    def act(self, broker):
        with messages.Client(broker.port) as client:
            self.produce(client, "t", b"new")
            attempt(lambda: earliest(client, "t") > 0)
            self.produce(client, "t", b"newer")

    def judge(self, broker):
        with messages.Client(broker.port) as client:
            start = earliest(client, "t")
        # 1 MiB is kept at least: the last three of 400,000 bytes.
        return self.judge_records(broker, "t", start) + ([f"deleted up to {start}"] if start > 9 else [])


class Compaction(Scenario):
    settings = {"log.cleaner.backoff.ms": 20}

    def __init__(self):
        super().__init__()
        self.told, self.tried = {}, {}  # key -> number of the last value acknowledged, sent

    def put(self, client, key, number, size):
        self.tried[key] = number
        value = bytes(size) + b"%s=%d" % (key, number)
        if self.produce(client, "t", value, body=wire.record(value, key=key)):
            self.told[key] = number

    def prepare(self, broker):
        with messages.Client(broker.port) as client:
            client.create_topic("t", configs=[("cleanup.policy", "compact"), ("segment.bytes", str(1 << 20)),
                                              ("min.cleanable.dirty.ratio", "0")])
            for number in range(4):
                for key in (b"a", b"b", b"c"):
                    self.put(client, key, number, 300_000)

    def act(self, broker):
        def bytes_there():
            answer = client.ask("DescribeLogDirs", 1, {"topics": [{"topic": "t", "partitions": [0]}]})
            return answer["results"][0]["topics"][0]["partitions"][0]["partition_size"]
        with messages.Client(broker.port) as client:
            self.put(client, b"a", 100, 10)
            attempt(lambda: bytes_there() < 2_500_000)
            self.put(client, b"b", 101, 10)

    def judge(self, broker):
        with messages.Client(broker.port) as client:
            values = [value.lstrip(b"\0") for _, value in read_from(client, "t", earliest(client, "t"))]
        last = {}
        for value in values:
            key, _, number = value.partition(b"=")
            last[key] = int(number)
        wrong = [f"doubled: {value}" for value in set(values) if values.count(value) > 1]
        return wrong + [f"{key}: {last.get(key)} is the last, want {told} to {self.tried[key]}"
                        for key, told in self.told.items() if last.get(key) not in (told, self.tried[key])]


class Topics(Scenario):
    def __init__(self):
        super().__init__()
        self.there = {}  # name -> True, False, or None: either

    def create(self, client, name):
        self.there[name] = None
        answer = client.ask("CreateTopics", 5, {"topics": [{"name": name, "num_partitions": 2, "replication_factor": 1}]})
        if answer["topics"][0]["error_code"] == 0:
            self.there[name] = True

    def delete(self, client, name):
        self.there[name] = None
        answer = client.ask("DeleteTopics", 4, {"topic_names": [name], "timeout_ms": 1000})
        if answer["responses"][0]["error_code"] == 0:
            self.there[name] = False

    def act(self, broker):
        with messages.Client(broker.port) as client:
            for name in ("a", "b", "c"):
                self.create(client, name)
            self.delete(client, "a")
            self.delete(client, "b")
            self.create(client, "a")

    def judge(self, broker):
        wrong = self.judge_records(broker, "t")
        with messages.Client(broker.port) as client:
            for name, want in self.there.items():
                answer = client.ask("Metadata", 5, {"topics": [{"name": name}], "allow_auto_topic_creation": False})
                found = answer["topics"][0]["error_code"] == 0
                if want is not None and found != want:
                    wrong.append(f"topic {name}: {'there' if found else 'not there'}")
                if found and client.produce(name, wire.record_batch([b"x"]), partition=1)[0] != 0:
                    wrong.append(f"topic {name}: takes no records")
        return wrong


class Offsets(Scenario):
    def __init__(self):
        super().__init__()
        self.told = self.tried = 0

    def commit(self, client, offset):
        self.tried = offset
        if client.commit("g", [("t", 0, offset, "")]) == [0]:
            self.told = offset

    def prepare(self, broker):
        super().prepare(broker)
        with groups.GroupClient(broker.port) as client:
            poll_until(lambda: client.find_coordinator("g")["error"] == 0, DEADLINE_S)
            self.commit(client, 1)

    def act(self, broker):
        with groups.GroupClient(broker.port) as client:
            for offset in range(2, 9):
                self.commit(client, offset)

    def judge(self, broker):
        with groups.GroupClient(broker.port) as client:
            poll_until(lambda: client.find_coordinator("g")["error"] == 0, DEADLINE_S)
            offset = client.fetch_offsets("g")[1]["t", 0][0]
        wrong = [] if self.told <= offset <= self.tried else [f"offset {offset}, want {self.told} to {self.tried}"]
        return wrong + self.judge_records(broker, "t")


class Transactions(Scenario):
    commits = True

    def __init__(self):
        super().__init__()
        self.ended = {}  # number -> True: acknowledged, None: not

    def prepare(self, broker):
        super().prepare(broker)
        with messages.Client(broker.port) as client:
            client.create_topic("x", 2)
            self.transact(client, 0)

    def init(self, client):
        def answered():
            answer = client.ask("InitProducerId", 4, {"transactional_id": "x", "transaction_timeout_ms": 60_000})
            return answer if answer["error_code"] not in (14, 15, 16, 51) else None
        return poll_until(answered, DEADLINE_S, "a producer id")

    def transact(self, client, number):
        """One transaction of two partitions; stops where something is refused."""
        told = self.init(client)
        owner = {"producer_id": told["producer_id"], "producer_epoch": told["producer_epoch"]}
        if told["error_code"]:
            return
        answer = client.ask("AddPartitionsToTxn", 3, {
            "v3_and_below_transactional_id": "x", "v3_and_below_producer_id": owner["producer_id"],
            "v3_and_below_producer_epoch": owner["producer_epoch"], "v3_and_below_topics": [{"name": "x", "partitions": [0, 1]}]})
        if any(p["partition_error_code"] for t in answer["results_by_topic_v3_and_below"] for p in t["results_by_partition"]):
            return
        for partition in (0, 1):
            batch = wire.record_batch([b"%d" % number], timestamp=NOW, attributes=0x10,
                                      producer=(owner["producer_id"], owner["producer_epoch"], 0))
            answer = client.ask("Produce", 8, {"transactional_id": "x", "acks": -1, "timeout_ms": 1000, "topic_data": [
                {"name": "x", "partition_data": [{"index": partition, "records": batch}]}]})
            if answer["responses"][0]["partition_responses"][0]["error_code"]:
                return
        self.ended[number] = None
        answer = client.ask("EndTxn", 2, {"transactional_id": "x", "committed": self.commits, **owner})
        if answer["error_code"] == 0:
            self.ended[number] = True

    def act(self, broker):
        with messages.Client(broker.port) as client:
            for number in range(1, 4):
                self.transact(client, number)

    def judge(self, broker):
        with messages.Client(broker.port) as client:
            self.init(client)  # what is open ends
            poll_until(lambda: client.ask("DescribeTransactions", 0, {"transactional_ids": ["x"]})[
                "transaction_states"][0]["transaction_state"] in ("Empty", "CompleteCommit", "CompleteAbort"), DEADLINE_S)
        seen = committed_values(broker.address)
        wrong = []
        for number in range(4):
            counts = [values.count(b"%d" % number) for values in seen]
            ended = self.ended.get(number, "not tried")
            may_be = {True: [[1, 1]] if self.commits else [[0, 0]], None: [[1, 1], [0, 0]] if self.commits else [[0, 0]],
                      "not tried": [[0, 0]]}[ended]
            if counts not in may_be:
                wrong.append(f"transaction {number} ({ended}): {counts} records, want {may_be}")
        return wrong + self.judge_records(broker, "t")


class Aborts(Transactions):
    commits = False


def committed_values(address):
    """Of both partitions of x, to the end that a reader of committed records is told of."""
    consumer = Consumer({"bootstrap.servers": address, "group.id": "none", "isolation.level": "read_committed",
                         "enable.auto.commit": False, "enable.partition.eof": True, "log_level": 2})
    seen, ended = [[], []], set()
    try:
        consumer.assign([TopicPartition("x", n, 0) for n in range(2)])

        def at_end():
            message = consumer.poll(0.2)
            if message is not None and message.error():
                ended.add(message.partition())
            elif message is not None:
                seen[message.partition()].append(message.value())
            return len(ended) == 2
        poll_until(at_end, DEADLINE_S, "the ends of x")
        return seen
    finally:
        consumer.close()


class Settings(Scenario):
    def __init__(self):
        super().__init__()
        self.told, self.tried = "604800000", {"604800000"}

    def act(self, broker):
        with messages.Client(broker.port) as client:
            for n in range(6):
                value = str(1_000_000_000 + n)
                self.tried.add(value)
                answer = client.ask("IncrementalAlterConfigs", 0, {"resources": [
                    {"resource_type": 2, "resource_name": "t", "configs": [
                        {"name": "retention.ms", "config_operation": 0, "value": value}]}]})
                if answer["responses"][0]["error_code"] == 0:
                    self.told, self.tried = value, {value}

    def judge(self, broker):
        with messages.Client(broker.port) as client:
            answer = client.ask("DescribeConfigs", 1, {"resources": [
                {"resource_type": 2, "resource_name": "t", "configuration_keys": ["retention.ms"]}]})
        value = answer["results"][0]["configs"][0]["value"]
        wrong = [] if value in self.tried else [f"retention.ms {value}, want {self.told}"]
        return wrong + self.judge_records(broker, "t")


class Recovery(Scenario):
    """The start itself fails; what it must recover was killed amid rolled segments."""
    unclean = True

    def prepare(self, broker):
        with messages.Client(broker.port) as client:
            client.create_topic("t", configs=[("segment.bytes", str(1 << 20))])
            for n in range(8):
                self.produce(client, "t", bytes(300_000) + b"before %d" % n)

    def act(self, broker):
        with messages.Client(broker.port) as client:
            for n in range(2):
                self.produce(client, "t", b"after %d" % n)


SCENARIOS = {"produce": Produce, "roll": Roll, "retention": Retention, "compaction": Compaction, "topics": Topics,
             "offset commit": Offsets, "transaction commit": Transactions, "abort": Aborts, "settings": Settings,
             "recovery": Recovery}
