"""Topics, their settings, and what a broker says of itself."""
import struct

from differential.common import (BROKER, TOPIC, UNKNOWN_ID, batch, make_topic, produce, unreadable, versions, wait_for_topic)
from lib import messages, wire


def versions_are_told(pair):
    for v in versions(pair, "ApiVersions"):
        pair.ask("ApiVersions", v, {"client_software_name": "diff", "client_software_version": "1.0"})
        if v >= 3:
            pair.ask("ApiVersions", v, {"client_software_name": "no name at all!", "client_software_version": "1.0"})


def a_version_that_is_unknown_gets_the_table(pair):
    sent = [("ApiVersions", 0, 1)] * 2
    line = pair.line()
    for side in (0, 1):
        line.send_frame(side, struct.pack(">hhi", messages.KEYS["ApiVersions"], 99, 1) + wire.string("diff") + b"whatever")
    answers = [line.receive(sent[side], side) for side in (0, 1)]
    for side in (0, 1):
        pair._note(side, "ApiVersions", 99, answers[side])
    pair.compare("ApiVersions", 99, answers)


def versions_that_are_only_advertised_close_the_connection(pair):
    for api, (low, _) in pair.served.items():
        for v in range(low, min(messages.APIS[messages.KEYS[api]].headers)):
            closed = [frame is None for frame in unreadable(pair, api, v, bytes(40))]
            pair.compare(api, v, [{"closed": side} for side in closed])


def a_request_that_cannot_be_read_closes_the_connection(pair):
    for api, v in (("Metadata", 12), ("Produce", 9), ("Fetch", 4), ("CreateTopics", 7), ("JoinGroup", 5)):
        closed = [frame is None for frame in unreadable(pair, api, v, b"\0\xff\xff\xff\x7f")]
        pair.compare(api, v, [{"closed": side} for side in closed])


def all_topics_are_listed(pair):
    make_topic(pair, "listed", 3)
    for v in versions(pair, "Metadata"):
        # Version 0 says "all" by an empty list.
        pair.ask("Metadata", v, {"topics": [] if v == 0 else None, "allow_auto_topic_creation": False})


def topics_are_described_by_name_and_by_id(pair):
    known = make_topic(pair, "described", 2)
    for v in versions(pair, "Metadata"):
        names = ["described", "bad/name"] + (["no-such-topic"] if v >= 4 else [])
        pair.ask("Metadata", v, {"topics": [{"name": name} for name in names], "allow_auto_topic_creation": False,
                                 "include_topic_authorized_operations": True, "include_cluster_authorized_operations": True})
        pair.ask("Metadata", v, {"topics": [], "allow_auto_topic_creation": False})
        if v >= 10:
            pair.ask("Metadata", v, {"topics": [{"name": None, "topic_id": known}], "allow_auto_topic_creation": False})
        if v >= 12:
            pair.ask("Metadata", v, {"topics": [{"name": None, "topic_id": UNKNOWN_ID}], "allow_auto_topic_creation": False})


def a_topic_is_made_by_asking_for_it(pair):
    for v in versions(pair, "Metadata"):
        name = f"made-{v}"

        def there(answer):
            return answer["topics"][0]["error_code"] == 0 and answer["topics"][0]["partitions"]
        pair.until("Metadata", v, {"topics": [{"name": name}], "allow_auto_topic_creation": True}, there)


def topics_are_created_or_refused(pair):
    make_topic(pair, "there-already")
    for v in versions(pair, "CreateTopics"):
        def create(pair=pair, v=v, **topic):
            outer = {key: topic.pop(key) for key in ("validate_only", "timeout_ms") if key in topic}
            return pair.ask("CreateTopics", v, {"topics": [{"num_partitions": 1, "replication_factor": 1, **topic}], **outer})
        create(name=f"created-{v}", num_partitions=3, configs=[{"name": "retention.ms", "value": "1000000"},
                                                               {"name": "cleanup.policy", "value": "compact"}])
        create(name=f"placed-{v}", num_partitions=-1, replication_factor=-1,
               assignments=[{"partition_index": 0, "broker_ids": [1]}, {"partition_index": 1, "broker_ids": [1]}])
        create(name="there-already")
        create(name="bad/name")
        create(name="")
        create(name=f"none-{v}", num_partitions=0)
        create(name=f"minus-{v}", num_partitions=-7)
        create(name=f"many-{v}", replication_factor=3)
        create(name=f"zero-{v}", replication_factor=0)
        create(name=f"setting-{v}", configs=[{"name": "no.such.setting", "value": "1"}])
        create(name=f"value-{v}", configs=[{"name": "retention.ms", "value": "soon"}])
        create(name=f"null-{v}", configs=[{"name": "retention.ms", "value": None}])
        create(name=f"elsewhere-{v}", num_partitions=-1, replication_factor=-1,
               assignments=[{"partition_index": 0, "broker_ids": [77]}])
        create(name=f"gap-{v}", num_partitions=-1, replication_factor=-1,
               assignments=[{"partition_index": 1, "broker_ids": [1]}])
        create(name=f"both-{v}", num_partitions=2, replication_factor=1,
               assignments=[{"partition_index": 0, "broker_ids": [1]}])
        create(name=f"huge-{v}", num_partitions=10_001)
        create(name=f"tried-{v}", validate_only=True)
        create(name=f"created.{v}")
        wait_for_topic(pair, f"created-{v}", 3)
        pair.ask("CreateTopics", v, {"topics": [{"name": f"twice-{v}", "num_partitions": 1, "replication_factor": 1}] * 2})
        pair.ask("CreateTopics", v, {"topics": []})
        if v >= 4:
            create(name=f"default-{v}", num_partitions=-1, replication_factor=-1)


