// The command line as the subcommands see it: commands, options, flags. The library behind it, CLI11, is known to
// command_line.cpp, main.cpp and completion.cpp only: compiled into each of twenty files it was two thirds of cli's
// build. Knows nothing of flowrun.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace flowrun::cli {

/// An option, a flag or an argument of a command, which owns it. Each call returns the same object, so they chain.
class Option {
 public:
  explicit Option(CLI::Option* option) : option_(option) {}
  /// The word that stands for the value in the help.
  Option* type_name(const std::string& name);
  Option* required();
  /// The value is one of |words|.
  Option* one_of(const std::vector<std::string>& words);
  /// The value is a number from |first| to |last|.
  Option* range(std::int64_t first, std::int64_t last);
  /// The value is a number that is not smaller.
  Option* at_least(std::int64_t first);
  /// May be given several times, with one value each.
  Option* repeatable();
  /// Not together with |other|.
  Option* excludes(const Option* other);
  /// The environment variable that is asked when the option is not given.
  Option* envname(const std::string& name);
  /// The help shows the value that the variable has now.
  Option* shows_default();

 private:
  CLI::Option* option_;
};

/// A command, or one below another. References and pointers given to it outlive the parsing.
class Command {
 public:
  explicit Command(CLI::App& app) : app_(&app) {}
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  Command* add_subcommand(const std::string& name, const std::string& help);
  /// Names as `-f,--file` for an option, `FILE` for an argument. T: std::string, std::optional of it, std::vector of
  /// it, int, std::int64_t or std::size_t.
  template <typename T>
  Option* add_option(const std::string& names, T& value, const std::string& help);
  /// T: bool, or int, which counts.
  template <typename T>
  Option* add_flag(const std::string& names, T& value, const std::string& help);
  /// A flag that does something as soon as it is read.
  Option* add_flag_callback(const std::string& names, std::function<void()> then, const std::string& help);
  void alias(const std::string& name);
  void require_subcommand();
  /// Called once the words are read and this command is the one that was named.
  void callback(std::function<void()> then);

 private:
  Option* keep(CLI::Option* option);

  CLI::App* app_;
  std::vector<std::unique_ptr<Option>> options_;
  std::vector<std::unique_ptr<Command>> subcommands_;
};

}  // namespace flowrun::cli
