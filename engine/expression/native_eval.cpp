// What the part of jq that is evaluated in place yields.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <list>

#include "engine/expression/native.h"
#include "engine/model/json_order.h"
#include "engine/model/secret_text.h"

namespace flowrun {
namespace {

using Kind = NativeNode::Kind;
using Function = NativeNode::Function;

struct JqError {
  std::string message;
};

/// A filter that goes through more than this, or builds more, would hold up its run; jq would be given 2 s for it.
constexpr std::size_t kMostVisits = 10'000'000;

const char* type_name(const Json& json) {
  static constexpr const char* kNames[] = {"null", "boolean", "boolean", "number", "string", "array", "object"};
  return kNames[type_rank(json)];
}

bool truthy(const Json& json) { return !json.is_null() && !(json.is_boolean() && !json.get<bool>()); }

std::string described(const Json& json) {
  return fmt::format("{} ({})", type_name(json),
                     shortened(json.dump(-1, ' ', false, Json::error_handler_t::replace), 40));
}

/// Where results go, one after the other, each gone after the call; false: no more are wanted.
class Taker {
 public:
  template <typename Take>
  Taker(const Take& take)  // NOLINT: a lambda is lent as it is
      : take_(&take),
        call_([](const void* what, const Json& json) { return (*static_cast<const Take*>(what))(json); }) {}
  bool operator()(const Json& json) const { return call_(take_, json); }

 private:
  const void* take_;
  bool (*call_)(const void*, const Json&);
};

class Calculation {
 public:
  Calculation(const Scope& scope, bool strict) : scope_(scope), strict_(strict) {}

  Value value(const NativeNode& node) {
    if (node.kind == Kind::Path && node.steps.empty()) return look_up(node.reference);
    if (node.one) {
      Json room;
      const Json& result = one(node, nullptr, room);
      return Value(&result == &room ? std::move(room) : result);
    }
    std::optional<Json> only;
    each(node, nullptr, [&](const Json& result) {
      if (only) throw JqError{kSeveralResults};
      only = result;
      return true;
    });
    if (!only) throw JqError{kNoResult};
    return Value(*std::move(only));
  }

 private:
  const Value& look_up(const Reference& reference) {
    for (const auto& [known, value] : seen_)
      if (known == &reference) return value;
    auto found = scope_.lookup(reference);
    if (auto* failure = std::get_if<Failure>(&found)) throw std::move(*failure);
    return seen_.emplace_back(&reference, std::get<Value>(std::move(found))).second;
  }

  /// `.`, where it is not written: null where there is none, as jq is told.
  const Json& implied(const NativeNode& node, const Json* dot) {
    static const Json kNull;
    if (dot) return *dot;
    try {
      return look_up(node.reference).json();
    } catch (const Failure&) {
      return kNull;
    }
  }

  /// The only result of |node|: part of a value, or made in |room|. REQUIRES: node.one.
  const Json& one(const NativeNode& node, const Json* dot, Json& room) {
    switch (node.kind) {
      case Kind::Literal:
        return node.literal;
      case Kind::Path:
        return walk(begin_of(node, dot), node.steps);
      case Kind::Pipe: {
        Json left_room;
        const Json& left = one(*node.children[0], dot, left_room);
        const Json& right = one(*node.children[1], &left, room);
        if (&left != &left_room || &right == &room) return right;
        return room = copied(right);  // it may be part of what ends here
      }
      case Kind::If:
        return one(chosen(node, dot), dot, room);
      case Kind::List: {
        Json list = Json::array();
        for (const auto& child : node.children)
          each(*child, dot, [&](const Json& member) {
            list.push_back(copied(member));
            return true;
          });
        return room = std::move(list);
      }
      case Kind::Object: {
        Json object = Json::object();
        for (std::size_t i = 0; i < node.keys.size(); ++i) {
          Json member;
          const Json& value = one(*node.children[i], dot, member);
          object[node.keys[i]] = &value == &member ? std::move(member) : copied(value);
        }
        return room = std::move(object);
      }
      case Kind::Alternative: {
        // An error is no missing value: it passes through, as in jq.
        const Json& first = one(*node.children[0], dot, room);
        return truthy(first) ? first : one(*node.children[1], dot, room);
      }
      case Kind::And:
        return room = is_true(*node.children[0], dot) && is_true(*node.children[1], dot);
      case Kind::Or:
        return room = is_true(*node.children[0], dot) || is_true(*node.children[1], dot);
      case Kind::Not:
        return room = !is_true(*node.children[0], dot);
      case Kind::Length: {
        Json of;
        return room = length(one(*node.children[0], dot, of));
      }
      case Kind::Compare:
        return room = compared(node, dot);
      case Kind::Call:
        return call(node, dot, room);
      default:  // gives any number of results, or is jq's
        return room = nullptr;
    }
  }

