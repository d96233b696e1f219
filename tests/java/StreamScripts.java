import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeSet;
import java.util.function.BiFunction;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.TestInputTopic;
import org.apache.kafka.streams.TestOutputTopic;
import org.apache.kafka.streams.TopologyTestDriver;
import org.apache.kafka.streams.kstream.BranchedKStream;
import org.apache.kafka.streams.kstream.Branched;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.EmitStrategy;
import org.apache.kafka.streams.kstream.GlobalKTable;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Joined;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.KGroupedTable;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Named;
import org.apache.kafka.streams.kstream.Predicate;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.Repartitioned;
import org.apache.kafka.streams.kstream.SessionWindowedKStream;
import org.apache.kafka.streams.kstream.SessionWindows;
import org.apache.kafka.streams.kstream.SlidingWindows;
import org.apache.kafka.streams.kstream.StreamJoined;
import org.apache.kafka.streams.kstream.Suppressed;
import org.apache.kafka.streams.kstream.TableJoined;
import org.apache.kafka.streams.kstream.TimeWindowedKStream;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.ValueJoiner;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.StateStore;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.SessionStore;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.WindowStore;
import org.apache.kafka.streams.test.TestRecord;

/** Scripts of tests/lib/stream_scripts.py, a line each, in Kafka Streams' TopologyTestDriver; what came out, a line each. */
public class StreamScripts {
  static final Serde<String> TEXT = Serdes.String();
  static final ObjectMapper JSON = new ObjectMapper();

  public static void main(String[] args) throws Exception {
    Path folder = Files.createTempDirectory(Path.of(args[0]), "state");
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    int number = 0;
    for (String line; (line = in.readLine()) != null; ) {
      ObjectNode answer = JSON.createObjectNode();
      try {
        answer.set("outputs", new StreamScripts(JSON.readTree(line)).run(folder.resolve("" + number++)));
      } catch (Exception e) {
        answer.put("error", e.toString() + " " + e.getCause());
      }
      System.out.println(JSON.writeValueAsString(answer));
    }
  }

  // The functions, by the names that lib/stream_scripts.py gives them.

  static String shown(String text) {
    return text == null ? "null" : text;
  }

  static String tail(String text) {
    return text.substring(Math.max(0, text.length() - 12));
  }

  static String first(String text) {
    return text == null ? null : text.substring(0, 1);
  }

  static String last(String text) {
    return text == null ? null : text.substring(text.length() - 1);
  }

  static byte[] bytes(String text) {
    return text == null ? null : text.getBytes(StandardCharsets.UTF_8);
  }

  static boolean passes(String fn, String key, String value) {
    return switch (fn) {
      case "has_value" -> value != null;
      case "has_key" -> key != null;
      case "even" -> value != null && last(value).charAt(0) % 2 == 0;
      case "key_a" -> "a".equals(key);
      case "not_b" -> !"b".equals(key);
      case "short" -> value == null || value.length() <= 3;
      default -> throw new IllegalArgumentException(fn);
    };
  }

  static String mapped(String fn, String key, String value) {
    return switch (fn) {
      case "exclaim" -> tail(shown(value) + "!");
      case "double" -> value == null ? null : tail(value + value);
      case "first" -> first(value);
      case "lose" -> value == null || last(value).charAt(0) % 3 == 0 ? null : value;
      case "with_key" -> tail(shown(key) + ":" + shown(value));
      default -> throw new IllegalArgumentException(fn);
    };
  }

  static String rekeyed(String fn, String key, String value) {
    return switch (fn) {
      case "first_of_value" -> first(value);
      case "last_of_value" -> value == null ? "z" : last(value);
      case "first_of_key" -> first(key);
      case "lose_b" -> "b".equals(key) ? null : key;
      case "with_value" -> tail(shown(key) + shown(first(value)));
      default -> throw new IllegalArgumentException(fn);
    };
  }

