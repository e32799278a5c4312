// Lints of how steps are arranged: what waits in vain, what is said twice, policies that decide nothing.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "engine/language/template.h"
#include "engine/lint/rules.h"
#include "engine/steps/for_each.h"
#include "engine/steps/http.h"
#include "engine/steps/repeat.h"
#include "engine/steps/set.h"
#include "engine/steps/sleep.h"
#include "engine/steps/switch.h"

namespace flowrun::lint_rules {
namespace {

/// What it would mean to let a step run at another time than its place in a list says. In order of weight.
enum class Nature {
  Pure,   ///< computes
  Read,   ///< asks a server, changes nothing
  Query,  ///< a POST, which may be a question or an effect
  Effect
};

Nature nature_of(const Step& step) {
  if (auto* call = dynamic_cast<const HttpStep*>(&step)) {
    if (call->options.delay.written() || call->poll) return Nature::Effect;  // there to be waited for
    if (call->method == "GET" || call->method == "HEAD" || call->method == "OPTIONS") return Nature::Read;
    return call->method == "POST" ? Nature::Query : Nature::Effect;
  }
  if (dynamic_cast<const SetStep*>(&step)) return Nature::Pure;
  Nature most = Nature::Pure;
  if (auto* graph = dynamic_cast<const GraphStep*>(&step)) {
    for (const GraphStep::Child& child : graph->children) most = std::max(most, nature_of(*child.step));
    return most;
  }
  if (auto* each = dynamic_cast<const ForEachStep*>(&step)) return nature_of(*each->body);
  if (auto* repeat = dynamic_cast<const RepeatStep*>(&step)) return nature_of(*repeat->body);
  if (auto* choice = dynamic_cast<const SwitchStep*>(&step)) {
    for (const SwitchStep::Way& way : choice->ways) most = std::max(most, nature_of(*way.body));
    return most;
  }
  return Nature::Effect;
}

/// A list, by how its items mention each other.
class ListUse {
 public:
  ListUse(const WorkflowIndex& index, const GraphStep& list)
      : index_(index), list_(list), items_(list.children.size()) {
    for (std::size_t i = 0; i < items_.size(); ++i) {
      const IndexedStep& indexed = index.at(*list.children[i].step);
      for (std::size_t m = indexed.from; m < indexed.to; ++m) see(i, index.file.mentions[m].reference);
    }
  }
  struct Item {
    int last_used = -1;     ///< the last item before that it mentions
    bool observes = false;  ///< `$status`: it waits for all before it, and means to
    bool used = false;      ///< by a later item
  };
  const Item& operator[](std::size_t i) const { return items_[i]; }

  /// Whether the place of item |i| in the list means nothing beyond what it mentions.
  bool free(std::size_t i) const {
    const Item& item = items_[i];
    const IndexedStep& indexed = index_.at(*list_.children[i].step);
    if (item.observes) return false;
    switch (nature_of(*indexed.step)) {
      case Nature::Read:
        return item.used || !guards(indexed);
      case Nature::Query:
        return item.used;
      default:
        return false;
    }
  }

 private:
  void see(std::size_t i, const Reference& reference) {
    bool status = reference.variable == "status";
    if (!status && reference.variable != "steps") return;
    auto found = list_.find(reference.member);
    if (!found || *found >= i) return;
    items_[i].last_used = std::max(items_[i].last_used, static_cast<int>(*found));
    items_[i].observes = items_[i].observes || status;
    items_[*found].used = true;
  }

  /// A request whose answer nobody uses may be there to see that something is up before the rest goes on.
  static bool guards(const IndexedStep& indexed) {
    for (const char* key : {"expect", "retry", "deadline", "fallback", "continue_on_error"})
      if (indexed.node->member(key)) return true;
    const Node* url = indexed.node->find("http");
    for (const char* word : {"/health", "/ready", "/live", "/ping", "/status"})
      if (url && url->text.find(word) != std::string::npos) return true;
    return false;
  }

