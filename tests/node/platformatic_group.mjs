// One member of a group, with @platformatic/kafka: prints each value it reads; ends at SIGTERM.
import { Consumer, stringDeserializers } from '@platformatic/kafka';

const [broker, group, topic] = process.argv.slice(2);
const consumer = new Consumer({
  groupId: group,
  clientId: 'platformatic',
  bootstrapBrokers: [broker],
  deserializers: stringDeserializers,
  sessionTimeout: 6000,
  heartbeatInterval: 500
});
consumer.on('consumer:group:join', payload => console.log(`joined ${JSON.stringify(payload.assignments ?? payload)}`));
const stream = await consumer.consume({
  topics: [topic],
  autocommit: true,
  mode: 'committed',
  fallbackMode: 'earliest'
});
process.on('SIGTERM', async () => {
  await stream.close();
  await consumer.close(true);
  process.exit(0);
});
for await (const message of stream) console.log(`value ${message.value}`);
