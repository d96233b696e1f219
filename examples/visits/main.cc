// Visits: what users see and click on in a shop becomes visits. A visit lasts as long as no half
// hour passes without anything; what comes out of order or late, from phones without a network say,
// is counted where it belongs for another hour. Each visit is told once, when it is over.
#include <weir/streams.h>

#include <charconv>
#include <string>

namespace {

using namespace std::chrono_literals;
using namespace weir::streams;
using std::string;
using weir::Result;

// The key of each is the user, the value the page.
const weir::Topic<string, string> views{"shop.views", &weir::string_codec, &weir::string_codec};
const weir::Topic<string, string> clicks{"shop.clicks", &weir::string_codec, &weir::string_codec};

struct Visit {
  std::int64_t views = 0;
  std::int64_t clicks = 0;
};

/// "2 views, 1 clicks".
struct VisitCodec final : weir::Codec<Visit> {
  constexpr ~VisitCodec() override {}
  Result<void> encode(const Visit& visit, string& out) const override {
    out += std::to_string(visit.views) + views_text + std::to_string(visit.clicks) + clicks_text;
    return {};
  }
  Result<Visit> decode(std::string_view bytes) const override {
    Visit visit;
    if (take(bytes, visit.views, views_text) && take(bytes, visit.clicks, clicks_text) &&
        bytes.empty())
      return visit;
    return weir::fail(weir::Errc::malformed, "that is no visit");
  }

 private:
  static constexpr const char* views_text = " views, ";
  static constexpr const char* clicks_text = " clicks";
  /// A number and the text behind it.
  static bool take(std::string_view& bytes, std::int64_t& number, std::string_view text) {
    const auto [end, error] = std::from_chars(bytes.data(), bytes.data() + bytes.size(), number);
    if (error != std::errc()) return false;
    bytes.remove_prefix(static_cast<std::size_t>(end - bytes.data()));
    if (!bytes.starts_with(text)) return false;
    bytes.remove_prefix(text.size());
    return true;
  }
};
constexpr VisitCodec visit_codec;

// The key of a visit: the user, when it ended and when it began.
constexpr SessionCodec<string> by_visit(weir::string_codec);
const weir::EntityTopic<Windowed<string>, Visit> visits{"shop.visits", &visit_codec, &by_visit};

Topology make_topology() {
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
  return topology;
}

}  // namespace

int main(int argc, char** argv) { return run(make_topology(), argc, argv); }
