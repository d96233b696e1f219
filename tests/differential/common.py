"""What the scenarios share."""
import struct
import time

from lib import messages, wire
from lib.differential import error_codes

UNKNOWN_ID = bytes(range(16))
NOW = int(time.time() * 1000) - 3_600_000  # of every record, so that both brokers store the same bytes
TOPIC, BROKER = 2, 4  # types of resources that have settings


def versions(pair, api):
    """The versions that weir serves; those that it only advertises are asked for in a scenario of their own."""
    low, high = pair.served[api]
    return range(max(low, min(messages.APIS[messages.KEYS[api]].headers)), high + 1)


def make_topic(pair, name, partitions=1, **settings):
    """A topic that both have; its id."""
    configs = [{"name": key.replace("_", "."), "value": str(value)} for key, value in settings.items()]
    pair.ask("CreateTopics", 7, {"topics": [{"name": name, "num_partitions": partitions, "replication_factor": 1,
                                             "configs": configs}]})
    return wait_for_topic(pair, name, partitions)


def wait_for_topic(pair, name, partitions=1):
    """Kafka tells of a topic a moment after it has answered, and serves it another moment later."""
    def led(answer):
        topic = answer["topics"][0]
        return not topic["error_code"] and len(topic["partitions"]) == partitions and all(
            p["leader_id"] >= 0 for p in topic["partitions"])
    topic_id = pair.until("Metadata", 12, {"topics": [{"name": name}], "allow_auto_topic_creation": False}, led).get(
        "topics", 0, "topic_id")
    pair.until("ListOffsets", 7, {"replica_id": -1, "topics": [{"name": name, "partitions": [
        {"partition_index": n, "timestamp": -1} for n in range(partitions)]}]},
        lambda answer: not any(error_codes(answer)))
    return topic_id


def batch(*values, **settings):
    return wire.record_batch(values or (b"value",), timestamp=NOW, **settings)


def produce(pair, name, records, version=9, partition=0, acks=-1, topic_id=None, transactional_id=None, **more):
    """Produces one batch and compares."""
    return pair.ask("Produce", version, {"acks": acks, "timeout_ms": 5000, "transactional_id": transactional_id, "topic_data": [
        {"name": name, "topic_id": topic_id or messages.NO_ID,
         "partition_data": [{"index": partition, "records": records}]}]}, **more)


def fetch_values(name, offset, topic_id=None, partition=0, **more):
    """A Fetch of one partition; `more`: fields of the request, or with partition_ in front of the partition."""
    inner = {"partition": partition, "fetch_offset": offset, "partition_max_bytes": 1 << 20}
    inner.update({key.removeprefix("p_"): value for key, value in more.items() if key.startswith("p_")})
    outer = {"max_wait_ms": 0, "min_bytes": 0, "max_bytes": 1 << 20, "topics": [
        {"topic": name, "topic_id": topic_id or messages.NO_ID, "partitions": [inner]}]}
    outer.update({key: value for key, value in more.items() if not key.startswith("p_")})
    return outer


def unreadable(pair, api, version, body=b""):
    """A request made by hand; what becomes of the connection is compared."""
    line = pair.line()
    frame = struct.pack(">hhi", messages.KEYS[api], version, 1) + wire.string("diff") + body
    for side in (0, 1):
        line.send_frame(side, frame)
    pair.asked(api, version)
    return [line.read_frame(side) for side in (0, 1)]
