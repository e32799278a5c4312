// What the readers of all kinds share: findings, defaults, what is visible where, and what was mentioned. Reads nodes
// of YAML; runs nothing.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/expression/references.h"
#include "engine/language/keys.h"
#include "engine/language/template.h"
#include "engine/machine/workflow.h"
#include "engine/model/diagnostics.h"
#include "engine/steps/definition.h"
#include "engine/steps/graph.h"
#include "engine/steps/step_frame.h"
#include "engine/yaml/node.h"

namespace flowrun {

/// A reference as it was met while reading.
struct Mention {
  /// What a null there would mean: a value like any other, or trouble.
  enum class Place { Value, Text, Condition };
  Reference reference;
  Expression expression;
  Place place = Place::Value;
  /// Said within a fallback, which runs later: no edge among the steps above this many levels. 0: not in a fallback.
  std::size_t fallback_level = 0;
};

class Reading {
 public:
  Reading(Diagnostics& diagnostics, const Node& root, std::string folder);

  // Steps and bodies, steps_reader.cpp.
  std::unique_ptr<Step> step(const Node& node, const std::string& name, Position name_at);
  /// Adds to |steps|. False: there are too many, which is said once.
  bool count_steps(std::size_t more, Position at, std::size_t length);
  /// |inside| is called while the steps of the body are still in sight.
  std::unique_ptr<GraphStep> body(const Node& node, const char* what, const std::function<void()>& inside = nullptr);
  /// The children of a map, with their edges; those of a list.
  void graph(GraphStep& graph, const Node& map, const std::function<void()>& inside = nullptr);
  void sequence(GraphStep& graph, const Node& list, const std::function<void()>& inside = nullptr);

  // Values with expressions in them.
  /// |from|: behind that many bytes.
  TextTemplate text(const Node& node, std::size_t from = 0);
  ValueTemplate value(const Node& node);
  /// A literal or one whole expression; |what| names the key in messages.
  Setting<bool> boolean(const Node& node, const char* what);
  Setting<bool> condition(const Node& node);
  Setting<std::int64_t> count(const Node& node, const char* what, std::int64_t least);
  Setting<double> number(const Node& node, const char* what);
  Setting<Duration> duration(const Node& node, const char* what);

  // Literals.
  std::optional<std::int64_t> size(const Node& node, const char* what);
  std::optional<std::int64_t> plain_count(const Node& node, const char* what, std::int64_t least);
  std::optional<bool> plain_boolean(const Node& node, const char* what);
  std::string word(const Node& node, const char* what, const std::vector<std::string>& words);
  std::string name(const Node& node, const char* what);
  std::string plain_text(const Node& node, const char* what);
  FailFast fail_fast(const Node& node);
  /// A pool of `limits` with the name |member| has; and what `limit` of a step means, null when it means nothing.
  void pool(const Member& member, const std::string& file);
  const Limit* limit(const Node& node);
  /// E208, when |expression| is a path to a value that by its schema is of a type not among |types|. |need| says what
  /// is needed; |advice|, with the path for its `{}`, what to do about a string.
  void must_be(const Expression& expression, const std::vector<std::string>& types, const std::string& need,
               const char* advice = "");
  /// Refuses what is not |known| in a map of options.
  void only(const Node& map, const std::vector<std::string>& known, const char* what);
  bool is(const Node& node, Node::Kind kind, const char* what, const char* wanted);
  void check_name(const std::string& name, Position at, const char* what, bool reserve_kinds = true);
  bool is_bound(const std::string& name) const;
  /// That a file is where the workflow says; |path| is relative to the folder.
  void must_exist(const Node& node, const std::string& path, const char* code);
  void error(const char* code, Position at, std::size_t length, std::string message, std::string suggestion = "");

  /// Something is bound while this lives: `.`, `$error`, `$item`.
  class Binding {
   public:
    Binding(Reading& reading, std::vector<std::string> names) : reading_(reading), count_(names.size()) {
      for (std::string& one : names) reading_.bound_.push_back(std::move(one));
    }
    ~Binding() { reading_.bound_.resize(reading_.bound_.size() - count_); }
    Binding(const Binding&) = delete;
    Binding& operator=(const Binding&) = delete;

   private:
    Reading& reading_;
    std::size_t count_;
  };

  /// `.` is the raw result of the step |node| while this lives: of some kinds its fields are known.
  class RawBinding {
   public:
    RawBinding(Reading& reading, const Node& node);
    ~RawBinding() { reading_.raw_kind_ = outer_; }
    RawBinding(const RawBinding&) = delete;
    RawBinding& operator=(const RawBinding&) = delete;

   private:
    Reading& reading_;
    Binding dot_;
    std::string outer_;
  };

  /// Where a step stands that is out of sight.
  struct Place {
    std::string groups;     ///< around it, from the top: `book.legs`
    std::string innermost;  ///< the last of them
    bool of_switch = false;
  };

