// How a large run stands, in little memory: the items that succeeded at their first try are only counted, and only the
// rest is told step by step. Reads entries only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/journal/entry_look.h"
#include "engine/run/history.h"

namespace flowrun {

class Summary {
 public:
  /// What the entries of |run| say, up to entry |until|; 0: all of them. Where more is told of an item that was
  /// counted, as by a retry, nothing is counted. Throws Corruption.
  static Summary of(const Journal& journal, const RunRecord& run, std::int64_t until = 0);

  /// All that is not counted, in the order in which it became known.
  const History& history() const { return history_; }
  History& history() { return history_; }
  /// Items that have succeeded, and are not in history().
  std::size_t counted() const { return plain_.size() + alike_; }
  /// As History::counts(), of all steps.
  std::map<std::string, std::size_t> counts() const;

 private:
  /// Hashes of paths: a set of a million in 16 MB.
  class Hashes {
   public:
    /// False: it was there.
    bool insert(std::uint64_t hash);
    bool contains(std::uint64_t hash) const;
    std::size_t size() const { return size_; }

   private:
    std::size_t place(std::uint64_t hash) const;
    std::vector<std::uint64_t> slots_ = std::vector<std::uint64_t>(1024);  ///< 0: free
    std::size_t size_ = 0;
  };

  /// The same, where most entries are of items of `set` that have succeeded: those are counted where they lie. Nothing:
  /// it is to be found out by reading all of them.
  static std::optional<Summary> of_alike(const Journal& journal, const RunRecord& run, std::int64_t until);
  /// False: nothing can be counted in this run.
  bool add(const EntryView& entry);
  bool add_item(const EntryView& entry);
  bool settled_well(const EntryView& entry);
  void note_begin(std::string_view path, Instant at);
  void tell(const EntryView& entry) { history_.add(entry.copy()); }
  /// The start at |path| is to be told, too.
  void release(const std::string& path);

  History history_;
  Hashes plain_;                                 ///< paths of the items that are counted one by one
  std::size_t alike_ = 0;                        ///< items that are counted besides
  std::unordered_map<std::string, Entry> held_;  ///< starts of items that have not ended
  std::string settled_data_;                     ///< of the newest `settled` that said nothing but success
  std::string parent_;                           ///< of the newest item that began
};

}  // namespace flowrun
