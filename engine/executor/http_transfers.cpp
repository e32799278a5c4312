#include "engine/executor/http_transfers.h"

#include <sys/epoll.h>

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <utility>

#include "engine/executor/redirect.h"
#include "engine/executor/transfer.h"
#include "engine/model/error.h"

namespace flowrun {
namespace {

constexpr long kMostConnections = 8192;  // kept open after their transfers
constexpr std::size_t kCrowd = 256;      // from so many at once memory counts more than fewer reads
constexpr std::size_t kLaneWidth = 256;  // a lane's transfers at once
constexpr std::size_t kMostIdle = 64;    // easy handles kept for the next transfers

}  // namespace

Http::Http(PoolShared& shared, EventLoop& loop)
    : shared_(shared),
      loop_(loop),
      overdue_(loop.add([this](auto, auto) { end_overdue(); })),
      due_(loop.add([this](auto, auto) { on_due(); })),
      sockets_(loop, loop.add([this](std::uint64_t id, std::uint32_t events) { on_ready(id, events); })) {}

Http::~Http() {
  for (auto& [easy, transfer] : running_) {
    libcurl().curl_multi_remove_handle(lane_of(*transfer).multi, easy);
    libcurl().curl_easy_cleanup(easy);
  }
  for (void* easy : idle_) libcurl().curl_easy_cleanup(easy);
  for (auto& lane : lanes_) libcurl().curl_multi_cleanup(lane->multi);
}

Http::Lane& Http::lane_of(const Transfer& transfer) { return *lanes_[transfer.lane]; }

Http::Lane& Http::lane_with_room() {
  for (auto& lane : lanes_)
    if (lane->transfers < kLaneWidth) return *lane;
  auto lane = std::make_unique<Lane>(Lane{*this, lanes_.size(), libcurl().curl_multi_init(), 0, {}, {}});
  if (!lane->multi) throw Error(Problem::Internal, "libcurl can not start");
  auto set = [&lane](CURLMoption option, auto value) { libcurl().curl_multi_setopt(lane->multi, option, value); };
  set(
      CURLMOPT_SOCKETFUNCTION, +[](CURL*, curl_socket_t socket, int what, void* self, void*) {
        return on_socket(*static_cast<Lane*>(self), socket, what);
      });
  set(CURLMOPT_SOCKETDATA, lane.get());
  set(
      CURLMOPT_TIMERFUNCTION, +[](CURLM*, long ms, void* self) {
        Lane& of = *static_cast<Lane*>(self);
        of.http.on_timer(of, ms);
        return 0;
      });
  set(CURLMOPT_TIMERDATA, lane.get());
  // By default the cache shrinks with the transfers under way, and a lull would close what the next wave needs.
  set(CURLMOPT_MAXCONNECTS, kMostConnections);
  return *lanes_.emplace_back(std::move(lane));
}

int Http::on_socket(Lane& lane, int socket, int what) {
  std::uint32_t events = 0;
  if (what == CURL_POLL_IN || what == CURL_POLL_INOUT) events |= EPOLLIN;
  if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT) events |= EPOLLOUT;
  lane.http.sockets_.want(socket, events, lane.number << 32 | static_cast<std::uint64_t>(socket));
  return 0;
}

void Http::on_timer(Lane& lane, long ms) {
  lane.due.reset();
  if (ms >= 0) lane.due = std::chrono::steady_clock::now() + Duration(ms);
  std::optional<std::chrono::steady_clock::time_point> next;
  for (const auto& each : lanes_)
    if (each->due && (!next || *each->due < *next)) next = each->due;
  loop_.set_steady_timer(due_, next);
}

