"""Protobuf and JSON records as confluent-kafka-python's serialisers write and read them: write|read, PROTOBUF|JSON, URL, topic, prefix|header.

Records are lines as `weir produce --format jsonl` reads and `weir consume -o jsonl` prints them; values that are read are printed as JSON.
"""
import base64
import json
import sys

from confluent_kafka.schema_registry import SchemaRegistryClient, header_schema_id_serializer, prefix_schema_id_serializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory, timestamp_pb2

mode, language, url, topic, place = sys.argv[1:]
client = SchemaRegistryClient({"url": url})
conf = {"schema.id.serializer": {"prefix": prefix_schema_id_serializer, "header": header_schema_id_serializer}[place]}
SIGHTING = json.dumps({"$schema": "http://json-schema.org/draft-07/schema#", "title": "Sighting", "type": "object", "properties": {
    "species": {"type": "string"}, "count": {"type": "integer", "minimum": 0}, "place": {"type": "string"}},
    "required": ["species", "count"], "additionalProperties": False})


def message_class():
    """birds.Flock.Sighting, the second message of its file and the first inside it, as a generated module would have it."""
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="birds/sighting.proto", package="birds", syntax="proto3",
                                              dependency=["google/protobuf/timestamp.proto"])
    file.message_type.add(name="Watcher")
    nested = file.message_type.add(name="Flock").nested_type.add(name="Sighting")
    nested.field.add(name="species", number=1, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    nested.field.add(name="head_count", number=2, type=field.TYPE_INT64, label=field.LABEL_OPTIONAL)
    nested.field.add(name="seen_at", number=3, type=field.TYPE_MESSAGE, label=field.LABEL_OPTIONAL, type_name=".google.protobuf.Timestamp")
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("birds.Flock.Sighting"))


def records():
    for line in sys.stdin:
        record = json.loads(line)
        value = record["value"]
        data = value.encode() if isinstance(value, str) else base64.b64decode(value["base64"])
        headers = [(header["key"], as_bytes(header["value"])) for header in record["headers"]]
        yield data, headers


def as_bytes(value):
    return value.encode() if isinstance(value, str) else base64.b64decode(value["base64"])


def write(data, headers):
    encoded = [{"key": name, "value": {"base64": base64.b64encode(value).decode()}} for name, value in headers]
    print(json.dumps({"value": {"base64": base64.b64encode(data).decode()}, "headers": encoded}))


def context(headers):
    return SerializationContext(topic, MessageField.VALUE, headers)


if language == "PROTOBUF":
    kind = message_class()
    if mode == "write":
        serializer = ProtobufSerializer(kind, client, {**conf, "use.deprecated.format": False})
        for line in sys.stdin:
            headers = []
            write(serializer(json_format.Parse(line, kind()), context(headers)), headers)
    else:
        deserializer = ProtobufDeserializer(kind, {"use.deprecated.format": False}, client)
        for data, headers in records():
            print(json_format.MessageToJson(deserializer(data, context(headers)), indent=None))
elif mode == "write":
    serializer = JSONSerializer(SIGHTING, client, conf=conf)
    for line in sys.stdin:
        headers = []
        write(serializer(json.loads(line), context(headers)), headers)
else:
    deserializer = JSONDeserializer(None, schema_registry_client=client)
    for data, headers in records():
        print(json.dumps(deserializer(data, context(headers))))
