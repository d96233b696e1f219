#include "contract/protobuf/source.h"

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <array>

#include "contract/avro/utf8.h"
#include "contract/protobuf/limits.h"

namespace weir::contract::protobuf {
namespace {

/// Keeps the first error; parsers go on after it.
class FirstError final : public pb::io::ErrorCollector {
 public:
  void AddError(int line, pb::io::ColumnNumber column, const std::string& message) override {
    if (!text_.empty()) return;
    text_ = "protobuf: ";
    if (line >= 0)
      text_ += "line " + std::to_string(line + 1) + ", column " + std::to_string(column + 1) + ": ";
    text_ += message;
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

/// Walks text without what libprotobuf's tokenizer takes for comments and strings.
class Depth {
 public:
  explicit Depth(std::string_view text) : text_(text) {}

  /// The line where brackets lie too deep in each other; 0 if they do not.
  std::size_t too_deep_at() {
    // Each kind for itself: a wrong bracket does not close another for a parser that goes on.
    constexpr std::string_view opening = "{[<(";
    constexpr std::string_view closing = "}]>)";
    std::array<std::size_t, 4> open{};
    std::size_t depth = 0;
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '\n') ++line_;
      if (c == '"' || c == '\'') skip_string(c);
      if (c == '/') skip_comment();
      if (const auto kind = opening.find(c); kind != std::string_view::npos) {
        ++open[kind];
        if (++depth > limits::schema_depth) return line_;
      }
      if (const auto kind = closing.find(c); kind != std::string_view::npos && open[kind] != 0) {
        --open[kind];
        --depth;
      }
    }
    return 0;
  }

 private:
  void skip_string(char quote) {
    for (++at_; at_ < text_.size() && text_[at_] != quote && text_[at_] != '\n'; ++at_)
      if (text_[at_] == '\\' && at_ + 1 < text_.size() && text_[at_ + 1] != '\n') ++at_;
    if (at_ < text_.size() && text_[at_] == '\n') ++line_;  // unterminated: an error anyway
  }
  void skip_comment() {
    if (at_ + 1 >= text_.size()) return;
    if (text_[at_ + 1] == '/') {
      while (at_ + 1 < text_.size() && text_[at_ + 1] != '\n') ++at_;
    } else if (text_[at_ + 1] == '*') {
      for (at_ += 2; at_ < text_.size(); ++at_) {
        if (text_[at_] == '\n') ++line_;
        if (text_[at_] == '*' && at_ + 1 < text_.size() && text_[at_ + 1] == '/') break;
      }
      ++at_;
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
};

Result<void> check_ranges(const std::string& name, int count) {
  if (static_cast<std::size_t>(count) <= limits::ranges) return {};
  return fail(Errc::limit_exceeded, "protobuf: " + name + ": " + std::to_string(count) +
                                        " reserved and extension ranges, at most " +
                                        std::to_string(limits::ranges) +
                                        "; join neighbours to one range");
}

Result<void> check_enum(const pb::EnumDescriptorProto& type) {
  return check_ranges(type.name(), type.reserved_range_size());
}

/// `depth` bounds the recursion, for descriptors that did not come from text.
Result<void> check_message(const pb::DescriptorProto& type, std::size_t depth) {
  if (depth > limits::schema_depth)
    return fail(Errc::limit_exceeded, "protobuf: " + type.name() + ": more than " +
                                          std::to_string(limits::schema_depth) +
                                          " messages inside each other");
  if (auto done =
          check_ranges(type.name(), type.reserved_range_size() + type.extension_range_size());
      !done)
    return done;
  for (const auto& inner : type.enum_type())
    if (auto done = check_enum(inner); !done) return done;
  for (const auto& inner : type.nested_type())
    if (auto done = check_message(inner, depth + 1); !done) return done;
  return {};
}

}  // namespace

Result<void> parse_source(std::string_view text, pb::FileDescriptorProto& out, Places& places) {
  if (text.size() > limits::schema_bytes)
    return fail(Errc::limit_exceeded,
                "protobuf: a schema of " + std::to_string(text.size()) + " bytes, at most " +
                    std::to_string(limits::schema_bytes) + "; move types to files that it imports");
  if (text.find('\0') != std::string_view::npos || !avro::is_utf8(text))
    return fail(Errc::malformed, "protobuf: the schema is not UTF-8 text");
  if (const std::size_t line = Depth(text).too_deep_at(); line != 0)
    return fail(Errc::limit_exceeded, "protobuf: line " + std::to_string(line) + ": more than " +
                                          std::to_string(limits::schema_depth) +
                                          " brackets inside each other; move inner messages out");
  FirstError error;
  pb::io::ArrayInputStream stream(text.data(), static_cast<int>(text.size()));
  pb::io::Tokenizer tokenizer(&stream, &error);
  pb::compiler::Parser parser;
  parser.RecordErrorsTo(&error);
  parser.RecordSourceLocationsTo(&places);
  const bool good = parser.Parse(&tokenizer, &out);
  if (!error.text().empty()) return fail(Errc::malformed, error.text());
  if (!good) return fail(Errc::malformed, "protobuf: the schema cannot be parsed");
  return check_bounds(out);
}

Result<void> check_bounds(const pb::FileDescriptorProto& file) {
  for (const auto& type : file.message_type())
    if (auto done = check_message(type, 1); !done) return done;
  for (const auto& type : file.enum_type())
    if (auto done = check_enum(type); !done) return done;
  return {};
}

}  // namespace weir::contract::protobuf
