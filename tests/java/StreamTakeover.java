import java.time.Duration;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.CloseOptions;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.EmitStrategy;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.Joined;
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.SessionWindowedKStream;
import org.apache.kafka.streams.kstream.SessionWindows;
import org.apache.kafka.streams.kstream.SlidingWindows;
import org.apache.kafka.streams.kstream.StreamJoined;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.kstream.WindowedSerdes;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.SessionStore;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.WindowBytesStoreSupplier;
import org.apache.kafka.streams.state.WindowStore;

/** What tests/stream_takeover.cc is, in Kafka Streams: StreamTakeover BOOTSTRAP NAME STATE_FOLDER. Runs until it is ended. */
public final class StreamTakeover {
  static final Serde<String> TEXT = Serdes.String();
  static final Serde<Long> COUNT = Serdes.Long();
  static final Duration WINDOW = Duration.ofSeconds(10);
  static final Duration GAP = Duration.ofSeconds(5);
  static final Duration APART = Duration.ofSeconds(4);
  static final Duration GRACE = Duration.ofSeconds(3);
  static final Duration HISTORY = Duration.ofSeconds(30);
  static final Duration RETENTION = Duration.ofHours(1);

  private final String name;
  private final StreamsBuilder builder = new StreamsBuilder();

  StreamTakeover(String name) {
    this.name = name;
  }

  private String topic(String what) {
    return name + "." + what;
  }

  private static String joined(String left, String right) {
    return left + "+" + right;
  }

  private static Materialized<String, Long, KeyValueStore<Bytes, byte[]>> rows(String store) {
    return Materialized.<String, Long, KeyValueStore<Bytes, byte[]>>as(store).withKeySerde(TEXT).withValueSerde(COUNT);
  }

  private static Materialized<String, Long, WindowStore<Bytes, byte[]>> windows(String store) {
    return Materialized.<String, Long, WindowStore<Bytes, byte[]>>as(store).withKeySerde(TEXT).withValueSerde(COUNT);
  }

  private void write(KTable<Windowed<String>, Long> counts, Duration size, String topic) {
    counts.toStream().to(topic(topic), Produced.with(WindowedSerdes.timeWindowedSerdeFrom(String.class, size.toMillis()), COUNT));
  }

  private void sessions(SessionWindowedKStream<String, String> from, Materialized<String, String, SessionStore<Bytes, byte[]>> as,
      String topic) {
    from.aggregate(() -> "", (key, value, all) -> all + value, (key, a, b) -> a + b, as.withKeySerde(TEXT).withValueSerde(TEXT))
        .toStream().to(topic(topic), Produced.with(WindowedSerdes.sessionWindowedSerdeFrom(String.class), TEXT));
  }

  private static WindowBytesStoreSupplier side(String store) {
    Duration size = APART.multipliedBy(2);
    return Stores.persistentWindowStore(store, size.plus(GRACE), size, true);
  }

  Topology make(Properties settings) {
    KStream<String, String> visits = builder.stream(topic("visits"), Consumed.with(TEXT, TEXT));
    KGroupedStream<String, String> byUser = visits.groupByKey(Grouped.with(TEXT, TEXT));
    byUser.count(rows("counts")).toStream().to(topic("out-counts"), Produced.with(TEXT, COUNT));
    visits.groupBy((user, page) -> page.substring(0, 1), Grouped.with("by-letter", TEXT, TEXT)).count(rows("letters"))
        .toStream().to(topic("out-letters"), Produced.with(TEXT, COUNT));
    KTable<String, String> users = builder.table(topic("users"), Consumed.with(TEXT, TEXT),
        Materialized.<String, String, KeyValueStore<Bytes, byte[]>>as("users").withKeySerde(TEXT).withValueSerde(TEXT));
    visits.join(users, StreamTakeover::joined, Joined.with(TEXT, TEXT, TEXT))
        .to(topic("out-named"), Produced.with(TEXT, TEXT));

    TimeWindows tumbling = TimeWindows.ofSizeAndGrace(WINDOW, GRACE);
    SessionWindows sessions = SessionWindows.ofInactivityGapAndGrace(GAP, GRACE);
    write(byUser.windowedBy(tumbling).count(windows("windows")), WINDOW, "out-windows");
    write(byUser.windowedBy(SlidingWindows.ofTimeDifferenceAndGrace(APART, GRACE)).count(windows("sliding")), APART,
        "out-sliding");
    sessions(byUser.windowedBy(sessions), Materialized.as("sessions"), "out-sessions");
    write(byUser.windowedBy(tumbling).emitStrategy(EmitStrategy.onWindowClose())
        .count(windows("closed").withRetention(RETENTION)), WINDOW, "out-closed");
    sessions(byUser.windowedBy(sessions).emitStrategy(EmitStrategy.onWindowClose()),
        Materialized.<String, String, SessionStore<Bytes, byte[]>>as("ended").withRetention(RETENTION), "out-ended");

    // By way of a stream, because its changelog is to be its own: a topic may be compacted.
    KTable<String, String> prices = builder.stream(topic("prices"), Consumed.with(TEXT, TEXT)).toTable(
        Materialized.<String, String>as(Stores.persistentVersionedKeyValueStore("prices", HISTORY)).withKeySerde(TEXT)
            .withValueSerde(TEXT));
    KStream<String, String> orders = builder.stream(topic("orders"), Consumed.with(TEXT, TEXT));
    KStream<String, String> payments = builder.stream(topic("payments"), Consumed.with(TEXT, TEXT));
    orders.join(prices, StreamTakeover::joined, Joined.with(TEXT, TEXT, TEXT))
        .to(topic("out-priced"), Produced.with(TEXT, TEXT));
    orders.join(payments, StreamTakeover::joined, JoinWindows.ofTimeDifferenceAndGrace(APART, GRACE),
        StreamJoined.<String, String, String>with(side("paid-left"), side("paid-right")).withKeySerde(TEXT)
            .withValueSerde(TEXT).withOtherValueSerde(TEXT)).to(topic("out-paid"), Produced.with(TEXT, TEXT));
    return builder.build(settings);
  }

  public static void main(String[] args) throws Exception {
    Properties settings = new Properties();
    settings.putAll(Map.of(
        StreamsConfig.APPLICATION_ID_CONFIG, args[1],
        StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0],
        StreamsConfig.STATE_DIR_CONFIG, args[2],
        StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2,
        // A table that is read from a topic has no other changelog.
        StreamsConfig.TOPOLOGY_OPTIMIZATION_CONFIG, StreamsConfig.REUSE_KTABLE_SOURCE_TOPICS,
        StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 100,
        // Every update is told, and emission on close asks no clock.
        StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 0,
        "__emit.interval.ms.kstreams.windowed.aggregation__", 0));
    settings.put(StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest");

    KafkaStreams streams = new KafkaStreams(new StreamTakeover(args[1]).make(settings), settings);
    streams.setStateListener((now, before) -> System.out.println("state " + now));
    // Who comes next finds nobody in the group.
    Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(
        CloseOptions.groupMembershipOperation(CloseOptions.GroupMembershipOperation.LEAVE_GROUP))));
    streams.start();
    new CountDownLatch(1).await();
  }
}
