// Reads a file that a person has named, which may be anything: a pipe that nobody writes to, a folder, a device without
// an end. Writes to descriptors. Knows nothing of what the files are for.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "engine/model/time.h"

namespace flowrun {

struct ReadRules {
  std::size_t most = 256 << 20;  ///< bytes; what is longer is trouble
  bool pipes = true;             ///< false: regular files only
  Duration patience{600000};     ///< for the whole of it
  std::function<bool()> stop;    ///< asked ten times a second while nothing comes: whether to give up; null: never
};

struct FileText {
  std::string text;
  std::string trouble;   ///< not empty: why there is no text
  bool stopped = false;  ///< it was given up
};

/// Reads |file| to its end. Never blocks longer than |rules| say; a named pipe without a writer gets 2 s.
FileText read_named_file(const std::string& file, const ReadRules& rules);
/// The same of a |descriptor| that does not block.
FileText read_to_end(int descriptor, const ReadRules& rules);

/// What |file| is when something that opens it by itself, and would wait for ever, must not be given it. Empty: a
/// regular file, or nothing is there.
std::string not_regular(const std::string& file);

/// Why |file| is open for reading no regular file; else its descriptor in |descriptor|.
std::string open_regular(const std::string& file, int& descriptor);

/// Writes the whole |text|, also through signals. False: errno says why the rest could not be written.
bool write_all(int descriptor, std::string_view text);

}  // namespace flowrun
