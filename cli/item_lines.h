// The items of a for_each over standard input as lines of JSON on standard output, each when its item is over. Of each
// little is kept: what it puts out is in the journal. Does not know how the run goes on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "cli/progress/event_stream.h"
#include "engine/model/event.h"
#include "engine/model/value.h"
#include "engine/run/run.h"

namespace flowrun::cli {

class ItemLines {
 public:
  /// |journal| is lent. |path|: of the for_each. |ordered|: as they came in, not as they ended. |stop| as EventStream
  /// has it.
  ItemLines(const Journal& journal, std::string path, bool ordered, std::function<bool()> stop)
      : journal_(journal), path_(std::move(path)), ordered_(ordered), out_("-", std::move(stop)) {}

  /// An entry of an earlier drive, which printed what it could.
  void earlier(const Entry& entry);
  void entry(const Entry& entry);
  /// All entries of a turn are in: only then it shows whether what has failed is tried again.
  void turned(const Run& run);
  /// What can not be written any more; empty: all is well.
  const std::string& lost() const { return out_.lost(); }

 private:
  struct Item {
    std::size_t number = 0;  ///< of the stream
    Value value;
    Instant began{}, ended{};  ///< of what ran for it, waits between tries included
    int attempts = 0;
    std::optional<Entry> end;  ///< the newest that says how it came out
  };

  void take(const Entry& entry);
  void arrived(const ItemsArrived& fact);
  void line(const Item& item, const Entry& end);
  /// Of what has ended: prints it, or holds it until its turn comes.
  void end_items();
  /// |run|: null: it was printed before. |all|: also what stands behind an item that has no end.
  void print_in_order(const Run* run, bool all);
  /// It has not ended after all, or runs again, and has another line then.
  void take_back(Item& item);

  const Journal& journal_;
  const std::string path_;
  const bool ordered_;
  EventStream out_;
  std::size_t arrived_ = 0;
  bool printing_ = false;                        ///< entries are of this drive
  std::unordered_map<std::string, Item> items_;  ///< that have not ended; of earlier drives also what has failed
  std::vector<std::string> ended_;               ///< paths of this turn
  // In order: what has ended before its turn has come.
  struct Held {
    Item item;
    std::int64_t end;  ///< number of the entry
  };
  std::map<std::size_t, Held> held_;
  std::vector<bool> told_;  ///< by number
  std::size_t next_ = 0;    ///< the first that is not told
};

}  // namespace flowrun::cli
