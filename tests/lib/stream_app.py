"""tests/stream_app.cc in Python: the program as a process, what it must have written, and readers of that.

The model shares nothing with the C++; it knows Apache Kafka Streams' rules: counts of a key go 1, 2, 3, ...; a window of one
second takes records until the time of its operator, which is that of its task, has reached its end plus a grace of one second.
"""
import collections
import struct

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from lib import proc
from lib.broker import helper
from lib.waiting import poll_until

NAME = "counter"
IN, LETTERS, HITS = "in", "letters", "hits"
REPARTITION = f"{NAME}-by-letter-repartition"
LETTERS_LOG, HITS_LOG = f"{NAME}-letters-changelog", f"{NAME}-hits-changelog"
WINDOW_MS, GRACE_MS = 1000, 1000
RUNS = r"counter: runs in the group counter"

Record = collections.namedtuple("Record", "key value timestamp")  # bytes, bytes or None, ms


def start(address, state_dir=None, args=(), env=None):
    """The program, started."""
    state = [] if state_dir is None else ["--state-dir", state_dir]
    # The repartition is read in the end, so nothing of it may be deleted.
    keep = ["--repartition-purge-interval-ms", "0"]
    return proc.Process([helper("stream_app"), "--bootstrap", address, *state, *keep, *args], env=env)


def murmur2(data):
    """Kafka's hash of keys."""
    m, mask = 0x5BD1E995, 0xFFFFFFFF
    h = 0x9747B28C ^ len(data)
    whole = len(data) // 4 * 4
    for (k,) in struct.iter_unpack("<I", data[:whole]):
        k = k * m & mask
        k = (k ^ k >> 24) * m & mask
        h = h * m & mask ^ k
    rest = data[whole:]
    for place in range(len(rest) - 1, -1, -1):
        h ^= rest[place] << 8 * place
    if rest:
        h = h * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


def partition_for(key, partitions):
    """Where Kafka's default partitioner puts a key."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def int64(number):
    return struct.pack(">q", number)


def model_letters(passed):
    """(updates, {key: (count, timestamp)}) of what one partition of the repartition holds."""
    updates, rows = [], {}
    for record in passed:
        count, timestamp = rows.get(record.key, (0, record.timestamp))
        rows[record.key] = count + 1, max(timestamp, record.timestamp)
        updates.append(Record(record.key, int64(count + 1), rows[record.key][1]))
    return updates, rows


def model_hits(inputs):
    """(updates, rows of windows that are still kept, late records) of one partition of the input."""
    updates, rows, late, time = [], {}, 0, -1
    for record in inputs:
        time = max(time, record.timestamp)
        begin = record.timestamp // WINDOW_MS * WINDOW_MS
        if begin + WINDOW_MS + GRACE_MS <= time:
            late += 1
            continue
        key = record.key + int64(begin)
        count, timestamp = rows.get(key, (0, record.timestamp))
        rows[key] = count + 1, max(timestamp, record.timestamp)
        updates.append(Record(key, int64(count + 1), rows[key][1]))
    kept = {key: row for key, row in rows.items()
            if struct.unpack(">q", key[-8:])[0] + WINDOW_MS + GRACE_MS > time}
    return updates, kept, late


def first_difference(name, found, wanted):
    """What is wrong with one partition, as lines: none, or one."""
    if found == wanted:
        return []
    at = next((n for n, pair in enumerate(zip(found, wanted)) if pair[0] != pair[1]), min(len(found), len(wanted)))
    return [f"{name}: {len(found)} records, want {len(wanted)}; record {at} is {found[at:at + 2]}, want {wanted[at:at + 2]}"]


def differences(topic, found, wanted):
    """Of all partitions of a topic."""
    return [line for n, pair in enumerate(zip(found, wanted)) for line in first_difference(f"{topic}-{n}", *pair)]


def table(records):
    """What a changelog leaves: {key: (count, timestamp)}."""
    rows = {}
    for record in records:
        if record.value is None:
            rows.pop(record.key, None)
        else:
            rows[record.key] = struct.unpack(">q", record.value)[0], record.timestamp
    return rows


def rises(records):
    """Whether no count of a changelog's key goes back, or stands, before its row is removed."""
    last = {}
    for key, value, _ in records:
        if value is None:
            last.pop(key, None)
        elif struct.unpack(">q", value)[0] <= last.get(key, 0):
            return False
        else:
            last[key] = struct.unpack(">q", value)[0]
    return True


