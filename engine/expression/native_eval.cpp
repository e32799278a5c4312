// What the part of jq that is evaluated in place yields.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/expression/native.h"
#include "engine/model/json_order.h"

namespace flowrun {
namespace {

struct JqError {
  std::string message;
};

const char* type_name(const Json& json) {
  static constexpr const char* kNames[] = {"null", "boolean", "boolean", "number", "string", "array", "object"};
  return kNames[type_rank(json)];
}

bool truthy(const Json& json) { return !json.is_null() && !(json.is_boolean() && !json.get<bool>()); }

class Calculation {
 public:
  Calculation(const Scope& scope, bool strict) : scope_(scope), strict_(strict) {}

  Value value(const NativeNode& node) {
    if (node.kind != NativeNode::Kind::Path) return Value(json(node));
    Value root = look_up(node.reference);
    return node.steps.empty() ? root : Value(walk(root.json(), node.steps));
  }

 private:
  Value look_up(const Reference& reference) {
    auto found = scope_.lookup(reference);
    if (auto* failure = std::get_if<Failure>(&found)) throw std::move(*failure);
    return std::get<Value>(std::move(found));
  }

  static Json walk(const Json& root, const std::vector<std::variant<std::string, std::int64_t>>& steps) {
    static const Json kNull;
    const Json* at = &root;
    for (const auto& step : steps) {
      if (const auto* key = std::get_if<std::string>(&step)) {
        if (at->is_null()) continue;
        if (!at->is_object()) throw JqError{fmt::format("cannot take `{}` of {}", *key, described(*at))};
        auto found = at->find(*key);
        at = found == at->end() ? &kNull : &*found;
      } else {
        std::int64_t index = std::get<std::int64_t>(step);
        if (at->is_null()) continue;
        if (!at->is_array()) throw JqError{fmt::format("cannot take number {} of {}", index, described(*at))};
        std::int64_t size = static_cast<std::int64_t>(at->size());
        if (index < 0) index += size;
        at = index < 0 || index >= size ? &kNull : &(*at)[static_cast<std::size_t>(index)];
      }
    }
    return *at;
  }

  static std::string described(const Json& json) {
    return fmt::format("{} ({})", type_name(json),
                       shortened(json.dump(-1, ' ', false, Json::error_handler_t::replace), 40));
  }

  Json json(const NativeNode& node) {
    switch (node.kind) {
      case NativeNode::Kind::Literal:
        return node.literal;
      case NativeNode::Kind::Path:
        return value(node).json();
      case NativeNode::Kind::List: {
        Json list = Json::array();
        for (const auto& child : node.children) list.push_back(json(*child));
        return list;
      }
      case NativeNode::Kind::Object: {
        Json object = Json::object();
        for (std::size_t i = 0; i < node.keys.size(); ++i) object[node.keys[i]] = json(*node.children[i]);
        return object;
      }
      case NativeNode::Kind::Alternative: {
        // An error is no missing value: it passes through, as in jq.
        Json first = json(*node.children[0]);
        return truthy(first) ? first : json(*node.children[1]);
      }
      case NativeNode::Kind::And:
        return truthy(json(*node.children[0])) && truthy(json(*node.children[1]));
      case NativeNode::Kind::Or:
        return truthy(json(*node.children[0])) || truthy(json(*node.children[1]));
      case NativeNode::Kind::Not:
        return !truthy(json(*node.children[0]));
      case NativeNode::Kind::Length:
        return length(json(*node.children[0]));
      case NativeNode::Kind::Compare:
        return compared(node);
    }
    return {};
  }

  Json compared(const NativeNode& node) {
    Json a = json(*node.children[0]);
    Json b = json(*node.children[1]);
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
