// What a client asks a Restate server about runs on it: to start one, which there are, what is recorded of one, to hand
// it a message. Knows requests and rows; nothing of what they lead to.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/model/time.h"
#include "engine/restate/messages.h"
#include "engine/restate/place.h"

namespace flowrun {

/// A run as the server lists it.
struct ServerRun {
  std::string invocation;  ///< id of the server for it
  std::string id;          ///< ours
  std::string status;      ///< `running`, `suspended`, `backing-off`, `paused`, `completed`, ...
  std::string trouble;     ///< why the server tries again, or does not go on; empty: all is well
  Instant created{};
};

/// What a worker has asked the server for.
struct RecordedCommand {
  restate::FrameType type{};
  std::string name;
};

/// What the server has recorded of a run, from one entry on.
struct ServerJournal {
  std::string input;  ///< when it was asked for from the beginning
  std::vector<restate::Notification> notifications;
  std::vector<RecordedCommand> commands;  ///< without the input and the output
  std::int64_t next = 0;                  ///< where to go on
};

/// Each call blocks until it is answered, and throws Error(Impossible) that says what to do when it is not as it should
/// be.
class DetachedServer {
 public:
  explicit DetachedServer(restate::Place place) : place_(std::move(place)) {}
  /// |text| is that of |option|, `restate=URL[,admin=URL]`; throws Error(Usage) for another.
  static DetachedServer at(const std::string& text, const std::string& option);
  const restate::Place& place() const { return place_; }

  /// Starts the run |id|; false: the server has one of that id already.
  bool start(const std::string& id, std::string input) const;
  /// RUN of the command line: an id of ours or of the server, a unique prefix or last part, @last; empty: the newest.
  ServerRun find(const std::string& run) const;
  /// The newest first.
  std::vector<ServerRun> list(int limit) const;
  /// How |run| stands now, and what keeps its steps from going on.
  ServerRun look(const ServerRun& run) const;
  ServerJournal read(const ServerRun& run, std::int64_t from) const;
  void send(const ServerRun& run, std::string mail) const;

 private:
  std::vector<ServerRun> select(const std::string& where, int limit) const;
  restate::Place place_;
};

}  // namespace flowrun
