// INT, TERM and HUP: how often a person or a system has asked this process for an end. Knows nothing of what ends.
#pragma once

namespace flowrun {
class Run;
}

namespace flowrun::cli {

/// From here on INT, TERM and HUP ask for an end, and the third of them ends the process.
void hear_signals();
/// |run| wakes at each; null: nothing does.
void wake_by_signals(Run* run);
int signals_heard();
/// The newest; 0: none.
int last_signal();
/// Whether a signal asks for an end. Of the whole process: signals are.
bool stop_asked();
/// The exit code of what the newest signal has ended.
int code_of_signal();

}  // namespace flowrun::cli
