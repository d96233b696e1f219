// Whatever a record has in front, and whatever a registry answers: it is read or refused, never
// more. Byte 0 chooses: the name of a schema, or one of the answers.
#include <string>

#include "base/check.h"
#include "fuzz/harness.h"
#include "serde/answers.h"
#include "serde/wire.h"

namespace {

using namespace weir;
using namespace weir::serde;

// JSON of n bytes becomes values of 40 bytes a character at worst ("[[[[", json_fuzz has the
// reason); what is copied out of them is no larger.
constexpr std::size_t bytes_a_character = 128;

/// What a Protobuf payload has between the name and the message.
void read_indexes(NamedPayload named) {
  const std::size_t size = named.rest.size() + named.payload.size();
  const auto read = fuzz::bounded(size, [&] { return take_message_indexes(named); });
  if (!read) return;
  std::string written;
  append_message_indexes(written, *read);
  NamedPayload again{.name = {}, .payload = written, .in_header = false, .rest = {}};
  check(take_message_indexes(again) == *read && again.payload.empty(),
        "indexes are read as they were written");
}

/// Byte 0: how many bytes of what follows are the header; 255: there is none.
void read_name(std::string_view bytes) {
  if (bytes.empty()) return;
  const auto size = static_cast<unsigned char>(bytes.front());
  bytes.remove_prefix(1);
  std::optional<std::string_view> header;
  if (size != 255) {
    header = bytes.substr(0, size);
    bytes.remove_prefix(header->size());
  }
  const auto named = fuzz::bounded(bytes.size(), [&] { return named_payload(bytes, header); });
  if (!named || !*named) return;
  const std::string_view name = (*named)->name;
  check(
      header ? (*named)->payload == bytes : name.size() + (*named)->payload.size() == bytes.size(),
      "nothing is lost");
  if (name.front() == id_magic) {
    check(name_of_id(id_in(name)) == name, "an id is written as it was read");
  } else {
    fuzz::canary(header.has_value() && name[1] == 'w');
    check(name_of_guid(guid_in(name)) == name, "a GUID is written as it was read");
  }
  read_indexes(**named);
}

template <class Read>
void read_answer(std::string_view text, Read read) {
  const auto value = json::parse(text);
  if (!value) return;
  (void)fuzz::bounded_by(fuzz::allocation_bound(0) + bytes_a_character * text.size(),
                         [&] { return read(*value); });
}

}  // namespace

void weir::fuzz::input(std::string_view bytes) {
  if (bytes.empty()) return;
  const char chosen = bytes.front();
  bytes.remove_prefix(1);
  switch (static_cast<unsigned char>(chosen) % 5) {
    case 0: return read_name(bytes);
    case 1: return read_answer(bytes, schema_in);
    case 2: return read_answer(bytes, versions_in);
    case 3: return read_answer(bytes, subjects_in);
    default: return read_answer(bytes, verdict_in);
  }
}
