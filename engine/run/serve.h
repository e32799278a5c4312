// A worker with all that it offers: attempts of others' runs. Knows where a worker keeps its files; prints nothing.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/executor/leftovers.h"

namespace flowrun {

struct ServeOptions {
  std::string listen = "127.0.0.1:9080";  ///< ADDRESS:PORT; port 0: any that is free
  std::string pool;                       ///< `pool` of the steps that it carries out; empty: those without
  std::string workdir;                    ///< absolute; stands for the folder of each run
  std::string journal;                    ///< a worker's files are beside it, in `worker/`; it is not opened
  int jobs = 0;                           ///< processes at once, of all runs; 0: as in a run without -j
  std::vector<std::string> keys;          ///< public keys of servers; empty: anybody may ask
};

/// What a worker is, once it listens.
struct Serving {
  std::string address;  ///< ADDRESS:PORT
  std::string service;  ///< as a server names it
  std::vector<Leftover> leftovers;
};

struct ServeObserver {
  std::function<void(const Serving&)> ready;
  /// A line for people; |detail|: for who wants to see each attempt.
  std::function<void(const std::string& line, bool detail)> say;
  /// 0: go on. 1: what runs may finish, and nothing new begins. 2 or more: it is stopped. Asked several times a second.
  std::function<int()> asked;
};

/// Serves until it is asked for an end. REQUIRES: the first thread of the process, with signal handlers in place.
/// Throws Error(Usage) for options that can not be, and Error(Impossible) or Error(Journal) where it can not listen or
/// keep its files.
void serve(const ServeOptions& options, const ServeObserver& observer);

}  // namespace flowrun
