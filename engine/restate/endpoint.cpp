#include "engine/restate/endpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "engine/executor/spawn.h"
#include "engine/executor/work_clock.h"
#include "engine/model/error.h"
#include "engine/restate/manifest.h"

namespace flowrun::restate {
namespace {

constexpr std::string_view kInvocationType = "application/vnd.restate.invocation.v";
constexpr std::size_t kHandlerThreads = 8;
constexpr Duration kLastGrace{1000};  // when it is asked for an end twice
constexpr std::chrono::milliseconds kReap{200};

std::string one_error(std::uint32_t code, std::string_view message) {
  std::string frames;
  append_frame(frames, FrameType::Error, error_message(code, message));
  return frames;
}

}  // namespace

bool invoked_by(std::string_view target, std::string& service, std::string& handler) {
  const std::string_view path = signed_path(target);
  constexpr std::string_view kInvoke = "/invoke/";
  if (!path.starts_with(kInvoke)) return false;
  const std::string_view rest = path.substr(kInvoke.size());
  const std::size_t slash = rest.find('/');
  if (slash == std::string_view::npos) return false;
  service = rest.substr(0, slash);
  handler = rest.substr(slash + 1);
  return !service.empty() && !handler.empty();
}

int protocol_from(std::string_view content_type) {
  if (!content_type.starts_with(kInvocationType)) return 0;
  const std::string_view digits = content_type.substr(kInvocationType.size());
  return digits.size() == 1 && digits[0] >= '1' && digits[0] <= '9' ? digits[0] - '0' : 0;
}

Endpoint::Endpoint(WorkerOptions options, Say say)
    : options_(std::move(options)), say_(std::move(say)), identity_(options_.keys), folder_(options_.state) {
  prepare_spawns();
  server_ = std::make_unique<HttpListener>(
      loop_, options_.listen, HttpListenerLimits{},
      [this](std::uint64_t id, HttpMessage request) { on_request(id, std::move(request)); },
      [this](std::uint64_t id) {
        protocols_.erase(id);
        if (const auto called = called_.find(id); called != called_.end()) called->second->gone = true;
        called_.erase(id);
        steps_->gone(id);
      },
      [this](int status, const std::string& why) {
        // What a person can mend is told once.
        const bool hint = (status == 505 || status == 401) && std::exchange(hinted_, status) != status;
        say_(fmt::format("refused a request with {}: {}", status, why), !hint);
      });
  steps_ = std::make_unique<WorkerSteps>(
      folder_, options_.workdir, options_.jobs, loop_.wakeup_fd(),
      [this](std::uint64_t id, std::string frames) { answer_frames(id, std::move(frames)); },
      [this](const std::string& line) { say_(line, true); });
}

Endpoint::~Endpoint() {
  {
    std::lock_guard lock(mutex_);
    quit_ = true;
  }
  more_work_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Endpoint::serve(const std::function<int()>& asked) {
  int heard = 0;
  auto reaped = std::chrono::steady_clock::now();
  for (;;) {
    loop_.turn();
    settle();
    if (const auto now = std::chrono::steady_clock::now(); now - reaped > kReap) {
      reaped = now;
      reap_orphans();
      steps_->tidy();
    }
    const int ends = asked();
    if (ends >= 1 && heard < 1) {
      draining_ = true;
      say_("takes nothing new; what runs may finish", false);
      server_->drain();
      steps_->drain();
    }
    if (ends >= 2 && heard < 2) {
      say_("stops what runs", false);
      steps_->stop_all(kLastGrace);
    }
    heard = ends;
    if (draining_ && steps_->size() == 0 && called_.empty() && server_->busy() == 0) return;
  }
}

void Endpoint::settle() {
  steps_->settle();
  std::vector<Done> all;
  done_.take(all);
  for (Done& one : all) {
    called_.erase(one.request);
    answer_frames(one.request, std::move(one.frames));
  }
}

void Endpoint::on_request(std::uint64_t id, HttpMessage request) {
  const std::string refusal = identity_.refusal(request.target, request.header("x-restate-signature-scheme"),
                                                request.header("x-restate-jwt-v1"), wall_clock());
  if (!refusal.empty()) {
    say_(fmt::format("refused a request with 401: {}", refusal), std::exchange(hinted_, 401) == 401);
    return refuse(id, 401, refusal);
  }
  std::string service, handler;
  if (signed_path(request.target) == "/discover") {
    if (request.method != "GET") return refuse(id, 405, "GET it");
    discover(id, request);
  } else if (invoked_by(request.target, service, handler)) {
    if (request.method != "POST") return refuse(id, 405, "POST it");
    if (draining_) return refuse(id, 503, "this worker is about to end");
    invoke(id, std::move(request), service, handler);
  } else {
    refuse(id, 404, "a worker has /discover and /invoke/SERVICE/HANDLER");
  }
}

void Endpoint::discover(std::uint64_t id, const HttpMessage& request) {
  const int version = manifest_version(request.header("accept"));
  if (version == 0)
    return refuse(id, 415,
                  fmt::format("this worker describes itself in {} to {}", manifest_content_type(kOldestManifest),
                              manifest_content_type(kNewestManifest)));
  server_->answer(id,
                  {200,
                   {{"content-type", manifest_content_type(version)}, {"x-restate-server", "flowrun/" FLOWRUN_VERSION}},
                   manifest_text(version, options_.pool, options_.more)});
}

const OfferedHandler* Endpoint::offered(const std::string& service, const std::string& handler) const {
  for (const OfferedHandler& one : options_.more)
    if (one.name == handler && service_name(options_.pool) + one.suffix == service) return &one;
  return nullptr;
}

void Endpoint::invoke(std::uint64_t id, HttpMessage request, const std::string& service, const std::string& handler) {
  const bool step = service == service_name(options_.pool) && handler == "step";
  const OfferedHandler* other = offered(service, handler);
  if (!step && !other)
    return refuse(
        id, 404,
        fmt::format("this worker has no {}/{}; does the server know another worker by its address?", service, handler));
  const int protocol = protocol_from(request.header("content-type"));
  if (protocol < kOldestProtocol || protocol > kNewestProtocol)
    return refuse(
        id, 415,
        fmt::format("this worker speaks versions {} to {} of the service protocol", kOldestProtocol, kNewestProtocol));
  std::shared_ptr<Invocation> invocation;
  try {
    invocation = std::make_shared<Invocation>(service, handler, protocol, std::move(request.body));
  } catch (const Error& error) {
    say_(fmt::format("refused a call of {}/{}: {}", service, handler, error.what()), true);
    return refuse(id, 400, error.what());
  }
  protocols_[id] = protocol;
  if (step) {
    try {
      return steps_->begin(id, *invocation);
    } catch (const std::exception& error) {
      // What another sends, or a machine without a thread to spare, ends this call and no other.
      protocols_.erase(id);
      say_(fmt::format("refused a call of {}/{}: {}", service, handler, error.what()), true);
      return refuse(id, dynamic_cast<const Corruption*>(&error) ? 400 : 503, error.what());
    }
  }
  called_[id] = invocation;
  hand_over({id, other, std::move(invocation)});
}

void Endpoint::answer_frames(std::uint64_t id, std::string frames) {
  const auto found = protocols_.find(id);
  if (found == protocols_.end()) return;
  const int protocol = found->second;
  protocols_.erase(found);
  if (frames.empty()) return refuse(id, 503, "this worker is about to end, or was asked twice");
  server_->answer(id, {200,
                       {{"content-type", fmt::format("{}{}", kInvocationType, protocol)},
                        {"x-restate-server", "flowrun/" FLOWRUN_VERSION}},
                       std::move(frames)});
}

void Endpoint::refuse(std::uint64_t id, int status, const std::string& why) {
  HttpAnswer answer{status, {{"content-type", "text/plain; charset=utf-8"}}, why + "\n"};
  if (status == 503) answer.headers.emplace_back("retry-after", "1");
  if (status == 405) answer.headers.emplace_back("allow", why.substr(0, why.find(' ')));
  server_->answer(id, std::move(answer));
}

void Endpoint::hand_over(Work work) {
  std::lock_guard lock(mutex_);
  work_.push_back(std::move(work));
  if (threads_.size() < kHandlerThreads && threads_.size() < work_.size() + called_.size())
    threads_.emplace_back([this] { this->work(); });
  more_work_.notify_one();
}

void Endpoint::work() {
  for (;;) {
    Work next;
    {
      std::unique_lock lock(mutex_);
      more_work_.wait(lock, [&] { return quit_ || !work_.empty(); });
      if (quit_) return;
      next = std::move(work_.front());
      work_.pop_front();
    }
    std::string frames = next.invocation->gone ? "" : call(*next.handler, *next.invocation);
    done_.post({next.request, std::move(frames)});
  }
}

std::string Endpoint::call(const OfferedHandler& handler, const Invocation& invocation) const {
  try {
    return handler.call(invocation);
  } catch (const Corruption& error) {
    return one_error(kJournalMismatch, error.what());
  } catch (const std::exception& error) {
    return one_error(500, error.what());
  }
}

}  // namespace flowrun::restate
