// The machine's loop, workers and TCP, on Asio.
#include <fcntl.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>

#include "base/check.h"
#include "base/log.h"
#include "io/process.h"
#include "io/real_internal.h"
#include "io/runtime.h"
#include "io/timer_queue.h"

namespace weir::io {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using ErrorCode = boost::system::error_code;

// Tasks that one drive() runs at most, so that its caller's other work gets its turn.
constexpr std::size_t drive_tasks = 1000;
// Bytes of a file that are offered in one go; the socket takes what it has room for.
constexpr std::uint64_t file_chunk_bytes = 1U << 20U;
// Before they are sent one byte in so many is asked for; if it is not in memory, so many are read.
constexpr std::uint64_t warm_step = 256U << 10U;
constexpr auto accept_retry = std::chrono::milliseconds(100);

class RealLoop final : public Loop {
 public:
  explicit RealLoop(asio::io_context& context) : context_(context), timer_(context) {}
  ~RealLoop() override {
    if (wake_ >= 0) ::close(wake_);
  }

  const Clock& clock() const override { return clock_; }
  void post(Task task) override {
    asio::post(context_, std::move(task));
    if (wake_ < 0) return;
    const std::uint64_t one = 1;
    if (::write(wake_, &one, sizeof one) < 0) return;  // full: it is readable already
  }

  /// From now on a descriptor is readable after each post(): asio wakes nobody if nobody runs it.
  int wake_descriptor() {
    if (wake_ < 0) wake_ = ::eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
    return wake_;
  }
  void take_wake() const {
    std::uint64_t count = 0;
    if (::read(wake_, &count, sizeof count) < 0) return;  // nothing was posted
  }

  TimerId call_at(MonoTime when, Task task) override {
    const bool first = timers_.empty() || when < timers_.next();
    const TimerId id = timers_.add(when, std::move(task));
    if (first) arm();
    return id;
  }

  void cancel(TimerId id) override {
    const Task gone = timers_.take(id);  // the asio timer may fire once in vain
  }

 private:
  void arm() {
    timer_.expires_at(std::chrono::steady_clock::time_point(timers_.next().time_since_epoch()));
    timer_.async_wait([this](const ErrorCode& error) {
      if (error) return;  // armed again for an earlier time
      for (Task task = timers_.take_due(now()); task; task = timers_.take_due(now())) task();
      if (!timers_.empty()) arm();
    });
  }

  SystemClock clock_;
  int wake_ = -1;  // an eventfd, if somebody drives this loop
  asio::io_context& context_;
  asio::steady_timer timer_;
  TimerQueue timers_;
};

class RealWorker final : public Worker {
 public:
  RealWorker(Loop& loop, const std::string& name, Turns turns)
      : loop_(loop), thread_([this, turns] {
          if (turns == Turns::brief) prefer_short_turns();
          serve();
        }) {
    pthread_setname_np(thread_.native_handle(), name.substr(0, 15).c_str());
  }

  ~RealWorker() override {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    wake_.notify_one();
    thread_.join();
    *alive_ = false;
  }

  void run(Task work, Task done) override {
    {
      const std::lock_guard lock(mutex_);
      queue_.emplace_back(std::move(work), std::move(done));
    }
    wake_.notify_one();
  }

 private:
  void serve() {
    for (;;) {
      std::pair<Task, Task> next;
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [this] { return ending_ || !queue_.empty(); });
        if (queue_.empty()) return;
        next = std::move(queue_.front());
        queue_.pop_front();
      }
      next.first();
      // `alive` is read and written on the loop's thread alone.
      loop_.post(
          [alive = alive_, done = std::move(next.second), work = std::move(next.first)]() mutable {
            if (*alive && done) done();
          });
    }
  }

  Loop& loop_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::pair<Task, Task>> queue_;
  bool ending_ = false;
  std::thread thread_;  // last: it uses the rest
};

Errc code_of(const ErrorCode& error) {
  if (error == asio::error::connection_refused) return Errc::connection_refused;
  if (error == asio::error::address_in_use) return Errc::address_in_use;
  if (error == asio::error::access_denied) return Errc::permission_denied;
  if (error == asio::error::timed_out) return Errc::timed_out;
  if (error == asio::error::host_not_found) return Errc::not_found;
  return Errc::connection_closed;
}

