// What can be done with runs, for every front end: start, resume, retry, undo, cancel, signal, fork. Decides what is
// possible in which state of a run. Prints nothing: FrontEnd is asked and told. Its messages name the options of
// flowrun(1).
//
// An operation that drives opens the run and hands it out; drive() in drive_loop.h turns it. Each throws
// Error(Impossible) when the run is not in a state for it, Error(Busy) when another process drives it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/run/front_end.h"
#include "engine/run/mailbox.h"

namespace flowrun {

/// A run that an operation was about.
struct Opened {
  RunRecord record;                      ///< as it was found; of a run that another process has ended: as that left it
  std::unique_ptr<Run> run;              ///< to be driven; null: nothing is left to be driven
  std::optional<KeyTaken> skipped = {};  ///< nothing was begun: another run has the key, and `exclusive` says skip
};

/// What a new run begins with: a workflow that was checked, and its inputs.
struct StartRequest {
  Loaded loaded;
  ResolvedInputs inputs;
  StartOptions options;
  std::unique_ptr<Evaluator> evaluator;
  std::unique_ptr<ItemFeed> items = nullptr;  ///< of the workflow's for_each over standard input
};

/// Starts a run. When its id is taken by a run of the same text and inputs: retries that if it failed or was cancelled,
/// hands it out without anything to drive if it has succeeded, else resumes it with |on_crash|. Items that the run has
/// not had yet are added to it, also when it has ended. When the folder it was started in is gone, its steps run in
/// that of the file from here on.
Opened start_or_resume(Journal& journal, StartRequest request, OnCrash on_crash, FrontEnd& front);

/// |run| in the following is as Journal::find() takes it.

/// Goes on with a run that was cut off or suspended. Nothing to drive: it has ended. Throws what FrontEnd::answers
/// throws when steps have to be asked about.
Opened resume(Journal& journal, const std::string& run, ResumeOptions options, FrontEnd& front);
/// Reopens a run that has ended; paths in |options| may be as typed. Nothing to drive: it has succeeded, and |options|
/// name nothing.
Opened retry(Journal& journal, const std::string& run, RetryOptions options, FrontEnd& front);
/// Undoes what a run that has ended has done. Nothing to drive: nothing is left to be undone. |workdir| here and below
/// as in ResumeOptions.
Opened undo(Journal& journal, const std::string& run, const std::string& workdir, FrontEnd& front);
/// Ends a run. Who drives it is asked to, and waited for: then nothing is left to be driven. A run that nobody drives,
/// or whose driver goes away meanwhile, is opened only to be ended.
Opened cancel(Journal& journal, const std::string& run, CancelRequested request, const std::string& workdir,
              FrontEnd& front);

struct SignalSent {
  RunRecord run;
  std::string name;  ///< of the signal
};
/// The run that a signal is for; throws Error(Impossible) when it has ended.
RunRecord find_waiting(const Journal& journal, const std::string& run);
/// Puts a signal into the mailbox of |run|, where it waits for whoever drives it, now or later. Throws as
/// chosen_signal() does.
SignalSent send_signal(Journal& journal, const std::string& run, const SignalOptions& options);

/// The run that is to be forked.
RunRecord find_forkable(const Journal& journal, const std::string& run);
/// The file that a fork of |old| runs: |named|, else that of |old|; empty when it is gone: its own copy.
std::string fork_file(const RunRecord& old, const std::string& named);
/// |given|, and below it the inputs of |old| that |loaded| knows; names of others go to |dropped|.
GivenInputs fork_inputs(const RunRecord& old, const Loaded& loaded, GivenInputs given,
                        std::vector<std::string>& dropped);
/// Starts a run that takes over what its options say.
Opened fork(Journal& journal, StartRequest request, FrontEnd& front);

/// What follows `run r has`: succeeded, failed, been cancelled.
std::string ended_as(RunState state);
/// Whether nothing is left undone that should be, in a run that was undone.
bool fully_undone(const RunRecord& run);

}  // namespace flowrun
