#include "engine/journal/upgrade.h"

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "engine/journal/open.h"

namespace flowrun {

namespace {

/// An entry whose sum is another one now.
struct Resummed {
  std::int64_t id;
  std::string_view kind;  ///< its new name; empty: as it was
  std::uint64_t sum;
};

/// The entries of |run| that change; nothing when one of its sums, or that in its row, does not fit.
std::vector<Resummed> resummed(Database& database, std::int64_t run) {
  std::vector<Resummed> entries;
  std::uint64_t before = 0, after = 0;
  {
    Statement select(database,
                     "SELECT id, at, kind, path, attempt, data, coalesce(entries.value, vals.value), sum FROM entries "
                     "LEFT JOIN vals ON vals.hash = value_ref WHERE id >= ? AND id < ? ORDER BY id");
    auto row = select.use();
    row(first_id(run))(first_id(run + 1));
    while (row.next()) {
      Entry entry;
      entry.at = from_millis(row.integer(1));
      entry.path = row.text(3);
      entry.attempt = static_cast<int>(row.integer(4));
      entry.data = row.text(5);
      entry.value = Value::from_text(std::string(row.text(6)));
      const std::string_view was = row.text(2);
      const std::optional<EntryKind> kind = entry_kind_from(was);
      const std::string_view name = kind ? to_string(*kind) : was;
      before = entry_sum(before, row.integer(0), was, entry);
      after = entry_sum(after, row.integer(0), name, entry);
      if (static_cast<std::uint64_t>(row.integer(7)) != before) return {};
      if (after != before) entries.push_back({row.integer(0), name == was ? std::string_view() : name, after});
    }
  }
  Statement select(database, "SELECT last_sum FROM runs WHERE number = ?");
  auto row = select.use();
  row(run);
  if (!row.next() || static_cast<std::uint64_t>(row.integer(0)) != before) return {};
  return entries;
}

void rename_in(Database& database, std::int64_t run) {
  const std::vector<Resummed> entries = resummed(database, run);
  if (entries.empty()) return;
  Statement rename(database, "UPDATE entries SET kind = ? WHERE id = ?");
  Statement sum(database, "UPDATE entries SET sum = ? WHERE id = ?");
  for (const Resummed& entry : entries) {
    sum.use()(static_cast<std::int64_t>(entry.sum))(entry.id).run();
    if (!entry.kind.empty()) rename.use()(entry.kind)(entry.id).run();
  }
  Statement last(database, "UPDATE runs SET last_sum = ? WHERE number = ?");
  last.use()(static_cast<std::int64_t>(entries.back().sum))(run).run();
}

}  // namespace

void rename_kinds(Database& database) {
  std::set<std::int64_t> runs;
  for (const FormerName& former : former_names()) {
    Statement select(database, "SELECT DISTINCT id >> 40 FROM entries WHERE kind = ?");
    auto row = select.use();
    for (row(former.name); row.next();) runs.insert(row.integer(0));
  }
  for (const std::int64_t run : runs) rename_in(database, run);
}

}  // namespace flowrun