Endpoint endpoint_of(const tcp::endpoint& at) { return {at.address().to_string(), at.port()}; }

class RealStream final : public Stream, public std::enable_shared_from_this<RealStream> {
 public:
  RealStream(Loop& loop, Worker& cold_reads, tcp::socket socket)
      : loop_(loop), cold_reads_(cold_reads), socket_(std::move(socket)) {
    ErrorCode ignored;
    socket_.non_blocking(true, ignored);
    socket_.set_option(tcp::no_delay(true), ignored);
    peer_ = endpoint_of(socket_.remote_endpoint(ignored));
    local_ = endpoint_of(socket_.local_endpoint(ignored));
  }

  void set_handler(StreamHandler* handler) override {
    handler_ = handler;
    wait_readable();
  }

  Result<std::size_t> read_some(char* out, std::size_t size) override {
    for (;;) {
      const ssize_t n = ::recv(socket_.native_handle(), out, size, 0);
      if (n > 0) return static_cast<std::size_t>(n);
      if (n == 0) return fail(Errc::connection_closed, std::string(orderly_end));
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) return std::size_t{0};
      return fail(Errc::connection_closed, std::string("receive: ") + std::strerror(errno));
    }
  }

  void set_reading(bool on) override {
    reading_ = on;
    if (on) wait_readable();
  }

  void write(OutPiece piece) override {
    if (const auto* slice = std::get_if<Slice>(&piece)) {
      queued_bytes_ += slice->size();
    } else {
      queued_bytes_ += static_cast<std::size_t>(std::get<FileRange>(piece).size);
    }
    queue_.push_back(std::move(piece));
    if (flush_planned_ || waiting_writable_ || reading_cold_) return;
    flush_planned_ = true;
    loop_.post([self = shared_from_this()] {
      self->flush_planned_ = false;
      self->flush();
    });
  }

  std::size_t queued_bytes() const override { return queued_bytes_; }
  void set_send_buffer(std::size_t bytes) override {
    ErrorCode ignored;
    socket_.set_option(asio::socket_base::send_buffer_size(static_cast<int>(bytes)), ignored);
  }
  Endpoint peer() const override { return peer_; }
  Endpoint local() const override { return local_; }

  void close() override {
    handler_ = nullptr;
    queue_.clear();
    ErrorCode ignored;
    socket_.close(ignored);
  }

  void close_with(Slice last) override {
    queue_.push_back(std::move(last));
    if (socket_.is_open() && !reading_cold_) (void)send_slices();
    close();
  }

 private:
  void wait_readable() {
    if (waiting_readable_ || !reading_ || !socket_.is_open()) return;
    waiting_readable_ = true;
    socket_.async_wait(tcp::socket::wait_read, [self = shared_from_this()](const ErrorCode& error) {
      self->waiting_readable_ = false;
      if (error || self->handler_ == nullptr || !self->reading_) return;
      self->handler_->on_readable();
      self->wait_readable();
    });
  }

  void wait_writable() {
    if (waiting_writable_) return;
    waiting_writable_ = true;
    socket_.async_wait(tcp::socket::wait_write,
                       [self = shared_from_this()](const ErrorCode& error) {
                         self->waiting_writable_ = false;
                         if (!error) self->flush();
                       });
  }

  void flush() {
    while (!queue_.empty() && socket_.is_open()) {
      const bool is_file = std::holds_alternative<FileRange>(queue_.front());
      const ssize_t n = is_file ? send_file() : send_slices();
      if (n == cold) return;
      if (n < 0) {
        if (errno == EINTR) continue;
        if (errno == EAGAIN || errno == EWOULDBLOCK) return wait_writable();
        return fail_with(std::string("send: ") + std::strerror(errno));
      }
      if (n == 0) return fail_with("a file that was being sent became shorter");
    }
    if (queue_.empty() && handler_ != nullptr) handler_->on_drained();
  }

  ssize_t send_slices() {
    std::array<iovec, 64> batch;
    std::size_t count = 0;
    for (const auto& piece : queue_) {
      const auto* slice = std::get_if<Slice>(&piece);
      if (slice == nullptr || count == batch.size()) break;
      const std::size_t skip = count == 0 ? sent_of_front_ : 0;
      batch[count++] = {const_cast<char*>(slice->data()) + skip, slice->size() - skip};
    }
    msghdr message{};
    message.msg_iov = batch.data();
    message.msg_iovlen = count;
    const bool more = count < queue_.size();
    const ssize_t n =
        ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
    if (n > 0) drop_sent(static_cast<std::size_t>(n));
    return n;
  }

  void drop_sent(std::size_t n) {
    queued_bytes_ -= n;
    n += sent_of_front_;
    while (!queue_.empty()) {
      const auto* slice = std::get_if<Slice>(&queue_.front());
      if (slice == nullptr || n < slice->size()) break;
      n -= slice->size();
      queue_.pop_front();
    }
    sent_of_front_ = n;
  }

  static constexpr ssize_t cold = -2;

  // Sends from the page cache; bytes that would have to come from the disk are fetched by a worker,
  // so that the loop never waits for a disk.
  ssize_t send_file() {
    auto& range = std::get<FileRange>(queue_.front());
    const auto* file = dynamic_cast<const NativeFile*>(range.file.get());
    check(file != nullptr, "a range of a file that is not the machine's");
    const std::uint64_t want = std::min(range.size, file_chunk_bytes);
    const std::uint64_t there = warm_bytes(*file, range.offset, want);
    if (there == 0) {
      fetch_cold(range.file, range.offset, std::min(want, warm_step));
      return cold;
    }
    auto offset = static_cast<off_t>(range.offset);
    const ssize_t n = ::sendfile(socket_.native_handle(), file->descriptor(), &offset, there);
    if (n > 0) {
      const auto sent = static_cast<std::size_t>(n);
      queued_bytes_ -= sent;
      range.offset += sent;
      range.size -= sent;
      if (range.size == 0) queue_.pop_front();
    }
    return n;
  }

  /// How many of the next `want` bytes are in memory.
  static std::uint64_t warm_bytes(const NativeFile& file, std::uint64_t at, std::uint64_t want) {
    std::uint64_t there = 0;
    while (there < want) {
      const std::uint64_t next = std::min(there + warm_step, want);
      if (!warm(file, at + next - 1)) break;
      there = next;
    }
    return there;
  }

  static bool warm(const NativeFile& file, std::uint64_t last_byte) {
    char byte = 0;
    const iovec one{&byte, 1};
    const ssize_t n =
        ::preadv2(file.descriptor(), &one, 1, static_cast<off_t>(last_byte), RWF_NOWAIT);
    return n >= 0 || (errno != EAGAIN && errno != EINTR);
  }

  void fetch_cold(std::shared_ptr<const File> file, std::uint64_t offset, std::size_t size) {
    reading_cold_ = true;
    cold_reads_.run(
        [file = std::move(file), offset, size] {
          const auto buffer = std::make_unique<char[]>(size);
          (void)file->read_at(offset, buffer.get(), size);  // an error shows again when it is sent
        },
        [self = shared_from_this()] {
          self->reading_cold_ = false;
          self->flush();
        });
  }

  void fail_with(std::string why) {
    ErrorCode ignored;
    socket_.close(ignored);
    queue_.clear();
    if (handler_ != nullptr)
      std::exchange(handler_, nullptr)->on_closed(Error(Errc::connection_closed, std::move(why)));
  }

  Loop& loop_;
  Worker& cold_reads_;
  tcp::socket socket_;
  StreamHandler* handler_ = nullptr;
  Endpoint peer_;
  Endpoint local_;
  std::deque<OutPiece> queue_;
  std::size_t sent_of_front_ = 0;
  std::size_t queued_bytes_ = 0;
  bool reading_ = true;
  bool waiting_readable_ = false;
  bool waiting_writable_ = false;
  bool flush_planned_ = false;
  bool reading_cold_ = false;
};