  static List<String> several(String fn, String value) {
    return switch (fn) {
      case "twice" -> value == null ? List.of() : List.of(value, tail(value + value));
      case "ends" -> value == null ? Arrays.asList((String) null) : Arrays.asList(first(value), last(value), null);
      default -> throw new IllegalArgumentException(fn);
    };
  }

  static KeyValue<String, String> pair(String fn, String key, String value) {
    return switch (fn) {
      case "swap" -> KeyValue.pair(value, key);
      case "shout" -> KeyValue.pair(first(key), tail(shown(value) + "!"));
      default -> throw new IllegalArgumentException(fn);
    };
  }

  static List<KeyValue<String, String>> pairs(String fn, String key, String value) {
    return switch (fn) {
      case "both" -> List.of(KeyValue.pair(key, value), KeyValue.pair(first(value), key));
      case "fan" -> value == null ? List.of()
          : List.of(KeyValue.pair(key, tail(value + "1")), KeyValue.pair(key, tail(value + "2")));
      default -> throw new IllegalArgumentException(fn);
    };
  }

  static String aggregated(String fn, String value, String all) {
    return switch (fn) {
      case "append" -> tail(all + shown(value));
      case "append_or_forget" -> all.length() > 6 ? null : all + shown(value);
      default -> throw new IllegalArgumentException(fn);
    };
  }

  /** What a value that leaves a group does to what is known of it. */
  static String taken(String fn, String value, String all) {
    return switch (fn) {
      case "append" -> tail(all + "-" + value);
      case "append_or_forget" -> all.length() > 6 ? null : all + "-" + value;
      default -> throw new IllegalArgumentException(fn);
    };
  }

  static String windowed(Windowed<String> key) {
    return key.key() + "@" + key.window().start() + "/" + key.window().end();
  }

  /** All processors of the scripts, by name. */
  static class Own implements Processor<String, String, String, String> {
    private final String kind, name, storeName;
    private final long number;
    private ProcessorContext<String, String> context;
    private KeyValueStore<String, String> store;

    Own(JsonNode node) {
      kind = node.get("fn").asText();
      name = node.get("name").asText();
      storeName = node.has("store") ? node.get("store").asText() : null;
      number = node.has("number") ? node.get("number").asLong() : 0;
    }

    @Override
    public void init(ProcessorContext<String, String> given) {
      context = given;
      if (storeName != null) store = context.getStateStore(storeName);
      if (kind.startsWith("gather"))
        context.schedule(Duration.ofMillis(number),
            kind.startsWith("gather_wall") ? PunctuationType.WALL_CLOCK_TIME : PunctuationType.STREAM_TIME, this::give);
    }

    private void give(long now) {
      List<KeyValue<String, String>> rows = new ArrayList<>();
      try (KeyValueIterator<String, String> all = store.all()) {
        all.forEachRemaining(rows::add);
      }
      for (KeyValue<String, String> row : rows) {
        context.forward(new Record<>(row.key, row.value + "@" + now, now));
        if (kind.endsWith("clear")) store.delete(row.key);
      }
    }

    private static Record<String, String> stamped(Record<String, String> record, String name) {
      RecordHeaders headers = new RecordHeaders(record.headers());
      headers.add(name, bytes(record.value()));
      return record.withHeaders(headers);
    }

