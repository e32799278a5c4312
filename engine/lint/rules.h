// What is allowed and yet probably not meant: a function for each code of a warning or hint. lint.cpp has the table.
#pragma once

#include "engine/lint/workflow_index.h"

namespace flowrun::lint_rules {

using Find = void(const WorkflowIndex& index, Findings& findings);

// shape_rules.cpp: how steps are arranged.
Find lost_parallelism;    // W110
Find implied_edge;        // W111
Find unlimited_calls;     // W114
Find pointless_join;      // W116
Find pointless_fallback;  // W117

// use_rules.cpp: who uses what.
Find unused_set;           // I115
Find unhandled_tolerated;  // W228
Find unhandled_skipped;    // W343
Find unused_name;          // W342
Find missing_output;       // I345

// effect_rules.cpp: what work does to the world, how often, how long.
Find unprotected_retry;    // W221
Find retry_without_key;    // I222
Find effect_after_crash;   // W223
Find endless_wait;         // W224
Find contradictory_times;  // W225
Find short_group_timeout;  // W226
Find hopeless_retry;       // W227
Find unchecked_tls;        // W322
Find readable_auth;        // W324
Find unclear_undo;         // W229
Find secret_in_query;      // W321
Find impossible_retry;     // W230
Find missing_undo;         // W231

// text_rules.cpp: what is written in scripts, arguments and values.
Find literal_secret;         // W325
Find interpolated_script;    // W331
Find unquoted_variable;      // W332
Find expression_in_command;  // W333
Find changed_scalar;         // W341
Find missing_braces;         // W344
Find type_as_default;        // W346

}  // namespace flowrun::lint_rules
