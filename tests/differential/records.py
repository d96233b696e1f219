"""Produce, Fetch and what is asked about offsets."""
import gzip

from differential.common import NOW, UNKNOWN_ID, batch, fetch_values, make_topic, produce, versions
from lib import wire

READ_COMMITTED = 1


def produce_to(pair, v, name, topic_id, **more):
    """At version v, by name or by id as the version wants it."""
    records = more.pop("records", batch())
    return produce(pair, name, records, v, topic_id=topic_id, **more)


def records_are_produced_and_fetched(pair):
    for v in versions(pair, "Produce"):
        name = f"produced-{v}"
        topic_id = make_topic(pair, name, 2)
        produce_to(pair, v, name, topic_id, records=batch(b"one", b"two"))
        produce_to(pair, v, name, topic_id, records=batch(body=gzip.compress(
            b"".join(wire.record(value, offset_delta=i) for i, value in enumerate((b"a", b"b"))), mtime=0),
            count=2, last_delta=1, attributes=1))
        produce_to(pair, v, name, topic_id, acks=1)
        produce_to(pair, v, name, topic_id, partition=7)
        produce_to(pair, v, f"unknown-{v}", UNKNOWN_ID) if v >= 13 else None
        produce_to(pair, v, "bad/name", UNKNOWN_ID) if v < 13 else None
        produce_to(pair, v, name, topic_id, acks=2)
        pair.tell("Produce", v, {"acks": 0, "timeout_ms": 5000, "topic_data": [
            {"name": name, "topic_id": topic_id, "partition_data": [{"index": 0, "records": batch(b"untold")}]}]})
        pair.until("ListOffsets", 7, {"replica_id": -1, "topics": [{"name": name, "partitions": [
            {"partition_index": 0, "timestamp": -1}]}]}, lambda answer: answer["topics"][0]["partitions"][0]["offset"] == 6)
        pair.ask("Fetch", 12, fetch_values(name, 0))


def bad_batches_are_refused(pair):
    for v in versions(pair, "Produce"):
        name, small, compacted = f"strict-{v}", f"small-{v}", f"compacted-{v}"
        topic_id = make_topic(pair, name)
        small_id = make_topic(pair, small, 1, max_message_bytes=200)
        compacted_id = make_topic(pair, compacted, 1, cleanup_policy="compact")
        for bad in ({"crc_off": 1}, {"magic": 1}, {"magic": 3}, {"count": 5}, {"last_delta": 3},
                    {"attributes": 0x10}, {"attributes": 5}, {"attributes": 8}):
            line = pair.line()  # a refusal may close it
            produce_to(pair, v, name, topic_id, records=batch(b"x", **bad), line=line)
            line.close()
        produce_to(pair, v, name, topic_id, records=wire.record_batch((b"x",), timestamp=NOW + 10**12))
        produce_to(pair, v, name, topic_id, records=batch(b"a") + batch(b"b"))
        produce_to(pair, v, small, small_id, records=batch(b"x" * 300))
        produce_to(pair, v, compacted, compacted_id, records=batch(b"keyless"))
        produce_to(pair, v, compacted, compacted_id, records=batch(body=wire.record(b"v", key=b"k"), count=1, last_delta=0))
    pair.ask("CreateTopics", 7, {"topics": [{"name": "cramped", "num_partitions": 1, "replication_factor": 1, "configs": [
        {"name": "segment.bytes", "value": "1048576"}, {"name": "max.message.bytes", "value": "4194304"}]}]})
    produce(pair, "cramped", batch(b"x" * (1 << 20) + b"y"), again={"UNKNOWN_TOPIC_OR_PARTITION"})


