// flowrun plan: the graph of a workflow, for people and for the tools that draw graphs. Nothing is run.
#include "cli/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "cli/inputs.h"
#include "cli/render.h"
#include "cli/runs.h"
#include "engine/steps/outline.h"

namespace flowrun::cli {
namespace {

/// A step of `on_failure` or `finally`.
bool handler_of(const OutlineRow& row) { return row.role == "on_failure" || row.role == "finally"; }

using Rows = std::vector<OutlineRow>;

struct PlanOptions {
  std::string file;
  InputOptions inputs;
  std::string format = "tree";
};

/// The rules of a group, and of work what bounds and leads it: `join quorum 2, fail_fast drain`, `limit 8, weight 2`.
/// Empty where nothing is written.
std::string rules(const OutlineRow& row) {
  std::string text;
  for (const auto& [name, value] : {std::pair{"join", &row.join},
                                    {"fail_fast", &row.fail_fast},
                                    {"concurrency", &row.concurrency},
                                    {"batch", &row.batch},
                                    {"limit", &row.limit},
                                    {"weight", &row.weight},
                                    {"secret", &row.secret},
                                    {"unix", &row.unix_socket}})
    if (!value->empty()) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, *value);
  return text;
}

/// `after order, stock because of needs, line 29`: a line for all edges of one reason.
std::vector<std::string> edge_lines(const OutlineRow& row, const Rows& rows) {
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < row.edges.size();) {
    const OutlineEdge& edge = row.edges[i];
    std::string names;
    for (; i < row.edges.size(); ++i) {
      const OutlineEdge& same = row.edges[i];
      if (same.success != edge.success || same.because != edge.because || same.line != edge.line) break;
      names += (names.empty() ? "" : ", ") + rows[same.from].name;
    }
    lines.push_back(fmt::format("after {}{} because of {}, line {}", names,
                                edge.success ? "" : ", whatever the outcome,", edge.because, edge.line));
  }
  return lines;
}

bool stands_beside(const OutlineRow& row) { return row.role == "fallback" || row.role == "undo"; }

/// `line 7`, or `parts/pay.yaml:7`.
std::string where(const OutlineRow& row) {
  return row.file.empty() ? fmt::format("line {}", row.origin.line) : fmt::format("{}:{}", row.file, row.origin.line);
}

std::vector<std::string> details(const OutlineRow& row, const Rows& rows) {
  std::vector<std::string> lines;
  if (row.role == "fallback") {
    lines.push_back(fmt::format("when {} has failed", rows[*row.parent].name));
  } else if (row.role == "undo") {
    lines.push_back(fmt::format("undoes {} when its scope has failed", rows[*row.parent].name));
  } else if (handler_of(row)) {
    std::string what = row.file.empty() ? "the run" : row.file;
    lines.push_back(row.role == "finally" ? "at every end of " + what : "when " + what + " has failed");
  } else if (!row.role.empty()) {
    lines.push_back("this way " + (row.role == "else" ? "if no other is taken" : row.role));
  }
  std::vector<std::string> edges = edge_lines(row, rows);
  if (edges.empty() && row.depth == 0 && !handler_of(row)) edges.push_back("starts first");
  lines.insert(lines.end(), edges.begin(), edges.end());
  if (!row.condition.empty()) lines.push_back("only if " + row.condition);
  if (std::string text = rules(row); !text.empty()) lines.push_back(std::move(text));
  if (row.shares_cpus) lines.push_back("processes at once: as many as there are CPUs, or -j");
  return lines;
}

std::string head_line(const Loaded& loaded, std::size_t steps) {
  const Workflow& workflow = loaded.workflow;
  return fmt::format("{}: {} {}, concurrency {}, fail_fast {}{}\n", workflow.name, steps, steps == 1 ? "step" : "steps",
                     workflow.concurrency, fail_fast_of(workflow), loaded.exclusive ? ", exclusive" : "");
}

