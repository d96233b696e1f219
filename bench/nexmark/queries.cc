#include "nexmark/queries.h"

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <stdexcept>
#include <utility>

namespace weir::nexmark {
namespace {

using namespace std::chrono_literals;
using namespace weir::streams;
using std::string;
using std::string_view;

using Events = Stream<NoKey, EventView>;
using Rows = Stream<std::int64_t, string>;

// Results: the key, and a row of what the query asks for.

template <class... Fields>
string row(const Fields&... fields) {
  string out;
  RowWriter writer(out);
  (writer << ... << fields);
  return out;
}

Events read(Topology& topology) {
  return topology.stream(UnkeyedTopic<EventView>{event_topic, &event_codec});
}
template <class View>
bool is(const EventView& event) {
  return std::holds_alternative<View>(event);
}
/// Those of one kind, as they are in the batch.
template <class View>
auto only(const Events& events, const string& name) {
  return events.filter(is<View>, name)
      .map_values([](const EventView& event) { return std::get<View>(event); }, name + "-views");
}

/// Of the time when it was made.
struct PersonRow {
  string name, city, state;
  void each(auto field) { field(name), field(city), field(state); }
  void each(auto field) const { field(name), field(city), field(state); }
};
struct SellerRow {
  std::int64_t seller = 0;
  void each(auto field) { field(seller); }
  void each(auto field) const { field(seller); }
};
struct BidRow {
  std::int64_t auction = 0, bidder = 0, price = 0, time_ms = 0;
  void each(auto field) { field(auction), field(bidder), field(price), field(time_ms); }
  void each(auto field) const { field(auction), field(bidder), field(price), field(time_ms); }
};
/// A person who may have opened an auction, in a window.
struct NewSellerRow {
  string name;
  std::int64_t is_there = 0, has_opened = 0, told_now = 0;
  void each(auto field) { field(name), field(is_there), field(has_opened), field(told_now); }
  void each(auto field) const { field(name), field(is_there), field(has_opened), field(told_now); }
};

void write(const Rows& rows, const string& query) {
  rows.to(Topic<std::int64_t, string>{output_topic(query), &string_codec, &int64_codec});
}

/// Bids unchanged.
void q0(Topology& topology) {
  write(only<BidView>(read(topology), "bids").map([](const NoKey&, const BidView& bid) {
    return std::pair(bid.auction, row(bid.auction, bid.bidder, bid.price, bid.time_ms, bid.extra));
  }),
        "q0");
}

/// Prices in another currency, in thousandths of a cent.
void q1(Topology& topology) {
  write(only<BidView>(read(topology), "bids").map([](const NoKey&, const BidView& bid) {
    return std::pair(bid.auction,
                     row(bid.auction, bid.bidder, bid.price * 908, bid.time_ms, bid.extra));
  }),
        "q1");
}

/// Bids for some of the auctions.
void q2(Topology& topology) {
  write(only<BidView>(read(topology), "bids")
            .filter([](const BidView& bid) { return bid.auction % 123 == 0; })
            .map([](const NoKey&, const BidView& bid) {
              return std::pair(bid.auction, row(bid.auction, bid.price));
            }),
        "q2");
}

/// Who sells in category 10 in Oregon, Idaho or California.
void q3(Topology& topology) {
  const auto events = read(topology);
  auto persons =
      only<PersonView>(events, "persons")
          .filter([](const PersonView& person) {
            return person.state == "OR" || person.state == "ID" || person.state == "CA";
          })
          .map([](const NoKey&, const PersonView& person) {
            return std::pair(person.id, PersonRow{string(person.name), string(person.city),
                                                  string(person.state)});
          })
          .coded({.value = &row_codec<PersonRow>})
          .to_table("persons-by-id");
  auto auctions = only<AuctionView>(events, "auctions")
                      .filter([](const AuctionView& auction) { return auction.category == 10; })
                      .map([](const NoKey&, const AuctionView& auction) {
                        return std::pair(auction.id, SellerRow{auction.seller});
                      })
                      .coded({.value = &row_codec<SellerRow>})
                      .to_table("auctions-by-id");
  auctions
      .foreign_key_join(
          persons, [](const SellerRow& auction) { return auction.seller; },
          [](const std::int64_t& id, const SellerRow&, const PersonRow& person) {
            return row(string_view(person.name), string_view(person.city),
                       string_view(person.state), id);
          },
          "sellers")
      .to(EntityTopic<std::int64_t, string>{output_topic("q3"), &string_codec, &int64_codec});
}

/// Who has opened an auction within the ten seconds in which they appeared.
void q8(Topology& topology) {
  const auto events = read(topology);
  auto persons = only<PersonView>(events, "persons")
                     .map([](const NoKey&, const PersonView& person) {
                       return std::pair(person.id, string(person.name));
                     })
                     .group_by_key("persons-by-id");
  auto auctions = only<AuctionView>(events, "auctions")
                      .map([](const NoKey&, const AuctionView& auction) {
                        return std::pair(auction.seller, auction.id);
                      })
                      .group_by_key("auctions-by-seller");
  persons
      .cogroup<NewSellerRow>([](NewSellerRow& seller, const string& name) {
        seller.name = name;
        seller.is_there = 1;
        seller.told_now = seller.has_opened;
      })
      .with(auctions,
            [](NewSellerRow& seller, const std::int64_t&) {
              seller.told_now = seller.has_opened == 0 ? seller.is_there : 0;
              seller.has_opened = 1;
            })
      .windowed(tumbling(10s))
      .aggregate(NewSellerRow{}, "sellers", &row_codec<NewSellerRow>)
      .to_stream()
      .filter([](const std::optional<NewSellerRow>& seller) { return seller && seller->told_now; })
      .map([](const Windowed<std::int64_t>& key, const std::optional<NewSellerRow>& seller) {
        return std::pair(key.key, row(key.key, string_view(seller->name), key.window.start_ms));
      })
      .to(Topic<std::int64_t, string>{output_topic("q8"), &string_codec, &int64_codec});
}

/// How many bids each bidder makes in a session.
void q11(Topology& topology) {
  only<BidView>(read(topology), "bids")
      .map([](const NoKey&, const BidView& bid) { return std::pair(bid.bidder, bid.auction); })
      .group_by_key("by-bidder")
      .windowed(sessions(10s))
      .count("sessions")
      .to_stream()
      .map([](const Windowed<std::int64_t>& key, const std::optional<std::int64_t>& count) {
        return std::pair(key.key,
                         row(key.key, count.value_or(0), key.window.start_ms, key.window.end_ms));
      })
      .to(Topic<std::int64_t, string>{output_topic("q11"), &string_codec, &int64_codec});
}

/// The last bid of each bidder for each auction.
void q18(Topology& topology) {
  only<BidView>(read(topology), "bids")
      .map([](const NoKey&, const BidView& bid) {
        return std::pair(row(bid.bidder, bid.auction),
                         BidRow{bid.auction, bid.bidder, bid.price, bid.time_ms});
      })
      .coded({.value = &row_codec<BidRow>})
      .group_by_key("by-bidder-and-auction")
      .reduce([](const BidRow& before,
                 const BidRow& bid) { return bid.time_ms >= before.time_ms ? bid : before; },
              "last-bids")
      .to(EntityTopic<string, BidRow>{output_topic("q18"), &row_codec<BidRow>, &string_codec});
}

using Make = std::function<void(Topology&)>;
const std::map<string, Make>& makers() {
  static const std::map<string, Make> all = {{"q0", q0}, {"q1", q1},   {"q2", q2},  {"q3", q3},
                                             {"q8", q8}, {"q11", q11}, {"q18", q18}};
  return all;
}

}  // namespace

string output_topic(const string& query) { return query + "-out"; }

const std::vector<string>& queries() {
  static const std::vector<string> all = [] {
    std::vector<string> names;
    for (const auto& [name, make] : makers()) names.push_back(name);
    return names;
  }();
  return all;
}

Topology make_query(const string& query, const string& application) {
  const auto found = makers().find(query);
  if (found == makers().end()) throw std::invalid_argument(query + ": no query of Nexmark");
  Topology topology(application);
  found->second(topology);
  return topology;
}

}  // namespace weir::nexmark
