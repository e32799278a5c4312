#include "engine/run/detached_handlers.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "engine/jq/jq.h"
#include "engine/model/hash.h"
#include "engine/model/json_text.h"
#include "engine/restate/requests.h"
#include "engine/restate/server.h"
#include "engine/run/clocks.h"
#include "engine/run/detached_run.h"

namespace flowrun {
namespace {

using restate::FrameType;
using restate::Invocation;

constexpr std::size_t kMostLive = 16;          // runs that are kept while they wait
constexpr std::size_t kBytesPerPause = 20000;  // of a journal, for each millisecond
constexpr std::chrono::milliseconds kMostPause{100};
constexpr Duration kStopPatience{5000};
constexpr std::string_view kLastMail = "last";

std::string_view word_for(FrameType type) {
  if (type == FrameType::Call) return "call";
  if (type == FrameType::OneWayCall) return "one-way call";
  return type == FrameType::Sleep ? "sleep" : "command";
}

ServerCommand recorded_command(const restate::Frame& frame) {
  ServerCommand command;
  command.type = static_cast<FrameType>(frame.type);
  if (command.type == FrameType::Call) {
    const restate::Call call = restate::call_from(frame.message);
    command.target = call.service + "/" + call.handler;
    command.name = call.name;
    command.completion = call.completion;
  } else if (command.type == FrameType::OneWayCall) {
    const restate::OneWayCall call = restate::one_way_call_from(frame.message);
    command.target = call.service + "/" + call.handler;
    command.name = call.name;
    command.completion = call.invocation_id_completion;
  } else if (command.type == FrameType::Sleep) {
    const restate::Sleep sleep = restate::sleep_from(frame.message);
    command.name = sleep.name;
    command.completion = sleep.completion;
  }
  return command;
}

std::string described(const ServerCommand& command) {
  std::string text(word_for(command.type));
  if (!command.target.empty()) text += " " + command.target;
  return fmt::format("{} `{}` ({})", text, command.name, command.completion);
}

bool same_command(const ServerCommand& one, const ServerCommand& other) {
  return one.type == other.type && one.target == other.target && one.name == other.name &&
         one.completion == other.completion;
}

std::string mismatch(std::size_t entry, const ServerCommand& recorded, const ServerCommand* decided) {
  const std::string text = fmt::format(
      "entry {} of the journal is {}, but this flowrun decides {}; nothing was done. Workers of the flowrun that began "
      "the run can go on with it",
      entry, described(recorded), decided ? described(*decided) : "nothing");
  std::string frames;
  append_frame(frames, FrameType::Error, restate::error_message(restate::kJournalMismatch, text));
  return frames;
}

/// How many in flight may end without anything new following says how soon the run looks again.
void pause_for(const Invocation& invocation) {
  const auto pause = std::chrono::milliseconds(invocation.body.size() / kBytesPerPause);
  std::this_thread::sleep_for(std::min(pause, kMostPause));
}

std::uint64_t chained(std::uint64_t sum, const restate::Frame& frame) {
  return (sum * 31 + frame.type) * 31 + hash64(frame.message);
}

std::string answer_stop(const Invocation& invocation) {
  std::string admin, id;
  for (ObjectReader object(invocation.input); object.next();) {
    if (object.key() == "admin") admin = object.text();
    if (object.key() == "invocation") id = object.text();
  }
  restate::Requests requests;
  const restate::Answer answered =
      answer_to(requests, requests.send("PATCH", restate::url_of_kill({"", admin}, id), {}, {}, kStopPatience));
  // Of one that has ended, and is not known any more, nothing is left to be killed.
  if (!answered.ok() && answered.status != 404 && answered.status != 409 && answered.status != 410)
    throw Error(Problem::Impossible, fmt::format("{} can not be killed through {}: {}", id, admin, answered.why()));
  std::string frames;
  append_frame(frames, FrameType::Output, restate::output_message("null"));
  append_frame(frames, FrameType::End, "");
  return frames;
}

}  // namespace

std::string answer_of(const DetachedRun& run, const Invocation& invocation) {
  const std::vector<ServerCommand>& commands = run.commands();
  std::size_t known = 0;
  bool told = false;
  for (std::size_t i = 1; i < invocation.entries.size(); ++i) {
    const restate::Frame& frame = invocation.entries[i];
    if (frame.is_notification()) continue;
    if (frame.is(FrameType::Output) && run.ended() && known == commands.size()) {
      told = true;
      continue;
    }
    const ServerCommand recorded = recorded_command(frame);
    const ServerCommand* decided = known < commands.size() ? &commands[known] : nullptr;
    if (!decided || !same_command(recorded, *decided)) return mismatch(i, recorded, decided);
    ++known;
  }
  std::string frames;
  for (std::size_t i = known; i < commands.size(); ++i) append_frame(frames, commands[i].type, commands[i].message);
  if (run.ended()) {
    if (!told) append_frame(frames, FrameType::Output, restate::output_message(run.outcome_text()));
    append_frame(frames, FrameType::End, "");
  } else {
    append_frame(frames, FrameType::Suspension, suspension_message(run.awaited(), invocation.protocol));
  }
  return frames;
}

/// A run as far as its notifications have been taken in.
struct DetachedRuns::Live {
  explicit Live(std::string_view text)
      : input(detached_input_from(text)),
        loaded(load_detached(input)),
        evaluator(make_jq(loaded.programs)),
        run(input, loaded, *evaluator),
        sum(hash64(text)) {
    // Where jq is not there no expression is to fail: another worker goes on.
    if (!loaded.programs.empty()) evaluator->check(loaded.programs);
  }

