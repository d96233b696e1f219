#include "contract/protobuf/payload.h"

#include "contract/avro/utf8.h"
#include "contract/protobuf/limits.h"

namespace weir::contract::protobuf {
namespace {

enum class Wire : std::uint8_t { varint, fixed64, run, group, end_group, fixed32 };

class Walker {
 public:
  explicit Walker(std::string_view payload) : payload_(payload), end_(payload.size()) {}

  Result<void> walk(const pb::Descriptor& type) {
    message(&type, 0);
    if (problem_.empty()) return {};
    return fail(Errc::malformed, "protobuf: " + (field_.empty() ? type.full_name() : field_) +
                                     ": at byte " + std::to_string(at_) + ": " + problem_);
  }

 private:
  bool wrong(std::string problem) {
    if (problem_.empty()) problem_ = std::move(problem);
    return false;
  }

  bool varint(std::uint64_t& out) {
    out = 0;
    for (unsigned i = 0; i < 10; ++i) {
      if (at_ + i >= end_) return wrong("it ends inside a number");
      const auto byte = static_cast<unsigned char>(payload_[at_ + i]);
      out |= static_cast<std::uint64_t>(byte & 0x7fU) << (7 * i);
      if (byte < 0x80U) {
        at_ += i + 1;
        return true;
      }
    }
    return wrong("a number of more than ten bytes");
  }

  bool skip(std::size_t size) {
    if (size > end_ - at_)
      return wrong(std::to_string(size) + " bytes are wanted, " + std::to_string(end_ - at_) +
                   " are left");
    at_ += size;
    return true;
  }

  /// Fields up to the end, or up to the end of group `group` if that is not 0. `type` is nullptr
  /// inside what the schema lacks.
  bool message(const pb::Descriptor* type, std::uint64_t group) {
    if (++depth_ > limits::value_depth)
      return wrong("more than " + std::to_string(limits::value_depth) +
                   " messages inside each other");
    const std::string outer = field_;
    while (at_ < end_) {
      std::uint64_t tag = 0;
      if (!varint(tag)) return false;
      const std::uint64_t number = tag >> 3U;
      if (number == 0 || number > static_cast<std::uint64_t>(pb::FieldDescriptor::kMaxNumber) ||
          (tag & 7U) > 5)
        return wrong("there is no tag " + std::to_string(tag));
      if (static_cast<Wire>(tag & 7U) == Wire::end_group) {
        if (number != group) return wrong("the end of a group that was not begun");
        --depth_;
        field_ = outer;
        return true;
      }
      const pb::FieldDescriptor* field =
          type != nullptr ? type->FindFieldByNumber(static_cast<int>(number)) : nullptr;
      field_ = field != nullptr ? field->full_name() : "field " + std::to_string(number);
      if (!value(field, number, static_cast<Wire>(tag & 7U))) return false;
    }
    if (group != 0) return wrong("a group without its end");
    --depth_;
    field_ = outer;
    return true;
  }

  bool value(const pb::FieldDescriptor* field, std::uint64_t number, Wire wire) {
    std::uint64_t size = 0;
    switch (wire) {
      case Wire::varint: return varint(size);
      case Wire::fixed64: return skip(8);
      case Wire::fixed32: return skip(4);
      case Wire::group: {
        const bool known = field != nullptr && field->type() == pb::FieldDescriptor::TYPE_GROUP;
        return message(known ? field->message_type() : nullptr, number);
      }
      default: break;
    }
    if (!varint(size)) return false;
    const std::size_t begin = at_;
    if (!skip(size)) return false;
    if (field == nullptr) return true;
    if (field->type() == pb::FieldDescriptor::TYPE_STRING &&
        !avro::is_utf8(payload_.substr(begin, size))) {
      at_ = begin;
      return wrong("text that is not UTF-8");
    }
    if (field->type() != pb::FieldDescriptor::TYPE_MESSAGE) return true;
    const std::size_t end = end_;
    end_ = at_;
    at_ = begin;
    if (!message(field->message_type(), 0)) return false;
    end_ = end;
    return true;
  }

  std::string_view payload_;
  std::size_t at_ = 0;
  std::size_t end_;
  std::size_t depth_ = 0;
  std::string field_;
  std::string problem_;
};

}  // namespace

Result<void> check_payload(const pb::Descriptor& type, std::string_view payload) {
  return Walker(payload).walk(type);
}

}  // namespace weir::contract::protobuf
