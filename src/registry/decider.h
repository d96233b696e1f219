// What is to be done about a request: the records to append, and the answer once they have been
// read back; or why not.
//
// Pure: the store says all that is known, and nothing is changed here. So the same requests on the
// same records give the same outcome, whichever node asks.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "registry/formats.h"
#include "registry/readers.h"
#include "registry/tags.h"

namespace weir::registry {

struct Policy {
  std::string compatibility = "BACKWARD";  // where nobody says another
  bool mode_mutability = true;
  bool validate_new_schemas = true;
};

/// A body of POST /subjects/{s}/versions, and what its query says.
struct RegisterRequest {
  SchemaContent content;
  std::optional<int> version{};
  std::optional<std::int32_t> id{};
  bool normalize = false;
  bool force = false;
  TagChanges tags{};
};
/// 422 names the member.
Answer<RegisterRequest> register_request_from(const json::Value& body);

/// Its members schemaTagsToAdd, schemaTagsToRemove and propagateSchemaTags.
Answer<TagChanges> tag_changes_from(const json::Value& request);

/// A body of POST /subjects/{s}/versions/{v}/tags: what the copy has that the version has not.
struct TagRequest {
  std::optional<int> version{};  // the copy's number
  TagChanges tags{};
  std::optional<Metadata> metadata{};
  std::optional<RuleSet> rules{};
  std::optional<RuleSet> rules_to_merge{};
  std::set<std::string> rules_to_remove{};  // names
};
/// 422 names the member.
Answer<TagRequest> tag_request_from(const json::Value& body);

/// Done when `records` are in the stream and in the store. Without records nothing is to be done.
struct Outcome {
  std::vector<Record> records;
  std::function<json::Value(const Store&)> answer;
};
/// An answer that is known before the records are there.
Outcome answering(std::vector<Record> records, json::Value answer);

/// Borrows all that it is given. Threads: that of the store.
class Decider {
 public:
  Decider(const Store& store, Formats& formats, const Policy& policy, const Readers& readers)
      : store_(store), formats_(formats), policy_(policy), readers_(readers) {}

  // Writes. Each decides on the store as it is: nothing of the stream may be missing from it.
  Answer<Outcome> register_schema(const Subject& subject, RegisterRequest request);
  /// Registers a changed copy of a version.
  Answer<Outcome> tag_schema(const Subject& subject, std::string_view version,
                             const TagRequest& request);
  Answer<Outcome> delete_subject(const Subject& subject, bool permanent);
  Answer<Outcome> delete_version(const Subject& subject, std::string_view version, bool permanent);
  Answer<Outcome> put_config(const Subject& scope, const json::Value& request);
  Answer<Outcome> delete_config(const Subject& scope);
  Answer<Outcome> put_mode(const Subject& scope, const json::Value& request, bool force);
  Answer<Outcome> delete_mode(const Subject& scope, bool recursive);
  Answer<Outcome> delete_context(const std::string& context);

  // Reads.
  /// What registering would answer without writing anything; nothing if it would write.
  Answer<std::optional<json::Value>> already_registered(const Subject& subject,
                                                        const RegisterRequest& request);
  Answer<VersionPtr> look_up(const Subject& subject, const RegisterRequest& request,
                             bool with_deleted);
  /// `version`: nothing for all that the level asks for.
  Answer<json::Value> check_compatibility(const Subject& subject,
                                          std::optional<std::string_view> version,
                                          const RegisterRequest& request, bool verbose);
  Config effective_config(const Subject& scope) const {
    return store_.effective_config(scope, policy_.compatibility);
  }
  /// "latest", "-1", or a number: 42202. 40401, 40402 where it is not there.
  Answer<VersionPtr> find_version(const Subject& subject, std::string_view version,
                                  bool with_deleted) const;

 private:
  struct Registration;

  Answer<void> may_write(const Subject& subject) const;
  Answer<void> may_register(const Subject& subject, const RegisterRequest& request) const;
  Answer<void> complete(const Subject& subject, const Config& config, bool import,
                        RegisterRequest& request) const;
  Answer<void> to_stored_form(const Subject& subject, const Config& config, bool strict,
                              bool normalize, SchemaContent& content);
  Answer<void> change_tags(const Subject& subject, const TagChanges& tags, bool strict,
                           SchemaContent& content);
  void merge_settings(const Subject& subject, const Config& config, SchemaContent& content) const;
  template <class Wanted>
  VersionPtr newest(const Subject& subject, bool with_deleted, const Wanted& wanted) const;
  VersionPtr same(const Subject& subject, const SchemaContent& content, bool with_deleted) const;
  VersionPtr match(const Subject& subject, const SchemaContent& content, bool with_deleted);
  bool fits(const SchemaContent& candidate, const Version& stored);
  Answer<void> check_fit(const Subject& subject, const Config& config,
                         const SchemaContent& content);
  /// What messages say of a schema that does not fit: the differences, and whom it would break.
  std::vector<std::string> reasons_of(const Misfit& misfit, const Subject& subject,
                                      const Config& config, const SchemaContent& content);
  /// Why the names that a schema reserves (`confluent:reserved`) forbid it, with validateFields.
  std::vector<std::string> reserved_faults(const Subject& subject, const Config& config,
                                           const SchemaContent& content);
  std::vector<VersionPtr> compared_versions(const Subject& subject, const Config& config,
                                            const SchemaContent& content, bool all) const;
  Answer<std::int32_t> choose_id(const Subject& subject, const RegisterRequest& request,
                                 const Identity& identity) const;
  Answer<int> next_version(const Subject& subject) const;
  Answer<int> choose_version(const Subject& subject, const RegisterRequest& request, bool import,
                             const Identity& identity) const;
  Outcome to_write(Version version) const;
  Answer<void> check_unreferenced(const Place& place, bool with_deleted, bool from_others) const;
  void add_tombstone(const std::string& key, std::vector<Record>& records) const;
  void add_subject_remains(const Subject& subject, std::vector<Record>& records) const;
  Answer<void> clear_for_import(const Subject& scope, std::vector<Record>& records) const;

  const Store& store_;
  Formats& formats_;
  const Policy& policy_;
  const Readers& readers_;
};

/// Members of a version as GET prints them; empty ones left out.
json::Object describe(const Version& version, std::string_view text);
Problem no_such_subject(const Subject& subject);

}  // namespace weir::registry
