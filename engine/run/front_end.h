// What a run asks of the front end that drives it, and tells it: a terminal, a test, a service. Every member has an
// answer that asks nobody and shows nothing, so a front end says only what it cares for.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/run/run.h"

namespace flowrun {

/// How often an end of a drive was asked for, and by which signal.
struct EndAsked {
  int signals = 0;
  bool unread = false;  ///< nobody reads what it says any more
  int signal = 0;       ///< the last; SIGPIPE: there was none
  int times() const { return signals + (unread ? 1 : 0); }
};

/// What follows when an end was asked for.
struct Ending {
  enum class How {
    Cancelled,  ///< the run comes to its end; asked once more, it is suspended
    Finishes,   ///< what runs may finish within |span|
    Told        ///< what runs is told to end; asked once more, |span| is all that it gets
  } how;
  int running = 0;  ///< steps
  Duration span{0};
};

/// Who is waited for: what drives |run|, or what has the key of a run that is to begin.
struct WaitsFor {
  std::string run;  ///< empty: not known
  bool ends;        ///< it is asked to end
  std::optional<KeyTaken> key = {};
};

/// Belongs to the thread of the run and outlives it.
class FrontEnd {
 public:
  virtual ~FrontEnd() = default;

  // While a run is opened, in this order; entry() comes between, of what is written meanwhile.

  /// Another process is waited for; once more when that is another one. What follows comes only when it is gone, or
  /// has let the key go.
  virtual void waits_for(const WaitsFor& /*other*/) {}

  /// The file of the run is another now, or |gone|; the run goes on with its own copy.
  virtual void file_changed(const std::string& /*file*/, bool /*gone*/) {}
  /// The folder in which the steps of the run have run is gone; from here on they run in |home|.
  virtual void folder_gone(const std::string& /*folder*/, const std::string& /*home*/) {}
  /// What will be driven is known and nothing has begun. |run|: its id; empty: a new one, which its first entry names.
  virtual void opens(const Loaded& /*loaded*/, const std::string& /*run*/) {}
  /// The trace around the drive; asked after opens().
  virtual Tracing tracing() const { return {}; }
  /// Whether results of earlier runs may be taken where a step says `memo`.
  virtual bool takes_memo() const { return true; }
  /// Whether an end is wanted before there is a run to be driven; then secrets are not waited for.
  virtual bool gives_up() const { return false; }
  /// What became of the steps that must not just run again. Throws Error(NeedsDecision) when nobody can be asked.
  virtual std::vector<Mark> answers(const RunRecord& run, const std::vector<OpenQuestion>& /*questions*/) {
    throw Error(Problem::NeedsDecision, "run " + run.id + " has to be told what became of its steps");
  }
  /// The run goes on; |cut_off| was in flight when it was last driven.
  virtual void resumes(const RunRecord& /*run*/, const std::vector<InFlight>& /*cut_off*/) {}
  /// Whether earlier() is to be called: it costs a pass over the journal.
  virtual bool wants_earlier() const { return false; }
  /// An entry of an earlier drive.
  virtual void earlier(const Entry& /*entry*/) {}
  /// The entry with which a step began to wait that still waits for its signal.
  virtual void still_waits(const Entry& /*entry*/) {}
  /// The drive has begun.
  virtual void opened(const OpeningNotes& /*notes*/) {}

  // While it is driven.

  /// Each entry of this drive once it is durable, in order; the first of them while the run is opened.
  virtual void entry(const Entry& /*entry*/) {}
  /// |run| is driven from here on, and may be woken by Run::wake(); null: no run is.
  virtual void drives(Run* /*run*/) {}
  /// Whether an end was asked for.
  virtual EndAsked end_asked() { return {}; }
  /// An end was asked for, and this is done about it.
  virtual void ends(const Ending& /*ending*/) {}
  /// How long a turn may wait for something to happen.
  virtual Duration patience() const { return Duration{1000}; }
  /// After each turn.
  virtual void turned(const Run& /*run*/) {}
  /// The disk is |full|, and nothing new is started; or there is room again.
  virtual void disk(bool /*full*/) {}
};

}  // namespace flowrun
