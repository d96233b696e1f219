"""Avro records as confluent-kafka-python's users write and read them: write|read, URL, broker, topic, count, prefix|header."""
import json
import sys

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient, header_schema_id_serializer, prefix_schema_id_serializer
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

DEADLINE_S = 60
mode, url, broker, topic, count, place = sys.argv[1:]
client = SchemaRegistryClient({"url": url})
# An older sighting, without a place, with its count as a long way of saying it, and somebody's note.
SIGHTING = json.dumps({"type": "record", "name": "Sighting", "namespace": "birds", "fields": [
    {"name": "note", "type": ["null", "string"], "default": None}, {"name": "species", "type": "string"},
    {"name": "count", "type": "int", "default": 1}]})

if mode == "write":
    how = {"prefix": prefix_schema_id_serializer, "header": header_schema_id_serializer}[place]
    serializer = AvroSerializer(client, SIGHTING, conf={"schema.id.serializer": how})
    producer = Producer({"bootstrap.servers": broker})
    for n in range(int(count)):
        headers = []
        data = serializer({"note": f"n{n}", "species": f"species {n}", "count": n},
                          SerializationContext(topic, MessageField.VALUE, headers))
        producer.produce(topic, data, headers=headers)
    assert producer.flush(DEADLINE_S) == 0
else:
    consumer = Consumer({"bootstrap.servers": broker, "group.id": "none", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, 0, 0)])
    deserializer = AvroDeserializer(client)
    for _ in range(int(count)):
        message = consumer.poll(DEADLINE_S)
        assert message is not None and not message.error(), message
        value = deserializer(message.value(), SerializationContext(topic, MessageField.VALUE, message.headers()))
        print(value["species"], value["count"], value.get("place") or "-")
    consumer.close()
print("done")
