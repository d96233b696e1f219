import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RebalanceInProgressException;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.StringDeserializer;

/** What group_member.cc is, with Kafka's own client: the same arguments, the same lines. */
public final class GroupMember {
    private static synchronized void say(String line) {
        System.out.println(System.nanoTime() + " " + line);
        System.out.flush();
    }

    private static String list(String what, Collection<TopicPartition> partitions) {
        StringBuilder line = new StringBuilder(what);
        for (TopicPartition partition : partitions) line.append(' ').append(partition.partition());
        return line.toString();
    }

    private static String classesOf(String names) {
        return names.replace("cooperative-sticky", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor")
            .replaceAll("(^|,)sticky", "$1org.apache.kafka.clients.consumer.StickyAssignor")
            .replaceAll("(^|,)range", "$1org.apache.kafka.clients.consumer.RangeAssignor")
            .replaceAll("(^|,)roundrobin", "$1org.apache.kafka.clients.consumer.RoundRobinAssignor");
    }

    public static void main(String[] args) throws Exception {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", args[0]);
        settings.put("group.id", args[1]);
        settings.put("group.protocol", "classic");
        settings.put("partition.assignment.strategy", classesOf(args[3]));
        settings.put("auto.offset.reset", "earliest");
        settings.put("enable.auto.commit", "false");
        settings.put("session.timeout.ms", "6000");
        settings.put("heartbeat.interval.ms", "500");
        settings.put("key.deserializer", StringDeserializer.class.getName());
        settings.put("value.deserializer", StringDeserializer.class.getName());
        KafkaConsumer<String, String> consumer = new KafkaConsumer<>(settings);
        CountDownLatch closed = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            consumer.wakeup();
            try {
                closed.await();
            } catch (InterruptedException ignored) {
                Thread.currentThread().interrupt();
            }
        }));
        consumer.subscribe(List.of(args[2]), new ConsumerRebalanceListener() {
            @Override
            public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
                if (!partitions.isEmpty()) say(list("assigned", partitions));
            }

            @Override
            public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
                if (partitions.isEmpty()) return;
                consumer.commitSync();
                say(list("revoked", partitions));
            }

            @Override
            public void onPartitionsLost(Collection<TopicPartition> partitions) {
                if (!partitions.isEmpty()) say(list("lost", partitions));
            }
        });
        try {
            while (true) {
                ConsumerRecords<String, String> records = consumer.poll(Duration.ofMillis(100));
                for (ConsumerRecord<String, String> record : records)
                    say("record " + record.partition() + " " + record.offset() + " " + record.value());
                if (records.isEmpty()) continue;
                try {
                    consumer.commitSync();
                    say("committed");
                } catch (RebalanceInProgressException again) {
                    System.err.println("commit: " + again.getMessage());
                }
            }
        } catch (WakeupException ended) {
            consumer.close();
        } finally {
            closed.countDown();
        }
    }
}
