#include "generator.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <limits>

namespace weir::nexmark {
namespace {

constexpr std::int64_t events_a_round = 50;  // a person, three auctions, bids
constexpr std::int64_t persons_a_round = 1;
constexpr std::int64_t auctions_a_round = 3;
constexpr std::int64_t first_id = 1'000;
constexpr std::int64_t first_category = 10;
constexpr std::int32_t categories = 5;
constexpr std::int64_t active_people = 1'000;
constexpr std::int64_t people_ahead = 10;  // ids that are drawn before they are there
constexpr std::int64_t auctions_in_flight = 100;
constexpr std::int64_t auctions_ahead = 10;
constexpr std::int64_t hot_every = 100;
/// So many events make as many auctions as are in flight.
constexpr std::int64_t events_of_a_life = auctions_in_flight * events_a_round / auctions_a_round;

constexpr std::array<std::string_view, 11> first_names = {
    "Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter"};
constexpr std::array<std::string_view, 9> last_names = {
    "Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris"};
constexpr std::array<std::string_view, 10> cities = {
    "Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland",
    "Bend",    "Redmond",     "Seattle",       "Kent",  "Cheyenne"};
constexpr std::array<std::string_view, 6> states = {"AZ", "CA", "ID", "OR", "WA", "WY"};

/// One event as it is drawn.
class Draw {
 public:
  Draw(std::int64_t number, const Settings& settings)
      : number_(number), settings_(settings), random_(number) {}

  Event make() {
    const std::int64_t place = number_ % events_a_round;
    if (place < persons_a_round) return person();
    if (place < persons_a_round + auctions_a_round) return auction();
    return bid();
  }

 private:
  std::int64_t time_of(std::int64_t number) const {
    return settings_.base_ms + number * settings_.delay_us / 1'000;
  }
  /// Without first_id.
  std::int64_t last_person() const { return number_ / events_a_round; }
  std::int64_t last_auction() const {
    std::int64_t round = number_ / events_a_round;
    std::int64_t place = number_ % events_a_round;
    if (place < persons_a_round) {
      --round;
      place = auctions_a_round - 1;
    } else {
      place = std::min(place - persons_a_round, auctions_a_round - 1);
    }
    return round * auctions_a_round + place;
  }
  std::int64_t any_person() {
    const std::int64_t people = last_person() + 1;
    const std::int64_t active = std::min(people, active_people);
    return people - active + random_.next_long(active + people_ahead);
  }
  std::int64_t any_auction() {
    const std::int64_t last = last_auction();
    const std::int64_t first = std::max<std::int64_t>(last - auctions_in_flight, 0);
    return first + random_.next_long(last - first + 1 + auctions_ahead);
  }

  template <class Names>
  std::string one_of(const Names& names) {
    return std::string(
        names[static_cast<std::size_t>(random_.next_int(static_cast<std::int32_t>(names.size())))]);
  }
  std::int64_t price() {
    constexpr double orders = 6;
    constexpr double cents = 100;
    return static_cast<std::int64_t>(
        std::floor(std::pow(10, random_.next_double() * orders) * cents + 0.5));
  }
  /// Words of letters and blanks, none at the ends.
  std::string text(std::int32_t most) {
    constexpr std::int32_t least = 3;
    constexpr std::int32_t one_blank_in = 13;
    std::string out;
    for (std::int32_t left = least + random_.next_int(most - least); left > 0; --left)
      out +=
          random_.next_int(one_blank_in) == 0 ? ' ' : static_cast<char>('a' + random_.next_int(26));
    const std::size_t begin = out.find_first_not_of(' ');
    if (begin == std::string::npos) return {};
    return out.substr(begin, out.find_last_not_of(' ') - begin + 1);
  }
  /// Exactly so many characters, some of them no letters.
  std::string filler(std::int64_t size) {
    constexpr std::int64_t a_draw = 6;
    std::string out;
    std::int32_t rest = 0;
    for (std::int64_t i = 0; i < size; ++i) {
      if (i % a_draw == 0) rest = random_.next_int();
      out += static_cast<char>('a' + rest % 26);
      rest /= 26;
    }
    return out;
  }
  /// What brings an event of `size` to about `wanted` bytes.
  std::string extra(std::size_t size, std::int64_t wanted) {
    const std::int64_t missing = wanted - static_cast<std::int64_t>(size);
    if (missing < 0) return {};
    const auto spread =
        static_cast<std::int64_t>(std::floor(0.2 * static_cast<double>(missing) + 0.5));
    const std::int64_t drawn =
        spread == 0 ? 0 : random_.next_int(static_cast<std::int32_t>(2 * spread));
    return filler(missing - spread + drawn);
  }

