"""Transactions, in the old protocol and in the new one."""
from differential.common import batch, fetch_values, make_topic, produce, versions
from differential.groups import find, stable

NEW_PROTOCOL = 5  # the version of EndTxn from which every end has a new epoch


class Producer:
    """A transactional producer on both brokers."""

    def __init__(self, pair, name, version=4, timeout_ms=60_000):
        self.pair, self.name, self.sequence = pair, name, {}
        pair.ask("FindCoordinator", 2, {"key": name, "key_type": 1})
        self.told(pair.ask("InitProducerId", version, {
            "transactional_id": name, "transaction_timeout_ms": timeout_ms, "producer_id": -1, "producer_epoch": -1}))

    def told(self, answer):
        self.id, self.epoch = answer.get("producer_id"), answer.get("producer_epoch")
        self.sequence = {}

    def values(self, **more):
        return {"transactional_id": self.name, "producer_id": self.id, "producer_epoch": self.epoch, **more}

    def add(self, version, *topics, **more):
        listed = [{"name": name, "partitions": list(partitions)} for name, *partitions in topics]
        one = self.values(topics=listed, verify_only=False, **more)
        return self.pair.ask("AddPartitionsToTxn", version, {
            "v3_and_below_transactional_id": one["transactional_id"], "v3_and_below_producer_id": one["producer_id"],
            "v3_and_below_producer_epoch": one["producer_epoch"], "v3_and_below_topics": listed, "transactions": [one]})

    def produce(self, topic, version=9, partition=0, epoch=None, topic_id=None, again=(), **more):
        sequence = self.sequence.get((topic, partition), 0)
        self.sequence[topic, partition] = sequence + 1
        epochs = self.epoch if epoch is None else epoch
        return produce(self.pair, topic, lambda side: batch(
            b"in a transaction", attributes=0x10, producer=(self.id[side], epochs[side], sequence)), version,
            partition=partition, transactional_id=self.name, topic_id=topic_id, again=again, **more)

    def end(self, version, committed, **more):
        return self.pair.ask("EndTxn", version, self.values(committed=committed, **more))

    def commit_nothing(self, version):
        """Of the present epoch: weir wants it again, when what is to be in it has come."""
        return self.pair.ask("EndTxn", version, self.values(committed=True), again=())

    def commit_offsets(self, version, group, topic, offset, member="", generation=-1, **more):
        return self.pair.ask("TxnOffsetCommit", version, self.values(
            group_id=group, generation_id=generation, member_id=member, topics=[{"name": topic, "partitions": [
                {"partition_index": 0, "committed_offset": offset, "committed_leader_epoch": 0, "committed_metadata": "t"}]}], **more))

    def complete(self):
        """Waits for the markers: Kafka answers before they are written."""
        self.pair.until("DescribeTransactions", 0, {"transactional_ids": [self.name]},
                        lambda answer: answer["transaction_states"][0]["transaction_state"] in
                        ("CompleteCommit", "CompleteAbort", "Empty"))


def shifted(each, by):
    return type(each)(value + by for value in each)


def producer_ids_are_given(pair):
    for v in versions(pair, "InitProducerId"):
        pair.ask("InitProducerId", v, {"transactional_id": None, "transaction_timeout_ms": 60000})
        pair.ask("InitProducerId", v, {"transactional_id": "", "transaction_timeout_ms": 60000})
        first = Producer(pair, f"given-{v}", v)
        again = Producer(pair, f"given-{v}", v)
        pair.ask("InitProducerId", v, {"transactional_id": f"long-{v}", "transaction_timeout_ms": 100_000_000})
        pair.ask("InitProducerId", v, {"transactional_id": f"zero-{v}", "transaction_timeout_ms": 0})
        if v >= 3:
            for number, epoch in ((again.id, again.epoch), (first.id, first.epoch), (987654321, 0)):
                pair.ask("InitProducerId", v, {"transactional_id": f"given-{v}", "transaction_timeout_ms": 60000,
                                               "producer_id": number, "producer_epoch": epoch})
            pair.ask("InitProducerId", v, {"transactional_id": f"given-{v}", "transaction_timeout_ms": 60000,
                                           "producer_id": 5, "producer_epoch": -1})