Json plan_as_json(const Loaded& loaded) {
  const Workflow& workflow = loaded.workflow;
  const Rows rows = outline(workflow);
  Json steps = Json::array();
  for (const OutlineRow& row : rows) {
    Json edges = Json::array();
    for (const OutlineEdge& edge : row.edges)
      edges.push_back({{"step", edge.from},
                       {"name", rows[edge.from].name},
                       {"on", edge.success ? "success" : "settled"},
                       {"because", edge.because},
                       {"line", edge.line}});
    Json step{{"step", steps.size()},
              {"path", row.path},
              {"name", row.name},
              {"kind", row.kind},
              {"parent", row.parent ? Json(*row.parent) : Json()},
              {"line", row.origin.line},
              {"column", row.origin.column},
              {"file", row.file.empty() ? loaded.file : row.file},
              {"edges", std::move(edges)}};
    for (const auto& [name, value] : {std::pair{"what", &row.what},
                                      {"role", &row.role},
                                      {"if", &row.condition},
                                      {"join", &row.join},
                                      {"fail_fast", &row.fail_fast},
                                      {"concurrency", &row.concurrency},
                                      {"batch", &row.batch},
                                      {"limit", &row.limit},
                                      {"weight", &row.weight},
                                      {"secret", &row.secret},
                                      {"unix", &row.unix_socket}})
      if (!value->empty()) step[name] = *value;
    if (row.shares_cpus) step["shares_cpus"] = true;
    if (row.atomic) step["atomic"] = true;
    steps.push_back(std::move(step));
  }
  Json inputs = Json::array();
  for (const InputSpec& input : loaded.inputs)
    inputs.push_back({{"name", input.name},
                      {"schema", input.schema},
                      {"required", !input.default_value && input.env.empty()},
                      {"description", input.description}});
  return {{"name", workflow.name},
          {"file", loaded.file},
          {"concurrency", workflow.concurrency},
          {"fail_fast", fail_fast_of(workflow)},
          {"inputs", std::move(inputs)},
          {"steps", std::move(steps)}};
}

/// Writes a graph with boxes in boxes; the two languages differ in their words only.
class Drawing {
 public:
  explicit Drawing(const Workflow& workflow) : rows_(outline(workflow)), inside_(rows_.size()) {
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      // A fallback or an undo stands beside its step, not in it: the step may be no group.
      std::optional<std::size_t> around = rows_[i].parent;
      for (std::size_t at = i; around && stands_beside(rows_[at]); around = rows_[at].parent) at = *around;
      (around ? inside_[*around] : top_).push_back(i);
    }
  }
  virtual ~Drawing() = default;

  std::string text() {
    begin();
    nodes(top_, 1);
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      for (const OutlineEdge& edge : rows_[i].edges)
        arrow(edge.from, i, edge.success, fmt::format("{}, line {}", edge.because, edge.line));
      if (rows_[i].role == "fallback") arrow(*rows_[i].parent, i, false, "has failed");
      if (rows_[i].role == "undo") arrow(*rows_[i].parent, i, false, "is undone by");
    }
    end();
    return std::move(out_);
  }

 protected:
  virtual void begin() = 0;
  virtual void node(std::size_t i, const std::string& indent) = 0;
  virtual void open_box(std::size_t i, const std::string& indent) = 0;
  virtual void close_box(const std::string& indent) = 0;
  virtual void arrow(std::size_t from, std::size_t to, bool success, const std::string& label) = 0;
  virtual void end() = 0;

  bool is_box(std::size_t i) const { return !inside_[i].empty(); }
  std::vector<std::string> label_lines(std::size_t i) const {
    const OutlineRow& row = rows_[i];
    std::vector<std::string> lines{row.name, row.what.empty() ? row.kind : row.kind + ": " + row.what};
    if (!row.role.empty() && !stands_beside(row)) lines.push_back("way: " + row.role);
    if (!row.condition.empty()) lines.push_back("if " + row.condition);
    if (std::string text = rules(row); !text.empty()) lines.push_back(std::move(text));
    return lines;
  }

  std::string out_;

 private:
  void nodes(const std::vector<std::size_t>& of, std::size_t depth) {
    std::string indent(depth * 2, ' ');
    for (std::size_t i : of) {
      if (!is_box(i)) {
        node(i, indent);
        continue;
      }
      open_box(i, indent);
      nodes(inside_[i], depth + 1);
      close_box(indent);
    }
  }

  Rows rows_;
  std::vector<std::vector<std::size_t>> inside_;
  std::vector<std::size_t> top_;
};

constexpr std::size_t kWidestLabel = 60;

/// https://graphviz.org/doc/info/lang.html
class Dot : public Drawing {
 public:
  explicit Dot(const Workflow& workflow) : Drawing(workflow), name_(workflow.name) {}

