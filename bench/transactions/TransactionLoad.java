import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.errors.InvalidTxnStateException;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Transactions of a number of 100-byte records over all partitions, by a number of producers, one transaction after the other.
 * Arguments: bootstrap, topic, partitions, records, producers, seconds, seconds to warm up. Prints one line of JSON: transactions
 * and records that were committed within the time, the records of all transactions, the microseconds from begin to the return of
 * commit, p50 and p99, and how many producers were replaced. Kafka's client can send a commit before its first batch; Apache Kafka
 * answers InvalidTxnState, which is the end of that producer: another takes its place.
 */
public final class TransactionLoad {
  public static void main(String[] args) throws Exception {
    String bootstrap = args[0];
    String topic = args[1];
    int partitions = Integer.parseInt(args[2]);
    int records = Integer.parseInt(args[3]);
    int producers = Integer.parseInt(args[4]);
    long measured = (long) (Double.parseDouble(args[5]) * 1e9);
    long warmUp = (long) (Double.parseDouble(args[6]) * 1e9);
    AtomicLong all = new AtomicLong();
    AtomicLong replaced = new AtomicLong();
    AtomicLong begin = new AtomicLong(Long.MAX_VALUE);
    CountDownLatch ready = new CountDownLatch(producers);
    List<long[]> latencies = new ArrayList<>();
    List<Throwable> troubles = new ArrayList<>();
    Thread[] threads = new Thread[producers];
    for (int i = 0; i < producers; ++i) {
      int number = i;
      threads[i] = new Thread(() -> {
        List<Long> took = new ArrayList<>();
        try {
          for (boolean over = false; !over;) {
            try (KafkaProducer<byte[], byte[]> producer = producer(bootstrap, topic + "-" + number)) {
              producer.initTransactions();
              ready.countDown();
              ready.await();
              begin.compareAndSet(Long.MAX_VALUE, System.nanoTime() + warmUp);
              run(producer, topic, partitions, records, number, begin.get(), begin.get() + measured, all, took);
              over = true;
            } catch (InvalidTxnStateException early) {
              replaced.incrementAndGet();
            }
          }
          synchronized (latencies) {
            latencies.add(took.stream().mapToLong(Long::longValue).toArray());
          }
        } catch (Throwable trouble) {
          ready.countDown();
          synchronized (troubles) {
            troubles.add(trouble);
          }
        }
      });
      threads[i].start();
    }
    for (Thread thread : threads) thread.join();
    if (!troubles.isEmpty()) throw new IllegalStateException(troubles.get(0));
    long[] sorted = latencies.stream().flatMapToLong(Arrays::stream).sorted().toArray();
    System.out.printf(
        "{\"transactions\": %d, \"records\": %d, \"all_records\": %d, \"p50_us\": %d, \"p99_us\": %d, \"replaced\": %d}%n",
        sorted.length, (long) sorted.length * records, all.get() * records, at(sorted, 0.5), at(sorted, 0.99), replaced.get());
  }

  private static long at(long[] sorted, double part) {
    return sorted.length == 0 ? 0 : sorted[(int) Math.min(sorted.length - 1, part * sorted.length)] / 1000;
  }

  private static KafkaProducer<byte[], byte[]> producer(String bootstrap, String id) {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", bootstrap);
    settings.put("transactional.id", id);
    settings.put("linger.ms", "0");
    return new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer());
  }

  private static void run(KafkaProducer<byte[], byte[]> producer, String topic, int partitions, int records, int first,
      long begin, long end, AtomicLong all, List<Long> took) {
    byte[] value = new byte[100];
    for (int partition = first;;) {
      long began = System.nanoTime();
      if (began >= end) break;
      producer.beginTransaction();
      for (int i = 0; i < records; ++i) {
        partition = (partition + 1) % partitions;
        producer.send(new ProducerRecord<>(topic, partition, null, value));
      }
      producer.commitTransaction();
      all.incrementAndGet();
      long now = System.nanoTime();
      if (began >= begin && now <= end) took.add(now - began);
    }
  }

  private TransactionLoad() {}
}
