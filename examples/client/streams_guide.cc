// The C++ examples of docs/streams.md, compiled and run: in the driver for tests, and as an
// application on a broker in this process.
#include <weir/embed.h>
#include <weir/streams.h>
#include <weir/streams/test.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace weir::streams;
using std::string;
using weir::Result;
using weir::Timestamp;

void expect(bool held, const char* what) {
  if (held) return;
  std::printf("%s does not hold\n", what);
  std::exit(1);
}

// The streams of a shop: an order is "CUSTOMER AMOUNT", a customer's row is the country.
const weir::Topic<string, string> orders{"orders", &weir::string_codec, &weir::string_codec};
const weir::EntityTopic<string, string> customers{"customers", &weir::string_codec,
                                                  &weir::string_codec};
const weir::EntityTopic<string, std::int64_t> sales{"sales", &weir::int64_codec,
                                                    &weir::string_codec};

string customer_of(const string& order) { return order.substr(0, order.find(' ')); }
std::int64_t amount_of(const string& order) {
  return std::stoll(order.substr(order.find(' ') + 1));
}

struct Sale {
  string country;
  std::int64_t amount = 0;
};
struct SaleCodec final : weir::Codec<Sale> {
  constexpr ~SaleCodec() override {}
  Result<void> encode(const Sale& sale, string& out) const override {
    out += sale.country + ' ' + std::to_string(sale.amount);
    return {};
  }
  Result<Sale> decode(std::string_view bytes) const override {
    const std::size_t space = bytes.find(' ');
    if (space == std::string_view::npos) return weir::fail(weir::Errc::malformed, "no sale");
    return Sale{string(bytes.substr(0, space)), std::stoll(string(bytes.substr(space + 1)))};
  }
};
constexpr SaleCodec sale_codec;

Topology make_topology() {
  Topology topology{"sales"};
  auto countries = topology.table(customers, "countries");
  topology.stream(orders)
      .filter([](const string& order) { return amount_of(order) > 0; })
      .map_key(customer_of)
      .join(
          countries,
          [](const string& order, const string& country) {
            return Sale{country, amount_of(order)};
          },
          "with-country")
      .coded({.value = &sale_codec})
      .group_by([](const Sale& sale) { return sale.country; }, "by-country")
      .aggregate(
          std::int64_t{0}, [](std::int64_t& sum, const Sale& sale) { sum += sale.amount; }, "sums")
      .to(sales);
  return topology;
}

void drive() {
  const Topology topology = make_topology();
  TestDriver driver{topology, {.partitions = 3}};
  driver.pipe<string, string>(customers, "ann", "NZ", Timestamp(1s));
  driver.pipe<string, string>(orders, "o-1", "ann 20", Timestamp(2s));
  driver.crash_and_lose_state();  // as if the task had moved to another machine
  driver.pipe<string, string>(orders, "o-2", "ann 22", Timestamp(3s));
  const auto written = driver.output(sales);
  expect(written.size() == 2 && written[1].key == "NZ" && written[1].value == 42, "the sum");
}

void windows() {
  Topology topology{"busy"};
  constexpr WindowedCodec<string> by_hour(weir::string_codec, 1h);
  const weir::EntityTopic<Windowed<string>, std::int64_t> busy{"busy", &weir::int64_codec,
                                                               &by_hour};
  const weir::Topic<string, string> too_late{"too-late", &weir::string_codec, &weir::string_codec};

  auto hours = topology.stream(orders)
                   .group_by(customer_of, "by-customer")
                   .windowed(tumbling(1h).grace(10min).emit(Emit::on_close));
  hours.late("late-orders")
      .map_values([](const Late<string>& late) { return late.value; })
      .to(too_late);
  hours.count("orders-an-hour").to(busy);

  TestDriver driver{topology};
  driver.pipe<string, string>(orders, "o-1", "ann 20", Timestamp(5min));
  driver.pipe<string, string>(orders, "o-2", "ann 21", Timestamp(80min));
  driver.pipe<string, string>(orders, "o-3", "ann 22", Timestamp(6min));
  expect(driver.output(busy).size() == 1, "one window has closed");
  expect(driver.output(too_late).size() == 1, "one order was late");
}

// Advertisements that were seen and clicked, by user.
const weir::Topic<string, string> views{"views", &weir::string_codec, &weir::string_codec};
const weir::Topic<string, string> clicks{"clicks", &weir::string_codec, &weir::string_codec};

struct Visit {
  std::int64_t views = 0;
  std::int64_t clicks = 0;
};
struct VisitCodec final : weir::Codec<Visit> {
  constexpr ~VisitCodec() override {}
  Result<void> encode(const Visit& visit, string& out) const override {
    out += std::to_string(visit.views) + ' ' + std::to_string(visit.clicks);
    return {};
  }
  Result<Visit> decode(std::string_view bytes) const override {
    const string text(bytes);
    const std::size_t space = text.find(' ');
    if (space == string::npos) return weir::fail(weir::Errc::malformed, "no visit");
    return Visit{std::stoll(text), std::stoll(text.substr(space + 1))};
  }
};
constexpr VisitCodec visit_codec;

