// `exclusive`: of all runs with one key, one at a time is driven, over all processes that share a journal. Knows who
// has a key and how to wait for it; not what a run does.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "engine/journal/journal.h"
#include "engine/run/load.h"
#include "engine/shared/held_places.h"
#include "engine/shared/shared_line.h"

namespace flowrun {

class FrontEnd;

/// The key with which |run| was started; empty: it needs none.
std::string exclusive_key(const Journal& journal, const RunRecord& run);

/// Who has a key.
struct KeyTaken {
  std::string key;
  std::string run;       ///< its id; empty: it has not begun, or is being taken over
  std::int64_t pid = 0;  ///< as RunRecord::driver_pid; 0: not known
  /// `the key x is taken by run y (process 12)`
  std::string text() const;
};

/// A place in line for a key, and the key, once it has come to it; both end with this.
class KeyHold {
 public:
  /// Throws Error(Journal) when the file of |journal| can not be used.
  KeyHold(const Journal& journal, const std::string& key);
  const std::string& name() const { return name_; }
  /// True: it has the key. False: others are before it; it stands in line, and asks again.
  bool take();
  /// What the processes of |run|, which has the key, are told of it.
  HeldPlaces held_by(const std::string& run) const;
  /// Whether a run below which this process runs has the key.
  bool is_held_around() const { return !line_.never_behind(1, 1).empty(); }

 private:
  const std::string name_;
  SharedFile file_;
  SharedLine line_;
  TakenPlaces place_;
};

/// The key is not to be waited for.
class KeyIsTaken : public Error {
 public:
  explicit KeyIsTaken(const KeyTaken& taken)
      : Error(Problem::Busy, taken.text() + "; nothing was started"), by(taken) {}
  const KeyTaken by;
};

/// Takes |key|, and while it is taken does what |when| says, Skip as Fail. |front| is told whom it waits for, and asked
/// whether an end is wanted: then throws Interrupted. Throws KeyIsTaken.
std::unique_ptr<KeyHold> take_key(Journal& journal, const std::string& key, Exclusive::WhenTaken when, FrontEnd& front);

}  // namespace flowrun