def the_old_protocol(pair):
    make_topic(pair, "old", 3)
    for v in versions(pair, "AddPartitionsToTxn"):
        one = Producer(pair, f"old-{v}")
        one.end(min(v, 4), True)
        one.add(v, ("old", 0, 1))
        one.add(v, ("old", 0, 2))
        one.add(v, ("no-such-topic", 0), ("old", 9, 0))
        one.produce("old", 9)
        one.produce("old", 9, 1)
        pair.ask("DescribeTransactions", 0, {"transactional_ids": [f"old-{v}"]})
        one.add(v, ("old", 0), producer_id=987654321)
        one.add(v, ("old", 0), producer_epoch=shifted(one.epoch, -1))
        one.add(v, ("old", 0), producer_epoch=shifted(one.epoch, 1))
        one.add(v, ("old", 0), transactional_id=f"unknown-{v}")
        one.end(min(v, 4), v % 2 == 0)
        one.complete()
        one.end(min(v, 4), v % 2 == 0)
        one.end(min(v, 4), v % 2 == 1)
        pair.ask("DescribeTransactions", 0, {"transactional_ids": [f"old-{v}"]})
    pair.ask("Fetch", 12, fetch_values("old", 0, isolation_level=1))
    pair.ask("Fetch", 12, fetch_values("old", 0))


def the_old_protocol_is_verified(pair):
    topic_id = make_topic(pair, "verified", 2)
    for v in (version for version in versions(pair, "Produce")):
        Producer(pair, f"verified-{v}")
        one = Producer(pair, f"verified-{v}")  # so that there is an epoch before its own
        if v < 12:
            one.produce("verified", v)  # not added
            one.sequence = {}
            one.add(3, ("verified", 0))
        one.produce("verified", v, topic_id=topic_id)
        one.produce("verified", v, topic_id=topic_id)
        one.produce("verified", v, topic_id=topic_id, epoch=shifted(one.epoch, -1))
        pair.ask("DescribeProducers", 0, {"topics": [{"name": "verified", "partition_indexes": [1]}]})
        one.told(one.end(NEW_PROTOCOL if v >= 12 else 3, True)) if v >= 12 else one.end(3, True)
        one.complete()


def ends_of_the_old_protocol(pair):
    make_topic(pair, "ends")
    for v in range(0, NEW_PROTOCOL):
        one = Producer(pair, f"ends-{v}")
        for committed in (True, False):
            one.add(3, ("ends", 0))
            one.end(v, committed, producer_id=987654321)
            one.end(v, committed, producer_epoch=shifted(one.epoch, 1))
            one.end(v, committed, transactional_id=f"unknown-{v}")
            one.end(v, committed)
            one.complete()
            one.end(v, committed)
            one.end(v, not committed)
        one.end(v, True, transactional_id="")


def ends_of_the_new_protocol(pair):
    topic_id = make_topic(pair, "new")
    one = Producer(pair, "new")
    one.commit_nothing(NEW_PROTOCOL)  # Empty
    one.told(one.end(NEW_PROTOCOL, False))
    for committed in (True, False, True):
        one.produce("new", 12, topic_id=topic_id)
        one.produce("new", 12, topic_id=topic_id)
        before = one.epoch
        told = one.end(NEW_PROTOCOL, committed)
        one.complete()
        one.end(NEW_PROTOCOL, committed)  # a retry
        one.end(NEW_PROTOCOL, not committed)
        one.told(told)
        one.commit_nothing(NEW_PROTOCOL)
        one.produce("new", 12, topic_id=topic_id, epoch=before)
        one.sequence = {}
    one.end(NEW_PROTOCOL, True, producer_epoch=shifted(one.epoch, -2))
    one.end(NEW_PROTOCOL, False, producer_id=987654321)
    pair.ask("Fetch", 12, fetch_values("new", 0, isolation_level=1))
    pair.ask("Fetch", 12, fetch_values("new", 0))


def a_successor_fences(pair):
    make_topic(pair, "fenced")
    for v in versions(pair, "EndTxn"):
        old = Producer(pair, f"fenced-{v}")
        old.add(3, ("fenced", 0))
        old.produce("fenced")
        Producer(pair, f"fenced-{v}")
        old.end(v, True)
        old.add(min(v, 3), ("fenced", 0))
        old.produce("fenced")
        pair.ask("AddOffsetsToTxn", min(v, 4), old.values(group_id="fenced"))
        if v >= 3:
            pair.ask("InitProducerId", v, old.values(transaction_timeout_ms=60_000))


