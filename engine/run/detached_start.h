// Runs on a Restate server, for every front end: started, answered, cancelled, brought home. As control.h for runs at
// home, and with its words.
#pragma once

#include <functional>
#include <string>

#include "engine/run/control.h"
#include "engine/run/detached_copy.h"
#include "engine/run/import.h"

namespace flowrun {

struct DetachedStarted {
  std::string id;
  bool before = false;  ///< it was started earlier, of the same text and inputs
};
/// Starts a run that goes on without this process. Throws Error(Usage) for what needs this process, Error(Impossible)
/// when the id is taken by another run.
DetachedStarted start_detached(const DetachedServer& server, const Loaded& loaded, ResolvedInputs inputs,
                               const StartOptions& options);

/// As send_signal().
SignalSent signal_detached(const DetachedCopy& copy, const SignalOptions& options);
/// Asks the run to end; false: it has ended.
bool cancel_detached(const DetachedCopy& copy, CancelRequested request);
/// Takes the run, which has ended, into |journal|. Throws as import_run() does.
Imported import_detached(Journal& journal, const DetachedCopy& copy, const std::function<bool()>& stop);

}  // namespace flowrun
