#include "cli/command_line.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <utility>

#include "engine/model/diagnostics.h"

namespace flowrun::cli {

Option* Option::type_name(const std::string& name) {
  option_->type_name(name);
  return this;
}

Option* Option::required() {
  option_->required();
  return this;
}

Option* Option::one_of(const std::vector<std::string>& words) {
  std::string listed, choice;
  for (const std::string& word : words) {
    listed += (listed.empty() ? "" : ",") + word;
    choice += (choice.empty() ? "" : ", ") + word;
  }
  const auto check = [words, choice](const std::string& given) {
    if (std::find(words.begin(), words.end(), given) != words.end()) return std::string();
    const std::string near = nearest(given, words);
    return "`" + given + "` is none of " + choice + (near.empty() ? "" : "; did you mean `" + near + "`?");
  };
  option_->check(CLI::Validator(check, "{" + listed + "}"));
  return this;
}

Option* Option::range(std::int64_t first, std::int64_t last) {
  const auto check = [first, last](const std::string& given) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(given.data(), given.data() + given.size(), number);
    if (error == std::errc() && end == given.data() + given.size() && first <= number && number <= last)
      return std::string();
    return "`" + given + "` is no number from " + std::to_string(first) + " to " + std::to_string(last);
  };
  option_->check(CLI::Validator(check, "INT in [" + std::to_string(first) + " - " + std::to_string(last) + "]"));
  return this;
}

Option* Option::at_least(std::int64_t first) {
  const auto check = [first](const std::string& given) {
    const bool digits = !given.empty() && given.size() < 19 && given.find_first_not_of("0123456789") == given.npos;
    if (digits && std::stoll(given) >= first) return std::string();
    return "`" + given + "` is no number from " + std::to_string(first) + " on";
  };
  option_->check(CLI::Validator(check, first > 0 ? "POSITIVE" : "NONNEGATIVE"));
  return this;
}

Option* Option::repeatable() {
  option_->take_all()->expected(1)->allow_extra_args(false);
  return this;
}

Option* Option::excludes(const Option* other) {
  option_->excludes(other->option_);
  return this;
}

Option* Option::envname(const std::string& name) {
  option_->envname(name);
  return this;
}

Option* Option::shows_default() {
  option_->capture_default_str();
  return this;
}

Command* Command::add_subcommand(const std::string& name, const std::string& help) {
  subcommands_.push_back(std::make_unique<Command>(*app_->add_subcommand(name, help)));
  return subcommands_.back().get();
}

template <typename T>
Option* Command::add_option(const std::string& names, T& value, const std::string& help) {
  return keep(app_->add_option(names, value, help));
}
template Option* Command::add_option(const std::string&, std::string&, const std::string&);
template Option* Command::add_option(const std::string&, std::optional<std::string>&, const std::string&);
template Option* Command::add_option(const std::string&, std::vector<std::string>&, const std::string&);
template Option* Command::add_option(const std::string&, int&, const std::string&);
template Option* Command::add_option(const std::string&, std::int64_t&, const std::string&);
template Option* Command::add_option(const std::string&, std::size_t&, const std::string&);

template <typename T>
Option* Command::add_flag(const std::string& names, T& value, const std::string& help) {
  return keep(app_->add_flag(names, value, help));
}
template Option* Command::add_flag(const std::string&, bool&, const std::string&);
template Option* Command::add_flag(const std::string&, int&, const std::string&);

Option* Command::add_flag_callback(const std::string& names, std::function<void()> then, const std::string& help) {
  return keep(app_->add_flag_callback(names, std::move(then), help));
}

void Command::alias(const std::string& name) { app_->alias(name); }

void Command::require_subcommand() { app_->require_subcommand(1); }

void Command::callback(std::function<void()> then) { app_->callback(std::move(then)); }

Option* Command::keep(CLI::Option* option) {
  options_.push_back(std::make_unique<Option>(option));
  return options_.back().get();
}

}  // namespace flowrun::cli
