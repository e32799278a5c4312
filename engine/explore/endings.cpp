#include "engine/explore/endings.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "engine/executor/answer.h"
#include "engine/scenario/scripted_result.h"
#include "engine/steps/error_types.h"
#include "engine/steps/http.h"
#include "engine/steps/process.h"
#include "engine/steps/wait.h"

namespace flowrun {
namespace {

/// What has members as |sight| wants them, and |leaf| where it wants nothing more.
Json value_of_sight(const Sight& sight, const Json& leaf) {
  if (!sight.fields.empty()) {
    Json object = Json::object();
    for (const auto& [name, below] : sight.fields) object[name] = value_of_sight(below, leaf);
    return object;
  }
  if (!sight.each.empty()) return Json::array({value_of_sight(sight.each.front(), leaf)});
  return leaf;
}

bool is_good(const ScriptedAnswer& answer, const Task& task) {
  switch (answer.kind) {
    case ScriptedAnswer::Kind::Value:
    case ScriptedAnswer::Kind::Page:
      return true;
    case ScriptedAnswer::Kind::Status: {
      const auto* request = std::get_if<HttpRequest>(&*task.work);
      return request && expects(*request, answer.code.value_or(200));
    }
    case ScriptedAnswer::Kind::Exit: {
      const auto* process = std::get_if<Process>(&*task.work);
      return process &&
             std::count(process->success_codes.begin(), process->success_codes.end(), answer.code.value_or(0)) > 0;
    }
    default:
      return false;
  }
}

/// The type of the error that |answer|, which is not good, leads to; empty: to none.
std::string type_of(const ScriptedAnswer& answer) {
  switch (answer.kind) {
    case ScriptedAnswer::Kind::Status:
      return fmt::format("http.{}", answer.code.value_or(200));
    case ScriptedAnswer::Kind::Exit:
      return fmt::format("exit.{}", answer.code.value_or(0));
    case ScriptedAnswer::Kind::Error:
      return answer.error;
    default:
      return "";
  }
}

int number_behind_dot(const std::string& type) {
  const std::size_t dot = type.find('.');
  return dot == std::string::npos ? 0 : std::atoi(type.c_str() + dot + 1);
}

ScriptedAnswer answer_for(const std::string& type) {
  ScriptedAnswer answer;
  if (type.starts_with("http.")) {
    answer.kind = ScriptedAnswer::Kind::Status;
    answer.code = number_behind_dot(type);
  } else if (type.starts_with("exit.")) {
    answer.kind = ScriptedAnswer::Kind::Exit;
    answer.code = number_behind_dot(type);
  } else {
    answer.kind = ScriptedAnswer::Kind::Error;
    answer.error = type;
    answer.message = "as the schedule says";
  }
  return answer;
}

/// The first rule of |scenario| for the step at |path|; null: there is none.
const AnswerRule* rule_of(const Scenario& scenario, const std::string& path) {
  for (const AnswerRule& rule : scenario.answers)
    if (rule.step.text() == path) return &rule;
  for (const AnswerRule& rule : scenario.answers)
    if (rule.step.matches(path)) return &rule;
  return nullptr;
}

/// Whether nothing has come to anybody with an error of the |type|.
bool is_unsent(std::string_view type) { return type == "connect" || type == "dns" || type == "tls" || type == "spawn"; }

}  // namespace

bool may_have_acted(const WrittenStep& step, std::string_view type, bool sent) {
  if (is_unsent(type)) return sent && type == "connect";
  if (dynamic_cast<const ProcessStep*>(step.step)) return true;
  // A server that answers with such a status has refused.
  return !(type.starts_with("http.4") || type == "http.503" || type == "http.501");
}

std::vector<std::string> Endings::errors(std::size_t row, const Task& task) const {
  const WrittenStep& step = steps_.of(row);
  std::vector<std::string> types;
  std::set<std::string> known;
  const auto add = [&](const std::string& type) {
    if (known.insert(type).second) types.push_back(type);
  };
  const bool process = std::holds_alternative<Process>(*task.work);
  const auto* request = std::get_if<HttpRequest>(&*task.work);
  for (const std::string& pattern : steps_.patterns()) {
    const int number = number_behind_dot(pattern);
    if (pattern.starts_with("http.") && request && number >= 100 && !expects(*request, number)) add(pattern);
    const auto* program = std::get_if<Process>(&*task.work);
    if (pattern.starts_with("exit.") && program && number > 0 &&
        std::count(program->success_codes.begin(), program->success_codes.end(), number) == 0)
      add(pattern);
  }
  if (process) {
    const auto& codes = std::get<Process>(*task.work).success_codes;
    int code = 1;
    while (std::count(codes.begin(), codes.end(), code) > 0) ++code;
    add(fmt::format("exit.{}", code));
    add("spawn");
    add("killed");
    if (task.timeout) add("timeout");
    add("parse");
  } else {
    for (const int status : {503, 500, 404, 400, 409, 429})
      if (!expects(*request, status)) add(fmt::format("http.{}", status));
    for (const char* type : {"timeout", "connect", "dns", "tls", "parse"}) add(type);
  }
  if (const auto* effect = dynamic_cast<const Effect*>(step.step); effect && effect->expect_condition) add("expect");
  if (const auto* common = dynamic_cast<const CommonStep*>(step.step); common && common->options.returns)
    add("returns");
  return types;
}

AttemptEnding Endings::made_up(std::size_t row, const Task& task) const {
  AttemptEnding ending{"", {}, true, true, 1};
  const auto* common = dynamic_cast<const CommonStep*>(steps_.of(row).step);
  const bool whole = common && !common->options.output;  // else it is made of the raw result
  if (whole && common->options.returns)
    ending.answer.value = value_of_schema(*common->options.returns, leaf_);
  else if (const Sight* sight = steps_.seen_of(steps_.rows()[row].name); sight && whole)
    ending.answer.value = value_of_sight(*sight, leaf_);
  else
    ending.answer.value = leaf_;
  if (const auto* process = std::get_if<Process>(&*task.work);
      process && (process->capture == Process::Capture::Lines || process->capture == Process::Capture::Jsonl) &&
      !ending.answer.value.is_array())
    ending.answer.value = Json::array({ending.answer.value});
  return ending;
}

void Endings::add_scripted(const std::string& path, const Task& task, std::vector<AttemptEnding>& endings) const {
  const bool process = std::holds_alternative<Process>(*task.work);
  std::vector<ScriptedAnswer> good;
  for (const Scenario* scenario : scenarios_) {
    const AnswerRule* rule = rule_of(*scenario, path);
    if (!rule) continue;
    // Of a poll the last one is what was waited for.
    for (auto one = rule->answers.rbegin(); one != rule->answers.rend(); ++one) {
      if (!fits(*one, process)) continue;
      ScriptedAnswer answer = *one;
      answer.delay = Duration{0};
      answer.ends.reset();
      if (is_good(answer, task)) {
        if (answer.kind == ScriptedAnswer::Kind::Page) answer.next.clear();
        const bool known = std::any_of(good.begin(), good.end(), [&](const ScriptedAnswer& other) {
          return other.kind == answer.kind && other.value == answer.value && other.code == answer.code &&
                 other.output == answer.output && other.file == answer.file;
        });
        if (!known) good.push_back(std::move(answer));
      } else if (const std::string type = type_of(answer); !type.empty()) {
        const bool known =
            std::any_of(endings.begin(), endings.end(), [&](const AttemptEnding& e) { return e.how == type; });
        if (!known) endings.push_back({type, std::move(answer), false, false, 1});
      }
    }
  }
  std::vector<AttemptEnding> well;
  for (ScriptedAnswer& answer : good)
    well.push_back({well.empty() ? "" : fmt::format("ok{}", well.size() + 1), std::move(answer), true, false, 1});
  endings.insert(endings.begin(), std::make_move_iterator(well.begin()), std::make_move_iterator(well.end()));
}

std::vector<AttemptEnding> Endings::of(std::size_t row, const std::string& path, const Task& task, bool every) const {
  std::vector<AttemptEnding> endings;
  add_scripted(path, task, endings);
  if (endings.empty() || !endings.front().well) endings.insert(endings.begin(), made_up(row, task));
  for (const std::string& type : errors(row, task)) {
    const bool known =
        std::any_of(endings.begin(), endings.end(), [&](const AttemptEnding& e) { return e.how == type; });
    if (!known) endings.push_back({type, answer_for(type), false, false, 1});
  }
  if (every || steps_.looks_at_errors()) return endings;
  // What no list of types, no retry and nothing outside tells apart is the same.
  const auto alike = [&](const AttemptEnding& a, const AttemptEnding& b) {
    const auto sort = [&](const AttemptEnding& one) {
      std::vector<bool> marks;
      for (const std::string& pattern : steps_.patterns()) marks.push_back(matches(pattern, one.how));
      marks.push_back(is_unsent(one.how));
      // It takes as long as the step lets it.
      marks.push_back(one.how == "timeout");
      marks.push_back(may_have_acted(steps_.of(row), one.how, !is_unsent(one.how)));
      return marks;
    };
    return sort(a) == sort(b);
  };
  std::vector<AttemptEnding> apart;
  for (AttemptEnding& ending : endings) {
    const auto same = std::find_if(apart.begin(), apart.end(), [&](const AttemptEnding& one) {
      return !one.well && !ending.well && alike(one, ending);
    });
    if (same == apart.end())
      apart.push_back(std::move(ending));
    else
      same->types += ending.types;
  }
  return apart;
}

Json Endings::said_to(std::size_t row) const {
  const auto* wait = row < steps_.size() ? dynamic_cast<const WaitStep*>(steps_.of(row).step) : nullptr;
  if (!wait) return {};
  for (const Scenario* scenario : scenarios_)
    for (const ScriptedSignal& one : scenario->signals)
      if (one.signal.name == wait->signal && !one.signal.rejected) return one.signal.data.json();
  return value_of_schema(wait->accept, leaf_);
}

std::string Endings::signal_of(std::size_t row) const {
  const auto* wait = row < steps_.size() ? dynamic_cast<const WaitStep*>(steps_.of(row).step) : nullptr;
  return wait ? wait->signal : "";
}

Json value_of_schema(const Json& schema, const Json& leaf) {
  if (!schema.is_object() || schema.empty()) return leaf;
  if (schema.contains("const")) return schema["const"];
  for (const char* list : {"enum", "examples"})
    if (schema.contains(list) && !schema[list].empty()) return schema[list].front();
  for (const char* list : {"anyOf", "oneOf", "allOf"})
    if (schema.contains(list) && !schema[list].empty()) return value_of_schema(schema[list].front(), leaf);
  const Json said = schema.value("type", Json());
  const std::string type = said.is_string()                   ? said.get<std::string>()
                           : said.is_array() && !said.empty() ? said.front().get<std::string>()
                           : schema.contains("properties")    ? "object"
                                                              : "";
  if (type == "object") {
    Json object = Json::object();
    const Json properties = schema.value("properties", Json::object());
    for (const auto& [name, below] : properties.items()) object[name] = value_of_schema(below, leaf);
    for (const Json& name : schema.value("required", Json::array()))
      if (!object.contains(name.get<std::string>())) object[name.get<std::string>()] = leaf;
    return object;
  }
  if (type == "array") {
    Json list = Json::array();
    const auto count = std::max<std::size_t>(1, schema.value("minItems", std::size_t{1}));
    for (std::size_t i = 0; i < std::min<std::size_t>(count, 100); ++i)
      list.push_back(value_of_schema(schema.value("items", Json::object()), leaf));
    return list;
  }
  if (type == "integer" || type == "number") return schema.value("minimum", Json(1));
  if (type == "boolean") return true;
  if (type == "null") return nullptr;
  if (type == "string") {
    constexpr std::size_t kLongest = 65536;
    return std::string(std::clamp<std::size_t>(schema.value("minLength", std::size_t{1}), 1, kLongest), 'x');
  }
  return leaf;
}

}  // namespace flowrun
