#include "engine/scenario/scenario_keys.h"

namespace flowrun {

const std::vector<ScenarioKey>& scenario_keys() {
  static const std::vector<ScenarioKey> keys{
      {"top", "flowrun_test", "1", "version of the format"},
      {"top", "workflow", "path", "the workflow, seen from the file; else the file's own name without .test"},
      {"top", "description", "text", "for people"},
      {"top", "input", "map", "inputs of every scenario; one that a scenario gives itself counts"},
      {"top", "env", "map", "what the workflow's inputs take from the environment"},
      {"top", "answers", "map of answers", "for every scenario, behind its own"},
      {"top", "never", "text or list", "`charge succeeded and run failed`: so no run may end"},
      {"top", "effects", "map of steps", "whether a step changes anything outside; for `flowrun explore`"},
      {"top", "scenarios", "map of scenarios", "by what is promised"},

      {"scenario", "description", "text", "for people"},
      {"scenario", "input", "map", "inputs of the run"},
      {"scenario", "env", "map", "what the workflow's inputs take from the environment"},
      {"scenario", "stdin", "list", "items of a for_each over standard input"},
      {"scenario", "now", "date and time", "when the run begins"},
      {"scenario", "seed", "32 hexadecimal digits", "what chance is made of"},
      {"scenario", "run", "id", "the id of the run"},
      {"scenario", "options", "map", "as they are given to `flowrun run`"},
      {"scenario", "answers", "map of answers", "by step: how attempts end"},
      {"scenario", "signals", "list of signals", "what is said to the run, and when"},
      {"scenario", "crash", "crash or list", "where the process dies"},
      {"scenario", "expect", "map", "what must hold"},

      {"answer", "value", "any", "it succeeds with this, whatever it is read from"},
      {"answer", "status", "HTTP status", "a server answers with this"},
      {"answer", "headers", "map", "of that answer"},
      {"answer", "body", "any", "of that answer; text as it is, all else as JSON"},
      {"answer", "exit", "exit code", "a process ends with this"},
      {"answer", "stdout", "any", "what it says before; text as it is, all else as JSON"},
      {"answer", "stderr", "text", "the same on standard error"},
      {"answer", "file", "any", "what it writes to $FLOWRUN_OUTPUT"},
      {"answer", "error", "error type", "it fails like this"},
      {"answer", "message", "text", "of that error"},
      {"answer", "again", "true", "of a poll: what it waits for is not there yet"},
      {"answer", "page", "map", "of a step that follows pages: what a page puts out"},
      {"answer", "pass", "true", "it is carried out for real"},
      {"answer", "delay", "duration", "how long it takes"},

      {"page", "output", "any", "its part of the output"},
      {"page", "next", "URL", "where the next page is; left out: it is the last"},

      {"options", "jobs", "count", "processes at once, as -j"},
      {"options", "concurrency", "count", "attempts at once"},
      {"options", "cpus", "count", "how many CPUs the machine has; 4"},
      {"options", "timeout", "duration", "of the run"},
      {"options", "fail_fast", "true, drain or false", "for groups that write none"},

      {"signal", "name", "name of a signal", "which one"},
      {"signal", "data", "any", "what it brings"},
      {"signal", "reject", "text", "why the answer is no"},
      {"signal", "step", "path", "only for this step"},
      {"signal", "at", "duration", "how long after the beginning, or after the step in `after`"},
      {"signal", "after", "step", "once that step has ended"},

      {"crash", "after", "count", "so many entries are in the journal by then"},
      {"crash", "down", "duration", "how long nobody drives the run"},
      {"crash", "on_crash", "rerun or fail", "the answer for `on_crash: ask`"},

      {"expect", "state", "succeeded, failed or cancelled", "how the run ends"},
      {"expect", "output", "any", "what the run puts out"},
      {"expect", "error", "error type or map", "why the run fails"},
      {"expect", "ran", "step, list or map", "steps that run; in a map, how often"},
      {"expect", "not_ran", "step or list", "steps that do not run"},
      {"expect", "order", "list", "`a before b`"},
      {"expect", "requests", "map", "by step: what is sent or started"},
      {"expect", "undone", "list of steps", "which are undone, in this order, and no others"},
      {"expect", "time", "duration or map", "how long the run takes"},

      {"error", "type", "error type", "its type"},
      {"error", "step", "path", "where it arose"},
      {"error", "message", "text", "what it says"},

      {"request", "method", "text", "of HTTP"},
      {"request", "url", "text", "whole, with its query"},
      {"request", "headers", "map", "those that are named must be there"},
      {"request", "body", "any", "of JSON the value, else the text"},
      {"request", "file", "path", "which file is sent as the body"},
      {"request", "multipart", "list", "the fields of a form, each with `name` and `text` or `file`"},
      {"request", "unix", "path", "the socket that it goes to"},
      {"request", "argv", "list", "program and arguments"},
      {"request", "via", "list", "what starts it elsewhere"},
      {"request", "env", "map", "those that are named must be there"},
      {"request", "stdin", "any", "of JSON the value, else the text"},

      {"time", "at_least", "duration", "not shorter"},
      {"time", "at_most", "duration", "not longer"},
  };
  return keys;
}

std::vector<std::string> scenario_keys_within(std::string_view where) {
  std::vector<std::string> names;
  for (const ScenarioKey& key : scenario_keys())
    if (key.within == where) names.emplace_back(key.name);
  return names;
}

}  // namespace flowrun
