// Builds nodes of the native subset, and knows of each whether it can be evaluated in place. Reads no tokens. Only for
// the parser.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "engine/expression/native.h"

namespace flowrun {

using Node = std::unique_ptr<NativeNode>;

Node make_node(NativeNode::Kind kind, Node a, Node b = nullptr, Node c = nullptr);
/// `.`
Node dot_node();
Node literal_node(Json value);
/// Not or Length, of each result of |node|.
Node function_node(Node node, NativeNode::Kind kind);
/// A call of |name|. |built|: an object has been written before it. jq goes through one of its own in the order in
/// which it was built.
Node call_node(std::string_view name, std::vector<Node> arguments, bool built);

}  // namespace flowrun