/// The handle that users own; the shared stream lives on while an operation is under way.
class StreamHandle final : public Stream {
 public:
  explicit StreamHandle(std::shared_ptr<RealStream> stream) : stream_(std::move(stream)) {}
  ~StreamHandle() override { stream_->close(); }
  void set_handler(StreamHandler* handler) override { stream_->set_handler(handler); }
  Result<std::size_t> read_some(char* out, std::size_t size) override {
    return stream_->read_some(out, size);
  }
  void set_reading(bool on) override { stream_->set_reading(on); }
  void write(OutPiece piece) override { stream_->write(std::move(piece)); }
  std::size_t queued_bytes() const override { return stream_->queued_bytes(); }
  void set_send_buffer(std::size_t bytes) override { stream_->set_send_buffer(bytes); }
  Endpoint peer() const override { return stream_->peer(); }
  Endpoint local() const override { return stream_->local(); }
  void close() override { stream_->close(); }
  void close_with(Slice last) override { stream_->close_with(std::move(last)); }

 private:
  std::shared_ptr<RealStream> stream_;
};

/// Accepts until destroyed; out of descriptors, it waits a moment instead of spinning.
class RealListener final : public Listener {
 public:
  struct State {
    State(Loop& l, Worker& w, asio::io_context& context)
        : loop(l), cold_reads(w), acceptor(context) {}
    Loop& loop;
    Worker& cold_reads;
    tcp::acceptor acceptor;
    AcceptHandler on_accept;
  };

