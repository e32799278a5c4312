#include "engine/jq/programs.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace flowrun::jq {
namespace {

// Longer `elif` chains compile no faster, and what stands last in them is found slowly.
constexpr std::size_t kBatch = 64;
constexpr std::size_t kChain = 8;
// About 2 MB each. When more are needed all go, and come back as they are asked for.
constexpr std::size_t kMaxStates = 48;

// What flowrun adds to jq.
constexpr const char* kAdded = R"jq(
def compact: if type == "object" then with_entries(select(.value != null)) else map(select(. != null)) end;
def chunks($n):
  if type != "array" then error("chunks takes a list, not \(type)")
  elif ($n | type) != "number" or $n < 1 then error("chunks needs a size of at least 1")
  else . as $all | ($n | floor) as $size | [range(0; length; $size) as $at | $all[$at:$at + $size]] end;
def required(message): if . == null then error(message) else . end;
)jq";

// A tokenizer in front refuses these; should one come through, it fails and does nothing.
constexpr const char* kRefused[] = {
    "input",
    "inputs",
    "debug",
    "debug(a)",
    "stderr",
    "input_filename",
    "input_line_number",
    "env",
    "halt",
    "halt_error",
    "halt_error(a)",
    "modulemeta",
    "get_search_list",
    "localtime",
    "strflocaltime(a)",
};

// jq compiles `a < b` to a call of _less(a; b), so a definition of that name in front of a condition takes its place.
constexpr std::pair<const char*, const char*> kComparisons[] = {
    {"less", "<"}, {"lesseq", "<="}, {"greater", ">"}, {"greatereq", ">="}};

std::string strict_comparisons() {
  std::string out = R"jq(
def __described: type | if . == "null" then . elif . == "array" then "a list" elif . == "object" then "an object"
  elif . == "number" then "a number" elif . == "string" then "text" else "true or false" end;
def __refuse($how; $a; $b):
  error("`\($how)` compares \($a | __described) with \($b | __described): different types have no order here");
)jq";
  // In jq's order of operands: the right one is the outer loop.
  for (auto [name, how] : kComparisons)
    out += fmt::format(
        "def __strict_{0}(a; b): b as $b | a as $a | if ($a | type) == ($b | type) then $a {1} $b "
        "else __refuse(\"{1}\"; $a; $b) end;\n",
        name, how);
  return out;
}

std::string use_strict_comparisons() {
  std::string out;
  for (auto [name, how] : kComparisons) out += fmt::format("def _{0}(a; b): __strict_{0}(a; b); ", name);
  return out;
}

bool is_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

/// All `$name` in |program|, those in strings and local ones included: one too many does no harm.
void collect_variables(const std::string& program, std::set<std::string>& names) {
  // jq 1.6 takes no keyword behind `$`; the last three have a meaning of their own.
  static const std::set<std::string> kReserved = {
      "and",     "or",  "if",    "then",  "else",   "elif",    "end",     "as",          "def", "reduce",
      "foreach", "try", "catch", "label", "import", "include", "__loc__", "__prog_args", "ENV"};
  for (std::size_t at = program.find('$'); at != std::string::npos; at = program.find('$', at + 1)) {
    std::size_t end = at + 1;
    while (end < program.size() && is_name(program[end])) ++end;
    std::string name = program.substr(at + 1, end - at - 1);
    if (!name.empty() && !(name[0] >= '0' && name[0] <= '9') && !kReserved.contains(name)) names.insert(name);
  }
}

/// What must not reach jq within a batch: text such as `1) elif true then (2` that leaves the brackets around it, and
/// variables that jq has of itself. Empty when there is nothing; what else is wrong jq tells.
std::string refusal(const std::string& program) {
  static const std::string kUnclosed = "its brackets or quotes do not close what they open";
  std::string open;  // brackets, and `"` for a string around an interpolation
  for (std::size_t i = 0; i < program.size(); ++i) {
    char c = program[i];
    if (!open.empty() && open.back() == '"') {
      if (c == '\\' && i + 1 < program.size()) {
        if (program[++i] == '(') open += ')';
      } else if (c == '"') {
        open.pop_back();
      }
    } else if (c == '"') {
      open += '"';
    } else if (c == '$') {
      for (std::string_view name : {"$ENV", "$__loc__", "$__prog_args"})
        if (program.compare(i, name.size(), name) == 0 &&
            (i + name.size() == program.size() || !is_name(program[i + name.size()])))
          return fmt::format("`{}` is no part of flowrun's expressions", name);
    } else if (c == '#') {
      while (i + 1 < program.size() && program[i + 1] != '\n') ++i;
    } else if (c == '(') {
      open += ')';
    } else if (c == '[') {
      open += ']';
    } else if (c == '{') {
      open += '}';
    } else if (c == ')' || c == ']' || c == '}') {
      if (open.empty() || open.back() != c) return kUnclosed;
      open.pop_back();
    }
  }
  return open.empty() ? "" : kUnclosed;
}

