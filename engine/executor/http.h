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

#include "engine/executor/sockets.h"
#include "engine/executor/worker.h"

namespace flowrun {

struct Transfer;

class Http {
 public:
  explicit Http(Worker& worker);
  ~Http();

  void begin(Task task);
  void stop(const std::string& path, int attempt);
  void stop_all();

  // What the loop saw.
  /// |id| is what the socket was registered with.
  void ready(std::uint64_t id, std::uint32_t events);
  void due();
  /// Takes in what has ended and lets waiting transfers begin; after each round of the loop.
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

  static int on_socket(Lane& lane, int socket, int what);
  void on_timer(Lane& lane, long ms);
  /// The first that is not full; makes one if need be.
  Lane& lane_with_room();
  Lane& lane_of(const Transfer& transfer);
  void leave(const Transfer& transfer);
  void start(std::unique_ptr<Transfer> transfer);
  void refuse(Transfer& transfer, Failure why);
  using Time = std::chrono::steady_clock::time_point;
  /// Counts the seconds in which the loop runs, and looks which transfers idle.
  void beat(Time now);
  /// Ends transfers whose time is over.
  void end_late(Time now);
  Time ends(const Transfer& transfer) const;
  /// How long |transfer| may wait for another that looks the name of its host up: that is part of connecting.
  Time waits_until(const Transfer& transfer) const;
  /// Tells the worker when to call due().
  void set_alarm();
  /// Ends the transfers that have waited for another to their host for as long as they may.
  void end_waiting(Time now);
  /// True: the transfer goes on at another place.
  bool follow(Transfer& transfer, int code);
  void finish(void* easy, int code);
  void cancel(Transfer& transfer);

  Worker& worker_;
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
  /// When the first of those that wait for these has waited for long enough.
  std::optional<std::chrono::steady_clock::time_point> waited_;
  std::optional<std::chrono::steady_clock::time_point> beat_;  ///< the last; none while nothing is under way
  std::optional<std::chrono::steady_clock::time_point> late_;  ///< when the first time of those under way is over
  /// Time in which the loop was to run and did not, because the process was stopped: it is nobody's time.
  Duration lost_{0};
  std::vector<void*> idle_;  ///< easy handles to be used again
};

}  // namespace flowrun
