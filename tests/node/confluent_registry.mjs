// Uses a registry as users of @confluentinc/schemaregistry do: URL, user:password, file of authorities. Prints "done" at the end.
import assert from 'node:assert';
import fs from 'node:fs';
import https from 'node:https';
import confluent from '@confluentinc/schemaregistry';

const { AvroDeserializer, AvroSerializer, Compatibility, SchemaRegistryClient, SerdeType } = confluent;
const [url, userInfo, authorities] = process.argv.slice(2);
const client = new SchemaRegistryClient({
  baseURLs: [url],
  ...(userInfo && { basicAuthCredentials: { credentialsSource: 'USER_INFO', userInfo } }),
  ...(authorities && { createAxiosDefaults: { httpsAgent: new https.Agent({ ca: fs.readFileSync(authorities) }) } }),
});

const order = { type: 'record', name: 'Order', namespace: 'shop', fields: [{ name: 'id', type: 'int' }] };
const info = { schemaType: 'AVRO', schema: JSON.stringify(order) };
const id = await client.register('cjs-orders-value', info);
assert.strictEqual(await client.register('cjs-orders-value', info), id);
assert.strictEqual(await client.getId('cjs-orders-value', info), id);
assert.deepStrictEqual(await client.getAllVersions('cjs-orders-value'), [1]);
assert.strictEqual((await client.getLatestSchemaMetadata('cjs-orders-value')).id, id);
assert.strictEqual(await client.getVersion('cjs-orders-value', info), 1);
assert.ok((await client.getAllSubjects()).includes('cjs-orders-value'));

const serializer = new AvroSerializer(client, SerdeType.VALUE, { useLatestVersion: true });
const deserializer = new AvroDeserializer(client, SerdeType.VALUE, {});
const bytes = await serializer.serialize('cjs-orders', { id: 7 });
assert.strictEqual((await deserializer.deserialize('cjs-orders', bytes)).id, 7);

const wrong = { schemaType: 'AVRO', schema: JSON.stringify({ ...order, fields: [...order.fields, { name: 'place', type: 'string' }] }) };
assert.strictEqual(await client.testCompatibility('cjs-orders-value', 1, wrong), false);
await assert.rejects(client.register('cjs-orders-value', wrong), (problem) => problem.status === 409);

await client.updateCompatibility('cjs-orders-value', Compatibility.NONE);
assert.strictEqual(await client.getCompatibility('cjs-orders-value'), 'NONE');
assert.notStrictEqual(await client.register('cjs-orders-value', wrong), id);

// Metadata is kept and found.
const owned = { ...info, schema: JSON.stringify({ ...order, name: 'Owned' }), metadata: { properties: { owner: 'billing' } } };
await client.register('cjs-owned-value', owned);
assert.deepStrictEqual((await client.getLatestWithMetadata('cjs-owned-value', { owner: 'billing' })).metadata.properties, { owner: 'billing' });

assert.deepStrictEqual(await client.deleteSubject('cjs-orders-value'), [1, 2]);
assert.deepStrictEqual(await client.deleteSubject('cjs-orders-value', true), [1, 2]);
console.log('done');