  Diagnostics& diagnostics;
  const std::string folder;
  std::map<std::string, Json> inputs;  ///< schemas by name
  std::set<std::string> vars, secrets;
  std::map<std::string, int> later_vars;  ///< that are not read yet, with their lines
  std::set<std::string> secret_inputs;    ///< what they hold is named as a secret only
  bool secrets_allowed = false;           ///< where an expression may be a secret alone
  bool in_for_each = false;               ///< of this file
  bool in_unsized_for_each = false;
  /// When what is being read will be evaluated: defaults of inputs before there are any, `vars` at the start.
  enum class Moment { Inputs, Vars, Run };
  Moment moment = Moment::Run;
  FailFast nearest_fail_fast = FailFast::Drain;
  std::vector<Mention> mentions;
  /// A step and what was mentioned in it, as indices of |mentions|.
  struct Span {
    const Step* step;
    std::size_t from, to;
  };
  std::vector<Span> spans;
  std::vector<Position> implied_edges;  ///< names in `needs` and `after` that an expression has said already
  struct Asked {
    Expression expression;
    bool strict;  ///< a condition
  };
  std::vector<Asked> asked;  ///< of jq
  std::vector<std::pair<GroupStep*, std::string>> groups;
  const char* no_undo = nullptr;  ///< why no step that is read now can have an `undo`
  std::size_t steps = 0;          ///< with those of the sub-workflows that are named
  /// Reads the file that a `workflow` names; null when nothing good came of it, which has been said then.
  std::function<Definition*(const Node& path)> sub_workflow;
  bool http = false;                                 ///< some step is an HTTP call
  std::vector<Signal> signals;                       ///< that steps wait for
  std::vector<std::unique_ptr<const Limit>> limits;  ///< those with names first

 private:
  friend class Binding;
  struct Level {
    std::map<std::string, int> names;  ///< with their lines
    std::map<std::string, const Node*> nodes;
    std::map<std::string, int> later;  ///< of a list: not visible yet
    std::string self;
  };

  Node with_defaults(const Node& node, const std::string& kind);
  void check_keys(const Node& node, const std::string& kind, bool in_list);
  void read_options(LivingStep& step, const Node& node);
  std::unique_ptr<Step> fallback(const Node& node, const std::string& name, Position at);
  void read_undo(LivingStep& step, const Node& node);
  /// A step that runs later than the one it belongs to, if at all: it makes no edges.
  std::unique_ptr<Step> later_step(const Node& node, const std::string& name, Position at);
  void no_edges(const Node& node, const char* why, const char* suggestion);
  void add_child(GraphStep& graph, std::unique_ptr<Step> child) {
    graph.children.push_back({std::move(child), {}, {}, {}});
  }
  void written_edges(GraphStep& graph, std::size_t i, const Node& node);
  /// That a step which always runs does not need text from one that never does.
  void check_sources(const Node& node, std::size_t from, std::size_t to);
  void inferred_edges(GraphStep& graph, std::size_t i, std::size_t from, std::size_t to);
  void check_cycles(const GraphStep& graph);
  void note(const Expression& expression, Mention::Place place);
  void check_use(const Use& use, const Expression& expression);
  void check_before_run(const Use& use);
  /// What schemas say of the value that |use| names.
  StaticType type_of(const Use& use) const;
  void check_fields(const Use& use);
  void check_raw(const Use& use, const Expression& expression);
  void check_step_use(const Use& use, const Expression& expression);
  std::optional<Place> where_is(const std::string& name) const;
  bool visible(const std::string& name) const;
  /// YAML has cut or changed what stands here, and has been blamed for it: what is left makes no sense.
  bool broken(const Node& node) const { return broken_lines_.count(node.at.line) > 0; }
  std::vector<std::string> visible_names() const;
  template <typename T, typename Parse>
  Setting<T> setting(const Node& node, const char* what, const char* wanted, Parse parse);

  const Node& root_;
  std::vector<Level> levels_;
  std::vector<std::string> bound_;
  std::string raw_kind_;  ///< of the step whose raw result `.` is
  std::size_t depth_ = 0;
  std::size_t fallback_level_ = 0;
  std::set<int> broken_lines_;
  std::set<std::pair<int, int>> unreadable_;  ///< values that YAML could not read; null stands for them
};

/// One row a kind: how its own keys are read. |node| has the defaults merged in.
std::unique_ptr<LivingStep> read_kind(Reading& reading, const Node& node, const std::string& kind);

// Readers of single kinds, for the table in kinds.cpp.
std::unique_ptr<LivingStep> read_http(Reading& reading, const Node& node);
std::unique_ptr<LivingStep> read_shell(Reading& reading, const Node& node);
std::unique_ptr<LivingStep> read_exec(Reading& reading, const Node& node);
std::unique_ptr<LivingStep> read_sleep(Reading& reading, const Node& node);
std::unique_ptr<LivingStep> read_wait(Reading& reading, const Node& node);
std::unique_ptr<LivingStep> read_workflow(Reading& reading, const Node& node);
std::unique_ptr<LivingStep> read_set(Reading& reading, const Node& node);
std::unique_ptr<LivingStep> read_fail(Reading& reading, const Node& node);
std::unique_ptr<LivingStep> read_parallel(Reading& reading, const Node& node);
std::unique_ptr<LivingStep> read_race(Reading& reading, const Node& node);
std::unique_ptr<LivingStep> read_sequence(Reading& reading, const Node& node);
std::unique_ptr<LivingStep> read_switch(Reading& reading, const Node& node);
std::unique_ptr<LivingStep> read_for_each(Reading& reading, const Node& node);

class WorkStep;
class EffectStep;
/// retry, poll, deadline.
void read_work(Reading& reading, WorkStep& step, const Node& node, std::vector<std::string> retry_on);
/// The same and on_crash, as http, shell and exec have them.
void read_effect(Reading& reading, EffectStep& step, const Node& node, std::vector<std::string> retry_on);
/// join and fail_fast of a group.
void read_group(Reading& reading, GroupStep& step, const Node& node);

}  // namespace flowrun