void visits() {
  constexpr SessionCodec<string> by_visit(weir::string_codec);
  const weir::EntityTopic<Windowed<string>, Visit> visits{"visits", &visit_codec, &by_visit};
  Topology topology{"visits"};
  auto visits_of_users = topology.stream(views)
                             .group_by_key()
                             .cogroup<Visit>([](Visit& visit, const string&) { ++visit.views; })
                             .with(topology.stream(clicks).group_by_key(),
                                   [](Visit& visit, const string&) { ++visit.clicks; })
                             .windowed(sessions(30min).grace(1h))
                             .aggregate(
                                 Visit{},
                                 [](const Visit& a, const Visit& b) {
                                   return Visit{a.views + b.views, a.clicks + b.clicks};
                                 },
                                 "visits", &visit_codec);
  visits_of_users.suppress(Suppression::until_window_closes(), "whole-visits").to(visits);

  TestDriver driver{topology, {.partitions = 2}};
  driver.pipe<string, string>(views, "ann", "shoes", Timestamp(0min));
  driver.pipe<string, string>(clicks, "ann", "shoes", Timestamp(40min));
  driver.pipe<string, string>(views, "ann", "hats", Timestamp(20min));  // makes one visit of two
  driver.crash_and_lose_state();
  driver.pipe<string, string>(views, "ann", "coats", Timestamp(3h));
  const auto written = driver.output(visits);
  expect(written.size() == 1, "one visit has ended");
  expect(written[0].key->window == Window{0, 40 * 60'000}, "it lasted from the view to the click");
  expect(written[0].value->views == 2 && written[0].value->clicks == 1, "what was in it");
}

void joins() {
  const weir::Topic<string, string> payments{"payments", &weir::string_codec, &weir::string_codec};
  const weir::Topic<string, string> outcome{"outcome", &weir::string_codec, &weir::string_codec};
  Topology topology{"paid"};
  topology.stream(orders)
      .map_key(customer_of)
      .left_join(
          topology.stream(payments),
          [](const string& order, const string* payment) {
            return order + (payment != nullptr ? " paid by " + *payment : " not paid");
          },
          JoinWindows(1min, 1h).grace(5min), "paid")
      .to(outcome);

  TestDriver driver{topology, {.partitions = 2}};
  driver.pipe<string, string>(orders, "o-1", "ann 20", Timestamp(0min));
  driver.pipe<string, string>(payments, "ann", "card", Timestamp(10min));
  driver.pipe<string, string>(orders, "o-2", "ann 30", Timestamp(30min));
  driver.pipe<string, string>(orders, "o-3", "ann 40", Timestamp(2h));
  const auto written = driver.output(outcome);
  expect(written.size() == 2 && written[0].value == "ann 20 paid by card", "the pair");
  expect(written[1].value == "ann 30 not paid", "what nobody paid for");
}

class Limit : public Processor<string, string, string, string> {
 public:
  void open(Context& context) override { spent_ = context.store<string, std::int64_t>("spent"); }
  Result<void> process(const string& id, const string& order, Context& context) override {
    const std::int64_t sum = spent_.get(customer_of(order)).value_or(0) + amount_of(order);
    if (sum > 100) return {};
    spent_.put(customer_of(order), sum);
    context.forward(id, order);
    return {};
  }

 private:
  KeyValueStore<string, std::int64_t> spent_;
};

void processors() {
  const weir::Topic<string, string> allowed{"allowed", &weir::string_codec, &weir::string_codec};
  Topology topology{"limits"};
  topology.add_store<string, std::int64_t>("spent");
  topology.stream(orders)
      .process([] { return std::make_unique<Limit>(); }, "limit", {"spent"})
      .to(allowed);

  TestDriver driver{topology};
  driver.pipe<string, string>(orders, "o-1", "ann 90", Timestamp(1s));
  driver.pipe<string, string>(orders, "o-2", "ann 20", Timestamp(2s));
  expect(driver.output(allowed).size() == 1, "the limit");
}

Result<void> read_beside_the_processing() {
  auto broker = weir::embed::Broker::in_memory();
  if (!broker) return weir::fail(broker.error());
  auto client = weir::Client::connect(broker->local());
  if (!client) return weir::fail(client.error());
  if (auto made = client->admin().create_topic({.name = "orders", .partitions = 2}); !made)
    return made;
  auto producer = client->producer();
  if (!producer) return weir::fail(producer.error());

  Topology topology{"counted"};
  auto counts = topology.stream(orders).group_by(customer_of, "by-customer").count("all-orders");
  const auto ref = counts.ref();
  auto application = Application::start(std::move(topology), broker->local());
  if (!application) return weir::fail(application.error());

  auto sent = producer->send({.topic = "orders", .key = "o-1", .value = "ann 20"});
  if (!sent) return weir::fail(sent.error());
  if (auto flushed = producer->flush(10s); !flushed) return flushed;
  auto reader = application->read(ref);
  if (!reader) return weir::fail(reader.error());
  while (true) {
    auto found = reader->get("ann");
    if (found && found->value) {
      expect(*found->value == 1, "one order");
      break;
    }
    // Another instance has the partition, or the task is being restored: worth another try.
    if (!found && !found.error().retriable()) return weir::fail(found.error());
    std::this_thread::yield();
  }
  std::int64_t all = 0;
  auto read = reader->for_each([&](const string& customer, std::int64_t count, Timestamp) {
    all += count;
    return customer != "zoe";
  });
  if (!read) return read;
  expect(all == 1, "in all");
  return application->stop(10s);
}

Result<void> run_for_a_while() {
  auto broker = weir::embed::Broker::in_memory();
  if (!broker) return weir::fail(broker.error());
  auto client = weir::Client::connect(broker->local());
  if (!client) return weir::fail(client.error());
  for (const char* topic : {"orders", "customers", "sales"})
    if (auto made = client->admin().create_topic({.name = topic, .partitions = 2}); !made)
      return made;

  auto application = Application::start(make_topology(), broker->local(), {.threads = 2});
  if (!application) return weir::fail(application.error());
  if (auto stopped = application->stop(10s); !stopped) return stopped;
  return {};
}

}  // namespace

int main() {
  drive();
  windows();
  visits();
  joins();
  processors();
  auto done = read_beside_the_processing();
  if (done) done = run_for_a_while();
  std::puts(done ? "every example has run" : done.error().message().c_str());
  return done ? 0 : 1;
}
