#include "cli/memo_text.h"

#include <fmt/format.h>

#include "engine/run/history.h"

namespace flowrun::cli {

std::string origin_text(const MemoNote& note, Instant now) {
  return fmt::format("run {} (entry {}), {} old", note.run, note.seq, to_display(std::max(Duration{0}, now - note.at)));
}

std::string memo_explained(const MemoNote& note, Instant at, const std::string& indent) {
  std::string text;
  if (!note.run.empty())
    text += fmt::format("{}memo: it did not run; its result is that of {}, and took {} there\n", indent,
                        origin_text(note, at), to_display(note.took));
  if (!note.miss.empty()) text += fmt::format("{}memo: no result was taken: {}\n", indent, one_line(note.miss, 300));
  if (!note.unkept.empty())
    text += fmt::format("{}memo: its result is not kept for later runs: {}\n", indent, one_line(note.unkept, 300));
  return text;
}

Json memo_json(const MemoNote& note) {
  Json json = Json::object();
  if (!note.run.empty())
    json = {{"run", note.run}, {"seq", note.seq}, {"at", timestamp(note.at)}, {"took_ms", note.took.count()}};
  if (!note.miss.empty()) json["miss"] = note.miss;
  if (!note.unkept.empty()) json["unkept"] = note.unkept;
  return json;
}

}  // namespace flowrun::cli
