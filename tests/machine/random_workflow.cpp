#include "tests/machine/random_workflow.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

#include "engine/machine/machine.h"
#include "engine/model/path.h"

namespace flowrun::test {

int below(Random& random, int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); }
bool percent(Random& random, int chance) { return below(random, 100) < chance; }

namespace {

/// Writes a random workflow and remembers its groups.
class Generator {
 public:
  explicit Generator(Random& random) : random_(random) {}

  std::string workflow() {
    std::string text = "flowrun: 1\n";
    if (percent(random_, 30)) text += fmt::format("concurrency: {}\n", 1 + below(random_, 4));
    if (percent(random_, 30)) text += "fail_fast: " + std::string(pick({"true", "false", "drain"})) + "\n";
    if (percent(random_, 5)) text += "timeout: 40s\n";
    text +=
        fmt::format("limits: {{ some: {}, slow: {{ rate: {}/m }} }}\n", 1 + below(random_, 3), 5 + below(random_, 30));
    if (percent(random_, 20)) text += "on_failure: { shell: sorry }\n";
    if (percent(random_, 20)) text += "finally: { shell: bye }\n";
    GroupSpec top;
    text += "input: { flag: {} }\nsteps:\n" + map(2, "", 0, &top) + "output:\n";
    for (const std::string& name : top.children) text += fmt::format("  {0}: ${{ $steps.{0} }}\n", name);
    return text;
  }

  std::map<std::string, GroupSpec> groups;
  Texts files;  ///< sub-workflows

 private:
  const char* pick(std::initializer_list<const char*> words) {
    return *(words.begin() + below(random_, static_cast<int>(words.size())));
  }
  static std::string pad(int indent) { return std::string(static_cast<std::size_t>(indent), ' '); }
  std::string fresh() { return fmt::format("s{}", ++count_); }

  std::string map(int indent, const std::string& path, int depth, GroupSpec* group) {
    std::string text;
    std::vector<std::string> siblings;
    for (int i = 0, n = 1 + below(random_, 4); i < n; ++i) {
      std::string name = fresh(), own = path.empty() ? name : path + "/" + name;
      bool tolerated = false;
      const std::string written = step(indent + 2, own, depth, tolerated, group);
      text += pad(indent) + name + ":\n" + written;
      if (!siblings.empty() && percent(random_, 35)) {
        // Who needs another branch of a race can never win (E303).
        const bool race = group && group->join == "quorum";
        const bool needs = percent(random_, 60) && !race;
        if (group) group->needs = group->needs || needs;
        const std::string& other =
            siblings[static_cast<std::size_t>(below(random_, static_cast<int>(siblings.size())))];
        text += pad(indent + 2) + (needs ? "needs" : "after") + ": [" + other + "]\n";
        if (needs && written.find("shell: work\n") == static_cast<std::size_t>(indent + 2) && percent(random_, 60))
          text += pad(indent + 2) + fmt::format("env: {{ FROM: \"${{ $steps.{} }}\" }}\n", other);
      }
      siblings.push_back(name);
      if (group) {
        group->children.push_back(own);
        if (tolerated) group->tolerated.insert(own);
      }
    }
    return text;
  }

