// The mailbox of a run, from outside: any process leaves word for the one that drives it. Does not know what a message
// means.
#pragma once

#include "engine/journal/journal.h"

namespace flowrun {

/// Lends the journal, which is open for writing.
class MailSender {
 public:
  MailSender(Journal& journal, const RunRecord& run) : journal_(journal), run_(run.number) {}

  /// Puts |mail| into the mailbox, where it waits for the driver; durable on return. Returns its id.
  std::int64_t post(const Journal::Mail& mail);
  /// Takes mail out of the box that nobody has taken in.
  void withdraw(std::int64_t mail);

 private:
  Journal& journal_;
  const std::int64_t run_;
};

}  // namespace flowrun
