#include "engine/run/detached_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <utility>

#include "engine/model/encode.h"
#include "engine/model/error.h"
#include "engine/model/json_text.h"
#include "engine/model/random_number.h"
#include "engine/restate/requests.h"
#include "engine/restate/step_call.h"
#include "engine/run/detached_run.h"

namespace flowrun {
namespace {

constexpr Duration kPatience{30000};
constexpr std::int64_t kLargestAnswer = std::int64_t{1} << 31;
constexpr int kCandidates = 20;
constexpr std::size_t kRowsAtOnce = 2000;

/// What a server has to say of what it did not do.
std::string words_of(const restate::Answer& answer) {
  const std::string message = restate::message_in(answer.body);
  return message.empty() ? fmt::format("status {}", answer.status) : fmt::format("{} ({})", message, answer.status);
}

[[noreturn]] void refuse_answer(const std::string& url, const restate::Answer& answered) {
  if (answered.failure)
    throw Error(Problem::Impossible, fmt::format("no Restate server answers at {}: {}", url, answered.why()));
  throw Error(Problem::Impossible, fmt::format("the Restate server at {} refuses: {}", url, words_of(answered)));
}

restate::Answer post_json(const std::string& url, std::string body,
                          std::vector<std::pair<std::string, std::string>> headers) {
  restate::Requests requests;
  headers.emplace_back("Accept", "application/json");
  return answer_to(requests,
                   requests.send("POST", url, std::move(body), std::move(headers), kPatience, kLargestAnswer));
}

std::vector<Json> rows_of(const restate::Place& place, const std::string& sql) {
  restate::Answer answered = post_json(place.admin + "/query", Json{{"query", sql}}.dump(), {});
  if (!answered.ok()) refuse_answer(place.admin, answered);
  std::optional<Json> json = json_of(answered.body);
  if (!json || !json->is_object() || !json->contains("rows") || !(*json)["rows"].is_array())
    throw Error(Problem::Impossible, fmt::format("what {} answers to a query is no table", place.admin));
  std::vector<Json> rows;
  for (Json& row : (*json)["rows"]) rows.push_back(std::move(row));
  return rows;
}

std::string text_in(const Json& row, const char* column) {
  const auto found = row.find(column);
  return found != row.end() && found->is_string() ? found->get<std::string>() : "";
}

/// `2026-11-29T20:35:13.109Z`
Instant instant_from(const std::string& text) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0;
  double second = 0;
  if (std::sscanf(text.c_str(), "%d-%d-%dT%d:%d:%lf", &year, &month, &day, &hour, &minute, &second) != 6) return {};
  const std::chrono::sys_days date = std::chrono::year(year) / month / day;
  return std::chrono::time_point_cast<Duration>(date) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
         Duration(static_cast<std::int64_t>(second * 1000));
}

std::string unhex(const std::string& text) {
  std::string bytes(text.size() / 2, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    unsigned char byte = 0;
    const char* digits = text.data() + 2 * i;
    if (std::from_chars(digits, digits + 2, byte, 16).ptr != digits + 2)
      throw Error(Problem::Impossible, "what the Restate server tells of its journal is not hexadecimal");
    bytes[i] = static_cast<char>(byte);
  }
  return bytes;
}

/// Whether |word| is of the characters of ids: it goes into a query.
bool is_of_ids(const std::string& word) {
  return std::all_of(word.begin(), word.end(), [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  });
}

/// What keeps steps of the run from being carried out; empty: nothing.
std::string trouble_of_steps(const restate::Place& place, const std::string& run) {
  const std::vector<Json> rows = rows_of(
      place, fmt::format("SELECT id, target_service_name, status, last_failure FROM sys_invocation WHERE invoked_by_id "
                         "= '{}' AND status IN ('backing-off', 'paused') LIMIT 1",
                         run));
  if (rows.empty()) return "";
  const Json& step = rows.front();
  const std::string why = fmt::format("service `{}`: {}", text_in(step, "target_service_name"),
                                      restate::message_in(text_in(step, "last_failure")));
  if (text_in(step, "status") != "paused") return "the server tries a step again, " + why;
  return fmt::format("a step is paused on the server, {}; curl -X PATCH {}/invocations/{}/resume goes on with it", why,
                     place.admin, text_in(step, "id"));
}

}  // namespace

DetachedServer DetachedServer::at(const std::string& text, const std::string& option) {
  restate::Place place = restate::place_from(text, option);
  if (place.is_here()) throw Error(Problem::Usage, fmt::format("{} {}: that is no server", option, text));
  return DetachedServer(std::move(place));
}

bool DetachedServer::start(const std::string& id, std::string input) const {
  const std::string service = restate::service_name("");
  const restate::Answer answered = post_json(fmt::format("{}/restate/send/{}/{}", place_.ingress, service, kRunHandler),
                                             std::move(input), {{"idempotency-key", id}});
  if (answered.status == 404)
    throw Error(Problem::Impossible,
                fmt::format("the Restate server at {} has no service `{}` with a handler `{}`: start a worker, and "
                            "register it; nothing was started",
                            place_.ingress, service, kRunHandler));
  if (answered.status == 413)
    throw Error(Problem::Impossible,
                fmt::format("the workflow and its inputs are too large for the Restate server at {}: {}; nothing was "
                            "started",
                            place_.ingress, words_of(answered)));
  if (!answered.ok()) refuse_answer(place_.ingress, answered);
  const std::optional<Json> json = json_of(answered.body);
  return !json || !json->is_object() || text_in(*json, "status") != "PreviouslyAccepted";
}