    @Override
    public void process(Record<String, String> record) {
      String key = record.key(), value = record.value();
      switch (kind) {
        case "stamp" -> context.forward(stamped(record, name));
        case "stamp_twice" -> {
          context.forward(stamped(record, name));
          Record<String, String> second = record.withValue(mapped("exclaim", key, value)).withTimestamp(record.timestamp() + 1);
          context.forward(stamped(second, name + "b"));
        }
        case "pass" -> context.forward(record);
        case "show_headers" -> {
          StringBuilder text = new StringBuilder(shown(value));
          for (Header header : record.headers()) text.append("#").append(header.key());
          context.forward(record.withValue(text.toString()));
        }
        case "shift" -> context.forward(record.withTimestamp(Math.max(0, record.timestamp() + number)));
        case "clock" -> context.forward(record.withValue(tail(shown(value) + "@" + context.currentStreamTimeMs())));
        case "keep" -> {
          if (key == null) return;
          String before = store.get(key);
          if (value == null) store.delete(key);
          else store.put(key, value);
          context.forward(record.withValue(tail(shown(before) + "|" + shown(value))));
        }
        case "recall" -> context.forward(record.withValue(tail(shown(value) + "/" + shown(key == null ? null : store.get(key)))));
        default -> {  // gather…
          if (key != null && value != null) store.put(key, tail((store.get(key) == null ? "" : store.get(key)) + value));
        }
      }
    }
  }

  private final JsonNode script;
  private final boolean inMemory;
  private final StreamsBuilder builder = new StreamsBuilder();
  private final Map<Integer, KStream<String, String>> streams = new HashMap<>();
  private final Map<Integer, KTable<String, String>> tables = new HashMap<>();
  private final Map<Integer, GlobalKTable<String, String>> globals = new HashMap<>();
  private final Map<Integer, KTable<String, Long>> counts = new HashMap<>();
  private final Map<Integer, KTable<Windowed<String>, String>> windows = new HashMap<>();
  private final Map<Integer, KTable<Windowed<String>, Long>> windowCounts = new HashMap<>();

  StreamScripts(JsonNode script) {
    this.script = script;
    inMemory = script.get("in_memory").asBoolean();
    for (JsonNode name : script.get("stores"))
      builder.addStateStore(Stores.keyValueStoreBuilder(
          inMemory ? Stores.inMemoryKeyValueStore(name.asText()) : Stores.persistentKeyValueStore(name.asText()), TEXT, TEXT)
          .withCachingEnabled());
    for (JsonNode node : script.get("nodes")) add(node);
  }

  private <V> Materialized<String, V, KeyValueStore<Bytes, byte[]>> rows(JsonNode node, Serde<V> values) {
    return stored(node, values);
  }

  private <V> Materialized<String, V, WindowStore<Bytes, byte[]>> windowRows(JsonNode node, Serde<V> values) {
    return stored(node, values);
  }

  private <V, S extends StateStore> Materialized<String, V, S> stored(JsonNode node, Serde<V> values) {
    Materialized<String, V, S> made = Materialized.as(node.get("name").asText());
    if (inMemory) made.withStoreType(Materialized.StoreType.IN_MEMORY);
    if (node.has("retention")) made.withRetention(ms(node, "retention"));
    return made.withKeySerde(TEXT).withValueSerde(values);
  }

  private static Duration ms(JsonNode node, String member) {
    return Duration.ofMillis(node.get(member).asLong());
  }

  private KGroupedStream<String, String> grouped(JsonNode node) {
    KStream<String, String> from = streams.get(node.get("of").get(0).asInt());
    Grouped<String, String> how = Grouped.with(node.get("name").asText() + "-by", TEXT, TEXT);
    if (!node.has("by")) return from.groupByKey(how);
    String by = node.get("by").asText();
    return from.groupBy((k, v) -> rekeyed(by, k, v), how);
  }

  private TimeWindowedKStream<String, String> inWindows(JsonNode node) {
    TimeWindows how = TimeWindows.ofSizeAndGrace(ms(node, "size"), ms(node, "grace")).advanceBy(ms(node, "advance"));
    TimeWindowedKStream<String, String> made = grouped(node).windowedBy(how);
    return node.get("on_close").asBoolean() ? made.emitStrategy(EmitStrategy.onWindowClose()) : made;
  }

  private SessionWindowedKStream<String, String> inSessions(JsonNode node) {
    SessionWindowedKStream<String, String> made =
        grouped(node).windowedBy(SessionWindows.ofInactivityGapAndGrace(ms(node, "gap"), ms(node, "grace")));
    return node.get("on_close").asBoolean() ? made.emitStrategy(EmitStrategy.onWindowClose()) : made;
  }

