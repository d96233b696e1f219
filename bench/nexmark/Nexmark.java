import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Properties;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.Repartitioned;
import org.apache.kafka.streams.kstream.SessionWindows;
import org.apache.kafka.streams.kstream.StreamJoined;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.processor.WallclockTimestampExtractor;
import org.apache.kafka.streams.state.KeyValueStore;

/** The queries of queries.cc on Kafka Streams: QUERY ADDRESS GUARANTEE COMMIT_MS STATE_DIR CACHE_BYTES APPLICATION. */
public class Nexmark {
  /** Writes rows: numbers of eight bytes, texts behind their length, two bytes; big-endian. */
  static class Row {
    private byte[] bytes = new byte[64];
    private int size;

    private void room(int more) {
      if (size + more > bytes.length) bytes = java.util.Arrays.copyOf(bytes, Math.max(2 * bytes.length, size + more));
    }

    Row add(long number) {
      room(8);
      for (int shift = 56; shift >= 0; shift -= 8) bytes[size++] = (byte) (number >> shift);
      return this;
    }

    Row add(byte[] text) {
      room(2 + text.length);
      bytes[size++] = (byte) (text.length >> 8);
      bytes[size++] = (byte) text.length;
      System.arraycopy(text, 0, bytes, size, text.length);
      size += text.length;
      return this;
    }

    Row add(String text) {
      return add(text.getBytes(StandardCharsets.ISO_8859_1));
    }

    byte[] bytes() {
      return java.util.Arrays.copyOf(bytes, size);
    }
  }

  static String text(ByteBuffer from) {
    byte[] bytes = new byte[from.getShort() & 0xffff];
    from.get(bytes);
    return new String(bytes, StandardCharsets.ISO_8859_1);
  }

  interface Event {}

  record Person(long id, String name, String email, String card, String city, String state, long time, String extra)
      implements Event {}

  record Auction(long id, String item, String description, long initialBid, long reserve, long time, long expires, long seller,
      long category, String extra) implements Event {}

  record Bid(long auction, long bidder, long price, long time, String extra) implements Event {}

  static Event event(byte[] bytes) {
    ByteBuffer in = ByteBuffer.wrap(bytes);
    return switch (in.get()) {
      case 0 -> new Person(in.getLong(), text(in), text(in), text(in), text(in), text(in), in.getLong(), text(in));
      case 1 -> new Auction(in.getLong(), text(in), text(in), in.getLong(), in.getLong(), in.getLong(), in.getLong(), in.getLong(),
          in.getLong(), text(in));
      case 2 -> new Bid(in.getLong(), in.getLong(), in.getLong(), in.getLong(), text(in));
      default -> throw new IllegalArgumentException("an event of no known kind");
    };
  }

  // Rows of tables, as in queries.cc.

  record PersonRow(String name, String city, String state) {}

  record BidRow(long auction, long bidder, long price, long time) {}

  record AuctionRow(long id, long category, long time, long expires) {}

  record ValidBidRow(long auction, long category, long bidder, long price, long time) {}

  record SumRow(long sum, long count) {}

  record MostRow(long most, byte[] rows) {
    MostRow with(long amount, byte[] row) {
      if (amount < most) return this;
      byte[] before = amount > most ? new byte[0] : rows;
      byte[] all = java.util.Arrays.copyOf(before, before.length + row.length);
      System.arraycopy(row, 0, all, before.length, row.length);
      return new MostRow(amount, all);
    }
  }

  record NewSellerRow(String name, long isThere, long hasOpened, long toldNow) {}

  static <T> Serde<T> serde(java.util.function.Function<T, byte[]> to, java.util.function.Function<ByteBuffer, T> from) {
    Serializer<T> out = (topic, value) -> value == null ? null : to.apply(value);
    Deserializer<T> in = (topic, bytes) -> bytes == null ? null : from.apply(ByteBuffer.wrap(bytes));
    return Serdes.serdeFrom(out, in);
  }

