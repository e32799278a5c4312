// The steps of a workflow as a flat list, for people: where each stands in its file, what it does, what it waits for
// and why, and by which rules groups go. Runs nothing, decides nothing.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/machine/workflow.h"

namespace flowrun {

/// One step waits for another, and what in the file says so.
struct OutlineEdge {
  std::size_t from = 0;   ///< row of the step that comes first
  bool success = true;    ///< waits for its success; else for its end, whatever it is
  std::string because;    ///< for people: `$steps.order.total`, `needs`, `after`, `place in the list`
  int line = 0;           ///< where that stands
  bool by_value = false;  ///< only because it uses what that step puts out
  bool by_place = false;  ///< only because it comes next in a list
};

struct OutlineRow {
  std::string path;  ///< without keys of items: `enrich/profile`
  std::string name;  ///< `profile`, `_1`, `charge.fallback`
  std::string kind;
  std::string what;  ///< `GET https://...`, `make build`; of groups nothing
  Origin origin;
  std::string file;  ///< where that is, when not in the main file: of a sub-workflow, seen from the main file's folder
  int depth = 0;
  std::optional<std::size_t> parent;  ///< row of the step that it stands in, or falls back for
  std::string role;                   ///< below it: nothing, `fallback`, `undo`, `if ${ ... }` or `else` of a switch
  std::vector<OutlineEdge> edges;     ///< none: starts with its body
  std::string definition;             ///< of CommonStep
  std::string condition;              ///< `if` as an expression
  std::string tolerated;              ///< `continue_on_error`: empty when not written, `true`, or an expression

  // Of groups, as the language writes them; else empty.
  std::string join;          ///< `all`, `quorum 2`, `tolerate 5%`
  std::string fail_fast;     ///< that holds, written or inherited: `true`, `drain`, `false`
  std::string concurrency;   ///< of for_each
  std::string batch;         ///< of for_each, when written
  bool keyed = false;        ///< of for_each: it has a `key`
  bool many = false;         ///< its steps run for each item or in each round, at paths with keys
  std::string limit;         ///< of work: `8`, `api (max 5, rate 50/s)`
  std::string weight;        ///< of work: how many slots an attempt takes, when more than one
  std::string secret;        ///< `output` when that is not to be seen
  std::string unix_socket;   ///< of http: the file that the call goes through
  bool atomic = false;       ///< a scope of undos; of for_each: each item
  bool shares_cpus = false;  ///< a process that shares the CPUs with the others of its for_each
};

/// In file order. Bodies without a name are left out, their steps are not.
std::vector<OutlineRow> outline(const Workflow& workflow);

/// `fail_fast` of the whole workflow: `true`, `drain`, `false`.
std::string fail_fast_of(const Workflow& workflow);

/// The row of a live step: keys of items are taken off |path|. Null when there is none.
const OutlineRow* find_row(const std::vector<OutlineRow>& rows, const std::string& path);

}  // namespace flowrun
