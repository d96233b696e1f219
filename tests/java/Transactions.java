import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.AbortTransactionSpec;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.ProducerState;
import org.apache.kafka.clients.admin.TransactionDescription;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** Transactions as Kafka's own clients run them; says what they saw, the same on every broker that is right. */
public final class Transactions {
    private static final String TOPIC = "transactions";
    private static final TopicPartition P0 = new TopicPartition(TOPIC, 0);
    private static final TopicPartition P1 = new TopicPartition(TOPIC, 1);
    private static String bootstrap;
    private static Admin admin;

    private interface Step {
        void run() throws Exception;
    }

    private static void say(String line) {
        System.out.println(line);
        System.out.flush();
    }

    private static String attempt(Step step) {
        try {
            step.run();
            return "fine";
        } catch (ExecutionException problem) {
            return problem.getCause().getClass().getSimpleName();
        } catch (Exception problem) {
            return problem.getClass().getSimpleName();
        }
    }

    private static KafkaProducer<String, String> producer(String id, int timeoutMs) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", bootstrap);
        settings.put("transactional.id", id);
        settings.put("transaction.timeout.ms", Integer.toString(timeoutMs));
        settings.put("key.serializer", StringSerializer.class.getName());
        settings.put("value.serializer", StringSerializer.class.getName());
        return new KafkaProducer<>(settings);
    }

    private static KafkaConsumer<String, String> consumer(String group, String isolation) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", bootstrap);
        if (group != null) settings.put("group.id", group);
        settings.put("isolation.level", isolation);
        settings.put("auto.offset.reset", "earliest");
        settings.put("enable.auto.commit", "false");
        settings.put("key.deserializer", StringDeserializer.class.getName());
        settings.put("value.deserializer", StringDeserializer.class.getName());
        return new KafkaConsumer<>(settings);
    }

    /** Everything from the start on, as far as the reader may see. */
    private static String read(String isolation) {
        try (KafkaConsumer<String, String> reader = consumer(null, isolation)) {
            List<TopicPartition> both = List.of(P0, P1);
            reader.assign(both);
            reader.seekToBeginning(both);
            Map<TopicPartition, Long> ends = reader.endOffsets(both);
            StringBuilder seen = new StringBuilder();
            Map<TopicPartition, List<String>> values = new HashMap<>();
            while (reader.position(P0) < ends.get(P0) || reader.position(P1) < ends.get(P1))
                for (ConsumerRecord<String, String> record : reader.poll(Duration.ofMillis(200)))
                    values.computeIfAbsent(new TopicPartition(TOPIC, record.partition()), p -> new ArrayList<>())
                        .add(record.offset() + "=" + record.value());
            for (TopicPartition partition : both)
                seen.append(' ').append(partition.partition()).append(" to ").append(ends.get(partition)).append(' ')
                    .append(values.getOrDefault(partition, List.of()));
            return seen.toString();
        }
    }

    private static void sayLog(String when) {
        say(when + ": committed" + read("read_committed"));
        say(when + ": uncommitted" + read("read_uncommitted"));
    }

    private static void send(KafkaProducer<String, String> producer, TopicPartition to, String... values) {
        for (String value : values) producer.send(new ProducerRecord<>(TOPIC, to.partition(), null, value));
        producer.flush();
    }

    private static void sayProducers(String when) throws Exception {
        for (TopicPartition partition : List.of(P0, P1)) {
            List<String> lines = new ArrayList<>();
            for (ProducerState state :
                 admin.describeProducers(List.of(partition)).partitionResult(partition).get().activeProducers())
                lines.add("epoch " + state.producerEpoch() + " sequence " + state.lastSequence() + " open from "
                    + (state.currentTransactionStartOffset().isPresent()
                           ? Long.toString(state.currentTransactionStartOffset().getAsLong())
                           : "-"));
            lines.sort(null);
            say(when + ": producers of " + partition.partition() + " " + lines);
        }
    }

    private static void sayTransaction(String when, String id) throws Exception {
        TransactionDescription found = admin.describeTransactions(Set.of(id)).description(id).get();
        List<String> partitions = new ArrayList<>();
        for (TopicPartition partition : found.topicPartitions()) partitions.add(partition.toString());
        partitions.sort(null);
        say(when + ": " + found.state() + " epoch " + found.producerEpoch() + " timeout " + found.transactionTimeoutMs()
            + " started " + found.transactionStartTimeMs().isPresent() + " " + partitions);
    }

    private static void sayListed(String when) throws Exception {
        Map<String, String> all = new TreeMap<>();
        admin.listTransactions().all().get().forEach(t -> all.put(t.transactionalId(), t.state().toString()));
        say(when + ": listed " + all);
    }

    private static void waitUntilComplete(String id) throws Exception {
        for (int i = 0; i < 600; ++i) {
            String state = admin.describeTransactions(Set.of(id)).description(id).get().state().toString();
            if (state.startsWith("Complete") || state.equals("Empty")) return;
            Thread.sleep(50);
        }
        throw new IllegalStateException(id + " does not end");
    }

    private static void plain() throws Exception {
        try (KafkaProducer<String, String> a = producer("a", 60000)) {
            a.initTransactions();
            sayTransaction("new", "a");
            a.beginTransaction();
            send(a, P0, "c1", "c2", "c3");
            send(a, P1, "c4");
            sayLog("open");
            sayProducers("open");
            sayTransaction("open", "a");
            a.commitTransaction();
            waitUntilComplete("a");
            sayLog("first commit");
            sayTransaction("first commit", "a");
            a.beginTransaction();
            send(a, P0, "a1", "a2");
            send(a, P1, "a3");
            a.abortTransaction();
            waitUntilComplete("a");
            sayLog("first abort");
            sayProducers("first abort");
            a.beginTransaction();
            say("empty commit: " + attempt(a::commitTransaction));
            a.beginTransaction();
            say("empty abort: " + attempt(a::abortTransaction));
            a.beginTransaction();
            send(a, P1, "c5");
            a.commitTransaction();
            waitUntilComplete("a");
            sayLog("second commit");
            sayTransaction("second commit", "a");
        }
    }

    private static void fencing() throws Exception {
        try (KafkaProducer<String, String> old = producer("b", 60000)) {
            old.initTransactions();
            old.beginTransaction();
            send(old, P0, "z1");
            try (KafkaProducer<String, String> successor = producer("b", 60000)) {
                successor.initTransactions();
                waitUntilComplete("b");
                sayTransaction("taken over", "b");
                sayLog("taken over");
                say("late commit: " + attempt(old::commitTransaction));
                successor.beginTransaction();
                send(successor, P0, "s1");
                successor.commitTransaction();
                waitUntilComplete("b");
                sayTransaction("successor", "b");
                sayLog("successor");
            }
        }
    }

    private static String committed(String group) throws Exception {
        Map<String, Long> all = new TreeMap<>();
        for (Map.Entry<TopicPartition, OffsetAndMetadata> one :
             admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().entrySet())
            if (one.getValue() != null) all.put(one.getKey().toString(), one.getValue().offset());
        return all.toString();
    }

    private static void offsets() throws Exception {
        try (KafkaProducer<String, String> a = producer("c", 60000);
             KafkaConsumer<String, String> reader = consumer("readers", "read_committed")) {
            reader.subscribe(List.of(TOPIC));
            while (reader.assignment().isEmpty()) reader.poll(Duration.ofMillis(100));
            a.initTransactions();
            a.beginTransaction();
            a.sendOffsetsToTransaction(Map.of(P0, new OffsetAndMetadata(2), P1, new OffsetAndMetadata(1)),
                reader.groupMetadata());
            say("pending offsets: " + committed("readers"));
            a.commitTransaction();
            waitUntilComplete("c");
            say("offsets committed: " + committed("readers"));
            a.beginTransaction();
            send(a, P1, "o1");
            a.sendOffsetsToTransaction(Map.of(P0, new OffsetAndMetadata(3)), reader.groupMetadata());
            a.abortTransaction();
            waitUntilComplete("c");
            say("offsets aborted: " + committed("readers"));
            sayTransaction("offsets", "c");
            a.beginTransaction();
            say("wrong generation: " + attempt(() -> {
                a.sendOffsetsToTransaction(Map.of(P0, new OffsetAndMetadata(3)),
                    new org.apache.kafka.clients.consumer.ConsumerGroupMetadata("readers", 77, "nobody",
                        java.util.Optional.empty()));
                a.commitTransaction();
            }));
            say("abort after it: " + attempt(a::abortTransaction));
        }
    }

    private static void timeout() throws Exception {
        try (KafkaProducer<String, String> slow = producer("d", 1500)) {
            slow.initTransactions();
            slow.beginTransaction();
            send(slow, P0, "t1");
            waitUntilComplete("d");
            sayTransaction("timed out", "d");
            sayLog("timed out");
            say("commit after the timeout: " + attempt(slow::commitTransaction));
        }
        say("timeout too long: " + attempt(() -> {
            try (KafkaProducer<String, String> endless = producer("e", 100_000_000)) {
                endless.initTransactions();
            }
        }));
    }

    private static void adminAbort() throws Exception {
        try (KafkaProducer<String, String> hanging = producer("f", 60000)) {
            hanging.initTransactions();
            hanging.beginTransaction();
            send(hanging, P1, "h1");
            Collection<ProducerState> found =
                admin.describeProducers(List.of(P1)).partitionResult(P1).get().activeProducers();
            for (ProducerState state : found) {
                if (state.currentTransactionStartOffset().isEmpty()) continue;
                say("admin abort: " + attempt(() -> admin.abortTransaction(new AbortTransactionSpec(P1, state.producerId(),
                    (short) state.producerEpoch(), state.coordinatorEpoch().orElse(0))).all().get()));
            }
            sayLog("admin abort");
            sayTransaction("admin abort", "f");
            say("fence: " + attempt(() -> admin.fenceProducers(Set.of("f")).all().get()));
            waitUntilComplete("f");
            sayTransaction("fence", "f");
        }
        sayListed("end");
    }

    public static void main(String[] args) throws Exception {
        bootstrap = args[0];
        admin = Admin.create(Map.of("bootstrap.servers", bootstrap));
        admin.createTopics(List.of(new NewTopic(TOPIC, 2, (short) 1))).all().get();
        plain();
        fencing();
        offsets();
        timeout();
        adminAbort();
        admin.close();
    }
}
