// Cuts what is read into items: lines, JSON values on lines, texts that end in NUL. Knows no file.
#pragma once

#include <deque>
#include <string>
#include <string_view>

#include "engine/model/stream_keys.h"

namespace flowrun {

class ItemSplitter {
 public:
  static constexpr std::size_t kLongest = 1 << 20;  ///< bytes of an item; flowrun-workflow(5), "Limits"

  explicit ItemSplitter(StreamFormat format) : format_(format) {}
  /// Takes in the next bytes. Does nothing after trouble().
  void add(std::string_view bytes);
  /// The input has ended: what has no end yet is the last item.
  void end();
  /// What has come; for who reads to take out.
  std::deque<Value>& items() { return items_; }
  /// What is wrong with the input: `line 17 is not JSON`. Empty: nothing.
  const std::string& trouble() const { return trouble_; }

 private:
  void item(std::string text);
  void refuse(std::string_view why);

  const StreamFormat format_;
  std::string open_;  ///< of an item whose end has not come
  std::size_t read_ = 0;
  std::deque<Value> items_;
  std::string trouble_;
};

}  // namespace flowrun