  private TimeWindowedKStream<String, String> inSliding(JsonNode node) {
    TimeWindowedKStream<String, String> made =
        grouped(node).windowedBy(SlidingWindows.ofTimeDifferenceAndGrace(ms(node, "difference"), ms(node, "grace")));
    return node.get("on_close").asBoolean() ? made.emitStrategy(EmitStrategy.onWindowClose()) : made;
  }

  private <V> Materialized<String, V, SessionStore<Bytes, byte[]>> sessionRows(JsonNode node, Serde<V> values) {
    return stored(node, values);
  }

  private void add(JsonNode node) {
    String op = node.get("op").asText();
    if (op.startsWith("table_") || op.startsWith("foreign_key_")) addTable(node);
    else if (op.startsWith("suppress_")) addSuppression(node);
    else if (op.contains("join")) addJoin(node);
    else addStream(node);
  }

  /** Tables that are made of tables. */
  private void addTable(JsonNode node) {
    int id = node.get("id").asInt();
    String op = node.get("op").asText(), name = node.get("name").asText();
    String fn = node.has("fn") ? node.get("fn").asText() : "";
    KTable<String, String> from = tables.get(node.get("of").get(0).asInt());
    KTable<String, String> other = node.get("of").size() > 1 ? tables.get(node.get("of").get(1).asInt()) : null;
    ValueJoiner<String, String, String> joiner = (l, r) -> tail(shown(l) + "&" + shown(r));
    BiFunction<String, String, String> foreignKey = (k, v) -> rekeyed(fn, k, v);
    boolean kept = node.has("kept") && node.get("kept").asBoolean();
    switch (op) {
      case "table_filter" -> tables.put(id, kept ? from.filter((k, v) -> passes(fn, k, v), rows(node, TEXT))
          : from.filter((k, v) -> passes(fn, k, v)));
      case "table_map_values" -> tables.put(id, kept ? from.mapValues((k, v) -> mapped(fn, k, v), rows(node, TEXT))
          : from.mapValues((k, v) -> mapped(fn, k, v)));
      case "table_join_inner" -> tables.put(id, kept ? from.join(other, joiner, rows(node, TEXT)) : from.join(other, joiner));
      case "table_join_left" -> tables.put(id, kept ? from.leftJoin(other, joiner, rows(node, TEXT)) : from.leftJoin(other, joiner));
      case "table_join_outer" -> tables.put(id,
          kept ? from.outerJoin(other, joiner, rows(node, TEXT)) : from.outerJoin(other, joiner));
      case "table_count" -> counts.put(id, regrouped(node, from).count(rows(node, Serdes.Long())));
      case "table_reduce" -> tables.put(id,
          regrouped(node, from).reduce((all, v) -> tail(all + "+" + v), (all, v) -> tail(all + "-" + v), rows(node, TEXT)));
      case "table_aggregate" -> tables.put(id, regrouped(node, from).aggregate(() -> "",
          (k, v, all) -> aggregated(fn, v, all), (k, v, all) -> taken(fn, v, all), rows(node, TEXT)));
      case "foreign_key_join" -> tables.put(id,
          from.join(other, foreignKey, joiner, TableJoined.<String, String>as(name), rows(node, TEXT)));
      case "foreign_key_left_join" -> tables.put(id,
          from.leftJoin(other, foreignKey, joiner, TableJoined.<String, String>as(name), rows(node, TEXT)));
      default -> throw new IllegalArgumentException(op);
    }
  }

  private KGroupedTable<String, String> regrouped(JsonNode node, KTable<String, String> from) {
    String by = node.get("by").asText();
    return from.groupBy((k, v) -> KeyValue.pair(rekeyed(by, k, v), v), Grouped.with(node.get("name").asText() + "-by", TEXT, TEXT));
  }

