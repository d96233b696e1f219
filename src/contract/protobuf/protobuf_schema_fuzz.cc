// Whatever text comes as a schema: it is refused, or what was read is printed and read back as the
// same schema, in each of its forms, fits itself, and can be outlined.
#include <cstddef>
#include <string>
#include <string_view>

#include "base/check.h"
#include "contract/protobuf/compatibility.h"
#include "contract/protobuf/schema.h"
#include "fuzz/harness.h"

namespace {

// Parsed, linked and printed: libprotobuf takes many times the text, and has pages for its tables.
constexpr std::size_t bytes_a_byte = 2048;
// descriptor.proto alone, which every custom option imports, and the others that are built in.
constexpr std::size_t built_in_bytes = 4U << 20U;

}  // namespace

void weir::fuzz::input(std::string_view text) {
  using namespace weir;
  using namespace weir::contract;
  using namespace weir::contract::protobuf;
  check(is_built_in("google/protobuf/any.proto"), "a built-in file is missing");
  const auto strict =
      bounded_by(bytes_a_byte * text.size() + built_in_bytes, [&] { return parse_protobuf(text); });
  const auto parsed = parse_protobuf(text, {.strict = false, .imports = {}});
  check(!strict || parsed, "what strict parsing takes, lenient parsing takes");
  if (!parsed) return;
  const auto& schema = static_cast<const ProtobufSchema&>(**parsed);
  canary(schema.message_names().size() > 1);
  const auto again = parse_protobuf(schema.text(), {.strict = false, .imports = {}});
  check(again.has_value(), "what was printed cannot be read");
  check((*again)->text() == schema.text(), "what was printed says something else");
  check((*again)->formatted("serialized") == schema.formatted("serialized"),
        "what was printed has another descriptor");
  const std::string normal = schema.normalized();
  const auto other = parse_protobuf(normal, {.strict = false, .imports = {}});
  check(other.has_value(), "the normalised form cannot be read");
  check((*other)->normalized() == normal, "the normalised form is not its own");
  for (const Schema* as : {again->get(), other->get()}) {
    const auto found = compare(static_cast<const ProtobufSchema&>(*as), schema);
    check(found ? found->empty() : found.error().code() == Errc::limit_exceeded,
          "a schema does not fit itself");
  }
  const Outline outline = schema.outline();
  std::size_t own = 0;
  for (const OutlineRecord& record : outline.records) own += record.imported ? 0U : 1U;
  check(own == schema.message_names().size(), "the outline lacks a message");
  for (const std::string& name : schema.message_names()) {
    const auto path = schema.message_path(name);
    check(path && schema.full_name(*path) == name, "a message is not where it is");
  }
}