def judge(topics):
    """(what is wrong, as lines, and how many records were late) of {topic: [records of each partition]}."""
    wrong, late = [], 0
    partitions = len(topics[IN])
    origin = {record.value: (n, at) for n, records in enumerate(topics[IN]) for at, record in enumerate(records)}
    passed = collections.Counter(record.value for records in topics[REPARTITION] for record in records)
    wrong += [f"doubled: {value} passes the repartition {n} times" for value, n in passed.items() if n > 1]
    wrong += [f"lost: {value} does not pass the repartition" for value in origin if value not in passed]
    wrong += [f"made up: {value} passes the repartition" for value in passed if value not in origin]
    if wrong:
        return wrong, late
    for n in range(partitions):
        last = collections.defaultdict(lambda: -1)
        for record in topics[REPARTITION][n]:
            source, at = origin[record.value]
            if at <= last[source]:
                wrong.append(f"order: {record.value} is in {REPARTITION}-{n} behind a later one of {IN}-{source}")
            last[source] = at
            if record != Record(record.value[:1], record.value, topics[IN][source][at].timestamp) \
                    or partition_for(record.key, partitions) != n:
                wrong.append(f"changed: {record} is in {REPARTITION}-{n}")
        updates, rows = model_letters(topics[REPARTITION][n])
        wrong += first_difference(f"{LETTERS}-{n}", topics[LETTERS][n], updates)
        wrong += changelog_faults(f"{LETTERS_LOG}-{n}", topics[LETTERS_LOG][n], rows)
        updates, rows, more = model_hits(topics[IN][n])
        late += more
        wrong += first_difference(f"{HITS}-{n}", topics[HITS][n], updates)
        rows = {key + struct.pack(">i", 0): row for key, row in rows.items()}
        wrong += changelog_faults(f"{HITS_LOG}-{n}", topics[HITS_LOG][n], rows)
    return wrong, late


def changelog_faults(name, records, rows):
    left = table(records)
    wrong = [] if rises(records) else [f"{name}: a count goes back"]
    return wrong + [f"{name}: {key} is {left.get(key)}, want {rows.get(key)}" for key in {**left, **rows}
                    if left.get(key) != rows.get(key)]


class Reader:
    """A consumer that looks at topics from outside. Use it in `with`."""

    def __init__(self, address, partitions, committed=True, group="reader"):
        self.partitions = partitions
        self.headers = []  # of the records of the last read()
        self.consumer = Consumer({"bootstrap.servers": address, "group.id": group, "enable.auto.commit": False, "log_level": 2,
                                  "isolation.level": "read_committed" if committed else "read_uncommitted",
                                  "enable.partition.eof": True})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.consumer.close()

    def ends(self, topic):
        """Behind the last record of each partition that may be read."""
        return [self.consumer.get_watermark_offsets(TopicPartition(topic, n), timeout=30, cached=False)[1]
                for n in range(self.partitions)]

    def group_offsets(self, topic):
        """What the group of the reader's name has committed; 0 where it has not."""
        def told():
            try:
                return self.consumer.committed([TopicPartition(topic, n) for n in range(self.partitions)], timeout=30)
            except KafkaException:  # the group's coordinator is not ready, or moves
                return None
        return [max(0, partition.offset) for partition in poll_until(told, 30, "committed offsets", every_s=0.1)]

    def read(self, topic, deadline_s):
        """[[(offset, Record)]] of each partition up to its end."""
        out, ended, self.headers = [[] for _ in range(self.partitions)], set(), []
        self.consumer.assign([TopicPartition(topic, n, 0) for n in range(self.partitions)])

        def at_end():
            for message in self.consumer.consume(1000, 0.2):
                if message.topic() != topic:
                    continue  # of the read before
                if message.error():
                    if message.error().code() == KafkaError._PARTITION_EOF:  # others pass
                        ended.add(message.partition())
                else:
                    record = Record(message.key(), message.value(), message.timestamp()[1])
                    out[message.partition()].append((message.offset(), record))
                    self.headers.append(message.headers() or [])
            return len(ended) == self.partitions
        poll_until(at_end, deadline_s, f"the ends of {topic}")
        return out
