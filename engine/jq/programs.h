// jq programs compiled many at a time: one compilation costs about 15 ms, however little there is to compile, because
// jq binds all its builtins anew. Lives in the child process.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

extern "C" {
#include <jv.h>
// Behind jv.h, on which it depends.
#include <jq.h>
}

#include "engine/model/scope.h"

namespace flowrun::jq {

struct StateDeleter {
  void operator()(jq_state* state) const { jq_teardown(&state); }
};
using State = std::unique_ptr<jq_state, StateDeleter>;

/// Where a program is to be run: with input {"i": index, "g": group, "v": {variables}, "d": `.`}.
struct Compiled {
  jq_state* state = nullptr;  ///< null: it does not compile, see |error|
  int index = 0;
  int group = 0;
  std::string error;
};

class Programs {
 public:
  /// |out_of_memory| is called where libjq would abort; it must not return. Its argument means nothing.
  explicit Programs(void (*out_of_memory)(void*)) : out_of_memory_(out_of_memory) {}

  /// Compiled together when the first of a batch is needed.
  void know(Program program);
  bool has(const Program& program) const;
  /// Valid until the next call.
  const Compiled& compile(const Program& program);
  /// An error or nothing for each.
  std::vector<std::string> check(const std::vector<Program>& programs);

 private:
  void compile_batch(std::span<const Program> batch);

  void (*out_of_memory_)(void*);
  std::vector<std::vector<Program>> batches_;
  std::map<Program, std::size_t> batch_of_;  ///< of the programs known beforehand
  std::map<Program, Compiled> compiled_;
  std::vector<State> states_;
};

}  // namespace flowrun::jq
