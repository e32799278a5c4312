// The jobserver of GNU make: a pipe with a token in it for each job that may run at once in a whole tree of processes.
// Whoever starts a job takes a token first, and puts it back. Knows nothing of tasks.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flowrun {

/// The jobserver that MAKEFLAGS names: the last one, before the variables that follow ` -- `. Empty: none.
/// `fifo:FILE`, or `R,W`: descriptors for reading and writing.
std::string named_jobserver(std::string_view makeflags);
/// |makeflags| with the jobserver that |option| names and its |jobs|, as make gives it to the programs that it starts.
std::string with_jobserver(std::string_view makeflags, int jobs, std::string_view option);

/// Not for two threads at once.
class Jobserver {
 public:
  /// Above it the pipe of a server could be too small.
  static constexpr int kMostTokens = 4096;

  Jobserver() = default;
  /// Puts back what was taken.
  ~Jobserver();
  Jobserver(const Jobserver&) = delete;
  Jobserver& operator=(const Jobserver&) = delete;

  /// Becomes a client of the jobserver that the environment names, or else, with |jobs| of 1 to kMostTokens, a server
  /// of so many tokens. Where neither can be, there is none. Call before the first process is started. Runs
  /// `make --version` as a server: make before 4.4 gives up when it is shown a name instead of descriptors.
  void open(int jobs);

  /// True: one more job may run. Always true where there is none.
  bool take();
  /// The next take() has it first; without one, settle() puts it into the pipe.
  void put_back();
  void settle();
  /// A process was killed, and the tokens that it had with it. As a server: the pipe is filled when nothing of ours
  /// runs, and until then replace() may help.
  void may_have_lost();
  /// No token has come for long: puts one in, if one may be lost.
  void replace();
  /// Becomes readable when there may be a token again; -1: there is none.
  int readable() const { return read_; }
  /// What processes are to have as MAKEFLAGS; nothing: what they inherit.
  const std::optional<std::string>& makeflags() const { return makeflags_; }
  /// Descriptors that processes need, because make before 4.4 finds the pipe by them.
  const std::vector<int>& inherited() const { return inherited_; }

 private:
  bool open_client(const std::string& auth);
  void open_server(int jobs);
  void close_ends();
  void put_back_now();
  void put(const std::string& tokens);
  /// Nothing of ours runs, so all tokens are there, or were lost by who was killed.
  void refill();

  int tokens_ = 0;              ///< as a server, in all
  bool may_have_lost_ = false;  ///< since the pipe was filled
  std::size_t replaced_ = 0;    ///< likewise, by replace(): never more than others may have
  bool at_hand_ = false;        ///< a token that was put back is not in the pipe yet: mostly the next process has it
  int read_ = -1, write_ = -1;  ///< of the pipe; ours alone
  std::vector<int> kept_;       ///< of the pipe, as a server: its first ends
  bool implicit_ = false;       ///< as a client: the token that came with being started is not in use
  std::string taken_;           ///< a client puts back the very bytes
  std::optional<std::string> makeflags_;
  std::vector<int> inherited_;
};

}  // namespace flowrun
