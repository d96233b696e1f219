// ReaderNotice: a consumer says in the stream `_weir.readers` what it reads, and with which schema.
//
// Whoever wants to change a contract sees it: refusals of the registry, `weir contract lint` and
// `weir contract plan` name the groups that a change would break. docs/formats/readers.md.
#pragma once

#include <weir/client.h>
#include <weir/serde.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace weir {
inline namespace v1 {

struct ReaderNoticeOptions {
  /// Said again so often, so that others see who is still there.
  std::chrono::milliseconds interval = std::chrono::hours(1);
  /// For making the stream if it is missing, and for each notice.
  std::chrono::milliseconds timeout{30'000};
  /// Of the stream, if it has to be made; -1: the brokers' default.
  std::int16_t replication_factor = -1;
};

/// As long as it lives, `_weir.readers` says that the group reads the subjects of these topics. A
/// later notice that fails is tried again at the next interval, with a warning in the log.
/// Threads: its owner's; what it does by itself is done on a thread of its own. The client must
/// outlive it.
class ReaderNotice {
 public:
  /// The first notice; what the broker says if it cannot be written.
  template <class... Topics>
  static Result<ReaderNotice> begin(Client& client, std::string group, const Topics&... topics) {
    return begin_with({}, client, std::move(group), topics...);
  }
  template <class... Topics>
  static Result<ReaderNotice> begin_with(ReaderNoticeOptions options, Client& client,
                                         std::string group, const Topics&... topics) {
    std::vector<serde_detail::ReaderSchema> schemas;
    (topics.add_reader_schemas(schemas), ...);
    return begin_reading(options, client, std::move(group), std::move(schemas));
  }

  ReaderNotice(ReaderNotice&&) noexcept;
  ReaderNotice& operator=(ReaderNotice&&) noexcept;
  /// Ends the thread, after the notice that it writes just now, if any. What was said stays, with
  /// its time.
  ~ReaderNotice();

 private:
  class Impl;
  explicit ReaderNotice(std::unique_ptr<Impl> impl);
  static Result<ReaderNotice> begin_reading(ReaderNoticeOptions options, Client& client,
                                            std::string group,
                                            std::vector<serde_detail::ReaderSchema> schemas);

  std::unique_ptr<Impl> impl_;
};

}  // namespace v1
}  // namespace weir
