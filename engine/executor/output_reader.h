// Reads what the processes of a run have said, also while it runs and after it was killed: the file of the run and the
// ends of long outputs beside it, put in order. Whatever the files hold, it reads what makes sense.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/model/time.h"

namespace flowrun {

class OutputReader {
 public:
  /// One of the two streams of one process.
  struct Source {
    std::string path;
    int attempt = 0;
    bool is_stderr = false;
    std::uint64_t lost = 0;  ///< so many bytes are known not to have been written
  };
  /// Something that was said, or left out.
  struct Piece {
    std::size_t source = 0;
    Instant at{};
    std::uint64_t left_out = 0;  ///< bytes, before |bytes|: more than is kept of one process
    std::uint64_t lost = 0;      ///< likewise: could not be written
    std::string why;             ///< and this is the reason
    bool last = false;           ///< of its source
    std::uint64_t from = 0;      ///< number of the first of |bytes| in all that its source has said
    std::string_view bytes;
  };
  struct Line {
    std::size_t source = 0;
    Instant at{};  ///< when it began
    std::uint64_t left_out = 0, lost = 0;
    std::string why;
    std::string_view text;  ///< without its line break; empty where something is left out
    std::uint64_t end = 0;  ///< how much of its source ends with it
    bool open = false;      ///< no line break has followed yet
  };
  /// By source: how much of it is known, and not wanted again. What is left out or lost before that is not told again,
  /// either. Sources behind the end: nothing is known.
  using Known = std::vector<std::uint64_t>;

  /// Takes in where everything is; what is written later is not seen.
  explicit OutputReader(const std::string& run_dir);
  ~OutputReader();
  OutputReader(const OutputReader&) = delete;
  OutputReader& operator=(const OutputReader&) = delete;

  const std::vector<Source>& sources() const { return sources_; }
  /// In order of time. |each| returns false when it has enough.
  void pieces(const std::function<bool(const Piece&)>& each, const Known& known = {}) const;
  /// The same in whole lines; the last of a source may lack its line break.
  void lines(const std::function<bool(const Line&)>& each, const Known& known = {}) const;
  /// From where on the file of the run makes no sense, although it is not just cut off. 0: it is well.
  std::uint64_t damaged_at() const { return damaged_at_; }

 private:
  struct Frame {
    std::size_t source;
    Instant at;
    std::uint64_t from, bytes;
    std::uint64_t lost;
    std::string why;
    int descriptor;
    std::uint64_t position;
    std::size_t number;  ///< in order of reading
    std::uint64_t left_out = 0;
    std::uint64_t skipped = 0;  ///< bytes at its beginning that another frame has brought
    bool last = false;
  };
  class Index;
  void put_in_order();

  std::vector<Source> sources_;
  std::vector<Frame> frames_;
  std::vector<int> descriptors_;
  std::uint64_t damaged_at_ = 0;
};

}  // namespace flowrun