void Http::begin(Task task) {
  if (!shared_.may_begin(task)) return;
  const Mask& mask = shared_.mask_of(task);
  auto transfer = std::make_unique<Transfer>(std::move(task), mask, loop_.now());
  auto can_not = [&](const char* type, const char* why) {
    Result result;
    result.failure = Failure{type, why};
    result.sent = false;
    shared_.tell_ended(transfer->task, std::move(result));
  };
  try {
    shared_.secrets().fill(transfer->task, &shared_.secret_outputs);
    if (transfer->asked().response == HttpRequest::Response::File) shared_.make_run_dir();
  } catch (const Error& error) {
    return can_not("internal", error.what());
  } catch (const std::runtime_error& error) {
    return can_not("expression", error.what());
  }
  transfer->host = host_of(transfer->asked().url);
  look_by(transfer->look_at(transfer->begun));
  Lane& lane = lane_with_room();
  transfer->lane = lane.number;
  ++lane.transfers;
  // The first to a new host goes alone: each of many at once would look its name up, in a thread of its own.
  Host& host = lane.hosts[transfer->host];
  if (host.state == Host::State::Asked) {
    by_path_[transfer->task.path] = transfer.get();
    host.waiting.push_back(std::move(transfer));
    return;
  }
  if (host.state == Host::State::Unknown) {
    host.state = Host::State::Asked;
    first_.push_back(transfer.get());
  }
  start(std::move(transfer));
}

void Http::start(std::unique_ptr<Transfer> transfer) {
  transfer->lost = shared_.clock.lost();
  CURL* idle = nullptr;
  if (!idle_.empty()) {
    idle = idle_.back();
    idle_.pop_back();
  }
  if (!transfer->take_handle(idle, sockets_)) {
    refuse(*transfer, {"internal", "libcurl is out of memory"});
    return;
  }
  if (auto trouble = transfer->prepare(shared_.folder, running_.size() >= kCrowd)) {
    refuse(*transfer, std::move(*trouble));
    transfer->give_handle_back(false);
    return;
  }
  by_path_[transfer->task.path] = transfer.get();
  void* multi = lane_of(*transfer).multi;
  CURL* easy = transfer->easy;
  running_[easy] = std::move(transfer);
  libcurl().curl_multi_add_handle(multi, easy);
}

void Http::leave(const Transfer& transfer) {
  --lane_of(transfer).transfers;
  // A later attempt may have its place already.
  if (auto known = by_path_.find(transfer.task.path); known != by_path_.end() && known->second == &transfer)
    by_path_.erase(known);
  if (std::erase(first_, &transfer) > 0) located_.push_back({transfer.lane, transfer.host});
}

void Http::refuse(Transfer& transfer, Failure why) {
  Result result = transfer.failed(std::move(why), loop_.now());
  leave(transfer);
  shared_.tell_ended(transfer.task, std::move(result));
}

void Http::on_ready(std::uint64_t id, std::uint32_t events) {
  const int socket = static_cast<int>(id & 0xffffffff);
  if (!sockets_.wanted(socket)) return;
  int mask = 0;
  if (events & EPOLLIN) mask |= CURL_CSELECT_IN;
  if (events & EPOLLOUT) mask |= CURL_CSELECT_OUT;
  if (events & (EPOLLERR | EPOLLHUP)) mask |= CURL_CSELECT_ERR;
  int running = 0;
  libcurl().curl_multi_socket_action(lanes_[id >> 32]->multi, socket, mask, &running);
}

void Http::on_due() {
  const auto now = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < lanes_.size(); ++i) {  // what it does may begin others, in lanes of their own
    if (!lanes_[i]->due || *lanes_[i]->due > now) continue;
    on_timer(*lanes_[i], -1);
    int running = 0;
    libcurl().curl_multi_socket_action(lanes_[i]->multi, CURL_SOCKET_TIMEOUT, 0, &running);
  }
}