  static final Serde<Long> LONG = Serdes.Long();
  static final Serde<byte[]> BYTES = Serdes.ByteArray();
  static final Serde<String> TEXT = serde(v -> v.getBytes(StandardCharsets.ISO_8859_1),
      in -> StandardCharsets.ISO_8859_1.decode(in).toString());
  static final Serde<Event> EVENT = serde(v -> { throw new UnsupportedOperationException(); }, in -> event(in.array()));
  static final Serde<PersonRow> PERSON = serde(v -> new Row().add(v.name).add(v.city).add(v.state).bytes(),
      in -> new PersonRow(text(in), text(in), text(in)));
  static final Serde<BidRow> BID = serde(v -> new Row().add(v.auction).add(v.bidder).add(v.price).add(v.time).bytes(),
      in -> new BidRow(in.getLong(), in.getLong(), in.getLong(), in.getLong()));
  static final Serde<AuctionRow> AUCTION = serde(v -> new Row().add(v.id).add(v.category).add(v.time).add(v.expires).bytes(),
      in -> new AuctionRow(in.getLong(), in.getLong(), in.getLong(), in.getLong()));
  static final Serde<ValidBidRow> VALID =
      serde(v -> new Row().add(v.auction).add(v.category).add(v.bidder).add(v.price).add(v.time).bytes(),
          in -> new ValidBidRow(in.getLong(), in.getLong(), in.getLong(), in.getLong(), in.getLong()));
  static final Serde<SumRow> SUM = serde(v -> new Row().add(v.sum).add(v.count).bytes(),
      in -> new SumRow(in.getLong(), in.getLong()));
  static final Serde<MostRow> MOST = serde(v -> new Row().add(v.most).add(v.rows).bytes(), in -> {
    long most = in.getLong();
    byte[] rows = new byte[in.getShort() & 0xffff];
    in.get(rows);
    return new MostRow(most, rows);
  });
  static final Serde<NewSellerRow> SELLER =
      serde(v -> new Row().add(v.name).add(v.isThere).add(v.hasOpened).add(v.toldNow).bytes(),
          in -> new NewSellerRow(text(in), in.getLong(), in.getLong(), in.getLong()));
  static final Duration ANY_TIME = Duration.ofDays(365), TEN_SECONDS = Duration.ofSeconds(10), LATE = Duration.ofHours(1);

  final StreamsBuilder builder = new StreamsBuilder();
  private KStream<byte[], Event> events;

  KStream<byte[], Event> events() {
    if (events == null) events = builder.stream("nexmark", Consumed.with(BYTES, EVENT));
    return events;
  }

  KStream<byte[], Bid> bids() {
    return events().filter((k, v) -> v instanceof Bid).mapValues(v -> (Bid) v);
  }

  KStream<byte[], Auction> auctions() {
    return events().filter((k, v) -> v instanceof Auction).mapValues(v -> (Auction) v);
  }

  KStream<byte[], Person> persons() {
    return events().filter((k, v) -> v instanceof Person).mapValues(v -> (Person) v);
  }

  KStream<Long, BidRow> bidsByAuction() {
    return bids().map((k, b) -> KeyValue.pair(b.auction, new BidRow(b.auction, b.bidder, b.price, b.time)));
  }

  KStream<Long, AuctionRow> auctionsById() {
    return auctions().map((k, a) -> KeyValue.pair(a.id, new AuctionRow(a.id, a.category, a.time, a.expires)));
  }

  static <V> Materialized<Long, V, KeyValueStore<Bytes, byte[]>> rows(String name, Serde<V> values) {
    return Materialized.<Long, V, KeyValueStore<Bytes, byte[]>>as(name).withKeySerde(LONG).withValueSerde(values);
  }

  StreamJoined<Long, BidRow, AuctionRow> bidsWithAuctions(String name) {
    return StreamJoined.with(LONG, BID, AUCTION).withName(name).withStoreName(name);
  }

  static boolean isBetter(ValidBidRow bid, ValidBidRow best) {
    if (bid.price != best.price) return bid.price > best.price;
    if (bid.time != best.time) return bid.time < best.time;
    return bid.bidder < best.bidder;
  }

  KTable<Long, ValidBidRow> winningBids() {
    return bidsByAuction()
        .join(auctionsById(), (b, a) -> new ValidBidRow(a.id, a.category, b.bidder,
            b.time >= a.time && b.time <= a.expires ? b.price : 0, b.time),
            JoinWindows.ofTimeDifferenceWithNoGrace(ANY_TIME), bidsWithAuctions("bids-of-auctions"))
        .filter((k, v) -> v.price > 0)
        .groupByKey(Grouped.with(LONG, VALID))
        .reduce((best, bid) -> isBetter(bid, best) ? bid : best, rows("winning-bids", VALID));
  }

