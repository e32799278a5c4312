// Where the items of a for_each over standard input come from: read as they come, or taken from another run. Gives out
// what a run has not had yet. Knows neither the machine nor the terminal.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "engine/journal/journal.h"
#include "engine/model/stream_keys.h"

namespace flowrun {

class ItemFeed {
 public:
  virtual ~ItemFeed() = default;
  /// Items that the run has already: as many equal ones are left out when they come. To be called before begin().
  virtual void leave_out(const ItemsArrived& known) = 0;
  /// |ready| is called, from any thread, when there is something to be taken after there was nothing.
  virtual void begin(std::function<void()> ready) = 0;
  /// Whether take() would give something; it may be the end alone.
  virtual bool has_some() const = 0;
  /// Whether all items have been taken, or left out, and no more will come.
  virtual bool is_at_end() const = 0;
  /// About |most| items that have come; `last` when no more will. Nothing: none have come since.
  virtual std::optional<ItemsArrived> take(std::size_t most) = 0;
  /// Why no more items come although the input has not ended: `line 17 is not UTF-8`. Empty: all is well.
  virtual std::string trouble() const { return ""; }
};

/// Reads |descriptor| by a thread of its own, a few thousand items ahead at most. The descriptor is lent and stays as
/// it is. Empty lines are no items; a line may end in CR LF.
std::unique_ptr<ItemFeed> read_items(int descriptor, StreamFormat format);

/// The items that |run| has had. |journal| is lent.
std::unique_ptr<ItemFeed> items_of_run(const Journal& journal, const RunRecord& run);

}  // namespace flowrun
