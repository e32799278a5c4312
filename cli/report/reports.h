// A run as a report, by format; each returns the whole text. None writes a file.
#pragma once

#include <string>
#include <vector>

#include "cli/report/past_run.h"

namespace flowrun::cli {

/// JUnit's XML as Jenkins publishes its schema, which GitLab and others read: a test case for each step and item.
std::string junit_report(const PastRun& run);
/// Markdown for people, at most about 500 KB: how it ended, what failed with its last words, what took longest.
std::string markdown_report(const PastRun& run);
/// A gantt chart of Mermaid: a bar a step.
std::string mermaid_report(const PastRun& run);
/// Chrome's trace events, which ui.perfetto.dev opens: a bar an attempt, on as many tracks as ran at once.
std::string perfetto_report(const PastRun& run);
/// A page for a browser, of one file and without network: timeline, graph, critical path, the run at any moment,
/// values.
std::string html_report(const Journal& journal, const RunRecord& run);
/// What |run| would take with other settings, each of |what_ifs| a row beside what it took; |json|: a line of JSON
/// each. Throws Error(Usage) for settings that are none, Error(Impossible) when it can not be told from |run|.
std::string what_if_report(const Journal& journal, const RunRecord& run, const std::vector<std::string>& what_ifs,
                           bool json);

}  // namespace flowrun::cli