  Person person() {
    Person out{.id = last_person() + first_id, .time_ms = time_of(number_)};
    out.name = one_of(first_names);
    out.name += " " + one_of(last_names);
    out.email = text(7);
    out.email += "@" + text(5) + ".com";
    for (int i = 0; i < 4; ++i)
      out.card += fmt::format("{}{:04}", i == 0 ? "" : " ", random_.next_int(10'000));
    out.city = one_of(cities);
    out.state = one_of(states);
    out.extra = extra(8 + out.name.size() + out.email.size() + out.card.size() + out.city.size() +
                          out.state.size(),
                      200);
    return out;
  }
  Auction auction() {
    Auction out{.id = last_auction() + first_id, .time_ms = time_of(number_)};
    out.seller =
        first_id + (random_.next_int(4) > 0 ? last_person() / hot_every * hot_every : any_person());
    out.category = first_category + random_.next_int(categories);
    out.initial_bid = price();
    const std::int64_t life = time_of(number_ + events_of_a_life) - out.time_ms;
    out.expires_ms = out.time_ms + 1 + random_.next_long(std::max<std::int64_t>(2 * life, 1));
    out.item = text(20);
    out.description = text(100);
    out.reserve = out.initial_bid + price();
    out.extra = extra(8 + out.item.size() + out.description.size() + 40, 500);
    return out;
  }
  Bid bid() {
    Bid out{.time_ms = time_of(number_)};
    out.auction = first_id + (random_.next_int(2) > 0 ? last_auction() / hot_every * hot_every
                                                      : any_auction());
    out.bidder = first_id + (random_.next_int(4) > 0 ? last_person() / hot_every * hot_every + 1
                                                     : any_person());
    out.price = price();
    out.extra = extra(32, 100);
    return out;
  }

  const std::int64_t number_;
  const Settings& settings_;
  JavaRandom random_;
};

constexpr std::uint64_t multiplier = 0x5DEECE66DU;
constexpr unsigned state_bits = 48;
constexpr std::uint64_t state_mask = (std::uint64_t{1} << state_bits) - 1;

}  // namespace

JavaRandom::JavaRandom(std::int64_t seed)
    : state_((static_cast<std::uint64_t>(seed) ^ multiplier) & state_mask) {}

std::int32_t JavaRandom::next(unsigned bits) {
  state_ = (state_ * multiplier + 0xBU) & state_mask;
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(state_ >> (state_bits - bits)));
}

std::int32_t JavaRandom::next_int(std::int32_t bound) {
  if ((bound & (bound - 1)) == 0)
    return static_cast<std::int32_t>((static_cast<std::int64_t>(bound) * next(31)) >> 31U);
  while (true) {
    const std::int32_t drawn = next(31);
    const std::int32_t out = drawn % bound;
    // The last part of the range is too short for all remainders to be as likely.
    if (std::int64_t{drawn} - out + (bound - 1) <= std::numeric_limits<std::int32_t>::max())
      return out;
  }
}

std::int64_t JavaRandom::next_long() {
  const auto high = static_cast<std::uint64_t>(static_cast<std::int64_t>(next(32)));
  const auto low = static_cast<std::uint64_t>(static_cast<std::int64_t>(next(32)));
  return static_cast<std::int64_t>((high << 32U) + low);
}

std::int64_t JavaRandom::next_long(std::int64_t bound) {
  if (bound < std::numeric_limits<std::int32_t>::max())
    return next_int(static_cast<std::int32_t>(bound));
  return std::abs(next_long() % bound);
}

double JavaRandom::next_double() {
  const auto high = static_cast<std::int64_t>(next(26));
  return static_cast<double>((high << 27U) + next(27)) * 0x1.0p-53;
}

Event make_event(std::int64_t number, const Settings& settings) {
  return Draw(number, settings).make();
}

void append_line(std::string& out, const Event& event) {
  const auto to = std::back_inserter(out);
  if (const auto* person = std::get_if<Person>(&event))
    fmt::format_to(to, "P|{}|{}|{}|{}|{}|{}|{}|{}", person->id, person->name, person->email,
                   person->card, person->city, person->state, person->time_ms, person->extra);
  else if (const auto* auction = std::get_if<Auction>(&event))
    fmt::format_to(to, "A|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}", auction->id, auction->item,
                   auction->description, auction->initial_bid, auction->reserve, auction->time_ms,
                   auction->expires_ms, auction->seller, auction->category, auction->extra);
  else if (const auto* bid = std::get_if<Bid>(&event))
    fmt::format_to(to, "B|{}|{}|{}|{}|{}", bid->auction, bid->bidder, bid->price, bid->time_ms,
                   bid->extra);
}

}  // namespace weir::nexmark
