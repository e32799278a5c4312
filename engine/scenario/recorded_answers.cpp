#include "engine/scenario/recorded_answers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "engine/model/entry_reading.h"
#include "engine/model/error.h"

namespace flowrun {
namespace {

constexpr Duration kTick{1};
/// How much longer an attempt that was stopped is made to take.
constexpr Duration kMuchLonger = std::chrono::hours(1);

/// `{ a: 1, b: 2 }`
class FlowMap {
 public:
  void add(const char* key, const std::string& yaml) {
    text_ += fmt::format("{}{}: {}", text_.empty() ? "" : ", ", key, yaml);
  }
  void add_unless_empty(const char* key, const Json& value) {
    if (value.is_null() || (value.is_string() && value.get_ref<const std::string&>().empty())) return;
    if (!value.is_structured() || !value.empty()) add(key, yaml_of(value));
  }
  std::string text() const { return "{ " + text_ + " }"; }
  const std::string& inside() const { return text_; }

 private:
  std::string text_;
};

/// The member |name| of an object, or null.
Json part_of(const Json& json, const char* name) {
  return json.is_object() && json.contains(name) ? json.at(name) : Json();
}

/// A scenario is read by many: what tells who asked stays in the journal.
Json shown_headers(Json headers) {
  if (headers.is_object())
    for (const char* name :
         {"set-cookie", "www-authenticate", "proxy-authenticate", "authentication-info", "authorization"})
      headers.erase(name);
  return headers;
}

}  // namespace

std::string yaml_of(const Json& json) {
  std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  // YAML has no such character as it is.
  for (std::size_t at = 0; (at = text.find('\x7f', at)) != text.npos;) text.replace(at, 1, "\\u007f");
  return text;
}

std::string yaml_key(const std::string& text) {
  const auto plain = [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == '/' || c == '.'; };
  const bool word = !text.empty() && std::isalpha(static_cast<unsigned char>(text[0])) != 0;
  return word && std::all_of(text.begin(), text.end(), plain) ? text : yaml_of(text);
}

void RecordedAnswers::refuse(const std::string& why) const {
  throw Error(Problem::Impossible, fmt::format("run {} {}: no scenario can tell of that", started_.id, why));
}

void RecordedAnswers::add(const std::vector<Entry>& entries) {
  for (const Entry& entry : entries)
    if (entry.kind == EntryKind::TimerFired) firings_[{entry.path, as<TimerFired>(entry).timer}].push_back(entry.seq);
  for (const Entry& entry : entries) take(entry);
}

void RecordedAnswers::take(const Entry& entry) {
  switch (entry.kind) {
    case EntryKind::RunStarted:
      started_ = as<RunStarted>(entry);
      started_at_ = entry.at;
      break;
    case EntryKind::RunResumed:
      return refuse("was resumed");
    case EntryKind::SuspendRequested:
      return refuse("was suspended");
    case EntryKind::RunReopened:
      return refuse("was retried");
    case EntryKind::CancelRequested:
      return refuse("was cancelled");
    case EntryKind::UndoRequested:
      return refuse("was undone");
    case EntryKind::StartTask:
      return started(entry);
    case EntryKind::StopTask:
      if (const auto attempt = attempts_.find(entry.path); attempt != attempts_.end())
        attempt->second.stopped = entry.at;
      break;
    case EntryKind::TaskWithdrawn:
      if (const auto attempt = attempts_.find(entry.path); attempt != attempts_.end()) {
        answers_[attempt->second.of].second.pop_back();
        attempts_.erase(attempt);
      }
      break;
    case EntryKind::TaskEnded:
    case EntryKind::LateEnd:
      return ended(entry);
    case EntryKind::ArmTimer:
      return armed(entry);
    case EntryKind::TimerFired:
      if (const auto timer = timers_.find({entry.path, as<TimerFired>(entry).timer}); timer != timers_.end()) {
        now_ = std::max(now_, timer->second.due);
        timers_.erase(timer);
      }
      busy_ = true;
      break;
    case EntryKind::SignalReceived:
      return signal(entry);
    case EntryKind::ItemsArrived:
      if (items_.is_null()) items_ = Json::array();
      for (const Json& item : as<ItemsArrived>(entry).items.json()) items_.push_back(item);
      break;
    default:
      break;
  }
}

void RecordedAnswers::started(const Entry& entry) {
  const auto [known, fresh] = numbers_.emplace(entry.path, answers_.size());
  if (fresh) answers_.push_back({entry.path, {}});
  std::vector<Answer>& all = answers_[known->second].second;
  Attempt attempt;
  attempt.of = known->second;
  attempt.number = all.size();
  attempt.at = entry.at;
  attempt.begins = now_;
  attempt.raw = as<StartTask>(entry).task.keep_raw;
  // Of one that never ends.
  all.push_back({"value: null", kMuchLonger, std::nullopt});
  attempts_[entry.path] = attempt;
}

void RecordedAnswers::armed(const Entry& entry) {
  const auto armed = as<ArmTimer>(entry);
  Timer timer{now_ + armed.span, 0};
  const std::vector<std::int64_t>& firings = firings_[{entry.path, armed.timer}];
  const auto next = std::upper_bound(firings.begin(), firings.end(), entry.seq);
  if (next != firings.end()) timer.fires = *next;
  timers_[{entry.path, armed.timer}] = timer;
}

Duration RecordedAnswers::moment(Duration wanted, std::int64_t seq) {
  // Behind what came before it, and before the timers that fire after it: at one time, these are last.
  for (const auto& [name, timer] : timers_)
    if (timer.fires > seq) wanted = std::min(wanted, timer.due);
  now_ = std::max(wanted, now_ + (busy_ ? kTick : Duration{0}));
  busy_ = true;
  return now_;
}

void RecordedAnswers::ended(const Entry& entry) {
  const auto found = attempts_.find(entry.path);
  if (found == attempts_.end()) return;
  const Attempt attempt = found->second;
  attempts_.erase(found);
  const Result result = as<TaskEnded>(entry).result;
  std::vector<Answer>& all = answers_[attempt.of].second;
  // What stood in line to its end needs no answer.
  if (result.failure && result.failure->type == "cancelled" && result.began == Instant{} && !result.sent &&
      attempt.number + 1 == all.size())
    return all.pop_back();
  Answer& told = all[attempt.number];
  if (entry.kind == EntryKind::LateEnd || (result.failure && result.failure->type == "cancelled")) {
    // It would have taken longer; how it would have ended nobody knows.
    told.delay = attempt.stopped.value_or(entry.at) - attempt.at + kMuchLonger;
    return;
  }
  told.ends = moment(attempt.begins + (entry.at - attempt.at), entry.seq);
  told.delay = std::max(*told.ends - attempt.begins, Duration{0});
  told.yaml = answer(entry.path, attempt, result);
}

std::string RecordedAnswers::answer(const std::string& path, const Attempt& attempt, const Result& result) const {
  static const std::vector<std::string> kErrors{"connect", "dns", "tls", "timeout", "parse", "spawn", "killed"};
  FlowMap map;
  if (result.failure) {
    const Failure& failure = *result.failure;
    const Json& detail = failure.detail.json();
    if (failure.type.starts_with("http.")) {
      const Json http = part_of(detail, "http");
      map.add("status", std::to_string(result.code));
      map.add_unless_empty("headers", shown_headers(part_of(http, "headers")));
      map.add_unless_empty("body", part_of(http, "body"));
    } else if (failure.type.starts_with("exit.")) {
      map.add("exit", std::to_string(result.code));
      map.add_unless_empty("stdout", result.value.json());
      map.add_unless_empty("stderr", part_of(detail, "stderr_tail"));
    } else if (std::find(kErrors.begin(), kErrors.end(), failure.type) != kErrors.end()) {
      map.add("error", failure.type);
      map.add("message", yaml_of(failure.message));
    } else {
      refuse(fmt::format("had an attempt of {} that failed with `{}`", path, failure.type));
    }
  } else if (result.again) {
    map.add("again", "true");
  } else if (result.page > 0) {
    FlowMap page;
    page.add("output", yaml_of(result.value.json()));
    page.add_unless_empty("next", result.next);
    map.add("page", page.text());
  } else if (attempt.raw && result.value.json().is_object()) {
    const Json& raw = result.value.json();
    const bool http = raw.contains("body");
    map.add("value", yaml_of(part_of(raw, http ? "body" : "value")));
    if (http) {
      map.add("status", std::to_string(result.code));
      map.add_unless_empty("headers", shown_headers(part_of(raw, "headers")));
    } else {
      map.add("exit", std::to_string(result.code));
      map.add_unless_empty("stdout", part_of(raw, "stdout"));
      map.add_unless_empty("stderr", part_of(raw, "stderr_tail"));
    }
  } else {
    map.add("value", yaml_of(result.value.json()));
  }
  return map.inside();
}

void RecordedAnswers::signal(const Entry& entry) {
  const auto fact = as<SignalReceived>(entry);
  FlowMap map;
  map.add("name", yaml_of(fact.name));
  map.add_unless_empty("step", fact.path);
  if (fact.rejected) map.add("reject", yaml_of(*fact.rejected));
  map.add_unless_empty("data", fact.data.json());
  map.add("at", to_string(moment(entry.at - started_at_, entry.seq)));
  signals_.push_back(map.text());
}

}  // namespace flowrun