  std::string step(int indent, const std::string& path, int depth, bool& tolerated, GroupSpec* group = nullptr) {
    std::string text, in = pad(indent);
    int kind = depth >= 3 ? below(random_, 60) : below(random_, 110);
    bool work = false;
    if (kind < 40) {
      text += in + "shell: work\n";
      work = true;
      if (percent(random_, 15))
        text += in + "poll: { until: \"${ .value > 60 }\", fail_if: \"${ .value < 9 }\", every: 2s, backoff: 2" +
                pick({"", ", attempts: 3", ", attempts: 3, errors: fail"}) + " }\n";
    } else if (kind < 44) {
      text += in + "http: http://x/list\n" + in + "output: ${ .body.rows }\n" + in +
              "paginate: { next: \"${ .body.next }\", query: page, max_pages: 3 }\n";
      work = true;
    } else if (kind < 48) {
      text += in + "wait: " + pick({kSignals[0], kSignals[1]}) + "\n";
      if (group) group->told = false;
    } else if (kind < 51) {
      text += in + "set: 1\n";
    } else if (kind < 57) {
      text += in + fmt::format("sleep: {}s\n", 1 + below(random_, 9));
    } else if (kind < 60) {
      text += in + "fail: on purpose\n";
    } else if (kind < 80) {
      bool race = kind >= 74;
      GroupSpec spec;
      if (race) spec = {"quorum", 1, {}, {}};
      std::string branches = in + (race ? "race:\n" : "parallel:\n") + map(indent + 2, path, depth + 1, &spec);
      text += branches;
      if (!race) text += join(indent, spec);
      groups[path] = spec;
    } else if (kind < 88) {
      text += in + "sequence:\n";
      for (int i = 0, n = 1 + below(random_, 3); i < n; ++i) {
        std::string name = fresh();
        bool ignored = false;
        text += pad(indent + 2) + "- id: " + name + "\n" + step(indent + 4, path + "/" + name, depth + 1, ignored);
      }
    } else if (kind < 96) {
      GroupSpec spec;
      text += in + "for_each: " + items(path, spec) + "\n" + in +
              fmt::format("concurrency: {}\n", 1 + below(random_, 3)) + in + "do:\n";
      bool tolerated_ones = false;
      if (percent(random_, 50)) {
        // An item of one step comes out as that does.
        text += step(indent + 2, path, 9, tolerated_ones, &spec);
        if (tolerated_ones) spec.tolerated.insert(spec.children.begin(), spec.children.end());
        text += join(indent, spec);
        groups[path] = spec;
      } else {
        // Otherwise its state is not in the entries.
        text += pad(indent + 2) + fresh() + ":\n" + step(indent + 4, path, 9, tolerated_ones) + join(indent, spec);
      }
    } else if (kind >= 100) {
      text += in + "workflow: " + file(path, depth) + "\n" + in + "with: { flag: \"${ $input.flag }\" }\n";
      if (percent(random_, 40)) text += in + "retry: { attempts: 3, delay: 1s, on: [child, timeout] }\n";
      if (percent(random_, 15)) text += in + "deadline: 8s\n";
    } else {
      text += in + "switch:\n" + pad(indent + 2) + "- if: ${ $input.flag }\n" + pad(indent + 4) + "do:\n" +
              pad(indent + 6) + fresh() + ":\n";
      bool ignored = false;
      text += step(indent + 8, path + "/x", 9, ignored);
      text += pad(indent + 2) + "- else: { set: 2 }\n";
    }
    if (percent(random_, 10)) text += in + "if: ${ $input.flag }\n";
    if (percent(random_, 10)) text += in + fmt::format("delay: {}s\n", 1 + below(random_, 3));
    if (work && percent(random_, 30)) text += in + "retry: { attempts: 3, delay: 1s, on: [exit] }\n";
    if (work && percent(random_, 10)) text += in + "deadline: 5s\n";
    if (work && percent(random_, 40))
      text += in + "limit: " + (in_file_ ? pick({"1", "2"}) : pick({"some", "some", "slow", "1", "2"})) + "\n";
    if (work && percent(random_, 15)) text += in + "on_crash: " + pick({"ask", "fail"}) + "\n";
    if (!work && percent(random_, 10)) text += in + "timeout: 6s\n";
    if (percent(random_, 12)) text += in + "fallback: { shell: instead }\n";
    if ((work || kind >= 60) && percent(random_, 20))
      text += in + "undo: { shell: back }\n" + in + "undo_on: " + pick({"succeeded", "started"}) + "\n";
    if (kind >= 60 && kind < 100 && percent(random_, 20)) text += in + "atomic: true\n";
    if (percent(random_, 10)) {
      text += in + "continue_on_error: true\n";
      tolerated = true;
    }
    return text;
  }

  /// A count, a map or a list of texts, with keys as hostile as there are.
  std::string items(const std::string& path, GroupSpec& spec) {
    const int n = below(random_, 4), form = below(random_, 3);
    std::vector<std::string> keys{"",
                                  "0",
                                  "1",
                                  "2",
                                  "-1",
                                  "]",
                                  "[",
                                  "[0]",
                                  "]/x[",
                                  "a/b",
                                  "..",
                                  ".undo",
                                  ".fallback",
                                  "x.undo",
                                  "%",
                                  "%5D",
                                  "\"'",
                                  "\\",
                                  "\t",
                                  "\x01",
                                  "\x7f",
                                  "\xc2\x9b",
                                  "~",
                                  " ",
                                  "\xc3\xa9",
                                  "\xf0\x9f\x90\xa2",
                                  "null",
                                  "true",
                                  "1e3",
                                  "finally",
                                  "undo",
                                  std::string(200, 'k') + "1",
                                  std::string(200, 'k') + "2",
                                  std::string(81, '/'),
                                  "$steps",
                                  "# no comment",
                                  ": ",
                                  "- "};
    std::shuffle(keys.begin(), keys.end(), random_);
    Json list = Json::array(), map = Json::object();
    for (int i = 0; i < n; ++i) {
      const std::string key = form == 0 ? std::to_string(i) : keys[static_cast<std::size_t>(i)];
      list.push_back(key);
      map[key] = i;
      spec.children.push_back(item_path(path, key));
    }
    if (form == 0) return std::to_string(n);
    // YAML has no pairs of surrogates, and takes these two only as escapes.
    std::string text = (form == 1 ? list : map).dump();
    for (const auto& [raw, escape] : {std::pair{"\x7f", "\\u007f"}, {"\xc2\x9b", "\\u009b"}})
      if (std::size_t at = text.find(raw); at != std::string::npos) text.replace(at, std::strlen(raw), escape);
    return text;
  }

