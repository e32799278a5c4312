// The jq process: answers one question after the other until its socket is closed. Nothing in it is worth keeping, so
// it may crash or be killed at any time.
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <new>

#include "engine/jq/jq.h"
#include "engine/jq/programs.h"
#include "engine/jq/wire.h"

namespace flowrun {
namespace {

using namespace jq;

constexpr std::size_t kMaxOutput = 16u << 20;
// jq 1.6 reads nothing deeper; later ones would, and then differ.
constexpr int kMaxDepth = 256;

const char* kNoMemory = "needs more than 256 MiB of memory";

/// A jv that frees itself.
class Held {
 public:
  explicit Held(jv value) : value_(value) {}
  ~Held() { jv_free(value_); }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  jv copy() const { return jv_copy(value_); }
  jv_kind kind() const { return jv_get_kind(value_); }
  bool valid() const { return kind() != JV_KIND_INVALID; }
  const jv& operator*() const { return value_; }

 private:
  jv value_;
};

std::string text_of(jv value) {
  Held held(jv_get_kind(value) == JV_KIND_STRING ? value : jv_dump_string(value, JV_PRINT_SORTED));
  return std::string(jv_string_value(*held), static_cast<std::size_t>(jv_string_length_bytes(held.copy())));
}

// Of the whole process: libjq 1.6 forgets the argument that its handler is to be given.
int answers = -1;

/// Called by libjq when memory is out, which must not come back. Allocates nothing.
[[noreturn]] void leave(void*) {
  std::size_t length = std::char_traits<char>::length(kNoMemory);
  char message[128];
  std::uint64_t sizes[2] = {1 + sizeof(std::uint64_t) + length, length};
  std::memcpy(message, &sizes[0], sizeof sizes[0]);
  message[8] = static_cast<char>(Kind::Gone);
  std::memcpy(message + 9, &sizes[1], sizeof sizes[1]);
  std::memcpy(message + 17, kNoMemory, length);
  send(answers, std::string_view(message, 17 + length), Deadline::max());
  _exit(0);
}

/// Allows |kMemory| more than what is in use now.
void limit_memory() {
  unsigned long pages = 0;
  if (std::FILE* file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%lu", &pages) != 1) pages = 0;
    std::fclose(file);
  }
  rlimit limit{};
  if (pages == 0 || getrlimit(RLIMIT_AS, &limit) != 0) return;
  rlim_t wanted = pages * static_cast<unsigned long>(sysconf(_SC_PAGESIZE)) + kMemory;
  if (limit.rlim_max == RLIM_INFINITY || wanted < limit.rlim_max) limit.rlim_cur = wanted;
  setrlimit(RLIMIT_AS, &limit);
}

/// The stack can not grow once the limit is reached, not even for what tells so: makes it grow before.
[[gnu::noinline]] void reserve_stack() {
  volatile char stack[1 << 20];
  for (std::size_t i = 0; i < sizeof stack; i += 4096) stack[i] = 0;
}

bool too_deep(std::string_view json) {
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    char c = json[i];
    if (quoted) {
      if (c == '\\') ++i;
      if (c == '"') quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kMaxDepth) return true;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return false;
}

class Server {
 public:
  explicit Server(int socket) : socket_(socket), programs_(leave) {}
  ~Server() {
    for (auto& [id, value] : kept_) jv_free(value);
  }

  void run() {
    std::string partial, message;
    while (receive(socket_, partial, message, Deadline::max()) == Io::Done) {
      Reader reader(std::move(message));
      switch (reader.kind()) {
        case Kind::Programs:
          for (std::uint64_t left = reader.number(); left > 0; --left) programs_.know(reader.program());
          break;
        case Kind::Question:
          answer(reader);
          break;
        case Kind::Check:
          check(reader);
          break;
        default:
          return;
      }
      message.clear();
    }
  }

 private:
  void check(Reader& reader) {
    std::vector<Program> programs;
    for (std::uint64_t left = reader.number(); left > 0; --left) programs.push_back(reader.program());
    Writer writer(Kind::Checked);
    for (const std::string& error : programs_.check(programs)) writer.text(error);
    limit_memory();
    send(socket_, writer, Deadline::max());
  }

  void say(Kind kind, std::string_view text) {
    Writer writer(kind);
    writer.text(text);
    send(socket_, writer, Deadline::max());
  }

  void answer(Reader& reader) {
    Program program = reader.program();
    bool fresh = !programs_.has(program);
    const Compiled& compiled = programs_.compile(program);
    if (fresh) {
      limit_memory();
      say(Kind::Compiled, "");
    }
    std::string error;
    Held input(read_input(reader, compiled, error));
    if (!error.empty()) return say(Kind::Error, error);
    if (!compiled.state) return say(Kind::Error, compiled.error);
    evaluate(compiled.state, input.copy());
  }