  explicit RealListener(std::shared_ptr<State> state) : state_(std::move(state)) { accept(state_); }
  ~RealListener() override {
    ErrorCode ignored;
    state_->acceptor.close(ignored);
  }
  Endpoint local() const override {
    ErrorCode ignored;
    return endpoint_of(state_->acceptor.local_endpoint(ignored));
  }

 private:
  static void accept(const std::shared_ptr<State>& state) {
    state->acceptor.async_accept([state](const ErrorCode& error, tcp::socket socket) {
      if (!state->acceptor.is_open()) return;
      if (error) {
        log_warn("net", "accept: " + error.message() + "; trying again soon");
        state->loop.call_after(accept_retry, [state] {
          if (state->acceptor.is_open()) accept(state);
        });
        return;
      }
      state->on_accept(std::make_unique<StreamHandle>(
          std::make_shared<RealStream>(state->loop, state->cold_reads, std::move(socket))));
      if (state->acceptor.is_open()) accept(state);
    });
  }

  std::shared_ptr<State> state_;
};

class RealNetwork final : public Network {
 public:
  RealNetwork(asio::io_context& context, Loop& loop) : context_(context), loop_(loop) {}

  Result<std::unique_ptr<Listener>> listen(const Endpoint& at, AcceptHandler on_accept) override {
    ErrorCode error;
    const auto address =
        asio::ip::make_address(at.host == "localhost" ? "127.0.0.1" : at.host, error);
    if (error)
      return fail(Errc::invalid_argument,
                  "listen on " + at.to_string() + ": want a numeric address or localhost");
    auto state = std::make_shared<RealListener::State>(loop_, cold_reads(), context_);
    const tcp::endpoint where(address, at.port);
    state->on_accept = std::move(on_accept);
    state->acceptor.open(where.protocol(), error);
    if (!error) state->acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error && address.is_v6()) state->acceptor.set_option(asio::ip::v6_only(true), error);
    if (!error) state->acceptor.bind(where, error);
    if (!error) state->acceptor.listen(1024, error);
    if (error) return fail(code_of(error), "listen on " + at.to_string() + ": " + error.message());
    return std::make_unique<RealListener>(std::move(state));
  }

  void connect(const Endpoint& to, ConnectHandler done) override {
    ErrorCode error;
    const auto address = asio::ip::make_address(to.host, error);
    if (!error) return try_next({tcp::endpoint(address, to.port)}, to, std::move(done), {});
    auto resolver = std::make_shared<tcp::resolver>(context_);
    resolver->async_resolve(
        to.host, std::to_string(to.port),
        [this, resolver, to, done = std::move(done)](const ErrorCode& failed,
                                                     const auto& results) mutable {
          if (failed)
            return done(fail(Errc::not_found, "look up " + to.host + ": " + failed.message()));
          std::deque<tcp::endpoint> where;
          for (const auto& result : results) where.push_back(result.endpoint());
          try_next(std::move(where), to, std::move(done), {});
        });
  }

 private:
  void try_next(std::deque<tcp::endpoint> where, const Endpoint& to, ConnectHandler done,
                ErrorCode last) {
    if (where.empty()) {
      loop_.post([to, last, done = std::move(done)]() mutable {
        done(fail(code_of(last), "connect to " + to.to_string() + ": " + last.message()));
      });
      return;
    }
    auto socket = std::make_shared<tcp::socket>(context_);
    const tcp::endpoint next = where.front();
    where.pop_front();
    socket->async_connect(next, [this, socket, where = std::move(where), to,
                                 done = std::move(done)](const ErrorCode& error) mutable {
      if (error) return try_next(std::move(where), to, std::move(done), error);
      done(std::make_unique<StreamHandle>(
          std::make_shared<RealStream>(loop_, cold_reads(), std::move(*socket))));
    });
  }

  Worker& cold_reads() {
    if (cold_reads_ == nullptr)
      cold_reads_ = std::make_unique<RealWorker>(loop_, "weir-read", Turns::ordinary);
    return *cold_reads_;
  }

  asio::io_context& context_;
  Loop& loop_;
  std::unique_ptr<Worker> cold_reads_;
};

