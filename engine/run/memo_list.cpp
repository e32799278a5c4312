#include "engine/run/memo_list.h"

#include <algorithm>
#include <functional>

#include "engine/memo/memo_store.h"
#include "engine/run/step_paths.h"

namespace flowrun {
namespace {

Json json_or_null(const std::string& text) {
  Json json = Json::parse(text, nullptr, false);
  return json.is_discarded() ? Json() : json;
}

MemoCleared clear_if(const Journal& journal, const std::function<bool(const KeptResult&)>& goes) {
  if (!MemoStore::is_there(journal.path())) return {};
  MemoStore store(journal.path());
  std::vector<std::string> keys;
  for (const KeptResult& kept : store.list())
    if (goes(kept)) keys.push_back(kept.key);
  MemoCleared cleared;
  cleared.results = store.remove(keys);
  cleared.bytes = store.sweep();
  return cleared;
}

}  // namespace

std::vector<MemoRow> memo_rows(const Journal& journal) {
  std::vector<MemoRow> rows;
  if (!MemoStore::is_there(journal.path())) return rows;
  for (const KeptResult& kept : MemoStore(journal.path()).list()) {
    MemoRow row{kept.key, kept.workflow, kept.step, kept.run, kept.seq, kept.at, kept.at_most, {}, {}, {}, 0};
    row.input = json_or_null(kept.input);
    row.reads = json_or_null(kept.reads);
    row.writes = Json::array();
    for (const KeptFile& file : kept.writes) {
      row.writes.push_back({{"name", file.name}, {"size", file.size}, {"mode", file.mode}, {"sum", file.sum}});
      row.bytes += file.size;
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

MemoCleared clear_memo(const Journal& journal, const MemoChoice& choice, Instant now) {
  return clear_if(journal, [&](const KeptResult& kept) {
    const bool named =
        choice.steps.empty() || std::any_of(choice.steps.begin(), choice.steps.end(), [&](const std::string& step) {
          return step == kept.step || step == slashed(kept.step) || (is_pattern(step) && is_like(step, kept.step));
        });
    return named && (!choice.older || now - kept.at > *choice.older);
  });
}

MemoCleared tidy_memo(const Journal& journal, Instant now) {
  return clear_if(journal, [&](const KeptResult& kept) { return now - kept.at > kept.at_most; });
}

}  // namespace flowrun
