// What a server has answered becomes a result: bytes and headers in, a value or an error of a documented type out.
// Pure; knows neither libcurl nor files.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/executor/mask.h"
#include "engine/executor/unpack.h"
#include "engine/model/outcome.h"
#include "engine/model/task.h"

namespace flowrun {

constexpr Duration kLongestRetryAfter = std::chrono::hours(24);

bool expects(const HttpRequest& request, long status);
/// Whether the media type |content_type| is of one JSON value. Not of a sequence of them, line by line.
bool says_json(std::string_view content_type);
std::string in_small_letters(std::string_view text);
/// Without the blanks and line ends around it.
std::string_view trimmed(std::string_view text);

/// The body of an answer while it comes in: unpacked, counted, and kept as far as anybody wants it.
class Body {
 public:
  enum class For {
    Value,    ///< what the step wants; longer than max_response it is an error
    People,   ///< an unexpected answer: its beginning is shown
    Nobody,   ///< it is not kept, but bound like a value
    Redirect  ///< it is not looked at, but bound, too
  };

  Body() = default;
  /// |coding|: what the header Content-Encoding says.
  Body(For what, std::string_view coding, std::int64_t most);
  /// |sink| gets what is unpacked, if there is one, else text() grows. False: no more is to come, as enough is known.
  bool take(std::string_view bytes, const Unpacker::Sink& sink = nullptr);
  /// Everything has come.
  void finish();

  std::string& text() { return text_; }
  const std::string& text() const { return text_; }
  /// text() is only the beginning.
  bool cut() const { return cut_; }
  bool too_long() const { return too_long_; }
  /// How many bytes may come.
  std::int64_t most() const { return most_; }
  /// Why it can not be unpacked; empty: it can.
  const std::string& broken() const { return broken_; }

 private:
  bool keep(std::string_view bytes, const Unpacker::Sink& sink);

  For what_ = For::Nobody;
  bool packed_ = false;
  std::int64_t most_ = 0, size_ = 0;
  std::string text_, broken_;
  bool cut_ = false, too_long_ = false, began_ = false;
  std::string coding_;
  Unpacker unpacker_;
};

/// An answer that has come to its end, or as far as it was wanted.
struct HttpAnswer {
  long status = 0;
  std::string method;        ///< of the request, after redirects
  std::string url;           ///< the same, without secrets
  std::string content_type;  ///< in small letters
  std::string retry_after;
  std::vector<std::pair<std::string, std::string>> headers{};  ///< for who wants_headers()
  std::string body{};
  bool cut = false;      ///< |body| is the beginning of it
  std::string broken{};  ///< why the body is not what the server has packed
  Value file{};          ///< about the file that has it instead
  Duration took{0};
};

bool wants_headers(const Task& task, long status);

/// |now| is the time to which a date in Retry-After is compared. `sent` is left as it is in a new result.
Result result_of(const Task& task, const HttpAnswer& answer, const Mask& mask, Instant now);

}  // namespace flowrun
