#include "queries.h"

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <stdexcept>
#include <tuple>
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
/// What a bid is held against.
struct AuctionRow {
  std::int64_t id = 0, category = 0, time_ms = 0, expires_ms = 0;
  void each(auto field) { field(id), field(category), field(time_ms), field(expires_ms); }
  void each(auto field) const { field(id), field(category), field(time_ms), field(expires_ms); }
};
/// A bid within the life of its auction.
struct ValidBidRow {
  std::int64_t auction = 0, category = 0, bidder = 0, price = 0, time_ms = 0;
  void each(auto field) { all(*this, field); }
  void each(auto field) const { all(*this, field); }

 private:
  static void all(auto& self, auto& field) {
    field(self.auction), field(self.category), field(self.bidder), field(self.price);
    field(self.time_ms);
  }
};
/// For an average.
struct SumRow {
  std::int64_t sum = 0, count = 0;
  void each(auto field) { field(sum), field(count); }
  void each(auto field) const { field(sum), field(count); }
};
/// Those of a window that have most: how much, and a row of each.
struct MostRow {
  std::int64_t most = 0;
  string rows;
  void each(auto field) { field(most), field(rows); }
  void each(auto field) const { field(most), field(rows); }

  void add(std::int64_t amount, const string& row) {
    if (amount < most) return;
    if (amount > most) rows.clear();
    most = amount;
    rows += row;
  }
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

/// Partitions are read at their own pace, so what is counted by window must take records that come
/// later than others: then the result does not depend on it.
constexpr std::chrono::hours late(1);

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
      .windowed(tumbling(10s).grace(late))
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
      .windowed(sessions(10s).grace(late))
      .count("sessions")
      .to_stream()
      .map([](const Windowed<std::int64_t>& key, const std::optional<std::int64_t>& count) {
        return std::pair(key.key,
                         row(key.key, count.value_or(0), key.window.start_ms, key.window.end_ms));
      })
      .to(Topic<std::int64_t, string>{output_topic("q11"), &string_codec, &int64_codec});
}

/// How many bids of each bidder are processed in ten seconds of the wall clock. Records of several
/// tasks come a little apart, so windows take late ones.
void q12(Topology& topology) {
  const auto now = [](const NoKey&, const EventView&, Timestamp) -> Result<Timestamp> {
    return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  };
  only<BidView>(
      topology.stream(UnkeyedTopic<EventView>{event_topic, &event_codec}, {.timestamp = now}),
      "bids")
      .map([](const NoKey&, const BidView& bid) { return std::pair(bid.bidder, bid.auction); })
      .group_by_key("by-bidder")
      .windowed(tumbling(10s).grace(1min))
      .count("bids-in-time")
      .to_stream()
      .map([](const Windowed<std::int64_t>& key, const std::optional<std::int64_t>& count) {
        return std::pair(key.key, row(key.key, count.value_or(0), key.window.start_ms));
      })
      .to(Topic<std::int64_t, string>{output_topic("q12"), &string_codec, &int64_codec});
}

/// The last bid of each bidder for each auction, of one time the highest.
void q18(Topology& topology) {
  only<BidView>(read(topology), "bids")
      .map([](const NoKey&, const BidView& bid) {
        return std::pair(row(bid.bidder, bid.auction),
                         BidRow{bid.auction, bid.bidder, bid.price, bid.time_ms});
      })
      .coded({.value = &row_codec<BidRow>})
      .group_by_key("by-bidder-and-auction")
      .reduce(
          [](const BidRow& before, const BidRow& bid) {
            const auto rank = [](const BidRow& one) { return std::pair(one.time_ms, one.price); };
            return rank(bid) >= rank(before) ? bid : before;
          },
          "last-bids")
      .to(EntityTopic<string, BidRow>{output_topic("q18"), &row_codec<BidRow>, &string_codec});
}

/// Bids by auction, and auctions, each with whichever of the other comes, at any time.
constexpr std::chrono::hours any_time(24 * 365);

Stream<std::int64_t, BidRow> bids_by_auction(const Events& events) {
  return only<BidView>(events, "bids")
      .map([](const NoKey&, const BidView& bid) {
        return std::pair(bid.auction, BidRow{bid.auction, bid.bidder, bid.price, bid.time_ms});
      })
      .coded({.value = &row_codec<BidRow>});
}
Stream<std::int64_t, AuctionRow> auctions_by_id(const Events& events) {
  return only<AuctionView>(events, "auctions")
      .map([](const NoKey&, const AuctionView& auction) {
        return std::pair(auction.id, AuctionRow{auction.id, auction.category, auction.time_ms,
                                                auction.expires_ms});
      })
      .coded({.value = &row_codec<AuctionRow>});
}

/// The winning bids so far: the highest of each auction, of equal ones the first, of those the one
/// of the lower bidder.
Table<std::int64_t, ValidBidRow> winning_bids(Topology& topology) {
  const auto events = read(topology);
  return bids_by_auction(events)
      .join(
          auctions_by_id(events),
          [](const BidRow& bid, const AuctionRow& auction) {
            const bool valid = bid.time_ms >= auction.time_ms && bid.time_ms <= auction.expires_ms;
            return ValidBidRow{auction.id, auction.category, bid.bidder, valid ? bid.price : 0,
                               bid.time_ms};
          },
          within(any_time), "bids-of-auctions")
      .filter([](const ValidBidRow& bid) { return bid.price > 0; })
      .coded({.value = &row_codec<ValidBidRow>})
      .group_by_key()
      .reduce(
          [](const ValidBidRow& best, const ValidBidRow& bid) {
            const auto rank = [](const ValidBidRow& one) {
              return std::tuple(-one.price, one.time_ms, one.bidder);
            };
            return rank(bid) < rank(best) ? bid : best;
          },
          "winning-bids");
}

