// An Avro schema behind the interface of all languages.
#pragma once

#include <memory>
#include <mutex>
#include <optional>

#include "contract/avro/plan.h"
#include "contract/avro/schema.h"
#include "contract/schema.h"

namespace weir::contract::avro {

class AvroSchema final : public contract::Schema {
 public:
  explicit AvroSchema(SchemaPtr schema) : schema_(std::move(schema)) {}

  const SchemaPtr& schema() const { return schema_; }

  Language language() const override { return Language::avro; }
  std::string text() const override { return schema_->text(); }
  std::string normalized() const override;
  std::string complete() const override;
  std::string formatted(std::string_view format) const override;
  contract::Outline outline() const override;
  Result<std::vector<Difference>> unreadable(const contract::Schema& writer,
                                             Policy policy) const override;
  Result<json::Value> read(std::string_view payload, MessagePath message) const override;
  Result<std::string> write(const json::Value& value, MessagePath message) const override;

 private:
  const Result<PlanPtr>& plan() const;

  const SchemaPtr schema_;
  mutable std::once_flag planned_;
  mutable Result<PlanPtr> plan_;  // of its own data, made by the first who reads
};

/// Imports are found by the names of their types, not by those of the imports.
Result<contract::SchemaPtr> parse_schema(std::string_view text,
                                         const contract::ParseOptions& options);
/// The Avro schema behind it; nullptr if it is of another language.
const SchemaPtr& as_avro(const contract::Schema& schema);

/// A type as people write it: "array<shop.Line>", "[null, long (timestamp-millis)]".
std::string type_text(const Schema& schema, TypeId type);

}  // namespace weir::contract::avro
