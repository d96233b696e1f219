#include "registry/forward.h"

#include <array>
#include <charconv>
#include <memory>
#include <optional>

#include "base/log.h"
#include "registry/limits.h"

namespace weir::registry {
namespace {

constexpr std::string_view scheme = "http://";
constexpr std::size_t longest_head = 64U * 1024;

Error broken(std::string what) {
  return {Errc::protocol_error, "the leader's answer: " + std::move(what)};
}

/// One request on its way. Lives until `done` was told.
class Exchange final : public io::StreamHandler, public std::enable_shared_from_this<Exchange> {
 public:
  Exchange(io::Runtime& runtime, std::string request, Forwarded done)
      : runtime_(runtime), request_(std::move(request)), done_(std::move(done)) {}

  void start(const io::Endpoint& at, Duration timeout) {
    self_ = shared_from_this();
    timer_ = runtime_.loop().call_after(timeout, [self = std::weak_ptr(self_)] {
      if (const auto exchange = self.lock())
        exchange->finish(fail(Errc::timed_out, "the leader does not answer"));
    });
    runtime_.network().connect(
        at, [self = std::weak_ptr(self_)](Result<std::unique_ptr<io::Stream>> stream) {
          const auto exchange = self.lock();
          if (exchange == nullptr) return;
          if (!stream) return exchange->finish(fail(stream.error()));
          exchange->stream_ = std::move(*stream);
          exchange->stream_->set_handler(exchange.get());
          exchange->stream_->write(Slice::copy_of(exchange->request_));
        });
  }

  void on_readable() override {
    std::array<char, 16U * 1024> buffer;
    for (;;) {
      const auto n = stream_->read_some(buffer.data(), buffer.size());
      if (!n) return finish(fail(n.error()));
      if (*n == 0) return;
      got_.append(buffer.data(), *n);
      if (got_.size() > limits::forwarded_answer_bytes)
        return finish(fail(Errc::limit_exceeded, "the leader's answer is too long"));
      auto answer = parse_answer(got_);
      if (!answer) return finish(fail(answer.error()));
      if (*answer) return finish(std::move(**answer));
    }
  }
  void on_drained() override {}
  void on_closed(const Error& why) override { finish(fail(why)); }

 private:
  void finish(Result<http::Response> outcome) {
    const auto self = std::exchange(self_, nullptr);
    if (self == nullptr) return;
    runtime_.loop().cancel(timer_);
    // The stream may be calling: it goes in a turn of its own.
    runtime_.loop().post([self] { self->stream_.reset(); });
    done_(std::move(outcome));
  }

  io::Runtime& runtime_;
  std::string request_;
  Forwarded done_;
  std::shared_ptr<Exchange> self_;
  std::unique_ptr<io::Stream> stream_;
  std::string got_;
  io::TimerId timer_ = io::TimerId::none;
};

std::string written(const http::Request& request, const std::string& authority) {
  std::string out = request.method + " " + request.path +
                    (request.query.empty() ? "" : "?" + request.query) + " HTTP/1.1\r\n";
  out += "Host: " + authority + "\r\nConnection: close\r\n";
  out += std::string(forwarded_header) + ": false\r\n";
  for (const std::string_view name : {"Authorization", "Accept", "Content-Type"})
    if (const auto* value = request.headers.find(name))
      out += std::string(name) + ": " + *value + "\r\n";
  if (!request.body.empty())
    out += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
  return out + "\r\n" + request.body;
}

std::optional<std::size_t> number_in(std::string_view text) {
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

Result<std::optional<http::Response>> parse_answer(std::string_view bytes) {
  std::optional<http::Response> nothing;
  const auto end = bytes.find("\r\n\r\n");
  if (end == std::string_view::npos) {
    if (bytes.size() > longest_head) return fail(broken("its head is too long"));
    return nothing;
  }
  std::string_view head = bytes.substr(0, end);
  std::string_view line = head.substr(0, head.find("\r\n"));
  if (!line.starts_with("HTTP/1.1 ") || line.size() < 12)
    return fail(broken("no status line of HTTP/1.1"));
  const auto status = number_in(line.substr(9, 3));
  if (!status || *status < 200 || *status > 599) return fail(broken("a status that is none"));
  http::Response out;
  out.status = static_cast<int>(*status);
  std::optional<std::size_t> length;
  while (line.size() < head.size()) {
    head.remove_prefix(line.size() + 2);
    line = head.substr(0, head.find("\r\n"));
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) return fail(broken("a header without a colon"));
    std::string_view value = line.substr(colon + 1);
    while (value.starts_with(' ')) value.remove_prefix(1);
    const std::string_view name = line.substr(0, colon);
    if (http::equal_without_case(name, "content-length")) length = number_in(value);
    if (http::equal_without_case(name, "content-type")) out.content_type = value;
    if (http::equal_without_case(name, offset_header))
      out.headers.push_back({std::string(offset_header), std::string(value)});
    if (http::equal_without_case(name, "transfer-encoding"))
      return fail(broken("its length is not said"));
  }
  if (!length && out.status != 204) return fail(broken("its length is not said"));
  const std::size_t size = length.value_or(0);
  if (size > limits::forwarded_answer_bytes) return fail(broken("it is too long"));
  const std::string_view body = bytes.substr(end + 4);
  if (body.size() < size) return nothing;
  out.body = body.substr(0, size);
  return std::optional(std::move(out));
}

void forward(io::Runtime& runtime, const std::string& url, const http::Request& request,
             Duration timeout, Forwarded done) {
  std::string_view authority = url;
  if (!authority.starts_with(scheme))
    return done(fail(Errc::invalid_argument,
                     "the leader's address " + escape_for_log(url, 128) + " is not http://"));
  authority.remove_prefix(scheme.size());
  while (authority.ends_with('/')) authority.remove_suffix(1);
  const auto at = io::Endpoint::parse(authority);
  if (!at) return done(fail(at.error()));
  std::make_shared<Exchange>(runtime, written(request, std::string(authority)), std::move(done))
      ->start(*at, timeout);
}

}  // namespace weir::registry
