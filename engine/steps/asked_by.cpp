#include "engine/steps/asked_by.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/model/hash.h"
#include "engine/model/json_text.h"

namespace flowrun {
namespace {

/// A folder of the run as it stands in JSON, and the word for it.
struct Placed {
  std::string folder;
  std::string_view word;

  Placed(const std::string& path, std::string_view name) : word(name) {
    append_json_string(folder, path);
    folder = folder.substr(1, folder.size() - 2);
  }
  /// Puts the word in its place at |at| in |json|, if it is there, as a whole path or the beginning of one.
  bool take_out(std::string& json, std::size_t at) const {
    const std::size_t behind = at + folder.size();
    if (folder.size() < 2 || json.compare(at, folder.size(), folder) != 0) return false;
    if (behind < json.size() && json[behind] != '/' && json[behind] != '"') return false;
    json.replace(at, folder.size(), word);
    return true;
  }
};

}  // namespace

Context::Asked asked_by(const Task& task, const RunStarted& run) {
  // Where it runs is not what it asks for.
  if (const auto* process = std::get_if<Process>(&*task.work); process && !process->via.empty()) {
    Task bare = task;
    std::get<Process>(*bare.work).via.clear();
    return asked_by(bare, run);
  }
  std::string text = to_json_text(task);
  Context::Asked asked{hash64(text), 0};
  // One may be inside the other.
  std::array<Placed, 2> placed{Placed(run.run_dir, "$run.dir"), Placed(run.folder, "$folder")};
  if (run.run_dir.size() <= run.folder.size()) std::swap(placed[0], placed[1]);
  if (const auto* request = std::get_if<HttpRequest>(&*task.work)) {
    std::vector<std::size_t> files = files_in(text, *request);
    std::for_each(files.rbegin(), files.rend(), [&](std::size_t at) {
      if (!placed[0].take_out(text, at)) placed[1].take_out(text, at);
    });
  } else {
    for (const Placed& one : placed)
      for (std::size_t at = 0; one.folder.size() > 1 && (at = text.find(one.folder, at)) != text.npos;)
        at += one.take_out(text, at) ? one.word.size() : one.folder.size();
  }
  asked.unplaced = hash64(text);
  return asked;
}

}  // namespace flowrun