  private void addSuppression(JsonNode node) {
    int id = node.get("id").asInt(), of = node.get("of").get(0).asInt();
    if (tables.containsKey(of)) tables.put(id, tables.get(of).suppress(limit(node)));
    if (counts.containsKey(of)) counts.put(id, counts.get(of).suppress(limit(node)));
    if (windows.containsKey(of)) windows.put(id, held(node, windows.get(of)));
    if (windowCounts.containsKey(of)) windowCounts.put(id, held(node, windowCounts.get(of)));
  }

  private <K> Suppressed<K> limit(JsonNode node) {
    Suppressed.BufferConfig<?> bound =
        node.has("most") ? Suppressed.BufferConfig.maxRecords(node.get("most").asLong()) : Suppressed.BufferConfig.unbounded();
    return Suppressed.<K>untilTimeLimit(ms(node, "limit"), bound).withName(node.get("name").asText());
  }

  private <V> KTable<Windowed<String>, V> held(JsonNode node, KTable<Windowed<String>, V> table) {
    if (!node.get("op").asText().equals("suppress_close")) return table.suppress(limit(node));
    return table.suppress(
        Suppressed.untilWindowCloses(Suppressed.BufferConfig.unbounded()).withName(node.get("name").asText()));
  }

  private void addStream(JsonNode node) {
    int id = node.get("id").asInt();
    String op = node.get("op").asText(), name = node.get("name").asText();
    String fn = node.has("fn") ? node.get("fn").asText() : "";
    JsonNode of = node.get("of");
    KStream<String, String> from = of.size() > 0 ? streams.get(of.get(0).asInt()) : null;
    switch (op) {
      case "stream" -> streams.put(id, builder.stream(node.get("topic").asText(), Consumed.with(TEXT, TEXT)));
      case "table" -> tables.put(id, builder.table(node.get("topic").asText(), Consumed.with(TEXT, TEXT),
          rows(node, TEXT)));
      case "versioned_table" -> tables.put(id, builder.table(node.get("topic").asText(), Consumed.with(TEXT, TEXT),
          Materialized.<String, String>as(Stores.persistentVersionedKeyValueStore(name, ms(node, "history")))
              .withKeySerde(TEXT).withValueSerde(TEXT)));
      case "global_table" -> globals.put(id, builder.globalTable(node.get("topic").asText(), Consumed.with(TEXT, TEXT),
          rows(node, TEXT)));
      case "to_table" -> tables.put(id, from.toTable(Named.as(name + "-by"), rows(node, TEXT)));
      case "filter" -> streams.put(id, from.filter((k, v) -> passes(fn, k, v)));
      case "map_values" -> streams.put(id, from.mapValues((k, v) -> mapped(fn, k, v)));
      case "map_key" -> streams.put(id, from.selectKey((k, v) -> rekeyed(fn, k, v)));
      case "map" -> streams.put(id, from.map((k, v) -> pair(fn, k, v)));
      case "flat_map" -> streams.put(id, from.flatMap((k, v) -> pairs(fn, k, v)));
      case "flat_map_values" -> streams.put(id, from.flatMapValues(v -> several(fn, v)));
      case "peek" -> streams.put(id, from.peek((k, v) -> {}));
      case "split" -> {
        BranchedKStream<String, String> split = from.split(Named.as(name + "-"));
        for (JsonNode branch : node.get("branches")) {
          String takes = branch.get("fn").asText();
          Predicate<String, String> mine = (k, v) -> takes.equals("rest") || passes(takes, k, v);
          split = split.branch(mine, Branched.<String, String>withConsumer(s -> streams.put(branch.get("id").asInt(), s)));
        }
      }
      case "merge" -> streams.put(id, from.merge(streams.get(of.get(1).asInt())));
      case "repartition" -> streams.put(id, from.repartition(Repartitioned.with(TEXT, TEXT).withName(name)));
      case "process" -> {
        String[] uses = node.has("store") ? new String[] {node.get("store").asText()} : new String[0];
        streams.put(id, from.process(() -> new Own(node), Named.as(name), uses));
      }
      case "count" -> counts.put(id, grouped(node).count(rows(node, Serdes.Long())));
      case "reduce" -> tables.put(id, grouped(node).reduce((a, b) -> tail(a + b), rows(node, TEXT)));
      case "aggregate" -> tables.put(id, grouped(node).aggregate(() -> "",
          (k, v, all) -> aggregated(fn, v, all), rows(node, TEXT)));
      case "window_count" -> windowCounts.put(id, inWindows(node).count(windowRows(node, Serdes.Long())));
      case "window_reduce" -> windows.put(id, inWindows(node).reduce((a, b) -> tail(a + b), windowRows(node, TEXT)));
      case "window_aggregate" -> windows.put(id,
          inWindows(node).aggregate(() -> "", (k, v, all) -> aggregated("append", v, all), windowRows(node, TEXT)));
      case "session_count" -> windowCounts.put(id, inSessions(node).count(sessionRows(node, Serdes.Long())));
      case "session_aggregate" -> windows.put(id, inSessions(node).aggregate(() -> "", (k, v, all) -> aggregated("append", v, all),
          (k, a, b) -> tail(a + b), sessionRows(node, TEXT)));
      case "sliding_count" -> windowCounts.put(id, inSliding(node).count(windowRows(node, Serdes.Long())));
      case "sliding_aggregate" -> windows.put(id,
          inSliding(node).aggregate(() -> "", (k, v, all) -> aggregated("append", v, all), windowRows(node, TEXT)));
      case "to_stream" -> streams.put(id, asStream(of.get(0).asInt()));
      case "to" -> from.to(node.get("topic").asText(), Produced.with(TEXT, TEXT));
      case "write_table" -> tables.get(of.get(0).asInt()).toStream().to(node.get("topic").asText(), Produced.with(TEXT, TEXT));
      default -> throw new IllegalArgumentException(op);
    }
  }

