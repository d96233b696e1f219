// Transactions with @platformatic/kafka: commits, aborts, is fenced, commits offsets. Says what it saw.
//   platformatic_transactions.mjs write BROKER TOPIC GROUP | read BROKER TOPIC committed|uncommitted COUNT
import { Consumer, Producer, stringDeserializers, stringSerializers } from '@platformatic/kafka';

const [verb, broker, topic, ...rest] = process.argv.slice(2);

function owner(id) {
  return new Producer({
    clientId: 'platformatic',
    bootstrapBrokers: [broker],
    serializers: stringSerializers,
    idempotent: true,
    transactionalId: id,
    // Said, because the client would else claim to be producer 0 already, which brokers refuse.
    producerId: -1n,
    producerEpoch: -1,
    retries: 3
  });
}

function reader(group) {
  return new Consumer({
    groupId: group,
    clientId: 'platformatic',
    bootstrapBrokers: [broker],
    deserializers: stringDeserializers,
    sessionTimeout: 6000,
    heartbeatInterval: 500
  });
}

async function send(transaction, ...values) {
  await transaction.send({ messages: values.map(value => ({ topic, value, partition: 0 })) });
}

// The names of the protocol's errors in an error of errors.
function named(problem) {
  return [problem.apiId, ...(problem.errors ?? []).map(named)].filter(Boolean).join(' ');
}

async function write(group) {
  const consumer = reader(group);
  await consumer.joinGroup({ topics: [topic] });
  for (let round = 0; round < 4; ++round) {
    // One producer a transaction: this client's reader knows one aborted transaction of each.
    const one = owner(`round ${round}`);
    const transaction = await one.beginTransaction();
    await send(transaction, `${round}-a`, `${round}-b`);
    await send(transaction, `${round}-c`);
    await transaction.addConsumer(consumer);
    await transaction.addOffset({ topic, partition: 0, offset: BigInt(round), metadata: { consumer } });
    await (round % 2 === 0 ? transaction.commit() : transaction.abort());
  }
  await consumer.leaveGroup();
  const one = owner('one');
  const open = await one.beginTransaction();
  await send(open, 'never');
  const successor = owner('one');
  const next = await successor.beginTransaction();
  await send(next, 'successor');
  await next.commit();
  try {
    await open.commit();
    console.log('late commit: fine');
  } catch (problem) {
    console.log(`late commit: refused ${named(problem)}`);
  }
  process.exit(0);
}

async function read(isolation, count) {
  const consumer = reader(`read-${isolation}`);
  const stream = await consumer.consume({
    topics: [topic],
    autocommit: false,
    mode: 'earliest',
    isolationLevel: isolation === 'committed' ? 1 : 0
  });
  const seen = [];
  for await (const message of stream) {
    seen.push(message.value);
    if (seen.length === Number(count)) break;
  }
  console.log(`read ${seen.join(' ')}`);
  process.exit(0);
}

await (verb === 'write' ? write(...rest) : read(...rest));
