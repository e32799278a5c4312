// A run on a Restate server as a journal on this machine, in a folder that is gone afterwards: what looks at runs looks
// at it. Writes nothing to the server.
#pragma once

#include <memory>
#include <string>

#include "engine/journal/journal.h"
#include "engine/run/detached_server.h"

namespace flowrun {

class DetachedCopy {
 public:
  /// Copies |run|, as DetachedServer::find() takes it. Throws Error(Impossible) when there is none, or this flowrun can
  /// not read it.
  DetachedCopy(DetachedServer server, const std::string& run);
  ~DetachedCopy();
  DetachedCopy(const DetachedCopy&) = delete;
  DetachedCopy& operator=(const DetachedCopy&) = delete;

  /// Adds what the server has recorded since.
  void refresh();

  const DetachedServer& server() const { return server_; }
  const ServerRun& on_server() const { return run_; }
  const std::string& id() const { return id_; }
  /// The path of the journal.
  const std::string& path() const { return path_; }
  /// Whether more may happen: it has not ended, and nobody has ended it from outside.
  bool goes_on() const;
  /// What keeps it from going on, or has ended it from outside; empty: nothing.
  std::string trouble() const;

 private:
  struct Replica;
  void take(const ServerJournal& recorded);
  void write();

  const DetachedServer server_;
  ServerRun run_;
  std::string id_, folder_, path_;
  std::int64_t next_ = 0;
  std::size_t compared_ = 0;  ///< commands
  std::unique_ptr<Replica> replica_;
};

}  // namespace flowrun
