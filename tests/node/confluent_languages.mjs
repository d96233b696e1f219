// Protobuf and JSON records as the serialisers of @confluentinc/schemaregistry write and read them: write|read, PROTOBUF|JSON, URL, topic.
// Records are lines as `weir produce --format jsonl` reads and `weir consume -o jsonl` prints them; values that are read are printed as JSON.
import fs from 'node:fs';
import { create, createFileRegistry, fromJson, toJson } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import * as wkt from '@bufbuild/protobuf/wkt';
import confluent from '@confluentinc/schemaregistry';

const { JsonDeserializer, JsonSerializer, ProtobufDeserializer, ProtobufSerializer, SchemaRegistryClient, SerdeType } = confluent;
const [mode, language, url, topic] = process.argv.slice(2);
const client = new SchemaRegistryClient({ baseURLs: [url] });
const lines = fs.readFileSync(0, 'utf8').split('\n').filter(Boolean);
const bytesOf = (value) => (typeof value === 'string' ? Buffer.from(value) : Buffer.from(value.base64, 'base64'));
const write = (bytes) => console.log(JSON.stringify({ value: { base64: Buffer.from(bytes).toString('base64') } }));

// birds.Flock.Sighting, the second message of its file and the first inside it, as a generated module would have it.
function sighting() {
  const LABEL_OPTIONAL = 1, INT64 = 3, STRING = 9, MESSAGE = 11;
  const field = (name, jsonName, number, type, more) => ({ name, jsonName, number, type, label: LABEL_OPTIONAL, ...more });
  const file = create(FileDescriptorProtoSchema, {
    name: 'birds/sighting.proto', package: 'birds', syntax: 'proto3', dependency: ['google/protobuf/timestamp.proto'],
    messageType: [{ name: 'Watcher' }, { name: 'Flock', nestedType: [{ name: 'Sighting', field: [
      field('species', 'species', 1, STRING), field('head_count', 'headCount', 2, INT64),
      field('seen_at', 'seenAt', 3, MESSAGE, { typeName: '.google.protobuf.Timestamp' })] }] }],
  });
  return createFileRegistry(file, (name) => (name === 'google/protobuf/timestamp.proto' ? wkt.file_google_protobuf_timestamp : undefined))
    .getMessage('birds.Flock.Sighting');
}

if (language === 'PROTOBUF') {
  const kind = sighting();
  if (mode === 'write') {
    const serializer = new ProtobufSerializer(client, SerdeType.VALUE, { autoRegisterSchemas: true });
    serializer.registry.add(kind);
    for (const line of lines) write(await serializer.serialize(topic, fromJson(kind, JSON.parse(line))));
  } else {
    const deserializer = new ProtobufDeserializer(client, SerdeType.VALUE, {});
    for (const line of lines) {
      const message = await deserializer.deserialize(topic, bytesOf(JSON.parse(line).value));
      console.log(JSON.stringify(toJson(kind, message)));
    }
  }
} else if (mode === 'write') {
  const serializer = new JsonSerializer(client, SerdeType.VALUE, { useLatestVersion: true, validate: true });
  for (const line of lines) write(await serializer.serialize(topic, JSON.parse(line)));
} else {
  const deserializer = new JsonDeserializer(client, SerdeType.VALUE, { validate: true });
  for (const line of lines) console.log(JSON.stringify(await deserializer.deserialize(topic, bytesOf(JSON.parse(line).value))));
}
