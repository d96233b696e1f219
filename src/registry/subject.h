// Names of subjects and of the contexts that they are in.
//
//   text            context   name
//   orders-value    .         orders-value
//   :.eu:orders     .eu       orders
//   :.eu:           .eu       (empty: the context itself)
//   :*:orders       *         orders, in every context (prefixes only)
#pragma once

#include <compare>
#include <string>
#include <string_view>
#include <vector>

#include "registry/problem.h"

namespace weir::registry {

inline constexpr std::string_view default_context = ".";
/// Above all contexts: settings only.
inline constexpr std::string_view global_context = ".__GLOBAL";
inline constexpr std::string_view any_context = "*";

struct Subject {
  std::string context{default_context};
  std::string name;

  /// A name without a context is one of `context`.
  static Subject parse(std::string_view text, std::string_view context = default_context);
  /// Without a prefix in the default context.
  std::string text() const;
  /// ":.eu:"; "" for the default one: how settings of a context are kept.
  static std::string context_text(std::string_view context);
  auto operator<=>(const Subject&) const = default;
};

/// A version of a subject.
struct Place {
  Subject subject;
  int version = 0;
  auto operator<=>(const Place&) const = default;
};

/// For messages: escaped and cut.
std::string shown(const Subject& subject);

/// Whether schemas may be kept under this name; settings may also be under `.__GLOBAL`.
Answer<void> check_subject(const Subject& subject, bool for_settings);

/// Where a setting of this subject is looked for, nearest first: the subject, its context, all.
/// Texts as settings are kept by: "" is the global record, which is that of the default context.
std::vector<std::string> scopes_of(const Subject& subject);

/// "eu", ".eu" and ":.eu:" as ".eu".
std::string context_name(std::string_view text);

}  // namespace weir::registry
