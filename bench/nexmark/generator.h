// The events of Nexmark, bit for bit those of Apache Beam's generator: an auction house with
// persons, auctions and bids.
//
// Rules: Beam's nexmark generator. Each event depends on its number alone: a java.util.Random is
// seeded with it. 2 % persons, 6 % auctions, 92 % bids.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace weir::nexmark {

/// Bounds of what the generator is asked for; times are ms since 1970.
struct Settings {
  std::int64_t base_ms = 1'436'918'400'000;  // 2015-07-15T00:00:00Z
  std::int64_t delay_us = 100;               // between two events: 10,000 a second
};

struct Person {
  std::int64_t id = 0;
  std::string name = {};
  std::string email = {};
  std::string card = {};
  std::string city = {};
  std::string state = {};
  std::int64_t time_ms = 0;
  std::string extra = {};
};

struct Auction {
  std::int64_t id = 0;
  std::string item = {};
  std::string description = {};
  std::int64_t initial_bid = 0;  // cents, as all prices
  std::int64_t reserve = 0;
  std::int64_t time_ms = 0;
  std::int64_t expires_ms = 0;
  std::int64_t seller = 0;
  std::int64_t category = 0;
  std::string extra = {};
};

struct Bid {
  std::int64_t auction = 0;
  std::int64_t bidder = 0;
  std::int64_t price = 0;
  std::int64_t time_ms = 0;
  std::string extra = {};
};

using Event = std::variant<Person, Auction, Bid>;

/// The event with that number, from 0 on.
Event make_event(std::int64_t number, const Settings& settings = {});

/// One line without its end: `P|id|name|…`, `A|id|…`, `B|auction|…`.
void append_line(std::string& out, const Event& event);

/// java.util.Random.
class JavaRandom {
 public:
  explicit JavaRandom(std::int64_t seed);
  std::int32_t next_int() { return next(32); }
  /// In [0, bound).
  std::int32_t next_int(std::int32_t bound);
  std::int64_t next_long();
  /// In [0, bound); as Beam draws it.
  std::int64_t next_long(std::int64_t bound);
  double next_double();

 private:
  std::int32_t next(unsigned bits);
  std::uint64_t state_;
};

}  // namespace weir::nexmark
