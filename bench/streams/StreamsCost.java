import java.util.Properties;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.processor.StateRestoreListener;

/** The application of streams_cost.cc on Kafka Streams: pass|filter_map|count|restore ADDRESS GUARANTEE COMMIT_MS STATE_DIR CACHE_BYTES APPLICATION. */
public class StreamsCost {
  /** Says when a store is restored, how long that took, and what the process has used by then. */
  static class Restored implements StateRestoreListener {
    private long begin;

    public void onRestoreStart(TopicPartition log, String store, long from, long to) {
      begin = System.nanoTime();
    }

    public void onBatchRestored(TopicPartition log, String store, long to, long records) {}

    public void onRestoreEnd(TopicPartition log, String store, long records) {
      long took = (System.nanoTime() - begin) / 1_000_000;
      var machine = (com.sun.management.OperatingSystemMXBean) java.lang.management.ManagementFactory.getOperatingSystemMXBean();
      System.out.println("restored " + records + " " + took + " " + machine.getProcessCpuTime() / 1_000_000);
    }
  }

  public static void main(String[] args) {
    Properties settings = new Properties();
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, args[6]);
    settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[1]);
    settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG,
        args[2].equals("exactly_once") ? StreamsConfig.EXACTLY_ONCE_V2 : StreamsConfig.AT_LEAST_ONCE);
    settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, args[3]);
    settings.put(StreamsConfig.STATE_DIR_CONFIG, args[4]);
    settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, args[5]);
    settings.put("auto.offset.reset", "earliest");
    var bytes = Serdes.ByteArray();
    StreamsBuilder builder = new StreamsBuilder();
    KStream<byte[], byte[]> in = args[0].equals("restore") ? null : builder.stream("streams-in", Consumed.with(bytes, bytes));
    switch (args[0]) {
      case "pass" -> in.to("streams-out", Produced.with(bytes, bytes));
      case "filter_map" -> in.filter((k, v) -> v[1] == 'a').mapValues(v -> {
        byte[] changed = v.clone();
        changed[0] = 'w';
        return changed;
      }).to("streams-out", Produced.with(bytes, bytes));
      case "count" -> in.groupByKey().count(Materialized.as("counts")).toStream().to("streams-out", Produced.with(bytes, Serdes.Long()));
      case "restore" -> {
        settings.put(StreamsConfig.TOPOLOGY_OPTIMIZATION_CONFIG, StreamsConfig.OPTIMIZE);
        builder.table("restore-rows", Consumed.with(bytes, bytes), Materialized.as("rows"));
      }
      default -> throw new IllegalArgumentException(args[0]);
    }
    KafkaStreams streams = new KafkaStreams(builder.build(settings), settings);
    streams.setGlobalStateRestoreListener(new Restored());
    Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
    streams.start();
  }
}
