// Values that are too long to be held as one text, and those that somebody has let go: written and read in pieces.
#include <fmt/format.h>

#include <utility>

#include "engine/journal/open.h"

namespace flowrun {

void keep_value(Database& database, std::string_view hash, const Value& value) {
  const std::size_t size = value.size();
  if (size <= kLongestText) return keep_text(database, TextTable::Values, hash, value.text());
  Statement insert(database, "INSERT OR IGNORE INTO vals (hash, value) VALUES (?, zeroblob(?))");
  insert.use()(hash)(static_cast<std::int64_t>(size)).run();
  const bool fresh = sqlite3_changes(database.handle()) > 0;
  std::int64_t rowid = 0;
  {
    Statement select(database, "SELECT rowid FROM vals WHERE hash = ?");
    auto row = select.use();
    row(hash);
    if (row.next()) rowid = row.integer(0);
  }
  LongCell cell(database, "vals", "value", rowid, fresh ? LongCell::Mode::Write : LongCell::Mode::Read);
  std::string there;
  bool same = cell.size() == size;
  if (same)
    value.pieces([&](std::string_view piece) {
      if (fresh) {
        cell.write(piece);
        return true;
      }
      there.resize(piece.size());
      cell.read(there);
      return same = there == piece;
    });
  if (!same) throw Corruption(fmt::format("the journal has another text under the hash {}", hash));
}

class Journal::Open::Home final : public TextHome {
 public:
  Home(std::shared_ptr<Open* const> open, std::int64_t run) : open_(std::move(open)), run_(run) {}
  void read(std::int64_t number, const std::function<void(std::string_view)>& take) const override {
    if (!*open_) throw Error(Problem::Internal, "a value is asked for whose journal is closed");
    // A copy: who takes it may ask for the next one.
    take((*open_)->value_of(run_, number));
  }

 private:
  const std::shared_ptr<Open* const> open_;
  const std::int64_t run_;
};

const std::shared_ptr<const TextHome>& Journal::Open::home_of(std::int64_t number) {
  if (!home || home_run != number) home = std::make_shared<Home>(self, home_run = number);
  return home;
}

std::string Journal::Open::value_of(std::int64_t run_number, std::int64_t seq) {
  if (run_number == run && !batch.empty() && seq >= batch.front().entry.seq)
    return batch.at(static_cast<std::size_t>(seq - batch.front().entry.seq)).entry.value.text();
  if (!select_value)
    select_value.emplace(*database,
                         "SELECT coalesce(entries.value, vals.value) FROM entries LEFT JOIN vals ON vals.hash = "
                         "value_ref WHERE id = ?");
  auto row = select_value->use();
  row(first_id(run_number) + seq);
  if (!row.next()) damaged(run_number, seq, "it is missing");
  return std::string(row.bytes(0));
}

}  // namespace flowrun