std::string source_of(std::span<const Program> batch) {
  std::set<std::string> names;
  bool any_strict = false;
  for (const Program& program : batch) {
    collect_variables(program.code, names);
    any_strict = any_strict || program.strict;
  }
  std::string out = kAdded;
  for (const char* name : kRefused) {
    std::string plain(name, std::find(name, name + std::char_traits<char>::length(name), '('));
    out += fmt::format("def {}: error(\"`{}` is no part of flowrun's expressions\");\n", name, plain);
  }
  if (any_strict) out += strict_comparisons();
  out += ". as $__q | $__q.v as $__v | $__q.i as $__index | $__q.g as $__group |\n";
  for (const std::string& name : names)
    if (!name.starts_with("__")) out += fmt::format("$__v[\"{0}\"] as ${0} |\n", name);
  out += "def now: $__v.now | if . == null then error(\"`now` is not known here; write $now\") else . end;\n";
  // Two short chains: in one long chain the last of 64 costs more to find than most programs cost to run.
  out += "$__q.d | if false then null\n";
  for (std::size_t index = 0; index < batch.size(); ++index) {
    if (index % kChain == 0)
      out += fmt::format("{}elif $__group == {} then if false then null\n", index > 0 ? "else null end\n" : "",
                         index / kChain);
    // A comment at the end of an expression ends with the line.
    out += fmt::format("elif $__index == {} then ({}{}\n)\n", index,
                       batch[index].strict ? use_strict_comparisons() : "", batch[index].code);
  }
  out += "else null end else null end";
  return out;
}

/// The heart of jq's message: without its name, the position in our text, and the text itself.
std::string heart_of(const std::string& messages, const std::string& program) {
  std::string line = messages.substr(0, messages.find('\n'));
  if (line.starts_with("jq: error: ")) line.erase(0, 11);
  for (std::string_view noise : {" (Unix shell quoting issues?)", " (Windows cmd shell quoting issues?)"})
    if (std::size_t at = line.find(noise); at != std::string::npos) line.erase(at, noise.size());
  if (std::size_t at = line.find(" at <top-level>"); at != std::string::npos) line.erase(at);
  for (auto [theirs, ours] : {std::pair{"QQSTRING_START", "a string"},
                              {"QQSTRING_TEXT", "text"},
                              {"QQSTRING_END", "`\"`"},
                              {"INVALID_CHARACTER", "a character that jq does not know"},
                              {"$end", "the end"}})
    if (std::size_t at = line.find(theirs); at != std::string::npos)
      line.replace(at, std::string_view(theirs).size(), ours);
  // The bracket that we put behind.
  if (line.find("unexpected ')'") != std::string::npos && program.find(')') == std::string::npos)
    return "syntax error, it ends too early";
  return line.empty() ? "jq can not compile this" : line;
}

void collect_message(void* messages, jv message) {
  auto& all = *static_cast<std::string*>(messages);
  if (jv_get_kind(message) == JV_KIND_STRING) {
    all += jv_string_value(message);
    all += '\n';
  }
  jv_free(message);
}

// Without these jq 1.6 jumps to a null pointer.
jv no_input(jq_state*, void*) { return jv_invalid(); }
void no_debug(void*, jv message) { jv_free(message); }

}  // namespace

void Programs::know(Program program) {
  if (batch_of_.contains(program)) return;
  if (batches_.empty() || batches_.back().size() == kBatch) batches_.emplace_back();
  batch_of_[program] = batches_.size() - 1;
  batches_.back().push_back(std::move(program));
}

bool Programs::has(const Program& program) const { return compiled_.contains(program); }

const Compiled& Programs::compile(const Program& program) {
  auto found = compiled_.find(program);
  if (found != compiled_.end()) return found->second;
  if (states_.size() >= kMaxStates) {
    compiled_.clear();
    states_.clear();
  }
  auto batch = batch_of_.find(program);
  compile_batch(batch == batch_of_.end() ? std::span(&program, 1) : std::span(batches_[batch->second]));
  return compiled_.at(program);
}

void Programs::compile_batch(std::span<const Program> batch) {
  std::string messages;
  bool inside =
      std::all_of(batch.begin(), batch.end(), [](const Program& program) { return refusal(program.code).empty(); });
  if (inside) {
    State state(jq_init());
    if (!state) throw std::bad_alloc();
    jq_set_error_cb(state.get(), collect_message, &messages);
    bool good = jq_compile(state.get(), source_of(batch).c_str()) != 0;
    jq_set_error_cb(state.get(), nullptr, nullptr);
    if (good) {
      // jq_next puts the state's handler in place of the thread's.
      jq_set_nomem_handler(state.get(), out_of_memory_, nullptr);
      jq_set_input_cb(state.get(), no_input, nullptr);
      jq_set_debug_cb(state.get(), no_debug, nullptr);
      for (std::size_t i = 0; i < batch.size(); ++i) {
        int index = static_cast<int>(i);
        compiled_[batch[i]] = {state.get(), index, index / static_cast<int>(kChain), ""};
      }
      states_.push_back(std::move(state));
      return;
    }
  }
  if (batch.size() == 1) {
    const std::string& code = batch.front().code;
    compiled_[batch.front()] = {nullptr, 0, 0, inside ? heart_of(messages, code) : refusal(code)};
    return;
  }
  compile_batch(batch.first(batch.size() / 2));
  compile_batch(batch.subspan(batch.size() / 2));
}

std::vector<std::string> Programs::check(const std::vector<Program>& programs) {
  for (const Program& program : programs) know(program);
  std::vector<std::string> errors;
  for (const Program& program : programs) errors.push_back(compile(program).error);
  return errors;
}

}  // namespace flowrun::jq