def idempotent_producers_are_followed(pair):
    for v in versions(pair, "Produce"):
        name = f"idempotent-{v}"
        topic_id = make_topic(pair, name)
        told = pair.ask("InitProducerId", 4, {"transactional_id": None, "transaction_timeout_ms": 60000})
        ids = told.get("producer_id")

        def send(sequence, epoch=0, values=(b"x",), v=v, name=name, topic_id=topic_id, ids=ids):
            produce_to(pair, v, name, topic_id, records=lambda side: batch(*values, producer=(ids[side], epoch, sequence)))
        for sequence in (0, 1, 2, 3, 4, 5, 6):
            send(sequence)
        send(6)  # again
        send(2)  # the oldest that is remembered
        send(1)  # too old
        send(9)  # a gap
        send(0, epoch=1)
        send(7, epoch=0)  # of the past
        send(3, epoch=2)  # must begin at 0
        send(1, epoch=1, values=(b"a", b"b"))
        send(1, epoch=1, values=(b"a", b"b"))
        pair.ask("Fetch", 12, fetch_values(name, 0))
        pair.ask("DescribeProducers", 0, {"topics": [{"name": name, "partition_indexes": [0, 5]},
                                                     {"name": "no-such-topic", "partition_indexes": [0]}]})


def an_unknown_producer_may_begin_anywhere(pair):
    make_topic(pair, "stranger")
    produce(pair, "stranger", batch(producer=(4_000_000, 3, 17)))
    produce(pair, "stranger", batch(producer=(4_000_000, 3, 18)))
    produce(pair, "stranger", batch(producer=(4_000_000, 3, 16)))


def fetches_of_every_version(pair):
    for v in versions(pair, "Fetch"):
        name = f"fetched-{v}"
        topic_id = make_topic(pair, name, 2)
        for values in ((b"one",), (b"two", b"three"), (b"four" * 100,)):
            produce(pair, name, batch(*values))

        def fetch(offset, v=v, name=name, topic_id=topic_id, **more):
            pair.ask("Fetch", v, fetch_values(name, offset, topic_id, **more))
        for offset in (0, 1, 2, 3, 4, 5, -1):
            fetch(offset)
        fetch(0, isolation_level=READ_COMMITTED)
        fetch(0, partition=9)
        fetch(0, p_partition_max_bytes=1)
        fetch(1, max_bytes=1)
        fetch(0, max_bytes=0)
        fetch(4, max_wait_ms=50, min_bytes=1)
        fetch(0, p_current_leader_epoch=0)
        fetch(0, p_current_leader_epoch=5)
        fetch(0, p_last_fetched_epoch=0)
        fetch(4, p_last_fetched_epoch=7)
        if v < 13:
            pair.ask("Fetch", v, fetch_values("no-such-topic", 0))
        else:
            pair.ask("Fetch", v, fetch_values(None, 0, UNKNOWN_ID))
        pair.ask("Fetch", v, {"max_wait_ms": 0, "min_bytes": 0, "max_bytes": 1 << 20, "topics": []})
        pair.ask("Fetch", v, {"max_wait_ms": 0, "min_bytes": 0, "max_bytes": 1 << 20, "topics": [
            {"topic": name, "topic_id": topic_id, "partitions": [
                {"partition": 0, "fetch_offset": 0, "partition_max_bytes": 90},
                {"partition": 1, "fetch_offset": 0, "partition_max_bytes": 90}]}]})


def fetch_sessions_are_kept(pair):
    for v in (version for version in versions(pair, "Fetch") if version >= 7):
        name = f"session-{v}"
        topic_id = make_topic(pair, name, 2)
        produce(pair, name, batch(b"one"))
        opened = pair.ask("Fetch", v, fetch_values(name, 0, topic_id, session_epoch=0))
        number = opened.get("session_id")

        def more(epoch, topics=(), number=number, v=v, **fields):
            pair.ask("Fetch", v, {"max_wait_ms": 0, "min_bytes": 0, "max_bytes": 1 << 20, "session_id": number,
                                  "session_epoch": epoch, "topics": list(topics), **fields})
        more(1)
        more(2, [{"topic": name, "topic_id": topic_id, "partitions": [
            {"partition": 0, "fetch_offset": 1, "partition_max_bytes": 1 << 20},
            {"partition": 1, "fetch_offset": 0, "partition_max_bytes": 1 << 20}]}])
        produce(pair, name, batch(b"two"))
        more(3)
        more(7)
        more(4, number=123456789)
        more(4, forgotten_topics_data=[{"topic": name, "topic_id": topic_id, "partitions": [0]}])
        more(5)
        if v >= 13:
            pair.ask("Fetch", 12, fetch_values(name, 0, session_id=number, session_epoch=6))
        more(-1)
        more(1)


