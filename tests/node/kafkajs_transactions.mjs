// Transactions with kafkajs: commits, aborts, is fenced, commits offsets. Says what it saw.
//   kafkajs_transactions.mjs write BROKER TOPIC GROUP | read BROKER TOPIC committed|uncommitted COUNT
import kafkajs from 'kafkajs';

const [verb, broker, topic, ...rest] = process.argv.slice(2);
const kafka = new kafkajs.Kafka({ brokers: [broker], logLevel: kafkajs.logLevel.NOTHING, retry: { retries: 3 } });

async function owner(id) {
  const producer = kafka.producer({ transactionalId: id, idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  return producer;
}

async function send(transaction, ...values) {
  await transaction.send({ topic, messages: values.map(value => ({ value, partition: 0 })) });
}

async function write(group) {
  const one = await owner('one');
  for (let round = 0; round < 4; ++round) {
    const transaction = await one.transaction();
    await send(transaction, `${round}-a`, `${round}-b`);
    await send(transaction, `${round}-c`);
    await transaction.sendOffsets({
      consumerGroupId: group,
      topics: [{ topic, partitions: [{ partition: 0, offset: `${round + 1}` }] }]
    });
    await (round % 2 === 0 ? transaction.commit() : transaction.abort());
  }
  const open = await one.transaction();
  await send(open, 'never');
  const successor = await owner('one');
  const next = await successor.transaction();
  await send(next, 'successor');
  await next.commit();
  try {
    await open.commit();
    console.log('late commit: fine');
  } catch (problem) {
    console.log(`late commit: refused ${problem.type ?? problem.name}`);
  }
  await one.disconnect();
  await successor.disconnect();
}

async function read(isolation, count) {
  const consumer = kafka.consumer({ groupId: `read-${isolation}`, readUncommitted: isolation === 'uncommitted' });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const seen = [];
  await new Promise(resolve =>
    consumer.run({
      eachMessage: async ({ message }) => {
        seen.push(String(message.value));
        if (seen.length === Number(count)) resolve();
      }
    })
  );
  console.log(`read ${seen.join(' ')}`);
  await consumer.disconnect();
}

await (verb === 'write' ? write(...rest) : read(...rest));