  /** Of a stream with whatever it is joined with. */
  private void addJoin(JsonNode node) {
    int id = node.get("id").asInt(), with = node.get("of").get(1).asInt();
    String op = node.get("op").asText(), name = node.get("name").asText();
    String fn = node.has("fn") ? node.get("fn").asText() : "";
    KStream<String, String> from = streams.get(node.get("of").get(0).asInt());
    switch (op) {
      case "join" -> streams.put(id, from.join(tables.get(with),
          (l, r) -> tail(l + "|" + r), Joined.with(TEXT, TEXT, TEXT).withName(name)));
      case "left_join" -> streams.put(id, from.leftJoin(tables.get(with),
          (l, r) -> tail(l + "|" + shown(r)), Joined.with(TEXT, TEXT, TEXT).withName(name)));
      case "version_join" -> streams.put(id, from.join(tables.get(with), (l, r) -> tail(l + "|" + r), waiting(node)));
      case "version_left_join" -> streams.put(id,
          from.leftJoin(tables.get(with), (l, r) -> tail(l + "|" + shown(r)), waiting(node)));
      case "global_join" -> streams.put(id, from.join(globals.get(with), (k, v) -> rekeyed(fn, k, v),
          (l, r) -> tail(l + "*" + r), Named.as(name)));
      case "global_left_join" -> streams.put(id, from.leftJoin(globals.get(with), (k, v) -> rekeyed(fn, k, v),
          (l, r) -> tail(l + "*" + shown(r)), Named.as(name)));
      case "stream_join_inner", "stream_join_left", "stream_join_outer" -> {
        KStream<String, String> other = streams.get(with);
        JoinWindows within = JoinWindows.ofTimeDifferenceAndGrace(Duration.ofMillis(100), ms(node, "grace"))
            .before(ms(node, "before")).after(ms(node, "after"));
        StreamJoined<String, String, String> how = StreamJoined.with(TEXT, TEXT, TEXT).withName(name).withStoreName(name);
        ValueJoiner<String, String, String> joiner = (l, r) -> tail(shown(l) + "+" + shown(r));
        streams.put(id, switch (op) {
          case "stream_join_inner" -> from.join(other, joiner, within, how);
          case "stream_join_left" -> from.leftJoin(other, joiner, within, how);
          default -> from.outerJoin(other, joiner, within, how);
        });
      }
      default -> throw new IllegalArgumentException(op);
    }
  }

