// Names as words: "orderId", "order_id" and "OrderID" are "order", "id".
#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::contract::lint {

using WordList = std::vector<std::string>;

/// In lower case. Digits belong to the word before them.
WordList words_of(std::string_view name);
bool has_any(const WordList& words, std::span<const std::string_view> wanted);
bool has_any(const WordList& words, std::initializer_list<std::string_view> wanted);
bool ends_with_any(const WordList& words, std::initializer_list<std::string_view> wanted);
/// Runs of letters and digits in a text, in lower case.
WordList words_of_text(std::string_view text);

}  // namespace weir::contract::lint