  const DetachedInput input;
  const Loaded loaded;
  const std::unique_ptr<Jq> evaluator;
  DetachedRun run;
  std::size_t taken = 0;  ///< notifications
  std::uint64_t sum;      ///< of the input and of these
};

struct DetachedRuns::Shelf {
  std::mutex lock;
  std::list<std::pair<std::string, std::unique_ptr<Live>>> runs;  ///< by id of the invocation, the newest first

  std::unique_ptr<Live> take(const std::string& id) {
    const std::lock_guard<std::mutex> locked(lock);
    const auto found = std::find_if(runs.begin(), runs.end(), [&](const auto& one) { return one.first == id; });
    if (found == runs.end()) return nullptr;
    std::unique_ptr<Live> live = std::move(found->second);
    runs.erase(found);
    return live;
  }
  void keep(const std::string& id, std::unique_ptr<Live> live) {
    const std::lock_guard<std::mutex> locked(lock);
    runs.emplace_front(id, std::move(live));
    if (runs.size() > kMostLive) runs.pop_back();
  }
};

DetachedRuns::DetachedRuns() : shelf_(std::make_unique<Shelf>()) {}
DetachedRuns::~DetachedRuns() = default;

std::string DetachedRuns::answer(const Invocation& invocation) {
  std::vector<const restate::Frame*> notifications;
  for (const restate::Frame& frame : invocation.entries)
    if (frame.is_notification()) notifications.push_back(&frame);
  std::unique_ptr<Live> live = shelf_->take(invocation.start.id);
  if (live) {
    // Another attempt may have seen more than this one, on a connection that was lost.
    std::uint64_t sum = hash64(invocation.input);
    for (std::size_t i = 0; i < std::min(live->taken, notifications.size()); ++i) sum = chained(sum, *notifications[i]);
    if (live->taken > notifications.size() || sum != live->sum) live = nullptr;
  }
  if (!live) {
    try {
      live = std::make_unique<Live>(invocation.input);
    } catch (const Corruption& error) {
      std::string frames;
      append_frame(frames, FrameType::Output, restate::output_message(restate::TerminalFailure{400, error.what()}));
      append_frame(frames, FrameType::End, "");
      return frames;
    }
  }
  const std::size_t before = live->run.commands().size();
  for (; live->taken < notifications.size(); ++live->taken) {
    const restate::Frame& frame = *notifications[live->taken];
    live->run.take(restate::notification_from(frame));
    live->sum = chained(live->sum, frame);
  }
  std::string frames = answer_of(live->run, invocation);
  if (live->run.ended()) return frames;
  // A wake-up from which nothing follows: the server would send the whole journal again for the next one.
  if (live->run.commands().size() == before) pause_for(invocation);
  shelf_->keep(invocation.start.id, std::move(live));
  return frames;
}

std::string answer_mail(const Invocation& invocation) {
  const restate::Start start = restate::start_from(invocation.start_message, kLastMail);
  std::string last = start.state.value_or("0");
  std::size_t known = 0;
  bool stored = false;
  for (const restate::Frame& frame : invocation.entries) {
    if (frame.is_notification() || frame.is(FrameType::Input)) continue;
    ++known;
    // The state that comes with it may have what this very invocation has stored, or not.
    if (frame.is(FrameType::SetState)) last = restate::stored_value(frame.message), stored = true;
  }
  std::uint32_t number = 0;
  std::from_chars(last.data(), last.data() + last.size(), number);
  if (!stored) ++number;
  restate::SendSignal signal;
  signal.target = start.key;
  signal.name = mail_signal(number);
  // The clock of who sent it may be ahead, and time of a run never goes back.
  const auto mail = detached_mail_from(invocation.input);
  signal.value = mail ? mail_text(mail->request, std::min(mail->at, wall_clock())) : std::string(invocation.input);
  const std::pair<FrameType, std::string> commands[] = {
      {FrameType::SetState, restate::set_state_message(kLastMail, std::to_string(number))},
      {FrameType::SendSignal, to_message(signal)},
      {FrameType::Output, restate::output_message("null")}};
  std::string frames;
  for (std::size_t i = known; i < std::size(commands); ++i) append_frame(frames, commands[i].first, commands[i].second);
  append_frame(frames, FrameType::End, "");
  return frames;
}

std::vector<restate::OfferedHandler> detached_handlers() {
  using Offered = restate::OfferedHandler;
  const auto runs = std::make_shared<DetachedRuns>();
  Offered run, stop, mail;
  run.name = kRunHandler;
  run.call = [runs](const Invocation& invocation) { return runs->answer(invocation); };
  stop.name = kStopHandler;
  stop.call = answer_stop;
  mail.suffix = kMailSuffix;
  mail.type = Offered::Service::VirtualObject;
  mail.name = kMailHandler;
  mail.call = answer_mail;
  return {run, stop, mail};
}

}  // namespace flowrun