 private:
  /// In double quotes only `"` and `\` mean something, the latter to labels.
  static std::string quoted(const std::vector<std::string>& lines) {
    std::string text;
    for (const std::string& line : lines) {
      if (!text.empty()) text += "\\n";
      for (char c : one_line(line, kWidestLabel)) {
        if (c == '"' || c == '\\') text += '\\';
        text += c;
      }
    }
    return "\"" + text + "\"";
  }
  void begin() override {
    out_ = fmt::format("digraph {} {{\n  compound=true;\n  node [shape=box];\n", quoted({name_}));
  }
  void node(std::size_t i, const std::string& indent) override {
    out_ += fmt::format("{}s{} [label={}];\n", indent, i, quoted(label_lines(i)));
  }
  // Arrows lead to nodes only: each box has one that carries its label, and is cut at the border of the box.
  void open_box(std::size_t i, const std::string& indent) override {
    out_ += fmt::format("{0}subgraph cluster_{1} {{\n{0}  s{1} [shape=plaintext, label={2}];\n", indent, i,
                        quoted(label_lines(i)));
  }
  void close_box(const std::string& indent) override { out_ += indent + "}\n"; }
  void arrow(std::size_t from, std::size_t to, bool success, const std::string& label) override {
    out_ += fmt::format("  s{} -> s{} [label={}", from, to, quoted({label}));
    if (!success) out_ += ", style=dashed";
    if (is_box(from)) out_ += fmt::format(", ltail=cluster_{}", from);
    if (is_box(to)) out_ += fmt::format(", lhead=cluster_{}", to);
    out_ += "];\n";
  }
  void end() override { out_ += "}\n"; }

  std::string name_;
};

/// https://mermaid.js.org/syntax/flowchart.html
class Mermaid : public Drawing {
 public:
  using Drawing::Drawing;

 private:
  /// Labels are read as HTML and Markdown; entities are written `#34;`.
  static std::string quoted(const std::vector<std::string>& lines) {
    constexpr std::string_view kSpecial = "\"#&<>`%\\{}[]|;*_~";
    std::string text;
    for (const std::string& line : lines) {
      if (!text.empty()) text += "<br/>";
      for (char c : one_line(line, kWidestLabel)) {
        if (kSpecial.find(c) == std::string_view::npos) {
          text += c;
        } else {
          text += fmt::format("#{};", static_cast<int>(c));
        }
      }
    }
    return "\"" + text + "\"";
  }
  void begin() override { out_ = "flowchart TD\n"; }
  void node(std::size_t i, const std::string& indent) override {
    out_ += fmt::format("{}s{}[{}]\n", indent, i, quoted(label_lines(i)));
  }
  void open_box(std::size_t i, const std::string& indent) override {
    out_ += fmt::format("{}subgraph s{}[{}]\n", indent, i, quoted(label_lines(i)));
  }
  void close_box(const std::string& indent) override { out_ += indent + "end\n"; }
  void arrow(std::size_t from, std::size_t to, bool success, const std::string& label) override {
    out_ += fmt::format("  s{} {}|{}| s{}\n", from, success ? "-->" : "-.->", quoted({label}), to);
  }
  void end() override {}
};

int plan(const Context& context, const PlanOptions& options) {
  std::unique_ptr<Jq> jq = make_jq();
  Loaded loaded = load_or_throw(options.file, *jq, context.quiet, "");
  if (options.inputs.given()) {
    GivenInputs given = given_inputs(options.inputs);
    given.some = true;
    resolved_inputs(loaded, given, *jq);
  }
  if (options.format == "json") {
    print_result(plan_as_json(loaded).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
  } else if (options.format == "dot") {
    print_result(Dot(loaded.workflow).text());
  } else if (options.format == "mermaid") {
    print_result(Mermaid(loaded.workflow).text());
  } else {
    print_view(plan_as_tree(loaded));
  }
  return 0;
}

}  // namespace

std::string plan_as_tree(const Loaded& loaded) {
  const Rows rows = outline(loaded.workflow);
  std::vector<std::vector<std::string>> cells;
  for (const OutlineRow& row : rows) {
    std::string indent(static_cast<std::size_t>(row.depth) * 2 + 2, ' ');
    cells.push_back({indent + row.name, row.kind, where(row), one_line(row.what, 100)});
  }
  std::string text = head_line(loaded, rows.size());
  // The columns are those of all steps; what is said of one goes below its line.
  std::string lines = table(cells);
  std::size_t at = 0;
  for (const OutlineRow& row : rows) {
    std::size_t end = lines.find('\n', at);
    text += lines.substr(at, end + 1 - at);
    at = end + 1;
    std::string indent(static_cast<std::size_t>(row.depth) * 2 + 6, ' ');
    for (const std::string& detail : details(row, rows)) text += indent + one_line(detail, 160) + "\n";
  }
  return text;
}

void add_plan(Command& app, Context& context) {
  auto options = std::make_shared<PlanOptions>();
  Command* command = app.add_subcommand("plan", "The graph of a workflow: what waits for what, and why");
  command->add_option("FILE", options->file, "The workflow")->required();
  add_input_options(*command, options->inputs);
  command->add_option("--format", options->format, "tree, dot (Graphviz), mermaid or json")
      ->one_of({"tree", "dot", "mermaid", "json"});
  command->add_flag_callback(
      "--json", [options] { options->format = "json"; }, "Same as --format json");
  command->callback([&context, options] { context.chosen = [&context, options] { return plan(context, *options); }; });
}

}  // namespace flowrun::cli
