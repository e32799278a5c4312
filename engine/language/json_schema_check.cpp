// Whether a value satisfies a JSON Schema, draft 7: a table of the keywords, each with its check. Numbers are what is
// written, in decimal: 19.99 is a multiple of 0.01. Lengths and patterns go by code points.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <memory>
#include <numeric>
#include <optional>

#include "engine/expression/pattern.h"
#include "engine/language/formats.h"
#include "engine/language/json_schema.h"
#include "engine/model/json_order.h"

namespace flowrun {
namespace {

constexpr std::size_t kLongestForPattern = 64 << 10;
constexpr std::size_t kMostErrors = 10;

/// `1 item`, `2 items`.
std::string counted(const Json& number, const char* what) {
  return fmt::format("{} {}{}", number.dump(), what, number == Json(1) ? "" : "s");
}

/// |coefficient| * 10^|exponent|, without a zero at its end.
struct Decimal {
  std::uint64_t coefficient = 0;
  int exponent = 0;
};

/// A number as it is written; its sign does not matter to what it is a multiple of.
Decimal decimal_of(const Json& number) {
  Decimal decimal;
  if (number.is_number_unsigned()) {
    decimal.coefficient = number.get<std::uint64_t>();
  } else if (number.is_number_integer()) {
    const auto bits = static_cast<std::uint64_t>(number.get<std::int64_t>());
    decimal.coefficient = number.get<std::int64_t>() < 0 ? 0 - bits : bits;
  } else {
    // The shortest decimal that means this double: 1.999e+01.
    char text[32];
    const char* end =
        std::to_chars(text, text + sizeof text, std::fabs(number.get<double>()), std::chars_format::scientific).ptr;
    const char* at = text;
    for (bool behind_point = false; at < end && *at != 'e'; ++at) {
      if (*at == '.') {
        behind_point = true;
        continue;
      }
      decimal.coefficient = decimal.coefficient * 10 + static_cast<std::uint64_t>(*at - '0');
      decimal.exponent -= behind_point;
    }
    int exponent = 0;
    std::from_chars(at + (at + 1 < end && at[1] == '+' ? 2 : 1), end, exponent);
    decimal.exponent += exponent;
  }
  for (; decimal.coefficient != 0 && decimal.coefficient % 10 == 0; decimal.coefficient /= 10) ++decimal.exponent;
  return decimal;
}

bool is_multiple(const Json& value, const Json& of) {
  const Decimal a = decimal_of(value), b = decimal_of(of);
  if (a.coefficient == 0) return true;
  // a has no zero at its end, so no multiple of 10 divides it.
  if (b.coefficient == 0 || a.exponent < b.exponent) return false;
  using Wide = unsigned __int128;
  Wide rest = a.coefficient % b.coefficient;
  for (int power = a.exponent - b.exponent; power > 0 && rest != 0; --power) rest = rest * 10 % b.coefficient;
  return rest == 0;
}

bool is_whole(const Json& value) {
  if (!value.is_number_float()) return value.is_number();
  return std::floor(value.get<double>()) == value.get<double>() && std::isfinite(value.get<double>());
}

bool is_of_type(const Json& value, const Json& type) {
  // `type: null` is read as nothing, and meant.
  const std::string name = type.is_string() ? type.get<std::string>() : "null";
  if (name == "integer") return is_whole(value);
  if (name == "number") return value.is_number();
  if (name == "string") return value.is_string();
  if (name == "boolean") return value.is_boolean();
  if (name == "array") return value.is_array();
  if (name == "object") return value.is_object();
  return value.is_null();
}

const char* name_of_type(const Json& value) {
  return value.is_string()    ? "text"
         : value.is_boolean() ? "true or false"
         : is_whole(value)    ? "a whole number"
         : value.is_number()  ? "a number"
         : value.is_array()   ? "a list"
         : value.is_object()  ? "a map"
                              : "null";
}

std::string shown(const Json& json) {
  return shortened(json.dump(-1, ' ', false, Json::error_handler_t::replace), 200);
}

std::size_t characters(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string below(const std::string& where, const std::string& name) {
  const bool plain = !name.empty() && !(name[0] >= '0' && name[0] <= '9') &&
                     std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) || c == '_'; });
  return where + (plain ? "." + name : "[" + shown(name) + "]");
}

class Checker {
 public:
  std::vector<std::string> errors;

  /// |where|: the path of |value| in the whole.
  void check(const Json& schema, const Json& value, const std::string& where);

 private:
  using Check = void (Checker::*)(const Json& argument, const Json& value);
  struct Rule {
    const char* keyword;
    Check check;
  };
  static const Rule kRules[];