def topics_are_deleted_by_name_and_by_id(pair):
    for v in versions(pair, "DeleteTopics"):
        names = [f"doomed-{v}-{n}" for n in range(3)]
        ids = [make_topic(pair, name) for name in names]
        if v < 6:
            pair.ask("DeleteTopics", v, {"topic_names": [names[0], "no-such-topic", names[1]], "timeout_ms": 5000})
        else:
            pair.ask("DeleteTopics", v, {"topics": [{"name": names[0]}, {"name": "no-such-topic"}], "timeout_ms": 5000})
            pair.ask("DeleteTopics", v, {"topics": [{"name": None, "topic_id": ids[1]}], "timeout_ms": 5000})
            pair.ask("DeleteTopics", v, {"topics": [{"name": None, "topic_id": UNKNOWN_ID}], "timeout_ms": 5000})
            pair.ask("DeleteTopics", v, {"topics": [{"name": names[2], "topic_id": ids[2]}], "timeout_ms": 5000})
        pair.until("Metadata", 12, {"topics": [{"name": names[0]}], "allow_auto_topic_creation": False},
                   lambda answer: answer["topics"][0]["error_code"] == 3)


def partitions_are_added(pair):
    for v in versions(pair, "CreatePartitions"):
        name = f"growing-{v}"
        make_topic(pair, name, 2)

        def grow(count, name=name, v=v, assignments=None, **outer):
            pair.ask("CreatePartitions", v, {"topics": [{"name": name, "count": count, "assignments": assignments}],
                                             "timeout_ms": 5000, **outer})
        grow(4)
        wait_for_topic(pair, name, 4)
        grow(4)
        grow(3)
        grow(0)
        grow(5, name="no-such-topic")
        grow(6, validate_only=True)
        grow(5, assignments=[{"broker_ids": [1]}])
        grow(7, assignments=[{"broker_ids": [1]}])
        grow(6, assignments=[{"broker_ids": [77]}])
        pair.ask("CreatePartitions", v, {"topics": [{"name": name, "count": 8, "assignments": None}] * 2, "timeout_ms": 5000})


KEYS = ["cleanup.policy", "retention.ms", "no.such.setting", "segment.bytes"]


def settings_of_topics_are_described(pair):
    make_topic(pair, "settled", 1, retention_ms=5000000, cleanup_policy="compact,delete", segment_bytes=2097152)
    for v in versions(pair, "DescribeConfigs"):
        def describe(resource, keys=None, kind=TOPIC, v=v, **outer):
            pair.ask("DescribeConfigs", v, {"resources": [{"resource_type": kind, "resource_name": resource,
                                                           "configuration_keys": keys}], **outer})
        describe("settled", KEYS, include_synonyms=True)
        describe("settled", KEYS, include_synonyms=True, include_documentation=True)
        describe("settled")
        describe("settled", [])
        describe("no-such-topic", KEYS)
        describe("bad/name", KEYS)
        describe("settled", KEYS, kind=77)
        describe("1", ["num.partitions", "auto.create.topics.enable", "log.retention.ms"], kind=BROKER, include_synonyms=True)
        describe("77", ["num.partitions"], kind=BROKER)
        describe("one", ["num.partitions"], kind=BROKER)


def settings_are_replaced(pair):
    for v in versions(pair, "AlterConfigs"):
        name = f"replaced-{v}"
        make_topic(pair, name, 1, retention_ms=5000000, segment_bytes=2097152)

        def alter(*configs, resource=name, kind=TOPIC, v=v, **outer):
            pair.ask("AlterConfigs", v, {"resources": [{"resource_type": kind, "resource_name": resource, "configs": [
                {"name": key, "value": value} for key, value in configs]}], **outer})
        alter(("retention.ms", "7000000"), validate_only=True)
        alter(("retention.ms", "6000000"))
        settled(pair, name, "retention.ms", "6000000")
        pair.ask("DescribeConfigs", 4, {"resources": [{"resource_type": TOPIC, "resource_name": name,
                                                       "configuration_keys": KEYS}], "include_synonyms": True})
        alter(("retention.ms", "soon"))
        alter(("no.such.setting", "1"))
        alter(("retention.ms", None))
        alter(("retention.ms", "1"), resource="no-such-topic")
        alter(("retention.ms", "1"), kind=77)
        alter(("min.insync.replicas", "2"))
        alter()


