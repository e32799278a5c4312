#include "engine/run/exclusive.h"

#include <fmt/format.h>

#include <chrono>
#include <optional>
#include <thread>

#include "engine/executor/secrets.h"
#include "engine/journal/mail_sender.h"
#include "engine/model/entry_reading.h"
#include "engine/run/clocks.h"
#include "engine/run/fresh.h"
#include "engine/run/front_end.h"
#include "engine/run/mailbox.h"

namespace flowrun {
namespace {

constexpr std::chrono::milliseconds kAskAgain{20};  // between two looks at the line
// Between two looks for who has the key, who may be another by then.
constexpr std::chrono::milliseconds kLookAgain{1000};
constexpr int kUnknown = 10;     // looks in a row that find nobody, before that is told
constexpr int kMostRuns = 1000;  // the newest, that are looked through

KeyTaken holder_of(const Journal& journal, const std::string& key) {
  Journal::Filter filter;
  filter.state = RunState::Running;
  filter.limit = kMostRuns;
  for (const RunRecord& run : journal.list(filter)) {
    try {
      if (run.driver_pid != 0 && exclusive_key(journal, run) == key) return {key, run.id, run.driver_pid};
    } catch (const Corruption&) {
      // Another run that is damaged is no reason not to wait.
    }
  }
  return {key, "", 0};
}

/// Word left for who has the key, that it is to end; taken back when nobody has taken it in.
class AskedToEnd {
 public:
  AskedToEnd(Journal& journal, const RunRecord& run)
      : driver_(journal, run), mail_(driver_.post(to_mail(request(), wall_clock()))) {}
  ~AskedToEnd() {
    try {
      driver_.withdraw(mail_);
    } catch (const Error&) {
      // The disk is full, say. It stays in the box of a run that has ended, or ends.
    }
  }
  AskedToEnd(const AskedToEnd&) = delete;
  AskedToEnd& operator=(const AskedToEnd&) = delete;

 private:
  static CancelRequested request() {
    CancelRequested request;
    request.by = sender();
    return request;
  }
  MailSender driver_;
  const std::int64_t mail_;
};

}  // namespace

std::string exclusive_key(const Journal& journal, const RunRecord& run) {
  const std::vector<Entry> first = journal.read(run.number, 1, 1);
  return first.empty() || first[0].kind != EntryKind::RunStarted ? "" : as<RunStarted>(first[0]).exclusive;
}

std::string KeyTaken::text() const {
  const std::string process = pid > 0 ? fmt::format("process {}", pid) : "a process of another container";
  if (run.empty()) return fmt::format("the key `{}` is taken by a run that is just beginning or ending", key);
  return fmt::format("the key `{}` is taken by run {} ({})", key, run, process);
}

KeyHold::KeyHold(const Journal& journal, const std::string& key)
    : name_(key), file_(shared_file_of(journal.path())), line_(file_, "exclusive", key) {}

bool KeyHold::take() {
  if (!place_.empty()) return true;
  if (!line_.is_first() || !line_.take(1, 1, place_)) return false;
  line_.leave();
  return true;
}

HeldPlaces KeyHold::held_by(const std::string& run) const {
  return {file_.identity(), "run " + run, ranges_of(place_.bytes), place_.mark};
}

std::unique_ptr<KeyHold> take_key(Journal& journal, const std::string& key, Exclusive::WhenTaken when,
                                  FrontEnd& front) {
  using When = Exclusive::WhenTaken;
  using Clock = std::chrono::steady_clock;
  auto hold = std::make_unique<KeyHold>(journal, key);
  // Somebody who is just taking a ticket is gone at once.
  for (int tries = 0; tries < 3; ++tries) {
    if (hold->take()) return hold;
    if (when == When::Wait || when == When::Replace) break;
    std::this_thread::sleep_for(kAskAgain);
  }
  int unknown = 0;
  std::optional<std::pair<std::string, std::int64_t>> told;  // run and process
  std::optional<AskedToEnd> asked;
  for (Clock::time_point look_at{}; !hold->take();) {
    if (front.gives_up())
      throw Interrupted(fmt::format("stopped while it waited for the key `{}`; nothing was started", key));
    if (Clock::now() >= look_at) {
      const KeyTaken taken = holder_of(journal, key);
      // A run has its key before it has a row.
      if (taken.run.empty() && ++unknown <= kUnknown) {
        std::this_thread::sleep_for(kAskAgain);
        continue;
      }
      if (when == When::Skip || when == When::Fail) throw KeyIsTaken(taken);
      if (hold->is_held_around())
        throw Error(Problem::Busy,
                    taken.text() + ", below which this runs: it would wait for ever; nothing was started");
      const std::pair who(taken.run, taken.pid);
      // A run may have the key again: then it is asked again.
      if (!told || (*told != who && !taken.run.empty())) {
        const bool ends = when == When::Replace && !taken.run.empty();
        if (ends)
          if (const auto run = journal.find_exact(taken.run)) asked.emplace(journal, *run);
        front.waits_for({taken.run, ends, taken});
        told = who;
      }
      look_at = Clock::now() + kLookAgain;
    }
    std::this_thread::sleep_for(kAskAgain);
  }
  return hold;
}

}  // namespace flowrun
