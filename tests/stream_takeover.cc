// A stream application for the tests in Python that Kafka Streams has as well, as
// tests/java/StreamTakeover.java: the same names of stores and repartitions, so that each goes on
// with what the other has left. Its name, TAKEOVER_NAME in the environment, is the first part of
// the names of its topics too: NAME.visits and so on.
#include <weir/streams.h>

#include <cstdlib>
#include <string>

namespace {

using namespace std::chrono_literals;
using namespace weir::streams;
using Text = std::string;

constexpr auto window = 10s;
constexpr auto gap = 5s;
constexpr auto apart = 4s;
constexpr auto grace = 3s;
constexpr auto history = 30s;
constexpr WindowedCodec<Text> windowed(weir::string_codec, window);
constexpr WindowedCodec<Text> slid(weir::string_codec, apart);
constexpr SessionCodec<Text> session(weir::string_codec);

Text joined(const Text& left, const Text& right) { return left + '+' + right; }

class Takeover {
 public:
  explicit Takeover(Text name) : name_(std::move(name)), topology_(name_) {}

  Topology make() && {
    auto visits = topology_.stream(texts(visits_));
    auto by_user = visits.group_by_key();
    by_user.count("counts").to(counts(counts_));
    visits.group_by([](const Text& page) { return page.substr(0, 1); }, "by-letter")
        .count("letters")
        .to(counts(letters_));
    const auto users = topology_.table(rows(users_), "users");
    visits.join(users, joined, "with-user").to(texts(named_));

    by_user.windowed(tumbling(window).grace(grace)).count("windows").to(counts(windows_, windowed));
    by_user.windowed(sliding(apart).grace(grace)).count("sliding").to(counts(sliding_, slid));
    sessions_of(by_user, sessions(gap).grace(grace), "sessions", sessions_);
    by_user.windowed(tumbling(window).grace(grace).emit(Emit::on_close).retention(1h))
        .count("closed")
        .to(counts(closed_, windowed));
    sessions_of(by_user, sessions(gap).grace(grace).emit(Emit::on_close).retention(1h), "ended",
                ended_);

    const auto prices = topology_.versioned_table(rows(prices_), "prices", history);
    auto orders = topology_.stream(texts(orders_));
    orders.join(prices, joined, "with-price").to(texts(priced_));
    orders.join(topology_.stream(texts(payments_)), joined, within(apart).grace(grace), "paid")
        .to(texts(paid_));
    return std::move(topology_);
  }

 private:
  weir::Topic<Text, Text> texts(const Text& topic) const {
    return {topic, &weir::string_codec, &weir::string_codec};
  }
  weir::EntityTopic<Text, Text> rows(const Text& topic) const {
    return {topic, &weir::string_codec, &weir::string_codec};
  }
  weir::EntityTopic<Text, std::int64_t> counts(const Text& topic) const {
    return {topic, &weir::int64_codec, &weir::string_codec};
  }
  weir::EntityTopic<Windowed<Text>, std::int64_t> counts(const Text& topic,
                                                         const WindowedCodec<Text>& codec) const {
    return {topic, &weir::int64_codec, &codec};
  }
  void sessions_of(const GroupedStream<Text, Text>& from, const SessionWindows& windows,
                   const Text& store, const Text& topic) const {
    from.windowed(windows)
        .aggregate(
            Text(), [](Text& all, const Text& value) { all += value; },
            [](const Text& a, const Text& b) { return a + b; }, store)
        .to(weir::EntityTopic<Windowed<Text>, Text>{topic, &weir::string_codec, &session});
  }
  Text topic(const char* what) const { return name_ + '.' + what; }

  Text name_;
  // The topics borrow their names until the topology is made.
  Text visits_ = topic("visits"), users_ = topic("users"), prices_ = topic("prices"),
       orders_ = topic("orders"), payments_ = topic("payments");
  Text counts_ = topic("out-counts"), letters_ = topic("out-letters"), named_ = topic("out-named"),
       windows_ = topic("out-windows"), sliding_ = topic("out-sliding"),
       sessions_ = topic("out-sessions"), closed_ = topic("out-closed"),
       ended_ = topic("out-ended"), priced_ = topic("out-priced"), paid_ = topic("out-paid");
  Topology topology_;
};

}  // namespace

int main(int argc, char** argv) {
  const char* name = std::getenv("TAKEOVER_NAME");
  return run(Takeover(name != nullptr ? name : "takeover").make(), argc, argv);
}
