#include "kafka/wire.h"

#include <fmt/core.h>

#include <limits>

namespace weir::kafka {

bool TaggedFields::operator==(const TaggedFields& other) const {
  return std::equal(begin(), end(), other.begin(), other.end());
}

void TaggedFields::add(TaggedField field) {
  if (!fields_) fields_ = std::make_unique<Fields>();
  fields_->push_back(field);
}

Result<void> Decoder::status() const {
  if (failed_) return weir::fail(Errc::malformed, error_);
  return {};
}

void Decoder::fail(const char* field, std::string what) {
  if (failed_) return;
  failed_ = true;
  error_ = fmt::format("{}: {} (byte {})", field, what, p_ - begin_);
  p_ = end_;
}

bool Decoder::finish() {
  if (ok() && remaining() != 0) fail("end", "bytes left over");
  return ok();
}

void Decoder::cut_short(const char* field, std::size_t wanted) {
  fail(field, fmt::format("cut short: wants {} bytes, {} are left", wanted, remaining()));
}

Uuid Decoder::uuid(const char* field) {
  Uuid value;
  if (remaining() < value.bytes.size()) {
    cut_short(field, value.bytes.size());
    return value;
  }
  std::memcpy(value.bytes.data(), p_, value.bytes.size());
  p_ += value.bytes.size();
  return value;
}

std::uint32_t Decoder::uvarint(const char* field) {
  std::string_view in(p_, remaining());
  std::uint32_t value = 0;
  if (!take_uvarint(in, value)) {
    fail(field, "no varint of 32 bits");
    return 0;
  }
  p_ = in.data();
  return value;
}

std::int64_t Decoder::length(bool flexible, bool wide, bool nullable, const char* field) {
  std::int64_t size = 0;
  if (flexible) {
    size = static_cast<std::int64_t>(uvarint(field)) - 1;
  } else {
    size = wide ? integer<std::int32_t>(field) : integer<std::int16_t>(field);
  }
  if (failed_) return -1;
  if (size >= 0 && static_cast<std::uint64_t>(size) <= remaining()) [[likely]]
    return size;
  if (size == -1 && nullable) return -1;
  if (size == -1) {
    fail(field, "is null, which this version forbids");
  } else if (size < 0) {
    fail(field, fmt::format("negative length {}", size));
  } else {
    cut_short(field, static_cast<std::size_t>(size));
  }
  return -1;
}

std::optional<std::string_view> Decoder::run(bool flexible, bool wide, bool nullable,
                                             const char* field) {
  const auto size = length(flexible, wide, nullable, field);
  if (size < 0) return std::nullopt;
  return take(static_cast<std::size_t>(size));
}

std::string_view Decoder::string(bool flexible, const char* field) {
  return run(flexible, false, false, field).value_or(std::string_view{});
}
std::optional<std::string_view> Decoder::nullable_string(bool flexible, bool nullable,
                                                         const char* field) {
  return run(flexible, false, nullable, field);
}
std::string_view Decoder::bytes(bool flexible, const char* field) {
  return run(flexible, true, false, field).value_or(std::string_view{});
}
std::optional<std::string_view> Decoder::nullable_bytes(bool flexible, bool nullable,
                                                        const char* field) {
  return run(flexible, true, nullable, field);
}
Records Decoder::records(bool flexible, bool nullable, const char* field) {
  const auto bytes = run(flexible, true, nullable, field);
  return bytes ? Records(*bytes) : Records();
}

std::ptrdiff_t Decoder::array_count(bool flexible, bool nullable, std::size_t min_element,
                                    std::size_t memory, const char* field) {
  const std::int64_t count = flexible ? static_cast<std::int64_t>(uvarint(field)) - 1
                                      : std::int64_t{integer<std::int32_t>(field)};
  if (failed_) return 0;
  if (count == -1 && nullable) return -1;
  if (count < 0) {
    fail(field, count == -1 ? std::string("is null, which this version forbids")
                            : fmt::format("negative count {}", count));
    return 0;
  }
  const auto n = static_cast<std::size_t>(count);
  if (n > remaining() / min_element) {
    fail(field, fmt::format("{} elements cannot stand in the {} bytes left", n, remaining()));
    return 0;
  }
  if (n > memory_left_ / memory) {
    fail(field, fmt::format("{} elements take more memory than one message may", n));
    return 0;
  }
  memory_left_ -= n * memory;
  return count;
}

namespace {

template <class T>
void take_integers(Decoder& decoder, std::vector<T>& out, std::ptrdiff_t count, const char* field) {
  out.resize(static_cast<std::size_t>(count));
  for (T& value : out) value = decoder.integer<T>(field);
}

template <class T>
void put_integers(Encoder& encoder, const std::vector<T>& values) {
  std::string& out = encoder.out();
  const std::size_t before = out.size();
  out.resize(before + values.size() * sizeof(T));
  char* p = out.data() + before;
  for (const T value : values) {
    if constexpr (sizeof(T) == 1) {
      *p = static_cast<char>(value);
    } else {
      store_be(p, value);
    }
    p += sizeof(T);
  }
}

}  // namespace

void Decoder::elements(std::vector<std::int8_t>& out, std::ptrdiff_t count, bool, const char* f) {
  take_integers(*this, out, count, f);
}
void Decoder::elements(std::vector<std::int16_t>& out, std::ptrdiff_t count, bool, const char* f) {
  take_integers(*this, out, count, f);
}
void Decoder::elements(std::vector<std::int32_t>& out, std::ptrdiff_t count, bool, const char* f) {
  take_integers(*this, out, count, f);
}
void Decoder::elements(std::vector<std::int64_t>& out, std::ptrdiff_t count, bool, const char* f) {
  take_integers(*this, out, count, f);
}
void Decoder::elements(std::vector<Uuid>& out, std::ptrdiff_t count, bool, const char* field) {
  out.resize(static_cast<std::size_t>(count));
  for (Uuid& value : out) value = uuid(field);
}
void Decoder::elements(std::vector<std::string_view>& out, std::ptrdiff_t count, bool flexible,
                       const char* field) {
  out.resize(static_cast<std::size_t>(count));
  for (std::string_view& value : out) {
    value = string(flexible, field);
    if (failed_) return;
  }
}

bool Decoder::struct_follows(const char* field) {
  const auto marker = integer<std::int8_t>(field);
  if (marker != 1 && marker != -1) fail(field, fmt::format("neither null nor present: {}", marker));
  return marker == 1;
}

void Decoder::tags(TaggedFields& unknown) {
  if (p_ != end_ && *p_ == 0) [[likely]] {
    ++p_;
    return;
  }
  for (TagReader reader(*this); reader.next();) reader.keep(unknown);
}

TagReader::TagReader(Decoder& decoder) : decoder_(decoder), left_(decoder.uvarint("tags")) {}

bool TagReader::next() {
  if (outer_end_ != nullptr) {
    if (decoder_.ok() && decoder_.remaining() != 0)
      decoder_.fail("tags",
                    fmt::format("tag {} has {} bytes too many", tag_, decoder_.remaining()));
    decoder_.end_ = outer_end_;
    if (!decoder_.ok()) decoder_.p_ = outer_end_;
    outer_end_ = nullptr;
  }
  if (left_ == 0 || !decoder_.ok()) return false;
  --left_;
  const auto tag = decoder_.uvarint("tags");
  const auto size = decoder_.uvarint("tags");
  if (decoder_.ok() && !first_ && tag <= tag_)
    decoder_.fail("tags", fmt::format("tag {} follows tag {}", tag, tag_));
  if (size > decoder_.remaining()) decoder_.cut_short("tags", size);
  if (!decoder_.ok()) return false;
  first_ = false;
  tag_ = tag;
  outer_end_ = decoder_.end_;
  decoder_.end_ = decoder_.p_ + size;
  return true;
}

void TagReader::keep(TaggedFields& unknown) {
  // A field of two bytes takes many more here, so it counts against the memory of the message.
  const std::size_t memory = unknown.memory_of_next();
  if (decoder_.memory_left_ < memory) {
    decoder_.fail("tags", "more unknown tags than one message may have");
    return;
  }
  decoder_.memory_left_ -= memory;
  unknown.add({tag_, decoder_.take(decoder_.remaining())});
}

Result<void> Encoder::status() const {
  if (failed_) return weir::fail(Errc::invalid_argument, error_);
  return {};
}

void Encoder::fail(const char* field, std::string what) {
  if (failed_) return;
  failed_ = true;
  error_ = fmt::format("{}: {}", field, what);
}

void Encoder::length(std::size_t size, bool flexible, bool wide, const char* field) {
  const std::size_t most = wide ? std::numeric_limits<std::int32_t>::max()
                                : std::size_t{std::numeric_limits<std::int16_t>::max()};
  if (size > most) {
    fail(field, fmt::format("{} bytes, the wire carries at most {}", size, most));
    size = 0;
  }
  if (flexible) {
    uvarint(size + 1);
  } else if (wide) {
    integer(static_cast<std::int32_t>(size));
  } else {
    integer(static_cast<std::int16_t>(size));
  }
}

void Encoder::null(bool flexible, bool wide, bool nullable, const char* field) {
  if (!nullable) {
    fail(field, "is null, which this version forbids");
    length(0, flexible, wide, field);
  } else if (flexible) {
    uvarint(0);
  } else if (wide) {
    integer(std::int32_t{-1});
  } else {
    integer(std::int16_t{-1});
  }
}

void Encoder::string(std::string_view value, bool flexible, const char* field) {
  length(value.size(), flexible, false, field);
  out_.append(value);
}
void Encoder::nullable_string(const std::optional<std::string_view>& value, bool flexible,
                              bool nullable, const char* field) {
  if (value) return string(*value, flexible, field);
  null(flexible, false, nullable, field);
}
void Encoder::bytes(std::string_view value, bool flexible, const char* field) {
  length(value.size(), flexible, true, field);
  out_.append(value);
}
void Encoder::nullable_bytes(const std::optional<std::string_view>& value, bool flexible,
                             bool nullable, const char* field) {
  if (value) return bytes(*value, flexible, field);
  null(flexible, true, nullable, field);
}
void Encoder::records(const Records& value, bool flexible, bool nullable, const char* field) {
  if (value.is_null()) return null(flexible, true, nullable, field);
  length(value.size(), flexible, true, field);
  if (!value.is_external()) {
    out_.append(value.bytes());
  } else if (value.size() != 0) {
    splices_.push_back({out_.size(), value.size()});
    spliced_bytes_ += value.size();
  }
}

void Encoder::array_count(std::size_t count, bool flexible, const char* field) {
  if (count > std::size_t{std::numeric_limits<std::int32_t>::max()})
    fail(field, fmt::format("{} elements, the wire carries at most 2^31 - 1", count));
  if (flexible) {
    uvarint(count + 1);
  } else {
    integer(static_cast<std::int32_t>(count));
  }
}
void Encoder::null_array(bool flexible, bool nullable, const char* field) {
  null(flexible, true, nullable, field);
}
void Encoder::elements(const std::vector<std::int8_t>& values, bool flexible, const char* field) {
  array_count(values.size(), flexible, field);
  put_integers(*this, values);
}
void Encoder::elements(const std::vector<std::int16_t>& values, bool flexible, const char* field) {
  array_count(values.size(), flexible, field);
  put_integers(*this, values);
}
void Encoder::elements(const std::vector<std::int32_t>& values, bool flexible, const char* field) {
  array_count(values.size(), flexible, field);
  put_integers(*this, values);
}
void Encoder::elements(const std::vector<std::int64_t>& values, bool flexible, const char* field) {
  array_count(values.size(), flexible, field);
  put_integers(*this, values);
}
void Encoder::elements(const std::vector<Uuid>& values, bool flexible, const char* field) {
  array_count(values.size(), flexible, field);
  for (const Uuid& value : values) uuid(value);
}
void Encoder::elements(const std::vector<std::string_view>& values, bool flexible,
                       const char* field) {
  array_count(values.size(), flexible, field);
  for (const std::string_view value : values) string(value, flexible, field);
}
void Encoder::tags(const TaggedFields& unknown) {
  if (unknown.size() == 0) [[likely]] {
    out_.push_back('\0');
    return;
  }
  TagWriter(*this, unknown).finish();
}

TagWriter::TagWriter(Encoder& encoder, const TaggedFields& unknown)
    : encoder_(encoder),
      next_unknown_(unknown.begin()),
      end_unknown_(unknown.end()),
      count_position_(encoder.out().size()) {
  encoder_.out().push_back('\0');
}

void TagWriter::write_unknown_below(std::uint64_t tag) {
  for (; next_unknown_ != end_unknown_ && next_unknown_->tag < tag; ++next_unknown_, ++count_) {
    encoder_.uvarint(next_unknown_->tag);
    encoder_.uvarint(next_unknown_->bytes.size());
    encoder_.out().append(next_unknown_->bytes);
  }
}

void TagWriter::begin(std::uint32_t tag) {
  write_unknown_below(tag);
  if (next_unknown_ != end_unknown_ && next_unknown_->tag == tag) ++next_unknown_;
  encoder_.uvarint(tag);
  value_position_ = encoder_.out().size();
  ++count_;
}

void TagWriter::end() {
  // The length stands in front of a value whose size is known only now; tagged values are short,
  // so moving them by a byte or two costs less than a pass that measures every message.
  char length[10];
  const auto size = encoder_.out().size() - value_position_;
  encoder_.out().insert(value_position_, length,
                        static_cast<std::size_t>(put_uvarint(length, size) - length));
}

void TagWriter::finish() {
  write_unknown_below(std::uint64_t{1} << 32U);
  char count[10];
  encoder_.out().replace(count_position_, 1, count,
                         static_cast<std::size_t>(put_uvarint(count, count_) - count));
}

tl::unexpected<Error> no_such_version(std::string_view message, std::int16_t version,
                                      std::int16_t min, std::int16_t max) {
  return weir::fail(Errc::unsupported_version,
                    fmt::format("{} has no version {}, only {} to {}", message, version, min, max));
}

tl::unexpected<Error> bad_message(std::string_view message, std::int16_t version,
                                  const Error& error) {
  return weir::fail(error.code(), fmt::format("{} v{}: {}", message, version, error.message()));
}

}  // namespace weir::kafka
