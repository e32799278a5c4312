#include "cli/stop_signals.h"

#include <signal.h>

#include <atomic>

#include "engine/run/run.h"

namespace flowrun::cli {
namespace {

constexpr int kPatientSignals = 2;  // what is said more often ends the process

// The only state that the handler and the process share.
std::atomic<int> g_signals{0};
std::atomic<int> g_last_signal{0};
std::atomic<Run*> g_run{nullptr};

extern "C" void on_signal(int signal) {
  g_last_signal = signal;
  if (++g_signals > kPatientSignals) {
    // Nobody obeys, perhaps for a long expression: as kill -9 would, and what is in the journal is safe.
    ::signal(signal, SIG_DFL);
    ::raise(signal);
  }
  if (Run* run = g_run) run->wake();
}

}  // namespace

void hear_signals() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction before {};
    sigaction(signal, nullptr, &before);
    if (signal == SIGHUP && before.sa_handler == SIG_IGN) continue;  // nohup
    sigaction(signal, &action, nullptr);
  }
}

void wake_by_signals(Run* run) { g_run = run; }

int signals_heard() { return g_signals; }

int last_signal() { return g_last_signal; }

bool stop_asked() { return g_signals > 0; }

int code_of_signal() { return 128 + g_last_signal; }

}  // namespace flowrun::cli
