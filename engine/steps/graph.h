// Bodies and named groups: `steps`, `do`, `else`, `sequence`, `parallel`, `race`. A map is a graph, a list a sequence,
// a single step stands by itself.
//
//     parallel: { a: {shell: one}, b: {shell: two} }
//     join: { quorum: 1 }
#pragma once

#include <unordered_map>
#include <vector>

#include "engine/steps/group.h"

namespace flowrun {

class GraphStep final : public CommonStep, public GroupSettings {
 public:
  enum class Form { Single, List, Map };
  /// What in the file makes an edge, for people; nothing decides by it.
  struct Reason {
    std::size_t on = 0;    ///< the child that comes first
    bool success = false;  ///< of `needs`; else of `after`
    std::string text;      ///< `$steps.order.total`, `needs`, `after`
    int line = 0;
  };
  struct Child {
    std::unique_ptr<Step> step;
    std::vector<std::size_t> needs;  ///< success edges: indices of children
    std::vector<std::size_t> after;  ///< settled edges
    std::vector<Reason> reasons;     ///< of its edges; in a list only of those that are not its place
  };

  std::unique_ptr<Frame> frame(Context& context, Frame* parent, std::string path) const override;
  /// To be called once, when all children and edges are there.
  void link();
  /// Position of the child with this name.
  std::optional<std::size_t> find(std::string_view name) const;

  Form form = Form::Map;
  bool body = true;         ///< reports its first failure as its own: everything but `parallel` and `race`
  bool race = false;        ///< its output is the winner's
  bool of_item = false;     ///< the body of an item: a single step has no name of its own
  bool whole_file = false;  ///< `steps` of a file: its one step has a name also below the path of an item
  std::vector<Child> children;
  std::vector<std::vector<std::size_t>> dependents;  ///< made by link()

 private:
  std::unordered_map<std::string, std::size_t> by_name_;
};

}  // namespace flowrun
