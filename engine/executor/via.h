// `via`: a program is started by another one, such as ssh or docker, which may be the door to another machine. Says
// with which words and variables. Knows what common doors leave behind; starts nothing.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/model/task.h"

namespace flowrun {

/// Whether a door among the words of |via| hands on none of the environment that it is started with; told by the names
/// of the programs in flowrun-workflow(5), "Elsewhere".
bool is_forgetful(const std::vector<std::string>& via);

/// Whether a word of |via| tells its door to hand on the variable |name|: `-e NAME`, `-eNAME`, `--env=NAME,OTHER`,
/// `-o SendEnv=NAME`.
bool hands_on(const std::vector<std::string>& via, std::string_view name);

/// The words of `via`, and behind them |argv|. Behind a forgetful door `env` stands between them, with |variables|
/// (NAME=VALUE) that no word of `via` hands on; behind ssh what follows is quoted for the shell that reads it there.
/// Throws std::runtime_error when a secret would stand in a command line, or the words can not go through.
std::vector<std::string> argv_via(const Process& process, const std::vector<std::string>& argv,
                                  const std::vector<std::string>& variables);

}  // namespace flowrun
