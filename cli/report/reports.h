// A run as a report, by format; each returns the whole text. None writes a file.
#pragma once

#include <string>

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

}  // namespace flowrun::cli