  void build(String query) {
    String out = query + "-out";
    switch (query) {
      case "q0" -> bids().map((k, b) -> KeyValue.pair(b.auction,
          new Row().add(b.auction).add(b.bidder).add(b.price).add(b.time).add(b.extra).bytes())).to(out, Produced.with(LONG, BYTES));
      case "q1" -> bids().map((k, b) -> KeyValue.pair(b.auction,
          new Row().add(b.auction).add(b.bidder).add(b.price * 908).add(b.time).add(b.extra).bytes()))
          .to(out, Produced.with(LONG, BYTES));
      case "q2" -> bids().filter((k, b) -> b.auction % 123 == 0)
          .map((k, b) -> KeyValue.pair(b.auction, new Row().add(b.auction).add(b.price).bytes())).to(out, Produced.with(LONG, BYTES));
      case "q3" -> {
        KTable<Long, PersonRow> persons = persons()
            .filter((k, p) -> p.state.equals("OR") || p.state.equals("ID") || p.state.equals("CA"))
            .map((k, p) -> KeyValue.pair(p.id, new PersonRow(p.name, p.city, p.state)))
            .repartition(Repartitioned.with(LONG, PERSON).withName("persons-by-id"))
            .toTable(rows("persons-by-id", PERSON));
        KTable<Long, Long> auctions = auctions().filter((k, a) -> a.category == 10)
            .map((k, a) -> KeyValue.pair(a.id, a.seller))
            .repartition(Repartitioned.with(LONG, LONG).withName("auctions-by-id"))
            .toTable(rows("auctions-by-id", LONG));
        // The joiner does not see the key; the row's first number is the auction's.
        auctions.mapValues((id, seller) -> new Row().add(id).add(seller).bytes(), rows("auctions-with-id", BYTES))
            .join(persons, row -> ByteBuffer.wrap(row).getLong(8), (row, p) ->
                new Row().add(p.name).add(p.city).add(p.state).add(ByteBuffer.wrap(row).getLong()).bytes(),
                rows("sellers", BYTES))
            .toStream().to(out, Produced.with(LONG, BYTES));
      }
      case "q4" -> winningBids()
          .groupBy((id, b) -> KeyValue.pair(b.category, b.price), Grouped.with("by-category", LONG, LONG))
          .aggregate(() -> new SumRow(0, 0), (k, price, all) -> new SumRow(all.sum + price, all.count + 1),
              (k, price, all) -> new SumRow(all.sum - price, all.count - 1), rows("prices", SUM))
          .toStream()
          .mapValues((k, all) -> new Row().add(k).add(all.count == 0 ? 0 : all.sum / all.count).bytes())
          .to(out, Produced.with(LONG, BYTES));
      case "q5" -> bids().map((k, b) -> KeyValue.pair(b.auction, b.bidder))
          .groupByKey(Grouped.with("by-auction", LONG, LONG))
          .windowedBy(TimeWindows.ofSizeAndGrace(TEN_SECONDS, LATE).advanceBy(Duration.ofSeconds(2)))
          .count(Materialized.as("bids-of-auctions"))
          .toStream()
          .map((k, n) -> KeyValue.pair(k.window().start(), new BidRow(k.key(), 0, n, 0)))
          .groupByKey(Grouped.with("by-window", LONG, BID))
          .aggregate(() -> new MostRow(0, new byte[0]),
              (k, b, most) -> most.with(b.price, new Row().add(b.auction).add(b.price).bytes()), rows("most-bids", MOST))
          .toStream().to(out, Produced.with(LONG, MOST));
      case "q7" -> bids().map((k, b) -> KeyValue.pair(0L, new BidRow(b.auction, b.bidder, b.price, b.time)))
          .groupByKey(Grouped.with("all-bids", LONG, BID))
          .windowedBy(TimeWindows.ofSizeAndGrace(TEN_SECONDS, LATE))
          .aggregate(() -> new MostRow(0, new byte[0]), (k, b, most) -> most.with(b.price,
              new Row().add(b.auction).add(b.bidder).add(b.price).add(b.time).bytes()),
              Materialized.<Long, MostRow, org.apache.kafka.streams.state.WindowStore<Bytes, byte[]>>as("highest-bids")
                  .withKeySerde(LONG).withValueSerde(MOST))
          .toStream().map((k, v) -> KeyValue.pair(k.window().start(), v)).to(out, Produced.with(LONG, MOST));
      case "q8" -> {
        KGroupedStream<Long, String> persons = persons().map((k, p) -> KeyValue.pair(p.id, p.name))
            .groupByKey(Grouped.with("persons-by-id", LONG, TEXT));
        KGroupedStream<Long, Long> auctions = auctions().map((k, a) -> KeyValue.pair(a.seller, a.id))
            .groupByKey(Grouped.with("auctions-by-seller", LONG, LONG));
        persons.<NewSellerRow>cogroup((k, name, s) -> new NewSellerRow(name, 1, s.hasOpened, s.hasOpened))
            .cogroup(auctions, (k, id, s) -> new NewSellerRow(s.name, s.isThere, 1, s.hasOpened == 0 ? s.isThere : 0))
            .windowedBy(TimeWindows.ofSizeAndGrace(TEN_SECONDS, LATE))
            .aggregate(() -> new NewSellerRow("", 0, 0, 0),
                Materialized.<Long, NewSellerRow, org.apache.kafka.streams.state.WindowStore<Bytes, byte[]>>as("sellers")
                    .withKeySerde(LONG).withValueSerde(SELLER).withCachingDisabled())
            .toStream().filter((k, s) -> s != null && s.toldNow != 0)
            .map((k, s) -> KeyValue.pair(k.key(), new Row().add(k.key()).add(s.name).add(k.window().start()).bytes()))
            .to(out, Produced.with(LONG, BYTES));
      }
      case "q9" -> winningBids().toStream().to(out, Produced.with(LONG, VALID));
      case "q11" -> bids().map((k, b) -> KeyValue.pair(b.bidder, b.auction))
          .groupByKey(Grouped.with("by-bidder", LONG, LONG))
          .windowedBy(SessionWindows.ofInactivityGapAndGrace(TEN_SECONDS, LATE))
          .count(Materialized.as("sessions"))
          .toStream()
          .map((k, n) -> KeyValue.pair(k.key(),
              new Row().add(k.key()).add(n == null ? 0 : n).add(k.window().start()).add(k.window().end()).bytes()))
          .to(out, Produced.with(LONG, BYTES));
      case "q12" -> builder.stream("nexmark",
              Consumed.with(BYTES, EVENT).withTimestampExtractor(new WallclockTimestampExtractor()))
          .filter((k, v) -> v instanceof Bid).mapValues(v -> (Bid) v)
          .map((k, b) -> KeyValue.pair(b.bidder, b.auction))
          .groupByKey(Grouped.with("by-bidder", LONG, LONG))
          .windowedBy(TimeWindows.ofSizeAndGrace(TEN_SECONDS, Duration.ofMinutes(1)))
          .count(Materialized.as("bids-in-time"))
          .toStream()
          .map((k, n) -> KeyValue.pair(k.key(), new Row().add(k.key()).add(n).add(k.window().start()).bytes()))
          .to(out, Produced.with(LONG, BYTES));
      case "q18" -> bids().map((k, b) -> KeyValue.pair(new Row().add(b.bidder).add(b.auction).bytes(),
              new BidRow(b.auction, b.bidder, b.price, b.time)))
          .groupByKey(Grouped.with("by-bidder-and-auction", BYTES, BID))
          .reduce((before, bid) -> bid.time > before.time || bid.time == before.time && bid.price >= before.price ? bid : before,
              Materialized.<byte[], BidRow, KeyValueStore<Bytes, byte[]>>as("last-bids").withKeySerde(BYTES).withValueSerde(BID))
          .toStream().to(out, Produced.with(BYTES, BID));
      case "q20" -> bidsByAuction().join(auctionsById().filter((k, a) -> a.category == 10),
          (b, a) -> new Row().add(b.auction).add(b.bidder).add(b.price).add(b.time).add(a.category).add(a.expires).bytes(),
          JoinWindows.ofTimeDifferenceWithNoGrace(ANY_TIME), bidsWithAuctions("with-auction")).to(out, Produced.with(LONG, BYTES));
      default -> throw new IllegalArgumentException(query);
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
    Nexmark nexmark = new Nexmark();
    nexmark.build(args[0]);
    KafkaStreams streams = new KafkaStreams(nexmark.builder.build(), settings);
    Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
    streams.start();
  }
}
