import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Producers for mixed_kill_test.py: KillWriters BOOTSTRAP TOPIC PARTITIONS FIRST EACH JOURNAL. EACH idempotent ones, numbered from
 * FIRST, then EACH transactional ones. The journal is that of lib/kill_writers.py. Ends at SIGTERM, when nothing is open.
 */
public final class KillWriters {
    private static final int OUTSTANDING = 10;
    private static final int RECORDS = 8; // of a transaction
    private static final AtomicLong acknowledged = new AtomicLong();
    private static final AtomicLong committed = new AtomicLong();
    private static volatile boolean stopped = false;
    private static String bootstrap;
    private static String topic;
    private static int partitions;
    private static PrintWriter journal;

    private static KafkaProducer<String, String> producer(String transactionalId) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", bootstrap);
        settings.put("key.serializer", StringSerializer.class.getName());
        settings.put("value.serializer", StringSerializer.class.getName());
        settings.put("reconnect.backoff.max.ms", "100");
        settings.put("retry.backoff.max.ms", "100");
        if (transactionalId != null) settings.put("transactional.id", transactionalId);
        return new KafkaProducer<>(settings);
    }

    private static void note(String line) {
        synchronized (journal) {
            journal.println(line);
        }
    }

    private static void write(int number) {
        Semaphore free = new Semaphore(OUTSTANDING);
        try (KafkaProducer<String, String> producer = producer(null)) {
            for (long n = 0; !stopped; ++n) {
                free.acquireUninterruptibly();
                String value = "i:" + number + ":" + n;
                producer.send(new ProducerRecord<>(topic, (int) (n % partitions), null, value), (where, problem) -> {
                    if (problem == null) {
                        note("a " + value + " " + where.partition() + " " + where.offset());
                        acknowledged.incrementAndGet();
                    } else {
                        note("f " + value + " " + problem);
                    }
                    free.release();
                });
            }
        }
    }

    private static void transact(int number) {
        KafkaProducer<String, String> producer = null;
        for (long n = 0; !stopped; ++n) {
            String name = number + ":" + n;
            try {
                if (producer == null) {
                    producer = producer("java-" + number);
                    producer.initTransactions();
                }
                producer.beginTransaction();
                for (int i = 0; i < RECORDS; ++i)
                    producer.send(new ProducerRecord<>(topic, i % partitions, null, "t:" + name + ":" + i));
                if (n % 5 == 4) {
                    producer.abortTransaction();
                    note("b " + name);
                } else {
                    producer.commitTransaction();
                    note("c " + name);
                    committed.incrementAndGet();
                }
            } catch (KafkaException problem) {
                note("u " + name + " " + problem);
                if (producer != null) producer.close();
                producer = null;
            }
        }
        if (producer != null) producer.close();
    }

    public static void main(String[] args) throws Exception {
        bootstrap = args[0];
        topic = args[1];
        partitions = Integer.parseInt(args[2]);
        int first = Integer.parseInt(args[3]);
        int each = Integer.parseInt(args[4]);
        journal = new PrintWriter(args[5], "UTF-8");
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < each; ++i) {
            int number = first + i;
            threads.add(new Thread(() -> write(number)));
            threads.add(new Thread(() -> transact(number + each)));
        }
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            stopped = true;
            try {
                for (Thread thread : threads) thread.join();
            } catch (InterruptedException problem) {
                return;
            }
            journal.close();
            System.out.println("closed");
            System.out.flush();
        }));
        for (Thread thread : threads) thread.start();
        while (!stopped) {
            System.out.println("progress " + acknowledged.get() + " " + committed.get());
            System.out.flush();
            Thread.sleep(100);
        }
    }
}