std::vector<ServerRun> DetachedServer::select(const std::string& where, int limit) const {
  const std::string sql = fmt::format(
      "SELECT id, idempotency_key, status, created_at, completion_result, completion_failure, last_failure FROM "
      "sys_invocation WHERE target_service_name = '{}' AND target_handler_name = '{}'{} ORDER BY "
      "created_at DESC LIMIT {}",
      restate::service_name(""), kRunHandler, where, limit);
  std::vector<ServerRun> runs;
  for (const Json& row : rows_of(place_, sql)) {
    ServerRun run;
    run.invocation = text_in(row, "id");
    run.id = text_in(row, "idempotency_key");
    run.status = text_in(row, "status");
    run.created = instant_from(text_in(row, "created_at"));
    if (run.status == "backing-off") run.trouble = "the server tries again: " + text_in(row, "last_failure");
    if (run.status == "paused") run.trouble = "it is paused on the server: " + text_in(row, "last_failure");
    if (text_in(row, "completion_result") == "failure") run.trouble = text_in(row, "completion_failure");
    runs.push_back(std::move(run));
  }
  return runs;
}

std::vector<ServerRun> DetachedServer::list(int limit) const { return select(" AND idempotency_key <> ''", limit); }

ServerRun DetachedServer::look(const ServerRun& run) const {
  std::vector<ServerRun> runs = select(fmt::format(" AND id = '{}'", run.invocation), 1);
  if (runs.empty())
    throw Error(Problem::Impossible,
                fmt::format("the Restate server at {} keeps nothing of run {} any more", place_.admin, run.id));
  ServerRun now = std::move(runs.front());
  if (now.trouble.empty() && now.status != "completed") now.trouble = trouble_of_steps(place_, now.invocation);
  return now;
}

ServerRun DetachedServer::find(const std::string& run) const {
  if (run.empty() || run == "@last") {
    std::vector<ServerRun> newest = list(1);
    if (!newest.empty()) return std::move(newest.front());
    throw Error(Problem::Impossible, fmt::format("the Restate server at {} has no run", place_.admin));
  }
  if (is_of_ids(run)) {
    // An id of the server as text: as an id it would refuse one that is none.
    std::vector<std::string> ways = {run.starts_with("inv_") ? fmt::format(" AND concat(id, '') = '{}'", run)
                                                             : fmt::format(" AND idempotency_key = '{}'", run)};
    ways.push_back(fmt::format(" AND starts_with(idempotency_key, '{}')", run));
    ways.push_back(fmt::format(" AND ends_with(idempotency_key, '-{}')", run));
    for (const std::string& where : ways) {
      std::vector<ServerRun> found = select(where, kCandidates);
      if (found.size() == 1) return std::move(found.front());
      if (found.empty()) continue;
      std::string all;
      for (const ServerRun& one : found) all += "\n   " + one.id;
      throw Error(Problem::Impossible, fmt::format("`{}` may be one of several runs:{}", run, all));
    }
  }
  throw Error(Problem::Impossible,
              fmt::format("the Restate server at {} has no run `{}`; it keeps what has ended for a "
                          "week",
                          place_.admin, run));
}

ServerJournal DetachedServer::read(const ServerRun& run, std::int64_t from) const {
  static const std::map<std::string, restate::FrameType> kCommands = {
      {"Command: Call", restate::FrameType::Call},
      {"Command: OneWayCall", restate::FrameType::OneWayCall},
      {"Command: Sleep", restate::FrameType::Sleep}};
  static const std::map<std::string, restate::FrameType> kTypes = {
      {"Notification: Call", restate::FrameType::CallCompletion},
      {"Notification: CallInvocationId", restate::FrameType::CallInvocationId},
      {"Notification: Sleep", restate::FrameType::SleepCompletion},
      {"Notification: Signal", restate::FrameType::Signal}};
  ServerJournal journal;
  journal.next = from;
  for (std::size_t rows = kRowsAtOnce; rows == kRowsAtOnce;) {
    // What was asked for is computed again, and calls are long: their names will do.
    const std::string sql = fmt::format(
        "SELECT index, entry_type, name, CASE WHEN entry_type = 'Command: Input' OR entry_type LIKE 'Notification: %' "
        "THEN "
        "raw END AS raw FROM sys_journal WHERE id = '{}' AND index >= {} ORDER BY index LIMIT {}",
        run.invocation, journal.next, kRowsAtOnce);
    rows = 0;
    for (const Json& row : rows_of(place_, sql)) {
      ++rows;
      if (const auto index = row.find("index"); index != row.end() && index->is_number_integer())
        journal.next = std::max(journal.next, index->get<std::int64_t>() + 1);
      const std::string type = text_in(row, "entry_type");
      if (const auto command = kCommands.find(type); command != kCommands.end())
        journal.commands.push_back({command->second, text_in(row, "name")});
      const auto known = kTypes.find(type);
      if (known == kTypes.end() && type != "Command: Input") continue;
      const std::string message = unhex(text_in(row, "raw"));
      if (known == kTypes.end())
        journal.input = restate::input_from(message);
      else
        journal.notifications.push_back(
            restate::notification_from({static_cast<std::uint16_t>(known->second), message}));
    }
  }
  return journal;
}

void DetachedServer::send(const ServerRun& run, std::string mail) const {
  const std::string url = fmt::format("{}/restate/send/{}{}/{}/{}", place_.ingress, restate::service_name(""),
                                      kMailSuffix, run.invocation, kMailHandler);
  // Accepted is kept, whether a worker is there or not.
  const restate::Answer answered = post_json(url, std::move(mail), {{"idempotency-key", random_hex(16)}});
  if (!answered.ok()) refuse_answer(place_.ingress, answered);
}

}  // namespace flowrun
