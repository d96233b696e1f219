// The queries over some thousand events, beside what plain loops over the same events give.
#include "queries.h"

#include <gtest/gtest.h>
#include <weir/streams/test.h>

#include <map>
#include <set>
#include <tuple>

#include "generator.h"

namespace weir::nexmark {
namespace {

using std::string;
using std::string_view;

constexpr std::int64_t event_count = 6'000;
constexpr std::int32_t partitions = 3;
/// So slow that windows and sessions end.
constexpr Settings settings{.delay_us = 20'000};
constexpr std::int64_t window_ms = 10'000;

string encoded(const Event& event) {
  string out;
  EXPECT_TRUE(event_codec.encode(view_of(event), out));
  return out;
}

const std::vector<Event>& events() {
  static const std::vector<Event> all = [] {
    std::vector<Event> made;
    for (std::int64_t i = 0; i < event_count; ++i) made.push_back(make_event(i, settings));
    return made;
  }();
  return all;
}
template <class One, class Visit>
void for_each(const Visit& visit) {
  for (const Event& event : events())
    if (const One* one = std::get_if<One>(&event)) visit(*one);
}
/// What a query writes, through a crash that loses local state: key bytes and value.
using Written = std::vector<std::pair<string, std::optional<string>>>;
Written run(const string& query) {
  const auto topology = make_query(query, "app");
  streams::TestDriver driver(topology, {.partitions = partitions});
  for (std::int64_t i = 0; i < event_count; ++i) {
    const Event& event = events()[static_cast<std::size_t>(i)];
    driver.pipe(streams::RawRecord{.topic = event_topic,
                                   .partition = static_cast<std::int32_t>(i % partitions),
                                   .key = {},
                                   .value = encoded(event),
                                   .timestamp_ms = time_of(event),
                                   .headers = {}});
    if (i == event_count / 2) driver.crash_and_lose_state();
  }
  Written out;
  for (const auto& record : driver.raw_output(output_topic(query)))
    out.emplace_back(*record.key, record.value);
  return out;
}
/// Of each key the last.
std::map<string, string> table_of(const Written& written) {
  std::map<string, string> out;
  for (const auto& [key, value] : written)
    if (value)
      out[key] = *value;
    else
      out.erase(key);
  return out;
}
std::multiset<string> values_of(const Written& written) {
  std::multiset<string> out;
  for (const auto& [key, value] : written) out.insert(value.value_or("gone"));
  return out;
}

TEST(nexmark_events, are_what_they_were_behind_the_codec) {
  for (std::int64_t i = 0; i < 100; ++i) {
    const Event event = make_event(i);
    const string bytes = encoded(event);
    const auto decoded = event_codec.decode(bytes);
    ASSERT_TRUE(decoded);
    string again;
    ASSERT_TRUE(event_codec.encode(*decoded, again));
    EXPECT_EQ(again, bytes);
    EXPECT_FALSE(event_codec.decode(string_view(bytes).substr(0, bytes.size() - 1)));
    EXPECT_FALSE(event_codec.decode(bytes + "x"));
  }
  EXPECT_FALSE(event_codec.decode(""));
  EXPECT_FALSE(event_codec.decode("\x07"));
}

TEST(nexmark_queries, q0_to_q2_give_bids) {
  std::multiset<string> all, exchanged, some;
  for_each<Bid>([&](const Bid& bid) {
    all.insert(row(bid.auction, bid.bidder, bid.price, bid.time_ms, string_view(bid.extra)));
    exchanged.insert(
        row(bid.auction, bid.bidder, bid.price * 908, bid.time_ms, string_view(bid.extra)));
    if (bid.auction % 123 == 0) some.insert(row(bid.auction, bid.price));
  });
  EXPECT_EQ(values_of(run("q0")), all);
  EXPECT_EQ(values_of(run("q1")), exchanged);
  EXPECT_FALSE(some.empty());
  EXPECT_EQ(values_of(run("q2")), some);
}

TEST(nexmark_queries, q3_gives_the_sellers_of_a_category) {
  std::map<std::int64_t, const Person*> persons;
  for_each<Person>([&](const Person& person) {
    if (person.state == "OR" || person.state == "ID" || person.state == "CA")
      persons[person.id] = &person;
  });
  std::set<string> expected;
  for_each<Auction>([&](const Auction& auction) {
    if (const auto seller = persons.find(auction.seller);
        auction.category == 10 && seller != persons.end())
      expected.insert(row(string_view(seller->second->name), string_view(seller->second->city),
                          string_view(seller->second->state), auction.id));
  });
  std::set<string> found;
  for (const auto& [key, value] : table_of(run("q3"))) found.insert(value);
  EXPECT_GT(expected.size(), 3U);
  EXPECT_EQ(found, expected);
}

TEST(nexmark_queries, q8_gives_who_sells_as_soon_as_they_appear) {
  std::map<std::pair<std::int64_t, std::int64_t>, string> appeared;
  for_each<Person>([&](const Person& person) {
    appeared[{person.id, person.time_ms / window_ms * window_ms}] = person.name;
  });
  std::multiset<string> expected;
  std::set<std::pair<std::int64_t, std::int64_t>> seen;
  for_each<Auction>([&](const Auction& auction) {
    const std::pair place(auction.seller, auction.time_ms / window_ms * window_ms);
    if (const auto person = appeared.find(place);
        person != appeared.end() && seen.insert(place).second)
      expected.insert(row(place.first, string_view(person->second), place.second));
  });
  EXPECT_GT(expected.size(), 3U);
  EXPECT_EQ(values_of(run("q8")), expected);
}

TEST(nexmark_queries, q11_counts_the_bids_of_sessions) {
  struct Session {
    std::int64_t start = 0, end = 0, count = 0;
  };
  std::map<std::int64_t, std::vector<Session>> sessions;
  for_each<Bid>([&](const Bid& bid) {
    auto& own = sessions[bid.bidder];
    if (own.empty() || bid.time_ms > own.back().end + window_ms)
      own.push_back({bid.time_ms, bid.time_ms, 0});
    own.back().end = bid.time_ms;
    ++own.back().count;
  });
  // Of a session the last that is told, which has its largest count: others were merged.
  std::set<string> expected;
  std::size_t ended = 0;
  for (const auto& [bidder, own] : sessions) {
    ended += own.size() - 1;
    for (const Session& one : own) expected.insert(row(bidder, one.count, one.start, one.end));
  }
  const auto written = values_of(run("q11"));
  EXPECT_GT(ended, 20U);
  for (const string& one : expected) EXPECT_TRUE(written.contains(one));
}

TEST(nexmark_queries, q12_counts_each_bid_in_one_window_of_the_clock) {
  std::map<std::int64_t, std::int64_t> bids;
  for_each<Bid>([&](const Bid& bid) { ++bids[bid.bidder]; });
  std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> windows;
  for (const auto& [key, value] : run("q12")) {
    const auto number = [&](std::size_t i) {
      return int64_codec.decode(string_view(*value).substr(8 * i, 8)).value();
    };
    EXPECT_EQ(number(2) % window_ms, 0);
    std::int64_t& count = windows[{number(0), number(2)}];
    EXPECT_EQ(number(1), count + 1);
    count = number(1);
  }
  std::map<std::int64_t, std::int64_t> found;
  for (const auto& [window, count] : windows) found[window.first] += count;
  EXPECT_EQ(found, bids);
}

TEST(nexmark_queries, q18_gives_the_last_bid_for_each_auction) {
  std::map<std::pair<std::int64_t, std::int64_t>, const Bid*> last;
  for_each<Bid>([&](const Bid& bid) {
    const Bid*& of_both = last[{bid.bidder, bid.auction}];
    if (of_both == nullptr ||
        std::pair(bid.time_ms, bid.price) >= std::pair(of_both->time_ms, of_both->price))
      of_both = &bid;
  });
  std::map<string, string> expected;
  for (const auto& [key, bid] : last)
    expected[row(key.first, key.second)] = row(bid->auction, bid->bidder, bid->price, bid->time_ms);
  EXPECT_EQ(table_of(run("q18")), expected);
}

/// The winning bid of each auction.
std::map<std::int64_t, std::pair<const Auction*, const Bid*>> winners() {
  std::map<std::int64_t, std::pair<const Auction*, const Bid*>> out;
  for_each<Auction>([&](const Auction& auction) { out[auction.id].first = &auction; });
  for_each<Bid>([&](const Bid& bid) {
    const auto at = out.find(bid.auction);
    if (at == out.end()) return;
    auto& [auction, best] = at->second;
    if (bid.time_ms < auction->time_ms || bid.time_ms > auction->expires_ms) return;
    const auto rank = [](const Bid& one) {
      return std::tuple(-one.price, one.time_ms, one.bidder);
    };
    if (best == nullptr || rank(bid) < rank(*best)) best = &bid;
  });
  std::erase_if(out, [](const auto& one) { return one.second.second == nullptr; });
  return out;
}

TEST(nexmark_queries, q4_averages_the_winning_prices_of_categories) {
  std::map<std::int64_t, std::pair<std::int64_t, std::int64_t>> sums;
  for (const auto& [id, winner] : winners()) {
    auto& [sum, count] = sums[winner.first->category];
    sum += winner.second->price;
    ++count;
  }
  std::map<string, string> expected;
  for (const auto& [category, sum] : sums)
    expected[row(category)] = row(category, sum.first / sum.second);
  EXPECT_EQ(expected.size(), 5U);
  EXPECT_EQ(table_of(run("q4")), expected);
}

TEST(nexmark_queries, q5_gives_the_auctions_with_most_bids_of_windows) {
  std::map<std::int64_t, std::map<std::int64_t, std::int64_t>> counts;
  for_each<Bid>([&](const Bid& bid) {
    for (std::int64_t start = bid.time_ms / 2'000 * 2'000; start > bid.time_ms - window_ms;
         start -= 2'000)
      ++counts[start][bid.auction];
  });
  const auto found = table_of(run("q5"));
  std::size_t held = 0;
  for (const auto& [start, of_auction] : counts) {
    std::int64_t most = 0;
    for (const auto& [auction, count] : of_auction) most = std::max(most, count);
    std::multiset<string> winning;
    for (const auto& [auction, count] : of_auction)
      if (count == most) winning.insert(row(auction, count));
    const auto at = found.find(row(start));
    ASSERT_NE(at, found.end()) << start;
    std::int64_t told = 0;
    string rows;
    RowReader reader(at->second);
    reader >> told >> rows;
    EXPECT_EQ(told, most);
    std::multiset<string> rows_told;
    for (std::size_t i = 0; i < rows.size(); i += 16) rows_told.insert(rows.substr(i, 16));
    EXPECT_EQ(rows_told, winning) << start;
    ++held;
  }
  EXPECT_GT(held, 30U);
}

TEST(nexmark_queries, q7_gives_the_highest_bids_of_windows) {
  std::map<std::int64_t, std::pair<std::int64_t, std::multiset<string>>> highest;
  for_each<Bid>([&](const Bid& bid) {
    auto& [most, rows] = highest[bid.time_ms / window_ms * window_ms];
    if (bid.price < most) return;
    if (bid.price > most) rows.clear();
    most = bid.price;
    rows.insert(row(bid.auction, bid.bidder, bid.price, bid.time_ms));
  });
  const auto found = table_of(run("q7"));
  EXPECT_EQ(found.size(), highest.size());
  for (const auto& [start, expected] : highest) {
    std::int64_t most = 0;
    string rows;
    RowReader reader(found.at(row(start)));
    reader >> most >> rows;
    EXPECT_EQ(most, expected.first);
    std::multiset<string> told;
    for (std::size_t i = 0; i < rows.size(); i += 32) told.insert(rows.substr(i, 32));
    EXPECT_EQ(told, expected.second);
  }
}

TEST(nexmark_queries, q9_gives_the_winning_bids) {
  std::map<string, string> expected;
  for (const auto& [id, winner] : winners())
    expected[row(id)] = row(id, winner.first->category, winner.second->bidder, winner.second->price,
                            winner.second->time_ms);
  EXPECT_GT(expected.size(), 50U);
  EXPECT_EQ(table_of(run("q9")), expected);
}

TEST(nexmark_queries, q20_gives_bids_with_their_auctions) {
  std::map<std::int64_t, const Auction*> auctions;
  for_each<Auction>([&](const Auction& auction) {
    if (auction.category == 10) auctions[auction.id] = &auction;
  });
  std::multiset<string> expected;
  for_each<Bid>([&](const Bid& bid) {
    if (const auto at = auctions.find(bid.auction); at != auctions.end())
      expected.insert(row(bid.auction, bid.bidder, bid.price, bid.time_ms, at->second->category,
                          at->second->expires_ms));
  });
  EXPECT_GT(expected.size(), 100U);
  EXPECT_EQ(values_of(run("q20")), expected);
}

TEST(nexmark_queries, one_that_there_is_not_is_refused) {
  EXPECT_THROW(static_cast<void>(make_query("q99", "app")), std::invalid_argument);
  EXPECT_EQ(queries().size(), 13U);
}

}  // namespace
}  // namespace weir::nexmark