def offsets_are_committed_in_transactions(pair):
    make_topic(pair, "tracked")
    for v in versions(pair, "TxnOffsetCommit"):
        group = f"tracked-{v}"
        find(pair, group)
        one = Producer(pair, f"tracker-{v}")
        if v < 5:
            pair.ask("AddOffsetsToTxn", min(v, 4), one.values(group_id=group))
        one.commit_offsets(v, group, "tracked", 7)
        one.commit_offsets(v, group, "no-such-topic", 7)
        for stable_only in (False, True):
            pair.ask("OffsetFetch", 7, {"group_id": group, "require_stable": stable_only, "topics": [
                {"name": "tracked", "partition_indexes": [0]}]})
        one.told(one.end(5, True)) if v >= 5 else one.end(3, True)
        one.complete()
        pair.until("OffsetFetch", 7, {"group_id": group, "require_stable": True, "topics": [
            {"name": "tracked", "partition_indexes": [0]}]},
            lambda answer: answer["topics"][0]["partitions"][0]["committed_offset"] == 7)
        member, generation = stable(pair, group)
        pair.ask("AddOffsetsToTxn", 3, one.values(group_id=group))
        one.commit_offsets(v, group, "tracked", 8, member=member, generation=generation)
        one.commit_offsets(v, group, "tracked", 9, member="nobody", generation=generation)
        one.commit_offsets(v, group, "tracked", 9, member=member, generation=generation[0] + 5)
        one.commit_offsets(v, group, "tracked", 9, member=member, generation=generation, group_instance_id="none")
        one.commit_offsets(v, "", "tracked", 9)
        one.commit_offsets(v, group, "tracked", 9, producer_id=987654321)
        one.commit_offsets(v, group, "tracked", 9, producer_epoch=shifted(one.epoch, -1))
        one.end(5 if v >= 5 else 3, False)
        one.complete()
        pair.ask("OffsetFetch", 7, {"group_id": group, "topics": [{"name": "tracked", "partition_indexes": [0]}]})


def offsets_are_added(pair):
    make_topic(pair, "added")
    for v in versions(pair, "AddOffsetsToTxn"):
        one = Producer(pair, f"adder-{v}")
        pair.ask("AddOffsetsToTxn", v, one.values(group_id="adders"))
        pair.ask("AddOffsetsToTxn", v, one.values(group_id=""))
        pair.ask("AddOffsetsToTxn", v, one.values(group_id="adders", producer_id=987654321))
        pair.ask("AddOffsetsToTxn", v, one.values(group_id="adders", producer_epoch=shifted(one.epoch, 1)))
        pair.ask("AddOffsetsToTxn", v, one.values(group_id="adders", transactional_id=f"unknown-{v}"))
        one.end(3, False)
        one.complete()


def markers_are_written_by_hand(pair):
    make_topic(pair, "marked", 2)
    for v in versions(pair, "WriteTxnMarkers"):
        one = Producer(pair, f"marked-{v}")
        one.add(3, ("marked", 0))
        one.produce("marked")

        def mark(epoch, coordinator=0, partitions=(0,), topic="marked", v=v, one=one, committed=False):
            pair.ask("WriteTxnMarkers", v, {"markers": [{
                "producer_id": one.id, "producer_epoch": epoch, "transaction_result": committed, "coordinator_epoch": coordinator,
                "topics": [{"name": topic, "partition_indexes": list(partitions)}]}]})
        mark(shifted(one.epoch, -1))
        mark(one.epoch, coordinator=5)
        mark(shifted(one.epoch, 1), coordinator=3)
        mark(one.epoch, partitions=(1, 9))
        mark(one.epoch, topic="no-such-topic")
        pair.ask("DescribeProducers", 0, {"topics": [{"name": "marked", "partition_indexes": [0, 1]}]})
        pair.ask("Fetch", 12, fetch_values("marked", 0, isolation_level=1))


def transactions_are_described_and_listed(pair):
    make_topic(pair, "watched")
    one = Producer(pair, "watched")
    one.add(3, ("watched", 0))
    for v in versions(pair, "DescribeTransactions"):
        pair.ask("DescribeTransactions", v, {"transactional_ids": ["watched", "no-such-id", ""]})
    for v in versions(pair, "ListTransactions"):
        pair.ask("ListTransactions", v, {"duration_filter": -1})
        pair.ask("ListTransactions", v, {"state_filters": ["Ongoing"], "duration_filter": -1})
        pair.ask("ListTransactions", v, {"state_filters": ["Nonsense"], "duration_filter": -1})
        pair.ask("ListTransactions", v, {"producer_id_filters": [one.id], "duration_filter": -1})
        pair.ask("ListTransactions", v, {"producer_id_filters": [987654321], "duration_filter": -1})
        if v >= 1:
            pair.ask("ListTransactions", v, {"duration_filter": 10_000_000})
            pair.ask("ListTransactions", v, {"duration_filter": 0, "state_filters": ["Ongoing"]})
        if v >= 2:
            pair.ask("ListTransactions", v, {"duration_filter": -1, "transactional_id_pattern": "wat.*"})
            pair.ask("ListTransactions", v, {"duration_filter": -1, "transactional_id_pattern": "("})
    one.end(3, False)
    one.complete()


SCENARIOS = [producer_ids_are_given, transactions_are_described_and_listed, the_old_protocol, the_old_protocol_is_verified,
             ends_of_the_old_protocol, ends_of_the_new_protocol, a_successor_fences, offsets_are_added,
             offsets_are_committed_in_transactions, markers_are_written_by_hand]
