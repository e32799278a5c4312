// Which steps have been undone, and how often. Knows paths only, neither frames nor undos.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace flowrun {

class Undone {
 public:
  /// The step at |path| has been undone.
  void note(const std::string& path);
  /// The step at |path| runs, maybe anew after it was undone.
  void note_run(const std::string& path);

  /// Whether the step at |path| has been undone, and not run again since.
  bool contains(const std::string& path) const { return paths_.count(path) > 0; }
  /// The same of a step at |path| or further down.
  bool any_below(const std::string& path) const;
  /// All of those, in the order of undoing.
  std::vector<std::string> below(const std::string& path) const;
  /// How often the step at |path| has been undone: part of its idempotency key.
  int times(const std::string& path) const;

  /// Numbers what can be undone, in order of settling.
  std::uint64_t next_order() { return ++orders_; }

 private:
  std::set<std::string> paths_;
  std::vector<std::string> in_order_;
  std::map<std::string, int> times_;  ///< by path
  std::uint64_t orders_ = 0;
};

}  // namespace flowrun
