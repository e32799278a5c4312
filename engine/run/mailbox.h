// The mail of a run: what other processes ask of the one that drives it. Both ends write and read it here. Decides what
// may be signalled; knows no driver. Its messages name the options of flowrun(1).
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "engine/journal/journal.h"
#include "engine/model/event.h"
#include "engine/run/history.h"
#include "engine/run/load.h"

namespace flowrun {

/// What a message asks for. The member `by` of each is the sender of the message.
using MailRequest = std::variant<SignalReceived, CancelRequested>;

/// |request| as a row of the mailbox, sent |at|.
Journal::Mail to_mail(const MailRequest& request, Instant at);

/// What |mail| asks for; nothing for a kind that a newer flowrun sends. Throws Corruption when it is not as to_mail()
/// writes it. REQUIRES: the data of |mail| is a JSON object, which the journal sees to.
std::optional<MailRequest> request_of(const Journal::Mail& mail);

/// A signal as a person asks for it.
struct SignalOptions {
  std::string name;                     ///< empty: the one that is waited for
  std::string step;                     ///< empty: whoever waits for it; else a path as it may be typed
  Json data;                            ///< what the step gets
  std::optional<std::string> rejected;  ///< why the step fails; nothing: it goes on
};

/// The signal that |options| ask for, without its sender. |loaded| is the own copy of |run|, |history| all that its
/// entries say, |now| the time by which a wait may be over. Throws Error(Impossible) when no step waits for it or will,
/// or when several wait and none is named; Error(Invalid) when no step accepts the data.
SignalReceived chosen_signal(const SignalOptions& options, const RunRecord& run, const Loaded& loaded,
                             const History& history, Instant now);

}  // namespace flowrun
