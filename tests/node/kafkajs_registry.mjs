// Uses a registry as users of @kafkajs/confluent-schema-registry do: URL, user:password, file of authorities. Prints "done" at the end.
import assert from 'node:assert';
import fs from 'node:fs';
import https from 'node:https';
import kafkajs from '@kafkajs/confluent-schema-registry';

const { SchemaRegistry, SchemaType, COMPATIBILITY } = kafkajs;
const [host, user, authorities] = process.argv.slice(2);
const [username, password] = (user ?? '').split(':');
const settings = {
  host,
  ...(user && { auth: { username, password } }),
  ...(authorities && { agent: new https.Agent({ ca: fs.readFileSync(authorities) }) }),
};
const registry = new SchemaRegistry(settings);

const order = { type: 'record', name: 'Order', namespace: 'shop', fields: [{ name: 'id', type: 'long' }] };
const schema = { type: SchemaType.AVRO, schema: JSON.stringify(order) };

const { id } = await registry.register(schema, { subject: 'js-orders-value', compatibility: COMPATIBILITY.FULL });
assert.strictEqual((await registry.register(schema, { subject: 'js-orders-value', compatibility: COMPATIBILITY.FULL })).id, id);
assert.strictEqual(await registry.getLatestSchemaId('js-orders-value'), id);
assert.strictEqual(await registry.getRegistryIdBySchema('js-orders-value', schema), id);
assert.strictEqual(await registry.getRegistryId('js-orders-value', 1), id);

const bytes = await registry.encode(id, { id: 7 });
assert.deepStrictEqual([...bytes.subarray(0, 5)], [0, 0, 0, 0, id]);
const read = await new SchemaRegistry(settings).decode(bytes);
assert.strictEqual(Number(read.id), 7);

// A field without default breaks FULL.
const wrong = { ...order, fields: [...order.fields, { name: 'place', type: 'string' }] };
await assert.rejects(registry.register({ type: SchemaType.AVRO, schema: JSON.stringify(wrong) },
  { subject: 'js-orders-value', compatibility: COMPATIBILITY.FULL }), (problem) => problem.status === 409);

// References.
await registry.register({ type: SchemaType.AVRO, schema: JSON.stringify({ type: 'record', name: 'Place', namespace: 'shop',
  fields: [{ name: 'city', type: 'string' }] }) }, { subject: 'js-place' });
const trip = await registry.register({ type: SchemaType.AVRO,
  schema: JSON.stringify({ type: 'record', name: 'Trip', namespace: 'shop', fields: [{ name: 'to', type: 'shop.Place' }] }),
  references: [{ name: 'shop.Place', subject: 'js-place', version: 1 }] }, { subject: 'js-trips-value' });
const trips = new SchemaRegistry(settings);
assert.deepStrictEqual({ ...(await trips.decode(await registry.encode(trip.id, { to: { city: 'Oslo' } }))).to }, { city: 'Oslo' });
console.log('done');
