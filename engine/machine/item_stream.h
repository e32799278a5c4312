// What a for_each is whose items come while it runs. At most one of a run. Knows neither where they come from nor what
// is done for them.
#pragma once

#include <cstddef>
#include <string>

#include "engine/model/event.h"

namespace flowrun {

class ItemStream {
 public:
  virtual ~ItemStream() = default;
  /// The path of the for_each.
  virtual const std::string& stream_path() const = 0;
  /// Whether it waits for more items. One that does not, and has not settled, takes them all the same.
  virtual bool is_open() const = 0;
  /// How many more items it would take now; never more than it can soon begin.
  virtual std::size_t wanted() const = 0;
  /// |arrived| may be more than was wanted; it may be nothing, which opens the stream again. Throws Corruption when it
  /// is not as anybody writes it.
  virtual void on_items(const ItemsArrived& arrived) = 0;
};

}  // namespace flowrun
