#include "cli/progress/event_stream.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "cli/render.h"
#include "cli/terminal.h"
#include "engine/model/error.h"

namespace flowrun::cli {

EventStream::EventStream(const std::string& name)
    : name_(name), out_(name == "-" ? stdout : std::fopen(name.c_str(), "we")) {
  if (!out_) throw Error(Problem::Usage, fmt::format("--events: cannot write {}: {}", name, std::strerror(errno)));
}

EventStream::~EventStream() {
  if (out_ != stdout) std::fclose(out_);
}

void EventStream::write(const Entry& entry) {
  std::string line = entry_json(entry).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  if (isatty(fileno(out_))) line = shown(line);
  errno = 0;
  if (std::fwrite(line.data(), 1, line.size(), out_) != line.size() || std::fflush(out_) != 0)
    throw OutputLost(out_ == stdout ? "standard output" : "--events " + name_);
}

}  // namespace flowrun::cli
