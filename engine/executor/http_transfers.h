// The HTTP transfers of one worker, by libcurl's multi interface. One thread.
//
// libcurl looks through all connections to a host, one by one, for a free one: thousands of transfers at once spread
// over lanes, a multi handle each with its own connections and looked-up names. Few transfers stay in the first lane.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/executor/event_loop.h"
#include "engine/executor/pool_shared.h"
#include "engine/executor/sockets.h"

namespace flowrun {

class Transfer;

class Http {
 public:
  /// Both outlive it. REQUIRES: only the thread of |loop| calls its functions.
  Http(PoolShared& shared, EventLoop& loop);
  ~Http();

  void begin(Task task);
  void stop(const std::string& path, int attempt);
  void stop_all();

  /// Handles the transfers that have ended, and begins those that waited for them. Call after each turn of the loop.
  void settle();

 private:
  struct Host {
    enum class State { Unknown, Asked, Known } state = State::Unknown;
    std::deque<std::unique_ptr<Transfer>> waiting;
  };
  struct Lane {
    Http& http;
    const std::size_t number;
    void* multi = nullptr;
    std::size_t transfers = 0;                                 ///< under way, and waiting for the first to their host
    std::optional<std::chrono::steady_clock::time_point> due;  ///< when libcurl wants to be called
    std::unordered_map<std::string, Host> hosts;
  };

  /// |id| is what the socket was watched with.
  void on_ready(std::uint64_t id, std::uint32_t events);
  /// A time that libcurl has asked for has come.
  void on_due();
  /// Ends what had taken too long when the turn began.
  void end_overdue();
  /// Looks for such transfers at |at| at the latest.
  void look_by(WorkClock::time_point at);
  static int on_socket(Lane& lane, int socket, int what);
  void on_timer(Lane& lane, long ms);
  /// The first that is not full; makes one if need be.
  Lane& lane_with_room();
  Lane& lane_of(const Transfer& transfer);
  void leave(const Transfer& transfer);
  void start(std::unique_ptr<Transfer> transfer);
  void refuse(Transfer& transfer, Failure why);
  /// True: the transfer goes on at another place.
  bool follow(Transfer& transfer, int code);
  void finish(void* easy, int code);
  void cancel(Transfer& transfer);
  /// Ends it before libcurl does, with this result.
  void give_up(Transfer& transfer, Result result);
  /// True: it could not connect while flowrun was frozen, and tries again.
  bool connect_again(Transfer& transfer, int code);

  PoolShared& shared_;
  EventLoop& loop_;
  const EventLoop::HandlerId overdue_, due_;
  WorkClock::time_point look_at_ = WorkClock::time_point::max();
  Sockets sockets_;
  std::vector<std::unique_ptr<Lane>> lanes_;  ///< none before the first transfer
  std::unordered_map<void*, std::unique_ptr<Transfer>> running_;
  std::unordered_map<std::string, Transfer*> by_path_;
  struct Located {
    std::size_t lane;
    std::string host;
  };
  std::vector<Transfer*> first_;  ///< to their hosts, whose names are not looked up yet
  std::vector<Located> located_;  ///< hosts whose first transfer has the address, or ended
  std::vector<void*> idle_;       ///< easy handles to be used again
};

}  // namespace flowrun
