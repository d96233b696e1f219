#include "streams/offset_note.h"

#include "base/base64.h"
#include "base/bytes.h"

namespace weir::streams {
namespace {

constexpr char version_without_operators = 1;
constexpr char version = 2;

template <class T>
bool take(std::string_view& in, T& out) {
  if (in.size() < sizeof(T)) return false;
  out = load_be<T>(in.data());
  in.remove_prefix(sizeof(T));
  return true;
}

}  // namespace

std::string encode(const OffsetNote& note) {
  std::string bytes(1, version);
  append_be<std::int64_t>(bytes, note.partition_time_ms);
  append_be<std::int32_t>(bytes, static_cast<std::int32_t>(note.operator_times.size()));
  for (const auto& [name, time] : note.operator_times) {
    append_be<std::int32_t>(bytes, static_cast<std::int32_t>(name.size()));
    bytes += name;
    append_be<std::int64_t>(bytes, time);
  }
  return to_base64(bytes);
}

Result<OffsetNote> decode_note(std::string_view text) {
  OffsetNote note;
  if (text.empty()) return note;
  const auto malformed = [] {
    return fail(Errc::malformed, "the note beside a committed offset is none of a stream task's");
  };
  const auto bytes = from_base64(text);
  if (!bytes || bytes->empty()) return malformed();
  std::string_view in = *bytes;
  const char read = in.front();
  in.remove_prefix(1);
  if (read != version && read != version_without_operators) return malformed();
  if (!take(in, note.partition_time_ms)) return malformed();
  if (read == version_without_operators || in.empty()) return note;
  std::int32_t count = 0;
  if (!take(in, count) || count < 0) return malformed();
  for (std::int32_t i = 0; i < count; ++i) {
    std::int32_t size = 0;
    if (!take(in, size) || size < 0 || static_cast<std::size_t>(size) > in.size())
      return malformed();
    std::string name(in.substr(0, static_cast<std::size_t>(size)));
    in.remove_prefix(static_cast<std::size_t>(size));
    std::int64_t time = 0;
    if (!take(in, time)) return malformed();
    note.operator_times[std::move(name)] = time;
  }
  return note;
}

}  // namespace weir::streams
