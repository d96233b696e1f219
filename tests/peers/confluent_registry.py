"""Uses a registry as confluent-kafka-python's users do: URL, broker, and more settings of its client as JSON. Prints "done" at the end; any surprise is an exception."""
import json
import sys

from confluent_kafka import Consumer, Producer
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient, dual_schema_id_deserializer, header_schema_id_serializer
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext

DEADLINE_S = 60
url, broker, *settings = sys.argv[1:]
client = SchemaRegistryClient({"url": url, **json.loads(settings[0] if settings else "{}")})


def record(name, *fields, **more):
    return json.dumps({"type": "record", "name": name, "namespace": "shop", "fields": list(fields), **more})


def refused(work, code):
    try:
        work()
    except SchemaRegistryError as problem:
        assert problem.error_code == code, (problem.error_code, problem)
    else:
        raise AssertionError(f"{code} did not come")


ORDER = record("Order", {"name": "id", "type": "long"}, doc="An order was placed.")
ORDER_2 = record("Order", {"name": "id", "type": "long"}, {"name": "note", "type": "string", "default": ""}, doc="An order was placed.")
ORDER_3 = record("Order", {"name": "id", "type": "long"}, {"name": "place", "type": "string"}, doc="An order was placed.")


def evolution():
    first = client.register_schema("orders-value", Schema(ORDER, "AVRO"))
    assert client.register_schema("orders-value", Schema(ORDER, "AVRO")) == first
    assert client.test_compatibility("orders-value", Schema(ORDER_2, "AVRO"))
    assert not client.test_compatibility("orders-value", Schema(ORDER_3, "AVRO"))
    second = client.register_schema("orders-value", Schema(ORDER_2, "AVRO"))
    assert second != first
    refused(lambda: client.register_schema("orders-value", Schema(ORDER_3, "AVRO")), 409)
    assert client.get_versions("orders-value") == [1, 2]
    latest = client.get_latest_version("orders-value")
    assert (latest.version, latest.schema_id) == (2, second), latest
    assert client.lookup_schema("orders-value", Schema(ORDER, "AVRO")).version == 1
    assert json.loads(client.get_schema(first).schema_str) == json.loads(ORDER)
    guid = client.get_version("orders-value", 1).guid
    assert json.loads(client.get_schema_by_guid(guid).schema_str) == json.loads(ORDER)
    assert [(one.subject, one.version) for one in client.get_schema_versions(first)] == [("orders-value", 1)]


def references():
    client.register_schema("place", Schema(record("Place", {"name": "city", "type": "string"}), "AVRO"))
    trip = record("Trip", {"name": "to", "type": "shop.Place"})
    schema = Schema(trip, "AVRO", [SchemaReference("shop.Place", "place", 1)])
    number = client.register_schema("trips-value", schema)
    assert client.get_referenced_by("place", 1) == [number]
    serializer = AvroSerializer(client, schema)
    context = SerializationContext("trips", MessageField.VALUE)
    data = serializer({"to": {"city": "Oslo"}}, context)
    assert AvroDeserializer(client)(data, context) == {"to": {"city": "Oslo"}}
    refused(lambda: client.delete_version("place", 1), 42206)


def serialisers():
    """What an old and a new producer have sent is read by one consumer."""
    producer = Producer({"bootstrap.servers": broker})
    context = SerializationContext("orders", MessageField.VALUE)
    old = AvroSerializer(client, ORDER)
    new = AvroSerializer(client, ORDER_2)
    sent = [{"id": n} for n in range(10)], [{"id": n, "note": f"n{n}"} for n in range(10, 20)]
    for serializer, values in zip((old, new), sent):
        for value in values:
            producer.produce("orders", serializer(value, context))
    assert producer.flush(DEADLINE_S) == 0
    consumer = Consumer({"bootstrap.servers": broker, "group.id": "g", "auto.offset.reset": "earliest"})
    consumer.subscribe(["orders"])
    read, deserializer = [], AvroDeserializer(client, ORDER_2)
    while len(read) < 20:
        message = consumer.poll(DEADLINE_S)
        assert message is not None and not message.error(), message
        read.append(deserializer(message.value(), SerializationContext(message.topic(), MessageField.VALUE)))
    consumer.close()
    assert sorted((one["id"], one["note"]) for one in read) == sorted((one["id"], one.get("note", "")) for part in sent for one in part)


def header_form():
    """The GUID in a header, the payload bare."""
    serializer = AvroSerializer(client, ORDER_2, conf={"schema.id.serializer": header_schema_id_serializer})
    headers = []
    context = SerializationContext("orders", MessageField.VALUE, headers)
    data = serializer({"id": 7, "note": "bare"}, context)
    assert headers and data == b"\x0e\x08bare", (headers, data)
    deserializer = AvroDeserializer(client, conf={"schema.id.deserializer": dual_schema_id_deserializer})
    assert deserializer(data, context) == {"id": 7, "note": "bare"}


def settings_and_deletes():
    assert client.get_compatibility() == "BACKWARD"
    client.set_compatibility("orders-value", "FULL_TRANSITIVE")
    assert client.get_compatibility("orders-value") == "FULL_TRANSITIVE"
    refused(lambda: client.get_compatibility("nobody"), 40408)
    assert client.get_global_mode() == "READWRITE"
    client.update_mode("orders-value", "READONLY")
    refused(lambda: client.delete_subject("orders-value"), 42205)
    client.update_mode("orders-value", "READWRITE")
    refused(lambda: client.delete_subject("orders-value", permanent=True), 40405)
    # It soft-deletes first by itself.
    assert client.delete_version("orders-value", 1) == 1
    assert client.get_versions("orders-value") == [2]
    assert client.delete_subject("orders-value") == [2]
    refused(lambda: client.get_versions("orders-value"), 40401)
    assert sorted(client.get_subjects()) == ["place", "trips-value"]


evolution()
references()
serialisers()
header_form()
settings_and_deletes()
print("done")