  private Joined<String, String, String> waiting(JsonNode node) {
    Joined<String, String, String> how = Joined.with(TEXT, TEXT, TEXT).withName(node.get("name").asText());
    return node.get("grace").asLong() > 0 ? how.withGracePeriod(ms(node, "grace")) : how;
  }

  /** With keys of text; so it has changed the key. */
  private KStream<String, String> asStream(int table) {
    if (tables.containsKey(table)) return tables.get(table).toStream().selectKey((k, v) -> k);
    if (counts.containsKey(table))
      return counts.get(table).toStream().mapValues(n -> n == null ? null : "" + n).selectKey((k, v) -> k);
    if (windows.containsKey(table)) return windows.get(table).toStream().selectKey((k, v) -> windowed(k));
    return windowCounts.get(table).toStream().mapValues(n -> n == null ? null : "" + n).selectKey((k, v) -> windowed(k));
  }

  ArrayNode run(Path folder) {
    Properties settings = new Properties();
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, "app");
    settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, "none:1");
    settings.put(StreamsConfig.STATE_DIR_CONFIG, folder.toString());
    settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, script.get("cached").asBoolean() ? 10_000_000 : 0);
    // What is made of tables has no serdes of its own.
    settings.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
    settings.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
    // Emission on close asks no clock.
    settings.put("__emit.interval.ms.kstreams.windowed.aggregation__", 0);
    settings.put("__emit.interval.ms.kstreams.outer.join.spurious.results.fix__", 0);
    ArrayNode outputs = JSON.createArrayNode();
    try (TopologyTestDriver driver = new TopologyTestDriver(builder.build(), settings, Instant.ofEpochMilli(0))) {
      Map<String, TestInputTopic<String, String>> inputs = new HashMap<>();
      Map<String, TestOutputTopic<String, String>> written = new HashMap<>();
      TreeSet<String> topics = new TreeSet<>();
      for (JsonNode topic : script.get("topics")) topics.add(topic.asText());
      for (JsonNode event : script.get("events")) {
        String topic = event.get(0).asText();
        if (topic.equals("advance")) {
          driver.advanceWallClockTime(Duration.ofMillis(event.get(1).asLong()));
        } else {
          RecordHeaders headers = new RecordHeaders();
          for (JsonNode header : event.get(4))
            headers.add(header.get(0).asText(), bytes(text(header.get(1))));
          inputs.computeIfAbsent(topic, t -> driver.createInputTopic(t, new StringSerializer(), new StringSerializer()))
              .pipeInput(new TestRecord<>(text(event.get(1)), text(event.get(2)), headers, event.get(3).asLong()));
        }
        ObjectNode made = outputs.addObject();
        for (String out : topics) {
          if (!driver.producedTopicNames().contains(out)) continue;
          TestOutputTopic<String, String> from =
              written.computeIfAbsent(out, t -> driver.createOutputTopic(t, new StringDeserializer(), new StringDeserializer()));
          if (from.isEmpty()) continue;
          ArrayNode records = made.putArray(out);
          for (TestRecord<String, String> record : from.readRecordsToList()) {
            ArrayNode headers = records.addArray().add(record.key()).add(record.value()).add(record.timestamp()).addArray();
            for (Header header : record.headers()) {
              String value = header.value() == null ? null : new String(header.value(), StandardCharsets.UTF_8);
              headers.addArray().add(header.key()).add(value);
            }
          }
        }
      }
    }
    return outputs;
  }

  private static String text(JsonNode node) {
    return node.isNull() ? null : node.asText();
  }
}
