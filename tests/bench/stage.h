// What a case of the bench needs: a folder, programs run and measured, a web server. Knows nothing of the cases.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

namespace bench {

/// What one run of a program took.
struct Took {
  double seconds = 0;
  double memory = 0;  ///< peak resident set, bytes
};

/// Thrown with what went wrong where a program does not do what it should.
struct Broken {
  std::string what;
};

class Stage {
 public:
  /// |binaries|: where flowrun and the reference programs are. The folder is made anew, and removed at the end.
  Stage(std::string binaries, std::string folder);
  ~Stage();
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  std::string binary(const std::string& name) const { return binaries_ + "/" + name; }
  std::string write(const std::string& name, const std::string& text) const;
  /// A journal of its own, which is not there yet; takes the one before away.
  std::string fresh_journal();

  /// Runs |argv| to its end with its output thrown away. Throws Broken unless it exits with |code|.
  Took run(const std::vector<std::string>& argv, int code = 0) const;
  /// What |argv| prints.
  std::string output(const std::vector<std::string>& argv) const;
  /// Runs all at the same time; until the last has ended.
  double together(const std::vector<std::vector<std::string>>& commands) const;
  /// Starts |argv|, which lives until the stage ends; returns the first line it prints.
  std::string background(const std::vector<std::string>& argv, bool says_something = true);

  /// URL of a page of an nginx on a free port of the loopback interface, started when first asked for.
  std::string page();
  /// Likewise, of answer_bytes() of JSON.
  std::string long_page();
  static std::size_t answer_bytes();
  int nginx_port();
  /// URL of the sample shop, started when first asked for.
  std::string shop();
  /// Seconds that curl takes for the longest chain of calls of the order workflow, one after the other.
  double order_by_curl();

 private:
  pid_t start(const std::vector<std::string>& argv, int out) const;

  std::string binaries_, folder_;
  std::vector<pid_t> background_;
  int nginx_port_ = 0;
  std::string shop_;
};

double now();

}  // namespace bench
