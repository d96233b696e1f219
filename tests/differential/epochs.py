"""Leader epochs after a crash of both brokers; the last scenario, because it ends their connections."""
from differential.common import batch, fetch_values, make_topic, produce, versions, wait_for_topic

FIRST = 0  # the epoch of a new partition, on both


def a_crash_raises_the_epoch(pair):
    topic_id = make_topic(pair, "crashed")
    produce(pair, "crashed", batch(b"a", b"b"))
    pair.restart()
    wait_for_topic(pair, "crashed")
    now = pair.ask("Metadata", 12, {"topics": [{"name": "crashed"}], "allow_auto_topic_creation": False}).get(
        "topics", 0, "partitions", 0, "leader_epoch")
    assert all(epoch > FIRST for epoch in now), now
    produce(pair, "crashed", batch(b"c"))
    for v in (version for version in versions(pair, "Fetch") if version >= 9):
        for current in (FIRST, now):
            pair.ask("Fetch", v, fetch_values("crashed", 0, topic_id, p_current_leader_epoch=current))
    for v in (version for version in versions(pair, "Fetch") if version >= 12):
        for offset, last in ((2, FIRST), (3, FIRST), (3, now)):
            pair.ask("Fetch", v, fetch_values("crashed", offset, topic_id, p_current_leader_epoch=now, p_last_fetched_epoch=last))
    for v in (version for version in versions(pair, "ListOffsets") if version >= 4):
        for current in (FIRST, now):
            pair.ask("ListOffsets", v, {"replica_id": -1, "topics": [{"name": "crashed", "partitions": [
                {"partition_index": 0, "timestamp": -1, "current_leader_epoch": current}]}]})
    for v in versions(pair, "OffsetForLeaderEpoch"):
        for current, epoch in ((FIRST, FIRST), (now, FIRST), (now, now)):
            pair.ask("OffsetForLeaderEpoch", v, {"replica_id": -1 if v >= 3 else -2, "topics": [
                {"topic": "crashed", "partitions": [
                    {"partition": 0, "current_leader_epoch": current, "leader_epoch": epoch}]}]})


SCENARIOS = [a_crash_raises_the_epoch]
