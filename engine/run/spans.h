// The spans of a run's trace: of the run, of each step, of each attempt. A fold over the entries, the same while they
// are committed and years later; knows no wire format.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "engine/model/entry.h"
#include "engine/run/trace.h"
#include "engine/steps/outline.h"

namespace flowrun {

struct Span {
  enum class Kind { Internal = 1, Server = 2, Client = 3 };  ///< numbered as in OTLP
  using Attribute = std::variant<std::string, std::int64_t, bool, std::vector<std::string>>;
  std::string id;      ///< 16 digits
  std::string parent;  ///< empty: none
  std::string name;    ///< the same for all items of a for_each
  Kind kind = Kind::Internal;
  Instant from{}, to{};
  std::vector<std::pair<std::string, Attribute>> attributes{};
  bool failed = false;
  std::string message{};  ///< what was wrong
};

/// Has what is open only: a run may have a million items.
class Spans {
 public:
  /// Gets each span when it is over, with the trace it belongs to.
  using Sink = std::function<void(const Trace&, Span)>;
  /// |rows|: the outline of the workflow; without it fewer spans are told apart.
  Spans(const std::vector<OutlineRow>& rows, Sink sink);

  /// Each entry of the run, in order, from its first on. Throws Corruption when it is not as any version writes it.
  void add(const Entry& entry);
  /// What comes is not told to the sink until told otherwise: an earlier drive has told it.
  void mute(bool muted) { muted_ = muted; }
  /// After the last entry: tells what is over, and would else be told with the next fact.
  void flush();

 private:
  struct Step {
    std::string id, parent;
    std::string kind{};
    Instant from{};
    std::optional<Instant> ended{};  ///< an attempt has ended the step, if nothing else follows
    State state = State::Pending;
    std::optional<Failure> failure{};
    std::string reason{};
    int attempts = 0;
    bool taken = false;
    std::set<std::string> over{};  ///< of an item: names of its steps that are over
  };
  struct Attempt {
    Span span;  ///< with what was known at its start
    bool http = false;
  };
  using Steps = std::map<std::string, Step>;

  void take(const Entry& entry);
  /// Opens what stands around it, too.
  Step& open(const std::string& path, const Entry& entry);
  void close(Steps::iterator step, Instant at);
  /// Closes what is within |path|, the innermost first.
  void close_below(const std::string& path, Instant at);
  void run_begins(const Entry& entry);
  void run_ends(const Entry& entry);
  void resumed(const Entry& entry);
  void started(const Entry& entry);
  void ended(const Entry& entry);
  void settled(const Entry& entry);
  /// The attempt of |entry| has ended without a result.
  void end_attempt(const Entry& entry, std::string_view how);
  void tell_attempt(Attempt attempt, Instant to);
  /// The step at |path| may be over: no decision that follows the last fact has said otherwise.
  void may_be_over(const std::string& path, Instant at);
  void tell(Span span);

  const Sink sink_;
  std::set<std::string> with_fallback_;         ///< paths in the outline
  std::map<std::string, std::size_t> in_item_;  ///< how many steps an item has, by the path of its for_each there
  std::optional<Trace> trace_;
  RunStarted run_;
  Span root_;
  std::string first_root_;  ///< id of the span of the run before it was reopened
  Steps steps_;
  std::map<std::pair<std::string, int>, Attempt> attempts_;  ///< by path and number
  std::vector<std::string> perhaps_over_;                    ///< paths of steps, since the last fact
  Instant last_at_{};
  bool muted_ = false;
};

}  // namespace flowrun
