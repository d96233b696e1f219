#include "contract/avro/encode.h"

#include <bit>
#include <cstring>

#include "base/check.h"
#include "base/varint.h"
#include "contract/avro/limits.h"
#include "contract/avro/wire.h"

namespace weir::contract::avro {
namespace {

class Encoder {
 public:
  Encoder(const Schema& schema, std::string& out, EncodeOptions options)
      : schema_(schema), out_(out), options_(options) {}

  /// False: why() is set.
  bool value(TypeId id, const Cell& cell, std::size_t depth) {
    const Type& type = schema_.type(id);
    switch (type.kind) {
      case Kind::null: return true;
      case Kind::boolean: out_ += cell.integer != 0 ? '\1' : '\0'; return true;
      case Kind::int32:
        if (!is_int(cell.integer))
          return refuse(std::to_string(cell.integer) + " is beyond an int");
        put_long(cell.integer);
        return true;
      case Kind::int64: put_long(cell.integer); return true;
      case Kind::enumeration:
        check(static_cast<std::uint64_t>(cell.integer) < type.symbols.size(),
              "avro: a symbol that its enum lacks");
        put_long(cell.integer);
        return true;
      case Kind::float32:
        put_bits(std::bit_cast<std::uint32_t>(static_cast<float>(cell.real)));
        return true;
      case Kind::float64: put_bits(std::bit_cast<std::uint64_t>(cell.real)); return true;
      case Kind::fixed:
        if (cell.size != type.size)
          return refuse(std::to_string(cell.size) + " bytes are no " + type.name + " of " +
                        std::to_string(type.size));
        out_ += cell.text();
        return true;
      case Kind::bytes:
      case Kind::string: put_run(cell.text()); return true;
      case Kind::union_type:
        check(cell.branch < type.branches.size(), "avro: a branch that its union lacks");
        put_long(cell.branch);
        return value(type.branches[cell.branch], cell, depth);
      case Kind::array:
      case Kind::map:
      case Kind::record: break;
    }
    if (depth >= limits::value_depth) return refuse("values lie inside each other too deep");
    return type.kind == Kind::record ? record(type, cell, depth + 1)
                                     : blocks(type, cell, depth + 1);
  }
  const std::string& why() const { return why_; }

 private:
  bool refuse(std::string why) {
    why_ = std::move(why);
    return false;
  }
  void put_long(std::int64_t number) { append_uvarint(out_, zigzag(number)); }
  void put_run(std::string_view bytes) {
    put_long(static_cast<std::int64_t>(bytes.size()));
    out_ += bytes;
  }
  template <class Bits>
  void put_bits(Bits bits) {
    char raw[sizeof bits];
    std::memcpy(raw, &bits, sizeof bits);
    out_.append(raw, sizeof raw);
  }
  bool record(const Type& type, const Cell& cell, std::size_t depth) {
    check(cell.size == type.fields.size(), "avro: a record with other fields than its type");
    for (std::size_t i = 0; i < type.fields.size(); ++i)
      if (!value(type.fields[i].type, cell.items[i], depth)) return false;
    return true;
  }
  bool blocks(const Type& type, const Cell& cell, std::size_t depth) {
    if (cell.size != 0) {
      put_long(options_.sized_blocks ? -std::int64_t{cell.size} : std::int64_t{cell.size});
      const std::size_t start = out_.size();
      for (std::uint32_t i = 0; i < cell.size; ++i) {
        if (type.kind == Kind::map) put_run(cell.items[2 * i].text());
        const Cell& element = type.kind == Kind::map ? cell.items[2 * i + 1] : cell.items[i];
        if (!value(type.element, element, depth)) return false;
      }
      if (options_.sized_blocks) {
        std::string size;
        append_uvarint(size, zigzag(static_cast<std::int64_t>(out_.size() - start)));
        out_.insert(start, size);
      }
    }
    put_long(0);
    return true;
  }

  const Schema& schema_;
  std::string& out_;
  EncodeOptions options_;
  std::string why_;
};

constexpr std::string_view single_object_magic = "\xc3\x01";

}  // namespace

Result<void> encode(const View& value, std::string& out, EncodeOptions options) {
  const std::size_t before = out.size();
  Encoder encoder(value.schema(), out, options);
  if (encoder.value(value.declared(), value.cell(), 0)) return {};
  out.resize(before);
  return fail(Errc::invalid_argument, "avro: " + encoder.why());
}

Result<void> encode_single_object(const View& value, std::string& out) {
  const std::size_t before = out.size();
  out += single_object_magic;
  const std::uint64_t fingerprint = value.schema().fingerprint();
  char bytes[sizeof fingerprint];
  std::memcpy(bytes, &fingerprint, sizeof fingerprint);  // little-endian, as this machine
  out.append(bytes, sizeof bytes);
  auto done = encode(value, out);
  if (!done) out.resize(before);
  return done;
}

Result<SingleObject> parse_single_object(std::string_view bytes) {
  constexpr std::size_t head = 10;
  if (bytes.size() < head || !bytes.starts_with(single_object_magic))
    return fail(Errc::malformed,
                "avro: no single-object encoding: it begins with c3 01 and a fingerprint");
  SingleObject out;
  std::memcpy(&out.fingerprint, bytes.data() + single_object_magic.size(), sizeof out.fingerprint);
  out.value = bytes.substr(head);
  return out;
}

}  // namespace weir::contract::avro
