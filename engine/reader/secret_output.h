// `secret` of a step: what else it may have, and where its output would be seen. Reads nodes; runs nothing.
#pragma once

#include "engine/expression/static_type.h"
#include "engine/reader/reading.h"

namespace flowrun {

/// Reads `secret`. REQUIRES: the rest of |step| is read.
void read_secret_output(Reading& reading, CommonStep& step, const Node& node);

/// Whether |hop| says which one it is, whatever it is taken of.
bool is_written_out(const Hop& hop);

/// Whether |node| is a step whose output is secret.
bool has_secret_output(const Node& node);

/// Whether |hops| from number |from| on lead, in the output of the step |node|, to one that is secret.
bool leads_to_secret(const Node& node, const std::vector<Hop>& hops, std::size_t from);

}  // namespace flowrun