  /// {"i": index, "g": group, "v": {variables}, "d": `.`}. Reads all, also behind an |error|.
  jv read_input(Reader& reader, const Compiled& compiled, std::string& error) {
    for (std::uint64_t left = reader.number(); left > 0; --left) drop(std::string(reader.text()));
    jv variables = jv_object();
    jv dot = jv_null();
    for (std::uint64_t left = reader.number(); left > 0; --left) {
      std::string name(reader.text());
      std::string id(reader.text());
      bool known = reader.number() != 0;
      jv value;
      if (known) {
        auto found = std::find_if(kept_.begin(), kept_.end(), [&](const auto& each) { return each.first == id; });
        value = found == kept_.end() ? jv_null() : jv_copy(found->second);
      } else {
        std::string_view text = reader.text();
        bool deep = too_deep(text);
        value = deep ? jv_null() : jv_parse_sized(text.data(), static_cast<int>(text.size()));
        if (deep) {
          error = fmt::format("{} is nested deeper than {} levels", name, kMaxDepth);
        } else if (!jv_is_valid(value)) {
          error = fmt::format("jq can not read the value of {}: {}", name, text_of(jv_invalid_get_msg(value)));
          value = jv_null();
        }
        if (!id.empty()) {
          kept_.emplace_back(id, jv_copy(value));
          limit_memory();
        }
      }
      if (name == ".") {
        jv_free(dot);
        dot = value;
      } else {
        std::string_view bare = std::string_view(name).substr(name.starts_with('$') ? 1 : 0);
        variables = bound(variables, bare, value);
      }
    }
    reader.clear();
    jv input = jv_object_set(jv_object(), jv_string("i"), jv_number(compiled.index));
    input = jv_object_set(input, jv_string("g"), jv_number(compiled.group));
    input = jv_object_set(input, jv_string("v"), variables);
    return jv_object_set(input, jv_string("d"), dot);
  }

  static jv text(std::string_view text) { return jv_string_sized(text.data(), static_cast<int>(text.size())); }

  /// |variables| with |value| as |name|, or as the member behind its dot.
  static jv bound(jv variables, std::string_view name, jv value) {
    const std::size_t dot = name.find('.');
    if (dot == name.npos) return jv_object_set(variables, text(name), value);
    jv around = jv_object_get(jv_copy(variables), text(name.substr(0, dot)));
    if (jv_get_kind(around) != JV_KIND_OBJECT) {
      jv_free(around);
      around = jv_object();
    }
    return jv_object_set(variables, text(name.substr(0, dot)),
                         jv_object_set(around, text(name.substr(dot + 1)), value));
  }

  void drop(const std::string& id) {
    auto found = std::find_if(kept_.begin(), kept_.end(), [&](const auto& each) { return each.first == id; });
    if (found == kept_.end()) return;
    jv_free(found->second);
    kept_.erase(found);
  }

  void evaluate(jq_state* state, jv input) {
    jq_start(state, input, 0);
    Held first(jq_next(state));
    Held second(first.valid() ? jq_next(state) : jv_invalid());
    for (const Held* each : {&first, &second})
      if (!each->valid() && jv_invalid_has_msg(each->copy()))
        return say(Kind::Error, text_of(jv_invalid_get_msg(each->copy())));
    if (jq_halted(state)) return say(Kind::Error, "it halts");
    if (!first.valid()) return say(Kind::Error, kNoResult);
    if (second.valid()) return say(Kind::Error, kSeveralResults);
    std::string text = text_of(jv_dump_string(first.copy(), JV_PRINT_SORTED));
    if (text.size() > kMaxOutput)
      return say(Kind::Error,
                 fmt::format("gives {} MiB, more than the 16 MiB that an expression may give", text.size() >> 20));
    if (too_deep(text))
      return say(Kind::Error, fmt::format("gives lists or objects nested deeper than {} levels", kMaxDepth));
    say(Kind::Result, text);
  }

  int socket_;
  Programs programs_;
  std::vector<std::pair<std::string, jv>> kept_;  ///< large values by the id that the parent gave them
};

}  // namespace

int serve_jq(int socket, int parent) {
  // Also while it computes, and hears nothing of the end of its socket. The kernel sends this when the thread that has
  // started us ends; that one asks all questions, and lives as long as its process. Who was gone before can not be
  // waited for.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) return 0;
  rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  answers = socket;
  jv_nomem_handler(leave, nullptr);
  reserve_stack();
  limit_memory();
  try {
    Server(socket).run();
  } catch (const std::bad_alloc&) {
    leave(nullptr);
  }
  return 0;
}

}  // namespace flowrun
