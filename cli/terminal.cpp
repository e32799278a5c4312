#include "cli/terminal.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "engine/executor/named_file.h"

namespace flowrun::cli {
namespace {

constexpr char32_t kNone = 0xFFFD;

struct Character {
  char32_t code;     ///< kNone for what is no UTF-8
  std::size_t size;  ///< in bytes; 0: it is cut off
};

/// The first of |text|, which is not empty. RFC 3629: no overlong forms, no surrogates, nothing behind U+10FFFF.
Character first(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80) return {lead, 1};
  const std::size_t size = lead >= 0xC2 && lead < 0xE0   ? 2
                           : (lead & 0xF0) == 0xE0       ? 3
                           : lead >= 0xF0 && lead < 0xF5 ? 4
                                                         : 0;
  if (size == 0) return {kNone, 1};
  char32_t code = lead & (0x7F >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if (i == text.size()) return {kNone, 0};
    const auto next = static_cast<unsigned char>(text[i]);
    if ((next & 0xC0) != 0x80) return {kNone, i};
    code = code << 6 | (next & 0x3F);
  }
  const bool good = (size < 3 || code >= 0x800) && (size < 4 || (code >= 0x10000 && code <= 0x10FFFF)) &&
                    !(code >= 0xD800 && code <= 0xDFFF);
  return {good ? code : kNone, size};
}

bool obeyed(char32_t code) {
  return (code < 0x20 && code != '\n' && code != '\t') || (code >= 0x7F && code < 0xA0) ||  // C0, DEL, C1
         code == 0x061C || code == 0x200E || code == 0x200F ||                              // marks of direction
         (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069) ||        // overrides, isolates
         code == 0x2028 || code == 0x2029;                                                  // line and paragraph
}

/// Takes what is whole off |text|; what is cut off at its end stays.
std::string take_shown(std::string_view& text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Character next = first(text);
    if (next.size == 0) break;
    if (next.code == kNone) {
      out += "\xEF\xBF\xBD";
    } else if (next.code == '\r' && text.substr(1, 1) == "\n") {
      // The end of a line as others write it.
    } else if (obeyed(next.code)) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(next.code));
    } else {
      out += text.substr(0, next.size);
    }
    text.remove_prefix(next.size);
  }
  return out;
}

std::function<void()>& step_aside() {
  static std::function<void()> function;
  return function;
}

/// |text| without what the runner of GitHub Actions would take for a command. |begins|: at the beginning of a line but
/// for blanks; kept for what follows.
std::string without_commands(const std::string& text, bool& begins) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (begins && text.compare(i, 2, "::") == 0) {
      out += "\\u003a";
    } else if (text.compare(i, 3, "##[") == 0) {
      out += "\\u0023";
    } else {
      out += text[i];
    }
    begins = text[i] == '\n' || (begins && (text[i] == ' ' || text[i] == '\t'));
  }
  return out;
}

/// Of a stream in this place: writes what it is given to descriptor 2, shown.
ssize_t write_shown(void*, const char* bytes, std::size_t size) {
  // Stdio may cut a text anywhere; the rest of a character comes with the next call.
  static std::string cut_off;
  const std::string all = cut_off + std::string(bytes, size);
  std::string_view rest = all;
  std::string text = take_shown(rest);
  cut_off = rest;
  static const bool in_job = in_github_job();
  static bool begins = true;
  if (in_job) text = without_commands(text, begins);
  if (step_aside()) step_aside()();
  if (!write_all(STDERR_FILENO, text)) return 0;  // nobody hears it
  return static_cast<ssize_t>(size);
}

}  // namespace

std::string shown(std::string_view text) {
  std::string out = take_shown(text);
  if (!text.empty()) out += "\xEF\xBF\xBD";
  return out;
}

bool stderr_is_unread() {
  if (!std::ferror(stderr)) return false;
  pollfd one{STDERR_FILENO, POLLOUT, 0};
  return poll(&one, 1, 0) > 0 && (one.revents & POLLERR) != 0;
}

bool stdout_is_terminal() {
  static const bool at_terminal = isatty(STDOUT_FILENO) == 1;
  return at_terminal;
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

bool in_github_job() { return variable("GITHUB_ACTIONS") == "true"; }

void guard_stderr() {
  cookie_io_functions_t functions{};
  functions.write = write_shown;
  std::FILE* guarded = fopencookie(nullptr, "w", functions);
  if (!guarded) return;
  // One write a message, as with the stream it stands for.
  std::setvbuf(guarded, nullptr, _IONBF, 0);
  stderr = guarded;  // glibc: "you can set these variables" (The GNU C Library, 12.2)
}

void write_command(const std::string& command) { write_all(STDERR_FILENO, command); }

void before_stderr(std::function<void()> function) { step_aside() = std::move(function); }

}  // namespace flowrun::cli
