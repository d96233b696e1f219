#include "contract/avro/container.h"

#include <weir/error.h>

#include <array>

#include "base/bytes.h"
#include "base/varint.h"
#include "compress/raw.h"
#include "contract/avro/encode.h"
#include "contract/avro/limits.h"
#include "contract/avro/wire.h"

namespace weir::contract::avro {
namespace {

constexpr std::string_view magic = std::string_view("Obj\1", 4);
constexpr std::size_t sync_bytes = 16;
constexpr std::array<std::string_view, 4> codec_names = {"null", "deflate", "snappy", "zstandard"};

tl::unexpected<Error> bad(std::string why) {
  return fail(Errc::malformed, "avro container: " + std::move(why));
}

bool take(std::string_view& in, std::int64_t& out) {
  const char* p = in.data();
  if (!take_long(p, in.data() + in.size(), out)) return false;
  in.remove_prefix(static_cast<std::size_t>(p - in.data()));
  return true;
}

bool take_run(std::string_view& in, std::string_view& out) {
  std::int64_t size = 0;
  if (!take(in, size) || size < 0 || static_cast<std::uint64_t>(size) > in.size()) return false;
  out = in.substr(0, static_cast<std::size_t>(size));
  in.remove_prefix(out.size());
  return true;
}

void put_long(std::string& out, std::int64_t number) { append_uvarint(out, zigzag(number)); }
void put_run(std::string& out, std::string_view bytes) {
  put_long(out, static_cast<std::int64_t>(bytes.size()));
  out += bytes;
}

}  // namespace

std::string_view name_of(ContainerCodec codec) {
  return codec_names[static_cast<std::size_t>(codec)];
}

Result<ContainerReader> ContainerReader::open(std::string_view file) {
  ContainerReader reader;
  if (auto r = reader.header(file); !r) return fail(std::move(r.error()));
  return reader;
}

Result<void> ContainerReader::header(std::string_view file) {
  if (!file.starts_with(magic)) return bad("the file does not begin with \"Obj\" and 1");
  size_ = file.size();
  rest_ = file.substr(magic.size());
  for (;;) {
    std::int64_t count = 0;
    std::int64_t ignored = 0;
    if (!take(rest_, count)) return bad("the header is cut short");
    if (count == 0) break;
    if (count < 0 && (count == INT64_MIN || !take(rest_, ignored)))
      return bad("the header is cut short");
    for (std::int64_t i = count < 0 ? -count : count; i > 0; --i) {
      std::string_view key;
      std::string_view value;
      if (!take_run(rest_, key) || !take_run(rest_, value)) return bad("the header is cut short");
      if (metadata_.size() >= limits::container_metadata) return bad("too much metadata");
      metadata_[std::string(key)] = value;
    }
  }
  if (rest_.size() < sync_bytes) return bad("the header is cut short");
  sync_ = rest_.substr(0, sync_bytes);
  rest_.remove_prefix(sync_bytes);
  const auto text = metadata_.extract("avro.schema");
  if (text.empty()) return bad("the header has no avro.schema");
  auto schema = Schema::parse(text.mapped(), {.strict = false});
  if (!schema) return bad("its schema: " + schema.error().message());
  schema_ = std::move(*schema);
  if (const auto codec = metadata_.extract("avro.codec"); !codec.empty()) {
    std::size_t i = 0;
    while (i < codec_names.size() && codec_names[i] != codec.mapped()) ++i;
    if (i == codec_names.size())
      return fail(Errc::unsupported,
                  "avro container: the codec \"" + codec.mapped().substr(0, 40) +
                      "\" is not supported; null, deflate, snappy and zstandard are");
    codec_ = static_cast<ContainerCodec>(i);
  }
  return {};
}

Result<void> ContainerReader::unpack(std::string_view packed) {
  const compress::Caps caps{.output = limits::container_block_bytes};
  Result<std::string> out = std::string();
  switch (codec_) {
    case ContainerCodec::null: values_ = packed; return {};
    case ContainerCodec::deflate: out = compress::inflate_raw(packed, caps); break;
    case ContainerCodec::snappy: {
      constexpr std::size_t crc_bytes = 4;
      if (packed.size() < crc_bytes) return bad("a snappy block without its checksum");
      out = compress::unsnappy_raw(packed.substr(0, packed.size() - crc_bytes), caps);
      const auto want = load_be<std::uint32_t>(packed.data() + packed.size() - crc_bytes);
      if (out && compress::crc32(*out) != want) return bad("a snappy block with a wrong checksum");
      break;
    }
    case ContainerCodec::zstandard: {
      auto slice = compress::decompress(compress::Codec::zstd, packed, caps);
      if (slice) {
        out = std::string(slice->view());
      } else {
        out = fail(std::move(slice.error()));
      }
      break;
    }
  }
  if (!out) return bad(out.error().message());
  unpacked_ = std::make_unique<std::string>(std::move(*out));
  values_ = *unpacked_;
  return {};
}

Result<bool> ContainerReader::next_block() {
  if (rest_.empty()) return false;
  const std::string place = "block at byte " + std::to_string(size_ - rest_.size()) + ": ";
  std::int64_t count = 0;
  std::string_view packed;
  if (!take(rest_, count) || !take_run(rest_, packed) || rest_.size() < sync_bytes)
    return bad(place + "cut short");
  if (count < 0) return bad(place + "a negative count");
  if (rest_.substr(0, sync_bytes) != sync_)
    return bad(place + "it does not end with the sync marker");
  rest_.remove_prefix(sync_bytes);
  if (auto r = unpack(packed); !r) return fail(std::move(r.error()));
  left_ = static_cast<std::uint64_t>(count);
  const std::size_t least = schema_->root().least_bytes;
  if (least == 0 ? left_ > limits::empty_elements : left_ > values_.size() / least)
    return bad(place + std::to_string(count) + " values do not fit into it");
  if (left_ == 0 && !values_.empty()) return bad(place + "bytes behind its last value");
  return true;
}

Result<bool> ContainerReader::next(const Plan& plan, Arena& arena, const Cell*& value,
                                   DecodeOptions options) {
  while (left_ == 0) {
    auto more = next_block();
    if (!more) rest_ = {};
    if (!more || !*more) return more;
  }
  auto decoded = decode_front(plan, values_, arena, options);
  if (decoded && --left_ == 0 && !values_.empty())
    decoded = bad("bytes behind the last value of a block");
  if (!decoded) {
    left_ = 0;
    rest_ = {};
    return fail(std::move(decoded.error()));
  }
  value = &decoded->cell();
  return true;
}

Result<ContainerWriter> ContainerWriter::create(SchemaPtr schema, Rng& rng,
                                                ContainerOptions options) {
  for (const auto& [key, text] : options.metadata)
    if (key.starts_with("avro."))
      return fail(Errc::invalid_argument, "avro container: metadata named " + key + " is reserved");
  ContainerWriter writer;
  writer.schema_ = std::move(schema);
  writer.options_ = std::move(options);
  for (std::size_t i = 0; i < sync_bytes; ++i) writer.sync_ += static_cast<char>(rng.below(256));
  std::string& out = writer.out_;
  out += magic;
  put_long(out, static_cast<std::int64_t>(writer.options_.metadata.size() + 2));
  put_run(out, "avro.schema");
  put_run(out, writer.schema_->text());
  put_run(out, "avro.codec");
  put_run(out, name_of(writer.options_.codec));
  for (const auto& [key, text] : writer.options_.metadata) {
    put_run(out, key);
    put_run(out, text);
  }
  put_long(out, 0);
  out += writer.sync_;
  return writer;
}

Result<void> ContainerWriter::add(const View& value) {
  if (auto r = encode(value, block_); !r) return r;
  ++count_;
  return block_.size() >= options_.block_bytes || count_ >= limits::empty_elements ? flush()
                                                                                   : Result<void>();
}

Result<void> ContainerWriter::flush() {
  if (count_ == 0) return {};
  std::string packed;
  Result<void> done;
  switch (options_.codec) {
    case ContainerCodec::null: packed.swap(block_); break;
    case ContainerCodec::deflate: done = compress::deflate_raw(block_, packed); break;
    case ContainerCodec::snappy:
      done = compress::snappy_raw(block_, packed);
      append_be(packed, compress::crc32(block_));
      break;
    case ContainerCodec::zstandard:
      done = compress::compress(compress::Codec::zstd, compress::default_level, block_, packed);
      break;
  }
  if (!done) return done;
  put_long(out_, static_cast<std::int64_t>(count_));
  put_run(out_, packed);
  out_ += sync_;
  count_ = 0;
  block_.clear();
  return {};
}

}  // namespace weir::contract::avro
