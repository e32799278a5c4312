// The HTTP transfers of one worker, by libcurl's multi interface. One thread.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

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
  void ready(int socket, std::uint32_t events);
  void due();
  /// Takes in what has ended and lets waiting transfers begin; after each round of the loop.
  void settle();

 private:
  void make_multi();
  friend struct Transfer;
  struct Host {
    enum class State { Unknown, Connecting, Known } state = State::Unknown;
    std::deque<std::unique_ptr<Transfer>> waiting;
  };

  static int on_socket(void* easy, int socket, int what, void* self, void* known);
  static int on_timer(void* multi, long ms, void* self);
  void start(std::unique_ptr<Transfer> transfer);
  void refuse(Transfer& transfer, std::string why);
  /// True: the transfer goes on at another place.
  bool follow(Transfer& transfer, int code);
  void finish(void* easy, int code);
  void cancel(Transfer& transfer);

  Worker& worker_;
  void* multi_ = nullptr;  ///< made for the first transfer
  std::unordered_map<void*, std::unique_ptr<Transfer>> running_;
  std::unordered_map<std::string, Transfer*> by_path_;
  std::unordered_map<std::string, Host> hosts_;
  std::vector<Transfer*> first_;        ///< to their hosts, and not connected yet
  std::vector<std::string> connected_;  ///< hosts whose first transfer has got through, or ended
  std::vector<void*> idle_;             ///< easy handles to be used again
};

}  // namespace flowrun