  const WorkflowIndex& index_;
  const GraphStep& list_;
  std::vector<Item> items_;
};

std::string named(const WorkflowIndex& index, const GraphStep& list, const std::vector<std::size_t>& items) {
  std::string text;
  for (std::size_t n = 0; n < items.size() && n < 4; ++n) {
    bool last = n + 1 == items.size();
    text += n == 0 ? "" : last ? " and " : ", ";
    text += index.at(*list.children[items[n]].step).said_name;
  }
  return items.size() > 4 ? fmt::format("{} and {} more", text, items.size() - 4) : text;
}

void tell_lost(const WorkflowIndex& index, const GraphStep& list, const std::vector<std::size_t>& run,
               Findings& findings) {
  if (run.size() < 2) return;
  const IndexedStep& second = index.at(*list.children[run[1]].step);
  std::string message =
      run.size() == 2 ? fmt::format("{} waits for {} and uses nothing of it", second.said_name,
                                    index.at(*list.children[run[0]].step).said_name)
                      : fmt::format("{} wait one for the other and use nothing of each other", named(index, list, run));
  findings.add(second, std::move(message),
               "in a map they start together: the time of the slowest, not the sum; if the order is meant, "
               "lint_ignore: [W110]");
}

/// How many children can count for the join of |indexed|, when that is written.
std::optional<std::size_t> children_of(const IndexedStep& indexed) {
  if (auto* graph = dynamic_cast<const GraphStep*>(indexed.step))
    return static_cast<std::size_t>(
        std::count_if(graph->children.begin(), graph->children.end(), [](const GraphStep::Child& child) {
          auto* common = dynamic_cast<const CommonStep*>(child.step.get());
          return common && !common->options.continue_on_error.written();
        }));
  auto* each = dynamic_cast<const ForEachStep*>(indexed.step);
  const Node* items = indexed.node->find("for_each");
  if (!each || !items || each->batch.written()) return std::nullopt;
  if (items->is_list()) return items->items.size();
  if (items->is_map()) return items->members.size();
  if (items->kind == Node::Kind::Integer) return items->json().get<std::size_t>();
  return std::nullopt;
}

void judge_join(const IndexedStep& indexed, Findings& findings) {
  const auto& group = dynamic_cast<const GroupSettings&>(*indexed.step);
  const Node* written = indexed.node->find("join");
  if (!written || !written->is_map() || group.join_amount) return;
  const Node& amount = written->members.front().value;
  const Join& join = group.join;
  std::optional<std::size_t> total = children_of(indexed);
  auto of = [&](double all) { return join.percent ? std::ceil(all * join.amount / 100) : join.amount; };
  bool all =
      join.percent ? join.amount >= 100 : total && of(static_cast<double>(*total)) >= static_cast<double>(*total);
  bool more = total && !join.percent && join.amount > static_cast<double>(*total);
  if (join.policy == Join::Policy::Quorum && more) {
    findings.add(amount, fmt::format("a quorum of {} of {} is never reached", amount.text, *total),
                 "ask for fewer than there are");
  } else if (join.policy == Join::Policy::Quorum && all) {
    findings.add(amount, "a quorum of all spares nothing", "write join: all");
  } else if (join.policy == Join::Policy::AtLeast && more) {
    findings.add(amount, fmt::format("at least {} of {} never succeed", amount.text, *total),
                 "ask for no more than there are");
  } else if (join.policy == Join::Policy::AtLeast && join.amount == 0) {
    findings.add(amount, "at least 0 is always so", "write join: best_effort");
  } else if (join.policy == Join::Policy::Tolerate && all) {
    findings.add(amount, "this tolerates that all fail", "write join: best_effort");
  }
}

/// Names that are declared or computed: there is nothing about them that could fail.
bool is_sure(const ValueTemplate& value) {
  bool sure = true;
  value.each([&](const Expression& expression, bool whole) {
    const std::vector<Reference>& names = expression.references();
    bool bare = names.size() == 1 && names[0].field.empty() && !names[0].member.empty() &&
                expression.code() == "$" + names[0].variable + "." + names[0].member;
    sure = sure && whole && bare && (names[0].variable == "input" || names[0].variable == "vars");
  });
  return sure;
}

/// Edges between the steps of one graph.
class Reach {
 public:
  /// Whether |to| must have succeeded (or, when |settled| will do, ended) before |from| starts, by other success edges
  /// of |from| than the one to |to|.
  bool implied(const GraphStep& graph, std::size_t from, std::size_t to, bool settled) {
    std::vector<std::size_t> open;
    std::set<std::size_t> seen;
    auto go = [&](std::size_t next) {
      if (next != to && seen.insert(next).second) open.push_back(next);
    };
    for (std::size_t next : graph.children[from].needs) go(next);
    while (!open.empty()) {
      const GraphStep::Child& step = graph.children[open.back()];
      open.pop_back();
      auto has = [&](const std::vector<std::size_t>& edges) {
        return std::find(edges.begin(), edges.end(), to) != edges.end();
      };
      left_ -= static_cast<std::ptrdiff_t>(step.needs.size() + step.after.size()) + 1;
      if (left_ < 0) return false;
      if (has(step.needs) || (settled && has(step.after))) return true;
      for (std::size_t next : step.needs) go(next);
    }
    return false;
  }

