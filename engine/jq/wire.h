// Messages between flowrun and its jq process: a length and fields. Knows not what they mean.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/model/scope.h"

namespace flowrun::jq {

/// What an evaluation may take in the child, besides what that takes for itself.
constexpr std::size_t kMemory = 256u << 20;

/// With this the child process exits when libjq is not there.
constexpr int kNoLibjq = 71;

/// First byte of a message.
enum class Kind : char {
  Programs = 'P',  ///< to the child: programs known beforehand
  Question = 'Q',  ///< to the child
  Check = 'S',     ///< to the child: programs to compile only
  Compiled = 'C',  ///< to the parent: the program was new and has been compiled, its evaluation begins
  Result = 'V',    ///< to the parent: JSON
  Error = 'E',     ///< to the parent: text
  Gone = 'G',      ///< to the parent: text of an error after which the child ends
  Checked = 'T',   ///< to the parent: an error or nothing for each program
};

class Writer {
 public:
  explicit Writer(Kind kind) : bytes_(kHeader, '\0') { bytes_ += static_cast<char>(kind); }
  void number(std::uint64_t value) { bytes_.append(reinterpret_cast<const char*>(&value), sizeof value); }
  void text(std::string_view value) {
    number(value.size());
    bytes_ += value;
  }
  /// The same of a long one, which is not copied and must live until the message is sent.
  void lend(std::string_view value) {
    number(value.size());
    lent_.emplace_back(bytes_.size(), value);
  }
  void program(const Program& program) {
    number(program.strict);
    text(program.code);
  }
  /// The whole message in parts, its length in front.
  std::vector<std::string_view> parts();

 private:
  static constexpr std::size_t kHeader = sizeof(std::uint64_t);
  std::string bytes_;
  std::vector<std::pair<std::size_t, std::string_view>> lent_;  ///< and where in |bytes_| they belong
};

class Reader {
 public:
  explicit Reader(std::string message) : message_(std::move(message)), at_(1) {}
  Kind kind() const { return static_cast<Kind>(message_.empty() ? '\0' : message_[0]); }
  std::uint64_t number();
  std::string_view text();
  Program program();
  /// Gives its memory back; what it has lent is gone.
  void clear() { message_ = std::string(), at_ = 0; }

 private:
  std::string message_;
  std::size_t at_;
};

using Deadline = std::chrono::steady_clock::time_point;

enum class Io { Done, Closed, Late };

/// Sends all of |bytes|; gives up at |deadline|.
Io send(int socket, std::string_view bytes, Deadline deadline);
Io send(int socket, Writer& message, Deadline deadline);
/// Receives one message, its length left out; may be called again after Late with the same |partial|.
Io receive(int socket, std::string& partial, std::string& message, Deadline deadline);

}  // namespace flowrun::jq
