#include "contract/avro/image.h"

#include <cstring>

#include "contract/avro/wire.h"

namespace weir::contract::avro {
namespace {

/// Reads a default that DefaultEncoder wrote: it is well formed and not deep.
class ImageReader {
 public:
  ImageReader(const Schema& schema, std::string_view bytes, Arena& arena)
      : schema_(schema), p_(bytes.data()), end_(p_ + bytes.size()), arena_(arena) {}

  bool read(TypeId id, Cell& out) {
    const Type& type = schema_.type(id);
    out = {};
    switch (type.kind) {
      case Kind::null: return true;
      case Kind::boolean: out.integer = *p_++ == 0 ? 0 : 1; return true;
      case Kind::int32:
      case Kind::int64:
      case Kind::enumeration: return take_long(p_, end_, out.integer);
      case Kind::float32: out.real = little_endian<float>(); return true;
      case Kind::float64: out.real = little_endian<double>(); return true;
      case Kind::bytes:
      case Kind::string: return run(out);
      case Kind::fixed: return view(type.size, out);
      case Kind::array: return items(type, 1, out);
      case Kind::map: return items(type, 2, out);
      case Kind::record: return record(type, out);
      case Kind::union_type: {
        std::int64_t branch = 0;
        if (!take_long(p_, end_, branch)) return false;
        const bool good = read(type.branches[static_cast<std::size_t>(branch)], out);
        out.branch = static_cast<std::uint32_t>(branch);
        return good;
      }
    }
    return false;
  }

 private:
  template <class T>
  T little_endian() {
    T value;
    std::memcpy(&value, p_, sizeof value);
    p_ += sizeof value;
    return value;
  }
  /// The bytes belong to the schema.
  bool view(std::size_t size, Cell& out) {
    out.bytes = p_;
    out.size = static_cast<std::uint32_t>(size);
    p_ += size;
    return true;
  }
  bool run(Cell& out) {
    std::size_t size = 0;
    return take_length(p_, end_, size) && view(size, out);
  }
  bool items(const Type& type, std::size_t stride, Cell& out) {
    std::int64_t count = 0;
    if (!take_long(p_, end_, count)) return false;
    if (count == 0) return true;
    Cell* cells = arena_.make<Cell>(static_cast<std::size_t>(count) * stride);
    if (cells == nullptr) return false;
    out.items = cells;
    out.size = static_cast<std::uint32_t>(count);
    for (std::int64_t i = 0; i < count; ++i, cells += stride) {
      cells[0] = {};
      if (stride == 2 && !run(cells[0])) return false;
      if (!read(type.element, cells[stride - 1])) return false;
    }
    return take_long(p_, end_, count);
  }
  bool record(const Type& type, Cell& out) {
    Cell* cells = arena_.make<Cell>(type.fields.size());
    if (cells == nullptr) return false;
    out.items = cells;
    out.size = static_cast<std::uint32_t>(type.fields.size());
    for (const Field& field : type.fields)
      if (!read(field.type, *cells++)) return false;
    return true;
  }

  const Schema& schema_;
  const char* p_;
  const char* end_;
  Arena& arena_;
};

}  // namespace

bool read_image(const Schema& schema, const Field& field, Arena& arena, Cell& out) {
  return ImageReader(schema, *field.default_bytes, arena).read(field.type, out);
}

}  // namespace weir::contract::avro