 private:
  // Ten thousand steps with long ways between them would take the square of that; what is not found is not told.
  std::ptrdiff_t left_ = 200000;
};

}  // namespace

void lost_parallelism(const WorkflowIndex& index, Findings& findings) {
  for (const IndexedBody& body : index.bodies) {
    const GraphStep& list = *body.graph;
    if (list.form != GraphStep::Form::List || list.children.size() < 2) continue;
    ListUse use(index, list);
    // As many in a row as use nothing of each other. What only computes may stand between them.
    std::vector<std::size_t> run;
    auto end = [&] {
      tell_lost(index, list, run, findings);
      run.clear();
    };
    for (std::size_t i = 0; i < list.children.size(); ++i) {
      bool uses_run = !run.empty() && use[i].last_used >= static_cast<int>(run.front());
      if (use.free(i)) {
        if (uses_run) end();
        run.push_back(i);
      } else if (use[i].observes || nature_of(*list.children[i].step) != Nature::Pure) {
        end();
      }
    }
    end();
  }
}

void implied_edge(const WorkflowIndex& index, Findings& findings) {
  std::set<std::pair<int, int>> said;
  for (const Position& at : index.file.implied_edges) said.emplace(at.line, at.column);
  Reach reach;
  for (const IndexedStep& indexed : index.steps) {
    if (!indexed.body || indexed.body->form != GraphStep::Form::Map) continue;
    for (const char* key : {"needs", "after"}) {
      const Node* written = indexed.node->find(key);
      if (!written) continue;
      auto judge = [&](const Node& name) {
        auto other = indexed.body->find(name.text);
        bool settled = std::string_view(key) == "after";
        if (said.count({name.at.line, name.at.column})) {
          findings.add(name, fmt::format("{} waits for `{}` already: it is said twice", indexed.said_name, name.text),
                       fmt::format("leave it out; `{}` is for what the data does not show", key));
        } else if (other && reach.implied(*indexed.body, indexed.child_index, *other, settled)) {
          findings.add(
              name, fmt::format("{} waits for `{}` already, through what else it needs", indexed.said_name, name.text),
              "leave it out");
        }
      };
      if (written->is_string()) judge(*written);
      for (const Node& item : written->items) judge(item);
    }
  }
}

void pointless_join(const WorkflowIndex& index, Findings& findings) {
  for (const IndexedStep& indexed : index.steps) {
    if (!(indexed.kind & kJoining)) continue;
    judge_join(indexed, findings);
    auto* graph = dynamic_cast<const GraphStep*>(indexed.step);
    if (indexed.kind == kRace && graph && graph->children.size() == 1)
      findings.add(*indexed.node->member("race"), "a race with one branch is none",
                   "add a branch that can win, or write the step by itself");
  }
}

void pointless_fallback(const WorkflowIndex& index, Findings& findings) {
  for (const IndexedStep& indexed : index.steps) {
    const Member* fallback = indexed.node->member("fallback");
    if (!fallback || indexed.step->options.timeout.written()) continue;
    auto* set = dynamic_cast<const SetStep*>(indexed.step);
    auto* sleep = dynamic_cast<const SleepStep*>(indexed.step);
    const Setting<bool>& condition = indexed.step->options.condition;
    bool sure = (set && is_sure(set->value)) || (sleep && !sleep->span.expression);
    if (sure && !condition.expression && !indexed.step->options.output && !indexed.step->options.returns &&
        !indexed.step->options.delay.expression)
      findings.add(*fallback, fmt::format("this `{}` can not fail, so its fallback never runs", indexed.step->kind),
                   "leave the fallback out");
  }
}

void unlimited_calls(const WorkflowIndex& index, Findings& findings) {
  constexpr std::size_t kMany = 100;
  for (const IndexedStep& indexed : index.steps) {
    const auto* each = dynamic_cast<const ForEachStep*>(indexed.step);
    if (!each || each->concurrency.written()) continue;
    const auto* body = dynamic_cast<const GraphStep*>(each->body.get());
    if (!body || body->children.size() != 1) continue;
    const Step& only = *body->children.front().step;
    if (only.limit || !dynamic_cast<const HttpStep*>(&only)) continue;
    const Node& items = *indexed.node->find("for_each");
    std::size_t count = items.is_list() ? items.items.size() : items.is_map() ? items.members.size() : 0;
    if (items.kind == Node::Kind::Integer) count = items.json().get<std::size_t>();
    if (count > kMany)
      findings.add(indexed, fmt::format("{} requests, and nothing says how many the server may get at once", count),
                   "say `limit: N` in the request, or name a pool with a `rate` in `limits`");
  }
}

}  // namespace flowrun::lint_rules