void Http::settle() {
  for (;;) {
    int left = 0;
    for (const auto& lane : lanes_)
      while (CURLMsg* message = libcurl().curl_multi_info_read(lane->multi, &left))
        if (message->msg == CURLMSG_DONE) finish(message->easy_handle, message->data.result);
    std::erase_if(first_, [this](const Transfer* first) {
      const bool located = first->located();
      if (located) located_.push_back({first->lane, first->host});
      return located;
    });
    if (located_.empty()) return;
    std::vector<Located> located;
    located.swap(located_);
    for (const Located& of : located) {
      Host& host = lanes_[of.lane]->hosts[of.host];
      if (host.state == Host::State::Known) continue;
      host.state = Host::State::Known;
      std::deque<std::unique_ptr<Transfer>> waiting;
      waiting.swap(host.waiting);
      for (auto& transfer : waiting) start(std::move(transfer));
    }
  }
}

bool Http::follow(Transfer& transfer, int code) {
  if (!transfer.redirected(static_cast<CURLcode>(code))) return false;
  CURL* easy = transfer.easy;
  void* multi = lane_of(transfer).multi;
  libcurl().curl_multi_remove_handle(multi, easy);
  if (!transfer.prepare_redirect()) return false;
  transfer.lost = shared_.clock.lost();
  libcurl().curl_multi_add_handle(multi, easy);
  return true;
}

bool Http::connect_again(Transfer& transfer, int code) {
  if (!transfer.may_connect_again(static_cast<CURLcode>(code), shared_.clock)) return false;
  CURL* easy = transfer.easy;
  void* multi = lane_of(transfer).multi;
  libcurl().curl_multi_remove_handle(multi, easy);
  libcurl().curl_multi_add_handle(multi, easy);
  return true;
}

void Http::look_by(WorkClock::time_point at) {
  if (at >= look_at_) return;
  look_at_ = at;
  loop_.set_timer(overdue_, at);
}

void Http::end_overdue() {
  const WorkClock::time_point now = loop_.turn_began();
  look_at_ = WorkClock::time_point::max();
  std::vector<Transfer*> overdue;
  for (auto& [path, transfer] : by_path_) {
    if (transfer->overdue(now))
      overdue.push_back(transfer);
    else
      look_by(transfer->look_at(now));
  }
  for (Transfer* transfer : overdue) give_up(*transfer, transfer->result(CURLE_OPERATION_TIMEDOUT, loop_.now()));
}

void Http::finish(void* easy, int code) {
  auto found = running_.find(easy);
  if (found == running_.end()) return;
  if (follow(*found->second, code) || connect_again(*found->second, code)) return;
  std::unique_ptr<Transfer> transfer = std::move(found->second);
  running_.erase(found);
  Result result = transfer->result(static_cast<CURLcode>(code), loop_.now());
  libcurl().curl_multi_remove_handle(lane_of(*transfer).multi, easy);
  if (CURL* idle = transfer->give_handle_back(code == CURLE_OK && idle_.size() < kMostIdle)) idle_.push_back(idle);
  leave(*transfer);
  // First what is left of it, such as an incomplete file, then the word that it is over.
  Task task = std::move(transfer->task);
  transfer.reset();
  shared_.tell_ended(task, std::move(result));
}

void Http::stop(const std::string& path, int attempt) {
  auto found = by_path_.find(path);
  if (found != by_path_.end() && found->second->task.attempt == attempt) cancel(*found->second);
}

void Http::stop_all() {
  std::vector<Transfer*> all;
  for (auto& [path, transfer] : by_path_) all.push_back(transfer);
  for (Transfer* transfer : all) cancel(*transfer);
}

void Http::cancel(Transfer& transfer) { give_up(transfer, transfer.failed({"cancelled", "stopped"}, loop_.now())); }

void Http::give_up(Transfer& transfer, Result result) {
  Task task = transfer.task;
  leave(transfer);
  Lane& lane = lane_of(transfer);
  if (transfer.easy) {
    CURL* easy = transfer.easy;
    libcurl().curl_multi_remove_handle(lane.multi, easy);
    libcurl().curl_easy_cleanup(easy);  // first, as its options point into the transfer
    running_.erase(easy);
  } else {
    std::erase_if(lane.hosts[transfer.host].waiting, [&](const auto& waiting) { return waiting.get() == &transfer; });
  }
  shared_.tell_ended(task, std::move(result));
}

}  // namespace flowrun