  bool is_true(const NativeNode& node, const Json* dot) {
    Json room;
    return truthy(one(node, dot, room));
  }

  const NativeNode& chosen(const NativeNode& node, const Json* dot) {
    return *node.children[is_true(*node.children[0], dot) ? 1 : 2];
  }

  const Json& begin_of(const NativeNode& path, const Json* dot) {
    if (path.implied || (dot && path.reference.variable == ".")) return implied(path, dot);
    return look_up(path.reference).json();
  }

  /// All results of |node| in order; false when |take| has had enough.
  bool each(const NativeNode& node, const Json* dot, const Taker& take) {
    switch (node.kind) {
      case Kind::Path:
        return go(begin_of(node, dot), node.steps.data(), node.steps.data() + node.steps.size(), take);
      case Kind::Pipe:
        return each(*node.children[0], dot, [&](const Json& left) { return each(*node.children[1], &left, take); });
      case Kind::Comma:
        visit();
        return each(*node.children[0], dot, take) && each(*node.children[1], dot, take);
      case Kind::If:
        return each(chosen(node, dot), dot, take);
      case Kind::Empty:
        return true;
      case Kind::Call:
        if (node.function == Function::Select) return !is_true(*node.children[0], dot) || take(implied(node, dot));
        if (node.function == Function::First) {
          std::optional<Json> first;
          each(*node.children[0], dot, [&](const Json& result) {
            first = copied(result);
            return false;
          });
          return !first || take(*first);
        }
        [[fallthrough]];
      default: {
        Json room;
        return take(one(node, dot, room));
      }
    }
  }

  bool go(const Json& from, const NativeNode::Hop* step, const NativeNode::Hop* end, const Taker& take) {
    const Json* at = &from;
    for (; step != end; ++step) {
      if (std::holds_alternative<NativeNode::Each>(*step))
        return members(*at, [&](const Json& member) { return go(member, step + 1, end, take); });
      at = &hop(*at, *step);
    }
    return take(*at);
  }

  bool members(const Json& json, const Taker& take) {
    if (!json.is_structured()) throw JqError{fmt::format("cannot go through {}", described(json))};
    for (const Json& member : json) {
      visit();
      if (!take(member)) return false;
    }
    return true;
  }

  void visit(std::size_t times = 1) {
    visits_ += times;
    if (visits_ > kMostVisits) throw JqError{fmt::format("goes through more than {} values", kMostVisits)};
  }

  const Json& copied(const Json& json) {
    visit(weight(json));
    return json;
  }

  static std::size_t weight(const Json& json) {
    if (json.is_string()) return 1 + json.get_ref<const std::string&>().size() / 64;
    std::size_t sum = 1;
    if (json.is_structured())
      for (const Json& member : json) sum += weight(member);
    return sum;
  }

  const Json& walk(const Json& root, const std::vector<NativeNode::Hop>& steps) {
    const Json* at = &root;
    for (const NativeNode::Hop& step : steps) at = at->is_binary() ? &hop_in_secret(*at, step) : &hop(*at, step);
    return *at;
  }

  /// What stands for a secret output is known, what is in it is not.
  const Json& hop_in_secret(const Json& at, const NativeNode::Hop& step) {
    const auto* key = std::get_if<std::string>(&step);
    return made_.emplace_back(key ? member_of_secret(at, *key) : item_of_secret(at, std::get<std::int64_t>(step)));
  }

  static const Json& hop(const Json& at, const NativeNode::Hop& step) {
    static const Json kNull;
    if (at.is_null()) return kNull;
    if (const auto* key = std::get_if<std::string>(&step)) {
      if (!at.is_object()) throw JqError{fmt::format("cannot take `{}` of {}", *key, described(at))};
      auto found = at.find(*key);
      return found == at.end() ? kNull : *found;
    }
    std::int64_t index = std::get<std::int64_t>(step);
    if (!at.is_array()) throw JqError{fmt::format("cannot take number {} of {}", index, described(at))};
    const std::int64_t size = static_cast<std::int64_t>(at.size());
    if (index < 0) index += size;
    return index < 0 || index >= size ? kNull : at[static_cast<std::size_t>(index)];
  }

  const Json& call(const NativeNode& node, const Json* dot, Json& room) {
    const Json& given = implied(node, dot);
    switch (node.function) {
      case Function::Map: {
        Json list = Json::array();
        members(given, [&](const Json& member) {
          return each(*node.children[0], &member, [&](const Json& result) {
            list.push_back(copied(result));
            return true;
          });
        });
        return room = std::move(list);
      }
      case Function::Any:
      case Function::All: {
        const bool wanted = node.function == Function::Any;
        const bool found = !members(given, [&](const Json& member) {
          return (node.children.empty() ? truthy(member) : is_true(*node.children[0], &member)) != wanted;
        });
        return room = found == wanted;
      }
      case Function::Keys:
        return room = keys(given);
      case Function::Type:
        return room = type_name(given);
      case Function::Has:
        return room = has(given, node.children[0]->literal);
      case Function::StartsWith:
      case Function::EndsWith:
        return room = begins(node, given, dot);
      default:
        return room = sorted(node, given);
    }
  }