def settled(pair, name, key, value):
    """Kafka's broker obeys a setting a moment after its answer."""
    pair.until("DescribeConfigs", 4, {"resources": [{"resource_type": TOPIC, "resource_name": name, "configuration_keys": [key]}]},
               lambda answer: answer["results"][0]["configs"][0]["value"] == value)


def settings_are_changed_one_by_one(pair):
    for v in versions(pair, "IncrementalAlterConfigs"):
        name = f"changed-{v}"
        make_topic(pair, name, 1, retention_ms=5000000)

        def change(*configs, resource=name, kind=TOPIC, v=v, **outer):
            pair.ask("IncrementalAlterConfigs", v, {"resources": [{"resource_type": kind, "resource_name": resource, "configs": [
                {"name": key, "config_operation": operation, "value": value} for key, operation, value in configs]}], **outer})
        put, remove, append, subtract = range(4)
        change(("segment.bytes", put, "4194304"), ("retention.ms", remove, None))
        change(("cleanup.policy", append, "compact"))
        settled(pair, name, "cleanup.policy", "delete,compact")
        change(("cleanup.policy", subtract, "delete"))
        settled(pair, name, "cleanup.policy", "compact")
        pair.ask("DescribeConfigs", 4, {"resources": [{"resource_type": TOPIC, "resource_name": name,
                                                       "configuration_keys": KEYS}], "include_synonyms": True})
        change(("retention.ms", put, "7000000"), validate_only=True)
        change(("retention.ms", put, "soon"))
        change(("retention.ms", append, "1"))
        change(("retention.ms", 9, "1"))
        change(("no.such.setting", put, "1"))
        change(("retention.ms", put, "1"), ("retention.ms", put, "2"))
        change(("retention.ms", put, None))
        change(("retention.ms", put, "1"), resource="no-such-topic")
        change(("retention.ms", put, "1"), resource="bad/name")
        change(("retention.ms", put, "1"), kind=77)
        one = {"resource_type": TOPIC, "resource_name": name, "configs": [
            {"name": "retention.ms", "config_operation": put, "value": "1"}]}
        pair.ask("IncrementalAlterConfigs", v, {"resources": [one, one]})


def folders_are_described(pair):
    make_topic(pair, "stored", 2)
    produce(pair, "stored", batch(b"something"))
    for v in versions(pair, "DescribeLogDirs"):
        pair.ask("DescribeLogDirs", v, {"topics": [{"topic": "stored", "partitions": [0, 1, 9]}]})
        pair.ask("DescribeLogDirs", v, {"topics": [{"topic": "no-such-topic", "partitions": [0]}]})
        pair.ask("DescribeLogDirs", v, {"topics": []})


def the_cluster_is_described(pair):
    for v in versions(pair, "DescribeCluster"):
        pair.ask("DescribeCluster", v, {"include_cluster_authorized_operations": True})
        pair.ask("DescribeCluster", v, {"include_cluster_authorized_operations": False})
        pair.ask("DescribeCluster", v, {"endpoint_type": 2})
        pair.ask("DescribeCluster", v, {"endpoint_type": 7})


def partitions_are_described_page_by_page(pair):
    for name, count in (("paged-a", 3), ("paged-b", 2)):
        make_topic(pair, name, count)
    for v in versions(pair, "DescribeTopicPartitions"):
        topics = [{"name": "paged-b"}, {"name": "paged-a"}, {"name": "paged-none"}]
        for limit in (1, 2, 4, 2000, -1, 0):
            pair.ask("DescribeTopicPartitions", v, {"topics": topics, "response_partition_limit": limit})
        for name, index in (("paged-a", 2), ("paged-b", 0), ("paged-b", 7), ("paged-z", 0), ("paged-a", -1)):
            pair.ask("DescribeTopicPartitions", v, {"topics": topics, "response_partition_limit": 3,
                                                    "cursor": {"topic_name": name, "partition_index": index}})


SCENARIOS = [all_topics_are_listed, versions_are_told, a_version_that_is_unknown_gets_the_table,
             versions_that_are_only_advertised_close_the_connection, a_request_that_cannot_be_read_closes_the_connection,
             topics_are_described_by_name_and_by_id, a_topic_is_made_by_asking_for_it, topics_are_created_or_refused,
             topics_are_deleted_by_name_and_by_id, partitions_are_added, settings_of_topics_are_described, settings_are_replaced,
             settings_are_changed_one_by_one, folders_are_described, the_cluster_is_described,
             partitions_are_described_page_by_page]