  /// A file for the step at |path|.
  std::string file(const std::string& path, int depth) {
    std::string name = fresh() + ".yaml", text = "flowrun: 1\ninput: { flag: {} }\n";
    if (percent(random_, 30)) text += "fail_fast: " + std::string(pick({"true", "false", "drain"})) + "\n";
    if (percent(random_, 10)) text += "timeout: 9s\n";
    if (percent(random_, 30)) text += "on_failure: { shell: sorry }\n";
    if (percent(random_, 30)) text += "finally: { shell: bye }\n";
    // Only the file that is run has limits with names.
    bool outer = std::exchange(in_file_, true);
    files[name] = text + "steps:\n" + map(2, path, depth + 1, nullptr) + "output: 1\n";
    in_file_ = outer;
    return name;
  }

  std::string join(int indent, GroupSpec& spec) {
    std::string in = pad(indent), text;
    if (percent(random_, 25)) text += in + "fail_fast: " + pick({"true", "false", "drain"}) + "\n";
    int n = static_cast<int>(spec.children.size());
    spec.join = pick({"all", "all", "best_effort", "at_least", "tolerate", "quorum", "first_completed"});
    spec.amount = 1 + below(random_, std::max(1, n));
    if (spec.needs && spec.join == "first_completed") spec.join = "all";
    if (spec.needs && spec.join == "quorum") spec.amount = std::max(2, spec.amount);
    if (spec.join == "all") return text;
    if (spec.join == "best_effort" || spec.join == "first_completed") return text + in + "join: " + spec.join + "\n";
    return text + in + fmt::format("join: {{ {}: {} }}\n", spec.join, spec.amount);
  }

  Random& random_;
  int count_ = 0;
  bool in_file_ = false;  ///< of a sub-workflow
};

}  // namespace

RandomWorkflow::RandomWorkflow(Random& random) {
  Generator generator(random);
  text = generator.workflow();
  files = std::move(generator.files);
  groups = std::move(generator.groups);
}

Result random_result(const Task& task, unsigned dice) {
  Result result;
  const int value = static_cast<int>(dice % 100);
  if (dice / 100 % 100 < 3) result.retry_after = Duration(dice % 9000);
  const bool undo = task.path.ends_with(".undo");
  if (dice / 10000 % 100 < (undo ? 15U : 30U)) {
    result.failure = Failure{dice % 10 < 7 ? "exit.1" : "killed", "random"};
  } else if (std::holds_alternative<HttpRequest>(*task.work)) {
    Json body = {{"rows", {value}}, {"next", value < 70 ? Json(fmt::format("page {}", task.page + 1)) : Json()}};
    result.value = Value(Json{{"status", 200},
                              {"headers", Json::object()},
                              {"url", "http://x/list"},
                              {"attempt", task.attempt},
                              {"duration_ms", 1},
                              {"body", std::move(body)}});
  } else if (task.keep_raw) {
    result.value = Value(Json{{"exit_code", 0},
                              {"duration_ms", 1},
                              {"attempt", task.attempt},
                              {"stdout", ""},
                              {"stderr_tail", ""},
                              {"value", value}});
  } else {
    result.value = Value(Json(value));
  }
  return result;
}

RunStarted random_start(unsigned seed) {
  RunStarted started;
  started.semantics = Machine::kSemantics;
  started.id = "random";
  started.seed = fmt::format("{:032x}", seed);
  started.inputs = Value(Json{{"flag", seed % 2 == 0}});
  started.vars = Value(Json::object());
  started.cpus = 2;
  started.measured = true;
  if (seed % 5 == 0) started.concurrency = 2;
  return started;
}

Answer NoJq::evaluate(const Question& question) { return {{}, "no jq here: " + question.program.code}; }

}  // namespace flowrun::test