def offsets_are_listed(pair):
    for v in versions(pair, "ListOffsets"):
        name = f"offsets-{v}"
        make_topic(pair, name, 2)
        for n in range(3):
            produce(pair, name, wire.record_batch((b"a", b"b"), timestamp=NOW + 1000 * n))

        def ask(timestamp, v=v, name=name, partition=0, epoch=-1, **outer):
            pair.ask("ListOffsets", v, {"replica_id": -1, "topics": [{"name": name, "partitions": [
                {"partition_index": partition, "timestamp": timestamp, "current_leader_epoch": epoch}]}], **outer})
        for timestamp in (-1, -2, -3, -4, -5, -6, -7, 0, NOW, NOW + 1, NOW + 1000, NOW + 2001):
            ask(timestamp)
            ask(timestamp, partition=1)
        ask(-1, isolation_level=READ_COMMITTED)
        ask(-1, partition=9)
        ask(-1, name="no-such-topic")
        ask(-1, epoch=0)
        ask(-1, epoch=9)
        pair.ask("ListOffsets", v, {"replica_id": -1, "topics": [{"name": name, "partitions": [
            {"partition_index": 0, "timestamp": -1}, {"partition_index": 0, "timestamp": -2}]}]})


def ends_of_epochs_are_told(pair):
    make_topic(pair, "epochs")
    produce(pair, "epochs", batch(b"a", b"b"))
    for v in versions(pair, "OffsetForLeaderEpoch"):
        for current, epoch, partition, name in ((-1, 0, 0, "epochs"), (0, 0, 0, "epochs"), (-1, 5, 0, "epochs"),
                                                (5, 0, 0, "epochs"), (-1, -1, 0, "epochs"), (-1, 0, 4, "epochs"),
                                                (-1, 0, 0, "no-such-topic")):
            pair.ask("OffsetForLeaderEpoch", v, {"replica_id": -1 if v >= 3 else -2, "topics": [
                {"topic": name, "partitions": [
                    {"partition": partition, "current_leader_epoch": current, "leader_epoch": epoch}]}]})


def records_are_deleted(pair):
    for v in versions(pair, "DeleteRecords"):
        name = f"emptied-{v}"
        make_topic(pair, name)
        for _ in range(3):
            produce(pair, name, batch(b"a", b"b"))

        def delete(offset, name=name, partition=0, v=v):
            pair.ask("DeleteRecords", v, {"timeout_ms": 5000, "topics": [
                {"name": name, "partitions": [{"partition_index": partition, "offset": offset}]}]})
        for offset in (1, 0, 3, 99, -5, -1):
            delete(offset)
            pair.ask("ListOffsets", 7, {"replica_id": -1, "topics": [{"name": name, "partitions": [
                {"partition_index": 0, "timestamp": -2}]}]})
        delete(0, partition=4)
        delete(0, name="no-such-topic")
        pair.ask("Fetch", 12, fetch_values(name, 0))
        pair.ask("Fetch", 12, fetch_values(name, 6))


def a_replica_that_is_none_gets_nothing(pair):
    make_topic(pair, "forged")
    pair.ask("Fetch", 11, fetch_values("forged", 0, replica_id=5))


SCENARIOS = [records_are_produced_and_fetched, bad_batches_are_refused, idempotent_producers_are_followed,
             an_unknown_producer_may_begin_anywhere, fetches_of_every_version, fetch_sessions_are_kept, offsets_are_listed,
             ends_of_epochs_are_told, records_are_deleted, a_replica_that_is_none_gets_nothing]
