// A step as written: immutable, and able to make the frame that runs it. Knows nothing of how it is written.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

namespace flowrun {

class Context;
class Frame;
struct Limit;

/// Where a step stands in its file, from 1.
struct Origin {
  int line = 0;
  int column = 0;
};

/// A node of the definition. Kinds of step derive from it in steps/.
class Step {
 public:
  virtual ~Step() = default;
  /// Makes the frame of one execution. |parent| owns it and outlives it.
  virtual std::unique_ptr<Frame> frame(Context& context, Frame* parent, std::string path) const = 0;

  std::string name;  ///< as written, `_1` for the unnamed
  std::string kind;  ///< `http`, `parallel`, ...
  Origin origin;
  const Limit* limit = nullptr;  ///< the pool that its attempts take slots of; the workflow owns it
  bool secret = false;           ///< its output is not to be seen: expressions get what stands for it
  std::size_t weight = 1;        ///< how many slots an attempt takes, there and of `concurrency`
};

}  // namespace flowrun