  static Json keys(const Json& json) {
    if (!json.is_structured()) throw JqError{described(json) + " has no keys"};
    Json list = Json::array();
    if (json.is_object())
      for (const auto& [key, value] : json.items()) list.push_back(key);
    else
      for (std::size_t i = 0; i < json.size(); ++i) list.push_back(i);
    return list;
  }

  static bool has(const Json& json, const Json& key) {
    if (json.is_null()) return false;
    if (key.is_string() && json.is_object()) return json.contains(key.get_ref<const std::string&>());
    if (key.is_number() && json.is_array()) return key.get<std::uint64_t>() < json.size();
    throw JqError{fmt::format("cannot check whether {} has {}", described(json), described(key))};
  }

  bool begins(const NativeNode& node, const Json& text, const Json* dot) {
    Json room;
    const Json& part = one(*node.children[0], dot, room);
    const bool starts = node.function == Function::StartsWith;
    if (!text.is_string() || !part.is_string())
      throw JqError{fmt::format("{}() takes texts, not {}", starts ? "startswith" : "endswith",
                                described(text.is_string() ? part : text))};
    const std::string& all = text.get_ref<const std::string&>();
    const std::string& end = part.get_ref<const std::string&>();
    return starts ? all.starts_with(end) : all.ends_with(end);
  }

  Json sorted(const NativeNode& node, const Json& json) {
    if (!json.is_array()) throw JqError{fmt::format("{} cannot be sorted, as it is no list", described(json))};
    std::vector<std::pair<Json, const Json*>> order;
    for (const Json& member : json) {
      visit();
      order.emplace_back(nullptr, &member);
      if (node.function == Function::SortBy) {
        Json room;
        const Json& key = one(*node.children[0], &member, room);
        order.back().first = &key == &room ? std::move(room) : copied(key);
      }
    }
    const bool by_key = node.function == Function::SortBy;
    std::stable_sort(order.begin(), order.end(), [&](const auto& a, const auto& b) {
      return (by_key ? compare(a.first, b.first) : compare(*a.second, *b.second)) < 0;
    });
    Json list = Json::array();
    for (const auto& [key, member] : order)
      if (node.function != Function::Unique || list.empty() || compare(list.back(), *member) != 0)
        list.push_back(copied(*member));
    return list;
  }

  bool compared(const NativeNode& node, const Json* dot) {
    Json left, right;
    const Json& a = one(*node.children[0], dot, left);
    const Json& b = one(*node.children[1], dot, right);
    const std::string& how = node.comparison;
    if (how == "==") return compare(a, b) == 0;
    if (how == "!=") return compare(a, b) != 0;
    if (strict_ && std::string_view(type_name(a)) != type_name(b))
      throw Failure{"expression", fmt::format("`{}` compares {} with {}: different types have no order here", how,
                                              described(a), described(b))};
    int order = compare(a, b);
    if (how == "<") return order < 0;
    if (how == "<=") return order <= 0;
    if (how == ">") return order > 0;
    return order >= 0;
  }

  static Json length(const Json& json) {
    if (json.is_null()) return 0;
    if (json.is_array() || json.is_object()) return json.size();
    if (json.is_string()) {
      const std::string& text = json.get_ref<const std::string&>();
      return std::count_if(text.begin(), text.end(),
                           [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
    }
    if (json.is_number_unsigned()) return json;
    // The lowest has no positive counterpart among signed ones.
    if (json.is_number_integer())
      return json.get<std::int64_t>() < 0 ? Json(0 - static_cast<std::uint64_t>(json.get<std::int64_t>())) : json;
    if (json.is_number()) return std::fabs(json.get<double>());
    throw JqError{described(json) + " has no length"};
  }

  const Scope& scope_;
  bool strict_;
  std::size_t visits_ = 0;
  std::list<std::pair<const Reference*, Value>> seen_;  ///< values that were looked up
  std::list<Json> made_;                                ///< what stands for parts of secret outputs
};

}  // namespace

Fallible<Value> evaluate_native(const NativeNode& node, const Scope& scope, bool strict) {
  try {
    return Calculation(scope, strict).value(node);
  } catch (Failure& failure) {
    return std::move(failure);
  } catch (JqError& error) {
    return Failure{"expression", std::move(error.message)};
  }
}

}  // namespace flowrun
