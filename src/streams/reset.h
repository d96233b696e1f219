// Resetting an application: what belongs to it begins anew. A plan that is known first, then its
// steps, each of which may be done again.
#pragma once

#include <weir/client.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "io/file.h"

//   | step      | what                                            | why there                 |
//   |-----------|-------------------------------------------------|---------------------------|
//   | evict     | members leave the group, if forced              | hold wants an empty group |
//   | fence     | transactional ids get another epoch             | nobody commits over marks |
//   | hold      | all committed offsets get a mark, in one commit | who reads it ends         |
//   | remove    | changelogs and repartitions are deleted         |                           |
//   | clear     | so are the databases of a state folder          |                           |
//   | tombstone | and outputs, or their records                   | nothing new is there yet  |
//   | move      | new offsets, without marks, in one commit       | the end: all or nothing   |
//
// Whatever is done of this when it ends half-way, the application does not run until the same is
// done again: the marks stand before anything is changed and go after all of it.

namespace weir::streams {

enum class Outputs : std::uint8_t { keep, tombstone, delete_records };

struct ResetRequest {
  std::string application;
  /// The topics that it reads; empty: those of which its group has committed offsets.
  std::set<std::string> inputs = {};
  /// Its changelogs and repartitions; empty: found by their names.
  std::set<std::string> internal_topics = {};
  std::set<std::string> output_topics = {};
  Outputs outputs = Outputs::keep;
  /// The folder of local state; empty: none is cleared.
  std::string state_dir = {};
  /// Removes members instead of refusing because of them.
  bool force = false;
  std::chrono::milliseconds timeout{30'000};
};

/// Where the inputs are to be read from: an offset for each partition that is to move. `committed`:
/// of the group, as it was before a reset that has not ended.
using WhereTo = std::function<Result<std::map<TopicPartition, std::int64_t>>(
    Admin& admin, const std::vector<TopicDescription>& inputs,
    const std::map<TopicPartition, OffsetAndMetadata>& committed)>;

struct ResetStep {
  enum class Kind : std::uint8_t {
    evict,
    fence,
    hold,
    remove,
    clear,
    keep,
    tombstone,
    delete_records,
    reader,  // nothing is done: who will see what happens to an output
    move,
  };
  Kind kind = Kind::hold;
  std::string name;  // a member, transactional id, group, topic or folder
  std::optional<std::int32_t> partition = {};
  std::optional<std::int64_t> from = {};  // an offset; absent: nothing is committed
  std::optional<std::int64_t> to = {};
  std::string detail = {};
};
std::string_view to_string(ResetStep::Kind kind);

/// Owner: whoever asks for the reset; `client` outlives it. It holds the lock of the state folder.
/// Threads: one.
class Reset {
 public:
  /// Changes nothing. Errc::group_id_not_found: there is nothing of this application;
  /// non_empty_group: it has members; locked: an instance has the state folder;
  /// not_found: no inputs or no state folder; invalid_argument: an internal topic may be another
  /// application's, an output cannot be treated so.
  static Result<Reset> plan(Client& client, ResetRequest request, const WhereTo& where_to);

  /// In the order in which they are done.
  std::vector<ResetStep> steps() const;

  /// `say`: a line for each kind of step that is done.
  using Say = std::function<void(const std::string& what)>;
  Result<void> execute(const Say& say);

 private:
  struct Place {
    std::optional<std::int64_t> from;
    std::optional<std::int64_t> to;  // absent: nothing is committed afterwards either
    bool moves = false;
  };
  struct Output {
    TopicDescription topic;
    std::uint64_t records = 0;
  };
  struct Reader {
    std::string group, state, topic;
    std::int64_t unread = 0;  // records of the output
  };
  struct Internal {
    std::string name;
    std::size_t partitions = 0;
    std::uint64_t records = 0;
  };

  Reset(Client& client, ResetRequest request);
  Result<void> find_members();
  Result<void> find_ids();
  Result<void> find_offsets(const WhereTo& where_to);
  Result<void> find_internal();
  Result<void> find_outputs();
  Result<void> find_readers();
  Result<void> lock_folder();
  /// Errc::invalid_argument: another application's name begins with this one's.
  Result<void> must_be_ours(const std::string& topic) const;
  bool has_internal_name(std::string_view topic) const;
  std::string folder() const { return request_.state_dir + "/" + request_.application; }
  std::string detail_of(const Reader& reader) const;
  void add_outputs(std::vector<ResetStep>& steps) const;

  Result<void> evict();
  Result<std::size_t> fence(std::set<std::string>& fenced);
  Result<void> hold();
  Result<void> commit(const std::map<TopicPartition, OffsetAndMetadata>& offsets);
  Result<void> delete_topics();
  Result<void> await_gone();
  Result<void> clear_folder();
  Result<void> treat_outputs(const Say& say);
  Result<std::size_t> write_tombstones(const TopicDescription& topic);
  Result<void> move();

  Client* client_;
  Admin* admin_;
  ResetRequest request_;
  bool goes_on_ = false;   // an earlier reset has begun and not ended
  bool is_known_ = false;  // the group exists
  bool evicted_ = false;   // members were removed
  std::vector<GroupMemberDescription> members_;
  std::set<std::string> ids_;
  std::set<std::string> topics_;               // all that there are
  std::map<std::string, std::string> groups_;  // but this one; with their states
  std::set<std::string> others_;               // groups and applications, but this one
  std::set<std::string> ours_;                 // internal topics, because the group reads them
  std::map<TopicPartition, Place> places_;
  std::vector<Internal> internal_;
  std::vector<Output> outputs_;
  std::vector<Reader> readers_;
  std::unique_ptr<io::FolderLock> lock_;
};

}  // namespace weir::streams
