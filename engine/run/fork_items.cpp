#include "engine/run/fork_items.h"

#include <algorithm>
#include <list>
#include <vector>

#include "engine/model/hash.h"
#include "engine/model/path.h"

namespace flowrun {
namespace {

/// The keys that a for_each gives to |items| when it has no `key` of its own; nothing when they are no list.
std::vector<std::string> names_of(const Json& items) {
  std::vector<std::string> names;
  if (!items.is_array()) return names;
  std::set<std::string> seen;
  bool distinct = true;
  for (const Json& item : items) {
    const bool scalar = item.is_string() || item.is_number() || item.is_boolean();
    names.push_back(item.is_string() ? item.get<std::string>() : Value(item).text());
    distinct = distinct && scalar && seen.insert(names.back()).second;
  }
  if (!distinct)
    for (std::size_t i = 0; i < names.size(); ++i) names[i] = std::to_string(i);
  return names;
}

std::uint64_t hash_of(const std::string& path, const std::string& input) {
  return hash64(without_keys(path) + "\n" + input);
}

}  // namespace

void ItemPairs::match(const std::string& path, const Value& items) {
  const std::string old = old_path(path);
  auto before = old_items_.find(old);
  if (before == old_items_.end()) return;
  const Json& was = before->second.json();
  const Json& is = items.json();
  const std::vector<std::string> old_names = names_of(was), names = names_of(is);
  std::map<std::string, std::list<std::size_t>> equal;  // indices of old items, by value
  for (std::size_t i = 0; i < old_names.size(); ++i) equal[Value(was[i]).text()].push_back(i);
  for (bool same_index : {true, false})  // first those that have not moved
    for (std::size_t i = 0; i < names.size(); ++i) {
      const std::string item = item_path(path, names[i]);
      if (!same_index && moved_.count(item)) continue;
      auto same = equal.find(Value(is[i]).text());
      if (same == equal.end() || same->second.empty()) continue;
      auto other = same_index ? std::find(same->second.begin(), same->second.end(), i) : same->second.begin();
      if (other == same->second.end()) continue;
      claimed_.insert(item_path(old, old_names[*other]));
      moved_[item] = item_path(old, old_names[*other]);
      same->second.erase(other);
    }
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string item = item_path(path, names[i]);
    if (moved_.count(item)) continue;
    moved_[item] = "";
    changed_[item] = {old, i < old_names.size() ? item_path(old, old_names[i]) : ""};
  }
}

std::string ItemPairs::old_path(const std::string& path) const {
  if (moved_.empty()) return path;
  std::string old;
  std::size_t done = 0;  // of |path|, of which |old| is the counterpart
  for (std::size_t end = path.find(']'); end != std::string::npos; end = path.find(']', end + 1)) {
    auto moved = moved_.find(path.substr(0, end + 1));
    if (moved == moved_.end()) continue;
    if (moved->second.empty()) return "";
    old = moved->second;
    done = end + 1;
  }
  return old + path.substr(done);
}

std::string ItemPairs::old_path(const std::string& path, const std::string& input,
                                const std::map<Asked, Result>& results) {
  for (std::size_t end = path.find(']'); end != std::string::npos; end = path.find(']', end + 1)) {
    auto changed = changed_.find(path.substr(0, end + 1));
    if (changed == changed_.end() || !moved_[changed->first].empty()) continue;
    const auto& [parent, here] = changed->second;
    if (by_input_.empty())
      for (const auto& [asked, result] : results) by_input_.emplace(hash_of(asked.first, asked.second), asked.first);
    std::string found;
    auto same = by_input_.equal_range(hash_of(path, input));
    for (auto one = same.first; one != same.second; ++one) {
      if (!one->second.starts_with(parent + "[")) continue;
      const std::string item = one->second.substr(0, one->second.find(']', parent.size()) + 1);
      if (!claimed_.count(item) && (found.empty() || item == here)) found = item;
    }
    if (found.empty()) return here.empty() || claimed_.count(here) ? "" : here + path.substr(end + 1);
    moved_[changed->first] = found;
    claimed_.insert(found);
  }
  return old_path(path);
}

bool ItemPairs::is_in_changed(const std::string& path) const {
  for (std::size_t end = path.find(']'); end != std::string::npos; end = path.find(']', end + 1))
    if (changed_.count(path.substr(0, end + 1))) return true;
  return false;
}

}  // namespace flowrun
