// What the executor is asked to do: one HTTP call or one process. Everything is resolved: no expression is left, and
// of secrets just the places where they go.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "engine/model/indirect.h"
#include "engine/model/outcome.h"
#include "engine/model/secret_text.h"
#include "engine/model/time.h"
#include "engine/model/value.h"

namespace flowrun {

struct StatusRange {
  int first, last;  ///< inclusive
};

/// A secret goes into one of the texts of a task.
struct TaskPlaceholder {
  enum class In { Url, Header, Basic, Body, Part, Variable, Stdin };  ///< Basic: a header to be, still USER:PASSWORD
  In in;
  std::size_t index = 0;  ///< of the header, part or variable
  Placeholder placeholder;
};
using TaskPlaceholders = std::vector<TaskPlaceholder>;  ///< of one text in order

/// A field of a form as multipart/form-data.
struct FormPart {
  std::string name;
  std::string text;      ///< its content, unless it is that of |file|
  std::string file;      ///< streamed from here when not empty
  std::string filename;  ///< as the other side sees it; empty: that of |file|, if there is one
  std::string type;      ///< its Content-Type; empty: what libcurl thinks of the names
};

struct HttpRequest {
  enum class Response { Auto, Json, Text, Base64, None, File, Jsonl };
  std::string method = "GET";
  std::string url;
  /// Where the workflow sends its headers: when |url| came from an answer and is on another host than this, only those
  /// go along that a redirect would take along. Empty: |url|.
  std::string origin_url;
  /// As the workflow wrote them plus what follows from `json`, `form`, `auth` and the idempotency key. Defaults
  /// (Accept, User-Agent) are the executor's.
  std::vector<std::pair<std::string, std::string>> headers;
  std::optional<std::string> body;
  std::string body_file;            ///< streamed from here when not empty
  std::vector<FormPart> parts;      ///< the body as a form when not empty
  std::vector<StatusRange> expect;  ///< empty: any
  Response response = Response::Auto;
  std::int64_t max_response = 8 << 20;  ///< bytes
  int max_redirects = 10;               ///< 0: not followed
  std::string ca, cert, key;            ///< files; empty: the system's
  bool verify = true;
  std::string proxy;        ///< empty: from the usual variables
  std::string unix_socket;  ///< a file; empty: TCP
  Duration connect_timeout{5000};
  Duration idle_timeout{30000};  ///< without a byte moving; 0: none
  TaskPlaceholders placeholders;
};

struct Process {
  enum class Capture { Text, Json, Jsonl, Lines, None, File, Base64 };
  enum class Inherit { All, None, Listed };
  std::vector<std::string> argv;  ///< for `shell`: interpreter..., -c, script
  std::vector<std::string> via;   ///< what it is started with, elsewhere; empty: nothing
  bool script = false;            ///< the last argument is a script: goes through a file when too long for an argument
  /// Set in the child, or removed when there is no value.
  std::vector<std::pair<std::string, std::optional<std::string>>> env;
  Inherit inherit = Inherit::All;
  std::vector<std::string> inherited;  ///< names, for Listed
  std::string cwd;
  std::string stdin_text;
  Capture capture = Capture::Text;
  std::vector<int> success_codes{0};
  Duration kill_grace{5000};
  std::int64_t max_output = 1 << 20;  ///< bytes captured
  bool leave = false;                 ///< what it leaves running is meant to stay
  /// No expression sees what is captured: more than |max_output| is kept bounded, and is no failure.
  bool unread = false;
  /// Shares the places that exist by default, one a CPU: inside a for_each that wrote no width. Others are bounded
  /// by -j alone.
  bool shares_cpus = false;
  int weight = 1;  ///< how many of the places it takes
  TaskPlaceholders placeholders;
};

/// What has to be so that a result of an earlier run stands for an attempt: `memo` of its step.
struct MemoRequest {
  Duration at_most{0};              ///< so old the result may be
  std::string definition;           ///< as in CommonStep
  std::string folder;               ///< where the names of files start
  std::vector<std::string> reads;   ///< patterns of files whose content counts as input
  std::vector<std::string> writes;  ///< files that belong to the result
};

/// The output of a step that nobody may see: it stays with the executor, for the placeholders that name the step.
struct SecretOutput {
  bool of_raw = false;  ///< it is part of the raw result; else of the default output
  std::string within;   ///< which part, as a JSON pointer; empty: all of it
};

/// A pool of `limits` that drives on the same journal share. Its name says which.
struct SharedPool {
  std::string name;
  std::size_t max = 0;    ///< attempts at once; 0: no bound
  std::int64_t rate = 0;  ///< starts in any span of |per|; 0: no bound
  Duration per{0};
  std::size_t weight = 1;  ///< how many of the places it takes
};

/// One attempt at an effect.
struct Task {
  std::string path;
  int attempt = 1;  ///< from 1
  int rerun = 0;    ///< how often this attempt was begun before a crash
  int page = 0;     ///< which page it asks for, from 1; 0: there are none
  std::string idempotency_key;
  std::optional<Duration> timeout;  ///< from begun
  bool keep_raw = false;            ///< Result::value is the raw result, not the default output
  bool strict = false;              ///< a place was reserved for it
  std::string traceparent = {};     ///< of the trace it belongs to, which is told to the other side; empty: none
  std::string pool = {};            ///< the workers that it needs, when others carry it out; empty: any
  std::string call = {};            ///< names this attempt to who carries it out elsewhere: the same after a crash
  bool repeats = true;              ///< who carries it out elsewhere may begin again what may have begun: `on_crash`
  std::optional<Indirect<MemoRequest>> memo = {};  ///< nothing: it runs whatever was before
  std::optional<SecretOutput> secret_output = {};  ///< nothing: it may be seen
  std::optional<SharedPool> shared = {};  ///< of which it needs a place before it begins; no decision depends on it
  Indirect<std::variant<HttpRequest, Process>> work;
};

/// Changes the key, in the headers as well.
void set_idempotency_key(Task& task, std::string key);

/// What takes the place of a secret output wherever it could be seen.
Value concealed_output();

/// Of a secret output that can not be read as it is to be: without a word of it.
Failure unreadable_output();

/// Where secrets go in |task|.
const TaskPlaceholders& placeholders_of(const Task& task);

/// The names of all files that |request| uses.
std::vector<std::string*> files_of(HttpRequest& request);

/// Where the names of files begin in |text|, which is to_json_text() of |request|, in order.
std::vector<std::size_t> files_in(std::string_view text, const HttpRequest& request);

/// The resolved input as JSON for the journal and for people: {method, url, headers, body, file, multipart, unix} or
/// {argv, env, stdin}. Members that say nothing (defaults) are left out; texts with secrets in them are as
/// append_secret_text writes them.
std::string to_json_text(const Task& task);

}  // namespace flowrun