/// The average winning price of each category.
void q4(Topology& topology) {
  winning_bids(topology)
      .group_by([](const ValidBidRow& bid) { return std::pair(bid.category, bid.price); },
                "by-category")
      .aggregate(
          SumRow{},
          [](SumRow& all, const std::int64_t& price) {
            all.sum += price;
            ++all.count;
          },
          [](SumRow& all, const std::int64_t& price) {
            all.sum -= price;
            --all.count;
          },
          "prices", &row_codec<SumRow>)
      .map_values([](const std::int64_t& category, const SumRow& all) {
        return row(category, all.count == 0 ? 0 : all.sum / all.count);
      })
      .to(EntityTopic<std::int64_t, string>{output_topic("q4"), &string_codec, &int64_codec});
}

/// The auctions with most bids in ten seconds, every two seconds. A count that grows takes the
/// place of those that it was level with, so what a window has in the end is right.
void q5(Topology& topology) {
  only<BidView>(read(topology), "bids")
      .map([](const NoKey&, const BidView& bid) { return std::pair(bid.auction, bid.bidder); })
      .group_by_key("by-auction")
      .windowed(hopping(10s, 2s).grace(late))
      .count("bids-of-auctions")
      .to_stream()
      .map([](const Windowed<std::int64_t>& key, const std::optional<std::int64_t>& count) {
        return std::pair(key.window.start_ms,
                         BidRow{.auction = key.key, .price = count.value_or(0)});
      })
      .coded({.value = &row_codec<BidRow>})
      .group_by_key("by-window")
      .aggregate(
          MostRow{},
          [](MostRow& most, const BidRow& bids) {
            most.add(bids.price, row(bids.auction, bids.price));
          },
          "most-bids", &row_codec<MostRow>)
      .to(EntityTopic<std::int64_t, MostRow>{output_topic("q5"), &row_codec<MostRow>,
                                             &int64_codec});
}

/// The highest bids of each ten seconds.
void q7(Topology& topology) {
  only<BidView>(read(topology), "bids")
      .map([](const NoKey&, const BidView& bid) {
        return std::pair(std::int64_t{0}, BidRow{bid.auction, bid.bidder, bid.price, bid.time_ms});
      })
      .coded({.value = &row_codec<BidRow>})
      .group_by_key("all-bids")
      .windowed(tumbling(10s).grace(late))
      .aggregate(
          MostRow{},
          [](MostRow& most, const BidRow& bid) {
            most.add(bid.price, row(bid.auction, bid.bidder, bid.price, bid.time_ms));
          },
          "highest-bids", &row_codec<MostRow>)
      .to_stream()
      .map([](const Windowed<std::int64_t>& key, const std::optional<MostRow>& most) {
        return std::pair(key.window.start_ms, most.value_or(MostRow()));
      })
      .to(Topic<std::int64_t, MostRow>{output_topic("q7"), &row_codec<MostRow>, &int64_codec});
}

/// The winning bid of each auction.
void q9(Topology& topology) {
  winning_bids(topology).to(EntityTopic<std::int64_t, ValidBidRow>{
      output_topic("q9"), &row_codec<ValidBidRow>, &int64_codec});
}

/// Bids with their auctions, of category 10.
void q20(Topology& topology) {
  const auto events = read(topology);
  bids_by_auction(events)
      .join(
          auctions_by_id(events).filter(
              [](const AuctionRow& auction) { return auction.category == 10; }),
          [](const BidRow& bid, const AuctionRow& auction) {
            return row(bid.auction, bid.bidder, bid.price, bid.time_ms, auction.category,
                       auction.expires_ms);
          },
          within(any_time), "with-auction")
      .to(Topic<std::int64_t, string>{output_topic("q20"), &string_codec, &int64_codec});
}

using Make = std::function<void(Topology&)>;
const std::map<string, Make>& makers() {
  static const std::map<string, Make> all = {
      {"q0", q0}, {"q1", q1}, {"q2", q2},   {"q3", q3},   {"q4", q4},   {"q5", q5},  {"q7", q7},
      {"q8", q8}, {"q9", q9}, {"q11", q11}, {"q12", q12}, {"q18", q18}, {"q20", q20}};
  return all;
}

}  // namespace

EventView view_of(const Event& event) {
  if (const auto* one = std::get_if<Person>(&event))
    return PersonView{one->id,   one->name,  one->email,   one->card,
                      one->city, one->state, one->time_ms, one->extra};
  if (const auto* one = std::get_if<Auction>(&event))
    return AuctionView{one->id,       one->item,    one->description, one->initial_bid,
                       one->reserve,  one->time_ms, one->expires_ms,  one->seller,
                       one->category, one->extra};
  const auto& bid = std::get<Bid>(event);
  return BidView{bid.auction, bid.bidder, bid.price, bid.time_ms, bid.extra};
}

std::int64_t time_of(const Event& event) {
  return std::visit([](const auto& one) { return one.time_ms; }, event);
}

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