  void refuse(const std::string& what) {
    if (errors.size() < kMostErrors) errors.push_back(where_.empty() ? what : where_ + ": " + what);
  }
  /// What |value| has against it.
  std::vector<std::string> against(const Json& schema, const Json& value) {
    std::vector<std::string> mine;
    mine.swap(errors);
    check(schema, value, where_);
    mine.swap(errors);
    return mine;
  }

  void type(const Json& argument, const Json& value) {
    const bool good = argument.is_array() ? std::any_of(argument.begin(), argument.end(),
                                                        [&](const Json& one) { return is_of_type(value, one); })
                                          : is_of_type(value, argument);
    if (good) return;
    refuse(fmt::format("it must be of type {}, not {}",
                       argument.is_string() ? argument.get<std::string>() : argument.dump(), name_of_type(value)));
  }
  void one_of_these(const Json& argument, const Json& value) {
    for (const Json& one : argument)
      if (compare(one, value) == 0) return;
    std::string all;
    for (const Json& one : argument) {
      if (all.size() > 200) break;
      all += (all.empty() ? "" : ", ") + shown(one);
    }
    refuse("it must be one of " + shortened(all, 200));
  }
  void just_this(const Json& argument, const Json& value) {
    if (compare(argument, value) != 0) refuse("it must be " + shown(argument));
  }
  void properties(const Json& argument, const Json& value) {
    if (!value.is_object()) return;
    const std::string here = where_;
    for (const auto& [name, schema] : argument.items())
      if (auto found = value.find(name); found != value.end()) check(schema, *found, below(here, name));
    where_ = here;
  }
  void required(const Json& argument, const Json& value) {
    if (!value.is_object()) return;
    for (const Json& name : argument)
      if (name.is_string() && !value.contains(name.get<std::string>()))
        refuse(fmt::format("`{}` is missing", name.get<std::string>()));
  }
  void other_properties(const Json& argument, const Json& value) {
    if (!value.is_object()) return;
    const std::string here = where_;
    const auto known = schema_->find("properties");
    for (const auto& [name, one] : value.items()) {
      if (known != schema_->end() && known->contains(name)) continue;
      if (argument == Json(false)) {
        refuse(fmt::format("`{}` is not among its properties", shortened(name, 80)));
      } else {
        const Json* schema = schema_;
        check(argument, one, below(here, name));
        schema_ = schema;
        where_ = here;
      }
    }
  }
  void items(const Json& argument, const Json& value) {
    if (!value.is_array()) return;
    const std::string here = where_;
    for (std::size_t i = 0; i < value.size() && errors.size() < kMostErrors; ++i)
      check(argument, value[i], fmt::format("{}[{}]", here, i));
    where_ = here;
  }
  void least_items(const Json& argument, const Json& value) {
    if (value.is_array() && compare(value.size(), argument) < 0)
      refuse(fmt::format("it must have at least {}, not {}", counted(argument, "item"), value.size()));
  }
  void most_items(const Json& argument, const Json& value) {
    if (value.is_array() && compare(value.size(), argument) > 0)
      refuse(fmt::format("it must have at most {}, not {}", counted(argument, "item"), value.size()));
  }
  void unique_items(const Json& argument, const Json& value) {
    if (!value.is_array() || argument != Json(true)) return;
    std::vector<std::size_t> order(value.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return compare(value[a], value[b]) < 0; });
    for (std::size_t i = 1; i < order.size(); ++i)
      if (compare(value[order[i - 1]], value[order[i]]) == 0)
        return refuse(fmt::format("its items must differ, and [{}] is [{}]", order[i], order[i - 1]));
  }
  void least_length(const Json& argument, const Json& value) {
    if (value.is_string() && compare(characters(value.get_ref<const std::string&>()), argument) < 0)
      refuse(fmt::format("it must have at least {}", counted(argument, "character")));
  }
  void most_length(const Json& argument, const Json& value) {
    if (value.is_string() && compare(characters(value.get_ref<const std::string&>()), argument) > 0)
      refuse(fmt::format("it must have at most {}", counted(argument, "character")));
  }
  void pattern(const Json& argument, const Json& value) {
    if (!value.is_string() || !argument.is_string()) return;
    const std::string& code = argument.get_ref<const std::string&>();
    const std::string& text = value.get_ref<const std::string&>();
    if (text.size() > kLongestForPattern)
      return refuse(
          fmt::format("text of more than {} KiB can not be matched with a `pattern`", kLongestForPattern >> 10));
    try {
      auto& compiled = patterns_[code];
      if (!compiled) compiled = std::make_unique<Pattern>(code);
      if (!compiled->found_in(text)) refuse(fmt::format("it does not match the pattern {}", shortened(code, 200)));
    } catch (const PatternError& error) {
      // A journal of an older version may have one that was taken then.
      refuse(fmt::format("the pattern {} can not be used: {}", shortened(code, 200), error.message));
    }
  }
  void least(const Json& argument, const Json& value) {
    if (value.is_number() && compare(value, argument) < 0) refuse("it must be at least " + argument.dump());
  }
  void most(const Json& argument, const Json& value) {
    if (value.is_number() && compare(value, argument) > 0) refuse("it must be at most " + argument.dump());
  }
  void above(const Json& argument, const Json& value) {
    if (value.is_number() && compare(value, argument) <= 0) refuse("it must be more than " + argument.dump());
  }
  void less(const Json& argument, const Json& value) {
    if (value.is_number() && compare(value, argument) >= 0) refuse("it must be less than " + argument.dump());
  }
  void multiple(const Json& argument, const Json& value) {
    if (value.is_number() && !is_multiple(value, argument)) refuse("it must be a multiple of " + argument.dump());
  }
  void format(const Json& argument, const Json& value) {
    if (!value.is_string()) return;
    if (argument == Json("date") && !is_date(value.get_ref<const std::string&>()))
      refuse("it must be a date such as 2026-02-28");
    if (argument == Json("date-time") && !is_date_time(value.get_ref<const std::string&>()))
      refuse("it must be a date and time such as 2026-02-28T13:45:00Z");
  }
  void any_of(const Json& argument, const Json& value) {
    std::string why;
    for (const Json& schema : argument) {
      const std::vector<std::string> mine = against(schema, value);
      if (mine.empty()) return;
      why += (why.empty() ? "" : "; or ") + mine.front();
    }
    refuse("it satisfies none of `anyOf`: " + shortened(why, 400));
  }
  void one_of(const Json& argument, const Json& value) {
    std::string why;
    int satisfied = 0;
    for (const Json& schema : argument) {
      const std::vector<std::string> mine = against(schema, value);
      satisfied += mine.empty();
      if (!mine.empty()) why += (why.empty() ? "" : "; or ") + mine.front();
    }
    if (satisfied == 0) refuse("it satisfies none of `oneOf`: " + shortened(why, 400));
    if (satisfied > 1) refuse(fmt::format("it satisfies {} of `oneOf`, and may satisfy one only", satisfied));
  }
  void all_of(const Json& argument, const Json& value) {
    const std::string here = where_;
    for (const Json& schema : argument) check(schema, value, here);
  }
  void none_of(const Json& argument, const Json& value) {
    if (against(argument, value).empty()) refuse("it is what `not` excludes");
  }

  const Json* schema_ = nullptr;
  std::string where_;
  std::map<std::string, std::unique_ptr<Pattern>> patterns_;
};

