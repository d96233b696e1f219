// One member of a group, with kafkajs: prints each value it reads; ends at SIGTERM.
import kafkajs from 'kafkajs';

const [broker, group, topic] = process.argv.slice(2);
const kafka = new kafkajs.Kafka({ brokers: [broker], logLevel: kafkajs.logLevel.ERROR });
const consumer = kafka.consumer({ groupId: group, sessionTimeout: 6000, heartbeatInterval: 500 });
await consumer.connect();
await consumer.subscribe({ topic, fromBeginning: true });
consumer.on(consumer.events.GROUP_JOIN, ({ payload }) =>
  console.log(`joined ${JSON.stringify(payload.memberAssignment)}`));
process.on('SIGTERM', async () => {
  await consumer.disconnect();
  process.exit(0);
});
await consumer.run({ eachMessage: async ({ message }) => console.log(`value ${message.value}`) });
