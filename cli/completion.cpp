// flowrun completion: what may be typed next. The shells' scripts only ask `flowrun __complete WORD...`; commands and
// options are those of the command line itself, so that there is no second list of them.
#include <fmt/format.h>

#include <CLI/App.hpp>
#include <algorithm>
#include <functional>
#include <utility>

#include "cli/render.h"
#include "cli/runs.h"
#include "cli/shell_words.h"

namespace flowrun::cli {
namespace {

constexpr const char* kBash = R"sh(# Completion of flowrun for bash; in ~/.bashrc: eval "$(flowrun completion bash)"
_flowrun() {
  local word
  COMPREPLY=()
  while IFS=$'\t' read -r word _; do
    COMPREPLY+=("$word")
  done < <("${COMP_WORDS[0]}" __complete --line "${COMP_LINE:0:COMP_POINT}" "${COMP_WORDS[COMP_CWORD]}" 2>/dev/null)
  if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]]; then compopt -o nospace; fi
}
complete -o default -F _flowrun flowrun
)sh";

constexpr const char* kZsh = R"sh(#compdef flowrun
# Completion of flowrun for zsh; in ~/.zshrc behind compinit: eval "$(flowrun completion zsh)"
compdef _flowrun flowrun
_flowrun() {
  local line
  local -a found
  for line in "${(@f)$("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    [[ -n $line ]] && found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
  done
  if (( ! $#found )); then
    _files
  elif [[ $found[1] == *=:* ]]; then
    _describe flowrun found -S ''
  else
    _describe flowrun found
  fi
}
if [[ $funcstack[1] == _flowrun ]]; then _flowrun; fi
)sh";

constexpr const char* kFish = R"sh(# Completion of flowrun for fish; in config.fish: flowrun completion fish | source
function __flowrun_complete
  set -l words (commandline -opc) (commandline -ct)
  set -l found ($words[1] __complete $words[2..-1] 2>/dev/null)
  if set -q found[1]
    printf '%s\n' $found
  else
    __fish_complete_path (commandline -ct)
  end
end
complete -c flowrun -f -a '(__flowrun_complete)'
)sh";

bool begins(const std::string& text, const std::string& with) { return text.rfind(with, 0) == 0; }

/// What has been typed before the word that is to be completed.
class Typed {
 public:
  Typed(const CLI::App& app, const std::vector<std::string>& words) : command_(&app) {
    for (std::size_t i = 0; i + 1 < words.size(); ++i) take(words[i]);
  }

  const CLI::App& command() const { return *command_; }
  /// The option whose value comes next; null: none does.
  const CLI::Option* open() const { return open_; }
  /// The argument that comes next; null: all are there.
  const CLI::Option* next() const {
    std::size_t number = 0;
    const CLI::Option* last = nullptr;
    for (const CLI::Option* option : command_->get_options()) {
      if (!option->get_positional()) continue;
      last = option;
      if (number++ == given_.size()) return option;
    }
    return last && last->get_expected_max() > 1 ? last : nullptr;
  }
  bool has_arguments() const { return !given_.empty(); }
  /// The value of an argument or option, by the name of its kind in the help; or of its name. Empty: not typed.
  std::string value(const std::string& kind) const {
    for (const auto& [option, text] : values_)
      if (kind_of(*option) == kind && !option->check_lname("journal")) return text;
    std::size_t number = 0;
    for (const CLI::Option* option : command_->get_options())
      if (option->get_positional() && number++ < given_.size() && option->get_name() == kind) return given_[number - 1];
    return "";
  }

  std::string journal() const {
    for (const auto& [option, text] : values_)
      if (option->check_lname("journal")) return text;
    return "";
  }

  static std::string kind_of(const CLI::Option& option) {
    return option.get_positional() ? option.get_name() : option.get_type_name();
  }
  /// Those of the command and of the commands around it.
  std::vector<const CLI::Option*> options() const {
    std::vector<const CLI::Option*> all;
    for (const CLI::App* level = command_; level; level = level->get_parent())
      for (const CLI::Option* option : level->get_options())
        if (!option->get_positional()) all.push_back(option);
    return all;
  }

 private:
  void take(const std::string& word) {
    if (open_) {
      values_.emplace_back(std::exchange(open_, nullptr), word);
    } else if (word.size() > 1 && word[0] == '-') {
      std::size_t equals = word.find('=');
      for (const CLI::Option* option : options())
        if (option->check_name(word.substr(0, equals)) && option->get_items_expected_max() > 0) {
          if (equals == std::string::npos)
            open_ = option;
          else
            values_.emplace_back(option, word.substr(equals + 1));
          break;
        }
    } else if (const CLI::App* inner = subcommand(word); inner && given_.empty()) {
      command_ = inner;
    } else {
      given_.push_back(word);
    }
  }

  const CLI::App* subcommand(const std::string& name) const {
    for (const CLI::App* one : command_->get_subcommands([](const CLI::App*) { return true; }))
      if (one->check_name(name)) return one;
    return nullptr;
  }

  const CLI::App* command_;
  const CLI::Option* open_ = nullptr;
  std::vector<std::pair<const CLI::Option*, std::string>> values_;
  std::vector<std::string> given_;  ///< arguments of the command
};

