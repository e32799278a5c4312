// Sends spans to a collector by OTLP over HTTP, as JSON, in a thread of its own: who hands them over never waits for
// the network. Knows what a collector answers; not what spans are.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/model/time.h"

namespace flowrun {

struct OtlpTarget {
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  Duration timeout{10000};  ///< of one request
  std::string head, tail;   ///< of the JSON of a request, around its spans with commas between them
};

/// What became of the spans that were handed over.
struct OtlpReport {
  std::size_t sent = 0;
  std::size_t lost = 0;     ///< not delivered
  std::size_t refused = 0;  ///< delivered, and not taken
  std::string trouble;      ///< the first that went wrong; empty: nothing
  std::string words;        ///< of the collector, when it has refused some or warns
};

class OtlpSender {
 public:
  /// Begins a thread, and loads libcurl there, when there is something to be sent.
  explicit OtlpSender(OtlpTarget target);
  /// Gives up what is not sent.
  ~OtlpSender();
  OtlpSender(const OtlpSender&) = delete;
  OtlpSender& operator=(const OtlpSender&) = delete;

  /// |span|: a JSON object. Never blocks. False: too many wait already, and this one is lost.
  bool add(std::string span);
  /// Waits until fewer than |count| are left, and they are not too long, at most |most|. False: they are not.
  bool wait_for_fewer(std::size_t count, Duration most);
  /// Sends what is left, and gives up after |most|, or when |enough|, which is asked ten times a second. Nothing is
  /// added any more.
  OtlpReport finish(Duration most, const std::function<bool()>& enough = {});

 private:
  using Clock = std::chrono::steady_clock;
  enum class Delivery { Taken, TryAgain, Lost };
  class Post;

  void run();
  /// What is to go out next; empty: nothing more comes.
  std::vector<std::string> next_batch();
  void deliver(Post& post, const std::vector<std::string>& batch);
  Delivery judge(long status, const std::string& answer, std::size_t count);
  void note_trouble(std::string what);
  /// False: nobody waits for a further try.
  bool may_try_again(int tries);

  const OtlpTarget target_;
  std::mutex mutex_;
  std::condition_variable changed_;
  // Behind the mutex.
  std::deque<std::string> waiting_;
  std::size_t bytes_ = 0;    ///< of those that wait
  std::size_t in_hand_ = 0;  ///< spans that are being sent
  Clock::time_point since_;  ///< when the first that waits was added
  bool closing_ = false, given_up_ = false, over_ = false;
  OtlpReport report_;
  std::thread thread_;
};

}  // namespace flowrun
