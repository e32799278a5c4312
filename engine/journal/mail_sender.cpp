#include "engine/journal/mail_sender.h"

#include "engine/journal/open.h"

namespace flowrun {

std::int64_t MailSender::post(const Journal::Mail& mail) {
  Journal::Open& open = *journal_.open_;
  std::int64_t id = 0;
  open.write([&] {
    Statement insert(*open.database,
                     "INSERT INTO mailbox (run, at, kind, name, data, sender) VALUES (?, ?, ?, ?, ?, ?)");
    insert.use()(run_)(to_millis(mail.at))(mail.kind)(mail.name)(mail.data)(mail.sender).run();
    id = sqlite3_last_insert_rowid(open.database->handle());
  });
  open.mail_seen_at = -1;  // our own writing does not show in SQLite's data_version
  return id;
}

void MailSender::withdraw(std::int64_t mail) {
  Journal::Open& open = *journal_.open_;
  open.write([&] {
    Statement remove(*open.database, "DELETE FROM mailbox WHERE id = ? AND run = ?");
    remove.use()(mail)(run_).run();
  });
}

}  // namespace flowrun
