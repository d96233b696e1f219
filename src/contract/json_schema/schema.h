// JSON Schema, drafts 4, 6, 7, 2019-09 and 2020-12: parsed, its references resolved, compiled.
#pragma once

#include <weir/result.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "contract/json_schema/document.h"
#include "contract/json_schema/program.h"
#include "contract/json_schema/resources.h"
#include "contract/json_schema/validate.h"
#include "contract/schema.h"

namespace weir::contract::json_schema {

class JsonSchema;
using JsonSchemaPtr = std::shared_ptr<const JsonSchema>;

/// Immutable once parsed. Threads: any.
class JsonSchema final : public contract::Schema {
 public:
  /// Errc::malformed or limit_exceeded, with the place: "json schema: #/properties/a/minLength: is
  /// a whole number, 0 or more". Without `$schema` it is draft 7.
  static Result<JsonSchemaPtr> parse(std::string_view text, const ParseOptions& options = {});

  Language language() const override { return Language::json; }
  /// On one line, members and numbers as they were written.
  std::string text() const override;
  /// The same with the members of every object sorted by their names.
  std::string normalized() const override;
  std::string formatted(std::string_view /*format*/) const override { return text(); }
  Outline outline() const override;
  Result<std::vector<Difference>> unreadable(const contract::Schema& writer,
                                             Policy policy) const override;
  Result<json::Value> read(std::string_view payload, MessagePath message = {}) const override;
  Result<std::string> write(const json::Value& value, MessagePath message = {}) const override;

  /// Everything that is wrong with a document, at most limits::listed_violations; none: it is
  /// valid. Errc::malformed if it is no JSON, limit_exceeded if it is too large or takes too long.
  Result<std::vector<Violation>> validate(std::string_view document,
                                          ValidateOptions options = {}) const;

  Draft draft() const { return resources_.resource(0).draft; }
  const Document& document() const { return document_; }
  /// The schema itself is document 0.
  const Resources& resources() const { return resources_; }
  const Program& program() const { return program_; }
  /// Patterns that are not checked, which only lenient parsing lets through, with place and reason.
  std::span<const std::string> unchecked() const { return program_.unchecked; }

 private:
  JsonSchema() = default;

  std::string source_;
  Document document_;
  std::vector<SchemaPtr> imports_;
  Resources resources_;
  Program program_;
};

Result<SchemaPtr> parse_json_schema(std::string_view text, const ParseOptions& options = {});

}  // namespace weir::contract::json_schema
