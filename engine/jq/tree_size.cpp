#include "engine/jq/tree_size.h"

#include <algorithm>
#include <vector>

namespace flowrun::jq {
namespace {

// As libjq 1.6 and 1.7 allocate (src/jv.c), with what malloc adds. A list has room for 16 values at first, then for
// half as many more; an object for 8 members, then for twice as many.
constexpr std::size_t kValue = 16, kMember = 40 + 8, kList = 32, kObject = 32, kText = 13 + 16;

struct Open {
  bool object;
  std::size_t members;
};

std::size_t size_of(const Open& closed) {
  if (!closed.object) return kList + kValue * std::max<std::size_t>(16, closed.members * 5 / 4);
  std::size_t room = 8;
  while (room < closed.members) room *= 2;
  return kObject + kMember * room;
}

}  // namespace

std::size_t tree_size(std::string_view json) {
  std::size_t size = 0;
  std::vector<Open> open;
  for (std::size_t i = 0; i < json.size(); ++i) {
    switch (json[i]) {
      case '"': {
        std::size_t end = json.find('"', i + 1);
        while (end != json.npos) {
          std::size_t slashes = 0;
          while (json[end - 1 - slashes] == '\\') ++slashes;
          if (slashes % 2 == 0) break;
          end = json.find('"', end + 1);
        }
        end = std::min(end, json.size());
        size += std::max<std::size_t>(32, kText + end - i);
        i = end;
        break;
      }
      case '{':
      case '[':
        open.push_back({json[i] == '{', 1});
        break;
      case ',':
        if (!open.empty()) ++open.back().members;
        break;
      case '}':
      case ']':
        if (open.empty()) break;
        size += size_of(open.back());
        open.pop_back();
        break;
      default:
        break;
    }
  }
  return size;
}

}  // namespace flowrun::jq
