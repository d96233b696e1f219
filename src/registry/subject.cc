#include "registry/subject.h"

#include <cstddef>

#include "base/log.h"
#include "contract/avro/utf8.h"

namespace weir::registry {
namespace {

/// ISO control characters: C0, DEL and C1, the last as UTF-8.
bool has_control(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 || byte == 0x7f) return true;
    if (byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0)
      return true;
  }
  return false;
}

}  // namespace

Subject Subject::parse(std::string_view text, std::string_view context) {
  if (text.starts_with(":.") || text.starts_with(":*")) {
    const std::size_t end = text.find(':', 1);
    if (end != std::string_view::npos)
      return {.context = std::string(text.substr(1, end - 1)),
              .name = std::string(text.substr(end + 1))};
  }
  return {.context = std::string(context), .name = std::string(text)};
}

std::string Subject::text() const { return context_text(context) + name; }

std::string Subject::context_text(std::string_view context) {
  if (context == default_context) return "";
  return ":" + std::string(context) + ":";
}

std::string shown(const Subject& subject) { return escape_for_log(subject.text(), 128); }

Answer<void> check_subject(const Subject& subject, bool for_settings) {
  const std::string text = subject.text();
  if (!contract::avro::is_utf8(text) || has_control(text))
    return refuse(Code::invalid_subject,
                  "the subject '" + shown(subject) + "' has a control character, or is not UTF-8");
  if (subject.name == "__GLOBAL" || subject.name == "__EMPTY")
    return refuse(Code::invalid_subject,
                  "the subject '" + shown(subject) + "' has a reserved name");
  if (!for_settings && (subject.context == global_context || subject.context == any_context))
    return refuse(Code::invalid_subject,
                  "the context of '" + shown(subject) + "' can hold no schemas");
  return {};
}

std::vector<std::string> scopes_of(const Subject& subject) {
  std::vector<std::string> scopes;
  if (!subject.name.empty()) scopes.push_back(subject.text());
  scopes.push_back(Subject::context_text(subject.context));
  if (subject.context != global_context) scopes.push_back(Subject::context_text(global_context));
  return scopes;
}

std::string context_name(std::string_view text) {
  if (text.starts_with(':')) text.remove_prefix(1);
  if (text.ends_with(':')) text.remove_suffix(1);
  if (text.starts_with('.')) return std::string(text);
  return "." + std::string(text);
}

}  // namespace weir::registry