/// Prints what begins with |word|, one a line, with what it means behind a tab.
class Offers {
 public:
  /// |written|: how the shell wants a word.
  Offers(std::string word, std::function<std::string(const std::string&)> written)
      : word_(std::move(word)), written_(std::move(written)) {}
  void add(const std::string& text, const std::string& meaning = "") {
    if (begins(text, word_)) lines_ += written_(text) + "\t" + one_line(meaning, 80) + "\n";
  }
  const std::string& lines() const { return lines_; }

 private:
  std::string word_;
  std::function<std::string(const std::string&)> written_;
  std::string lines_;
};

/// Whether |command| can do something with |run|.
bool fits(const std::string& command, const RunRecord& run) {
  const bool ended = has_ended(run.state);
  if (command == "resume") return !ended && run.driver_pid == 0;
  if (command == "retry") return can_be_retried(run.state);
  if (command == "undo") return ended;
  if (command == "cancel" || command == "signal" || command == "approve" || command == "reject") return !ended;
  return true;
}

void offer_runs(const Context& context, const std::string& command, Offers& offers) {
  constexpr int kMost = 1000;
  Journal journal(journal_path(context.journal), Journal::Mode::ReadOnly);
  Journal::Filter filter;
  filter.limit = kMost;
  const std::vector<RunRecord> runs = journal.list(filter);
  if (!runs.empty() && fits(command, runs.front())) offers.add("@last", "the newest run");
  const auto failed =
      std::find_if(runs.begin(), runs.end(), [](const RunRecord& run) { return run.state == RunState::Failed; });
  if (failed != runs.end() && fits(command, *failed)) offers.add("@last-failed", "the newest run that has failed");
  for (const RunRecord& run : runs)
    if (fits(command, run)) offers.add(run.id, fmt::format("{}, {}", to_string(run.state), date_text(run.started_at)));
}

void offer_steps(const Context& context, const std::string& run, Offers& offers) {
  Journal journal(journal_path(context.journal), Journal::Mode::ReadOnly);
  History history = history_of(journal, find_or_newest(journal, run));
  for (const StepHistory& step : history.steps())
    offers.add(step.path, fmt::format("{}, {}", step.kind, to_string(step.state)));
}

void offer_inputs(const std::string& file, Offers& offers) {
  Diagnostics diagnostics({file, read_file(file, false)});
  if (auto loaded = load(file, diagnostics))
    for (const InputSpec& input : loaded->inputs) offers.add(input.name + "=", input.description);
}

void offer_commands(const CLI::App& app, Offers& offers) {
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    offers.add(command->get_name(), command->get_description());
}

/// A value of |option|. What is a file is left to the shell.
void offer_values(const CLI::Option& option, const Typed& typed, const Context& context, const CLI::App& app,
                  Offers& offers) {
  std::string kind = Typed::kind_of(option), type = option.get_type_name();
  if (std::size_t open = type.find('{'); open != std::string::npos) {
    std::string words = type.substr(open + 1, type.find('}') - open - 1);
    for (std::size_t at = 0; at <= words.size();) {
      std::size_t end = std::min(words.find(',', at), words.size());
      offers.add(words.substr(at, end - at));
      at = end + 1;
    }
  } else if (kind == "RUN") {
    offer_runs(context, typed.command().get_name(), offers);
  } else if (kind == "STEP" || kind == "PATH") {
    offer_steps(context, typed.value("RUN"), offers);
  } else if (kind == "NAME=VALUE") {
    offer_inputs(typed.value("FILE"), offers);
  } else if (kind == "TOPIC") {
    offer_commands(app, offers);
  }
}

}  // namespace

int complete(const CLI::App& app, Context& context, const std::vector<std::string>& asked) {
  // zsh and fish give the typed words, and quote what they get themselves. bash takes words apart at `@`, `=` and `:`,
  // so it gives the line, and the part of the word that it is about to replace.
  const bool bash = asked.size() == 3 && asked[0] == "--line";
  std::vector<std::string> words = bash ? raw_words(asked[1]) : asked;
  if (bash) words.erase(words.begin());
  const std::string raw = words.empty() ? "" : words.back();
  for (std::string& one : words) one = unquoted(one);
  const std::string word = words.empty() ? "" : words.back();
  Typed typed(app, words);
  Offers offers(word, [&](const std::string& text) { return bash ? for_bash(text, raw, asked[2]) : text; });
  try {
    context.journal = typed.journal();
    if (typed.open()) {
      offer_values(*typed.open(), typed, context, app, offers);
    } else if (begins(word, "-")) {
      for (const CLI::Option* option : typed.options())
        for (const std::string& name : option->get_lnames()) offers.add("--" + name, option->get_description());
    } else if (!typed.command().get_subcommands([](const CLI::App*) { return true; }).empty()) {
      if (!typed.has_arguments()) offer_commands(typed.command(), offers);
    } else if (const CLI::Option* argument = typed.next()) {
      offer_values(*argument, typed, context, app, offers);
    }
  } catch (const Error&) {
    // Without a journal, or with a file that is no workflow yet, there is nothing to offer.
  }
  print_view(offers.lines());
  return 0;
}

void add_completion(Command& app, Context& context) {
  auto shell = std::make_shared<std::string>();
  Command* command = app.add_subcommand("completion", "A script that completes commands, options, runs and steps");
  command->add_option("SHELL", *shell, "bash, zsh or fish")->required()->one_of({"bash", "zsh", "fish"});
  command->callback([&context, shell] {
    context.chosen = [shell] {
      print_result(*shell == "bash" ? kBash : *shell == "zsh" ? kZsh : kFish);
      return 0;
    };
  });
}

}  // namespace flowrun::cli
