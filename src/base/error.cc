#include <weir/error.h>

namespace weir {
inline namespace v1 {

std::string_view name_of(Errc code) noexcept {
  switch (code) {
    case Errc::none: return "none";
#define WEIR_ERROR(name, code, retriable) \
  case Errc::name: return #name;
#include <weir/errors.inc>
#undef WEIR_ERROR
  }
  return "unknown_error";
}

bool is_retriable(Errc code) noexcept {
  switch (code) {
    case Errc::none: return false;
#define WEIR_ERROR(name, code, retriable) \
  case Errc::name: return retriable;
#include <weir/errors.inc>
#undef WEIR_ERROR
  }
  return false;
}

Errc errc_from_wire(std::int16_t code) noexcept {
  const auto known = static_cast<Errc>(code);
  if (code >= 1000 || name_of(known) == "unknown_error") return Errc::unknown_server_error;
  return known;
}

std::int16_t wire_code(Errc code) noexcept {
  const auto number = static_cast<std::int16_t>(code);
  if (number < 1000) return number;
  switch (code) {
    case Errc::timed_out: return wire_code(Errc::request_timed_out);
    case Errc::invalid_argument:
    case Errc::malformed: return wire_code(Errc::invalid_request);
    case Errc::invalid_setting: return wire_code(Errc::invalid_config);
    case Errc::limit_exceeded: return wire_code(Errc::policy_violation);
    case Errc::unsupported: return wire_code(Errc::unsupported_version);
    case Errc::io_error:
    case Errc::disk_full:
    case Errc::sync_failed:
    case Errc::damaged:
    case Errc::closed: return wire_code(Errc::kafka_storage_error);
    default: return wire_code(Errc::unknown_server_error);
  }
}

bool Error::fatal() const noexcept {
  switch (code_) {
    case Errc::producer_fenced:
    case Errc::invalid_producer_epoch:
    case Errc::fenced_instance_id:
    case Errc::unsupported_version:
    case Errc::sasl_authentication_failed:
    case Errc::tls_handshake_failed:
    case Errc::closed: return true;
    default: return false;
  }
}

}  // namespace v1
}  // namespace weir
