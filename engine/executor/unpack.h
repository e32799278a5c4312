// Unpacks what a server has packed by gzip, piece by piece, and notices when it is cut off. libcurl would not.
#pragma once

#include <functional>
#include <string_view>

namespace flowrun {

class Unpacker {
 public:
  /// Takes a piece of what was packed; false: no more is wanted.
  using Sink = std::function<bool(std::string_view)>;

  Unpacker() = default;
  ~Unpacker();
  Unpacker(const Unpacker&) = delete;
  Unpacker& operator=(const Unpacker&) = delete;

  enum class State { Good, Broken, Refused };  ///< Refused: by the sink
  /// Hands on what |bytes| hold. After anything but Good it must not be called again.
  State take(std::string_view bytes, const Sink& sink);
  /// Everything was there to the last byte. Nothing at all is whole, too: an answer to HEAD.
  bool whole() const { return !stream_ || at_end_; }

 private:
  struct Stream;
  Stream* stream_ = nullptr;  ///< null before the first byte
  bool at_end_ = false;
};

}  // namespace flowrun
