// A secret as the workflow declares it, and what a run may remember of it. Never a value.
#pragma once

#include <string>
#include <vector>

namespace flowrun {

struct SecretSource {
  enum class From { Env, File, Command };
  std::string name;
  From from = From::Env;
  std::string place;                 ///< variable or path; a path is relative to the folder of the workflow
  std::vector<std::string> command;  ///< program and arguments
  bool optional = false;             ///< may be absent: then it is null
  int line = 0;                      ///< where it is declared
};

/// What a drive found: enough to see that it is another value the next time, too little to guess it.
struct SecretMark {
  std::string name;
  std::string fingerprint;  ///< empty: absent, or so short that a fingerprint could be tried out
  bool absent = false;
  friend bool operator==(const SecretMark&, const SecretMark&) = default;
};

}  // namespace flowrun