const Checker::Rule Checker::kRules[] = {
    {"type", &Checker::type},
    {"enum", &Checker::one_of_these},
    {"const", &Checker::just_this},
    {"required", &Checker::required},
    {"properties", &Checker::properties},
    {"additionalProperties", &Checker::other_properties},
    {"minItems", &Checker::least_items},
    {"maxItems", &Checker::most_items},
    {"uniqueItems", &Checker::unique_items},
    {"items", &Checker::items},
    {"minLength", &Checker::least_length},
    {"maxLength", &Checker::most_length},
    {"pattern", &Checker::pattern},
    {"format", &Checker::format},
    {"minimum", &Checker::least},
    {"maximum", &Checker::most},
    {"exclusiveMinimum", &Checker::above},
    {"exclusiveMaximum", &Checker::less},
    {"multipleOf", &Checker::multiple},
    {"allOf", &Checker::all_of},
    {"anyOf", &Checker::any_of},
    {"oneOf", &Checker::one_of},
    {"not", &Checker::none_of},
};

void Checker::check(const Json& schema, const Json& value, const std::string& where) {
  if (errors.size() >= kMostErrors) return;
  where_ = where;
  if (schema == Json(false)) return refuse("nothing is allowed here");
  if (!schema.is_object()) return;
  for (const Rule& rule : kRules)
    if (auto argument = schema.find(rule.keyword); argument != schema.end()) {
      schema_ = &schema;
      where_ = where;
      (this->*rule.check)(*argument, value);
    }
  where_ = where;
}

}  // namespace

std::vector<std::string> schema_errors(const Json& schema, const Json& value) {
  Checker checker;
  checker.check(schema, value, "");
  return std::move(checker.errors);
}

}  // namespace flowrun