/// The epoll descriptor inside asio's reactor, which asio shows to nobody. That an explicit
/// instantiation may name a private member is a rule of the language, not an accident.
template <auto member>
struct ReactorDescriptor {
  friend int reactor_descriptor(const asio::detail::epoll_reactor& reactor) {
    return reactor.*member;
  }
};
int reactor_descriptor(const asio::detail::epoll_reactor& reactor);
template struct ReactorDescriptor<&asio::detail::epoll_reactor::epoll_fd_>;

class AsioRuntime final : public RealRuntime {
 public:
  ~AsioRuntime() override {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  explicit AsioRuntime(std::unique_ptr<FileSystem> files)
      : loop_(context_),
        network_(context_, loop_),
        files_(std::move(files)),
        rng_(Rng::from_system()) {}

  Loop& loop() override { return loop_; }
  Network& network() override { return network_; }
  FileSystem& files() override { return *files_; }
  Rng& rng() override { return rng_; }
  using Runtime::make_worker;
  std::unique_ptr<Worker> make_worker(const std::string& name, Turns turns) override {
    return std::make_unique<RealWorker>(loop_, name, turns);
  }

  void run() override {
    prefer_short_turns();
    context_.restart();
    const auto keep_running = asio::make_work_guard(context_);
    context_.run();
  }

  void stop() override {
    asio::post(context_, [this] { context_.stop(); });
  }

  int descriptor() override {
    if (descriptor_ >= 0) return descriptor_;
    const int all = ::epoll_create1(EPOLL_CLOEXEC);
    if (all < 0) return -1;
    auto& reactor = asio::use_service<asio::detail::epoll_reactor>(context_);
    for (const int part : {reactor_descriptor(reactor), loop_.wake_descriptor()}) {
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.fd = part;
      if (part >= 0 && ::epoll_ctl(all, EPOLL_CTL_ADD, part, &event) == 0) continue;
      ::close(all);
      return -1;
    }
    return descriptor_ = all;
  }

  void drive() override {
    loop_.take_wake();
    context_.restart();
    // Without work asio does not look at its reactor, whose descriptor then stays readable.
    const auto keep_looking = asio::make_work_guard(context_);
    std::size_t done = 0;
    while (done < drive_tasks && context_.poll_one() > 0) ++done;
    if (done == drive_tasks) loop_.post([] {});  // there may be more
  }

  void on_signal(int signal, std::function<void()> task) override {
    auto set = std::make_shared<asio::signal_set>(context_, signal);
    wait_signal(set, std::move(task));
  }

 private:
  static void wait_signal(const std::shared_ptr<asio::signal_set>& set,
                          std::function<void()> task) {
    set->async_wait([set, task = std::move(task)](const ErrorCode& error, int) {
      if (error) return;
      task();
      wait_signal(set, task);
    });
  }

  int descriptor_ = -1;
  asio::io_context context_{1};
  RealLoop loop_;
  RealNetwork network_;
  std::unique_ptr<FileSystem> files_;
  Rng rng_;
};

}  // namespace

std::unique_ptr<RealRuntime> RealRuntime::create() { return create(make_real_file_system()); }
std::unique_ptr<RealRuntime> RealRuntime::create(std::unique_ptr<FileSystem> files) {
  return std::make_unique<AsioRuntime>(std::move(files));
}

}  // namespace weir::io
