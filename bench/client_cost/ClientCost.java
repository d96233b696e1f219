// The same as weir_cost with Kafka's own Java client: produce, consume.
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public final class ClientCost {
  static final int PARTITIONS = 6;
  static final double TICK_NS = 1e9 / 100;

  /** User and system time of this process in nanoseconds. */
  static double[] usage() throws Exception {
    String stat = Files.readString(Path.of("/proc/self/stat"));
    String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
    return new double[] {Long.parseLong(fields[11]) * TICK_NS, Long.parseLong(fields[12]) * TICK_NS};
  }

  static void report(long records, double[] before, long start) throws Exception {
    double[] now = usage();
    System.out.printf(
        "{\"records\": %d, \"seconds\": %.6f, \"user_ns\": %.2f, \"system_ns\": %.2f}%n",
        records, (System.nanoTime() - start) / 1e9, (now[0] - before[0]) / records, (now[1] - before[1]) / records);
  }

  static void send(KafkaProducer<byte[], byte[]> producer, String topic, int size, long records, long rate)
      throws Exception {
    byte[] value = new byte[size];
    long start = System.nanoTime();
    for (long i = 0; i < records; i++) {
      while (rate > 0 && i >= (System.nanoTime() - start) / 1e9 * rate) Thread.sleep(1);
      producer.send(new ProducerRecord<>(topic, ByteBuffer.allocate(8).putLong(i).array(), value));
    }
    producer.flush();
  }

  static void read(KafkaConsumer<byte[], byte[]> consumer, long records) {
    long count = 0;
    long bytes = 0;
    while (count < records) {
      for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofSeconds(10))) {
        bytes += record.key().length + record.value().length;
        count++;
      }
    }
    if (bytes == 0) throw new IllegalStateException("no bytes");
  }

  public static void main(String[] a) throws Exception {
    String topic = a[2];
    int size = Integer.parseInt(a[3]);
    long records = Long.parseLong(a[4]);
    long rate = Long.parseLong(a[5]);
    if (a[0].equals("produce")) {
      var producer = new KafkaProducer<>(
          Map.<String, Object>of("bootstrap.servers", a[1], "linger.ms", 5, "batch.size", 65536, "buffer.memory", 33554432L),
          new ByteArraySerializer(), new ByteArraySerializer());
      send(producer, topic, size, records, 0);
      double[] before = usage();
      long start = System.nanoTime();
      send(producer, topic, size, records, rate);
      report(records, before, start);
      producer.close();
      return;
    }
    var consumer = new KafkaConsumer<>(
        Map.<String, Object>of("bootstrap.servers", a[1], "group.id", "cost", "enable.auto.commit", false,
            "auto.offset.reset", "earliest"),
        new ByteArrayDeserializer(), new ByteArrayDeserializer());
    List<TopicPartition> all = new ArrayList<>();
    for (int p = 0; p < PARTITIONS; p++) all.add(new TopicPartition(topic, p));
    consumer.assign(all);
    consumer.seekToBeginning(all);
    for (int warm = 0; warm < 2; warm++) {
      read(consumer, records);
      consumer.seekToBeginning(all);
    }
    double[] before = usage();
    long start = System.nanoTime();
    read(consumer, records);
    report(records, before, start);
    consumer.close();
  }
}
