// The names that an expression can use where it stands: steps of the bodies around it, and what is bound there. Tells
// no mistakes.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/yaml/node.h"

namespace flowrun {

class NamesInScope {
 public:
  /// The steps of one body, as far as it is read.
  struct Level {
    std::map<std::string, int> names;  ///< with their lines
    std::map<std::string, const Node*> nodes;
    std::map<std::string, int> later;  ///< of a list: not visible yet
    std::string self;                  ///< the step that is being read
  };

  /// The steps of a body are in sight while this lives.
  class Body {
   public:
    explicit Body(NamesInScope& names, Level level = {})
        : names_(names), level_(names.levels_.emplace_back(std::move(level))) {}
    ~Body() { names_.levels_.pop_back(); }
    Body(const Body&) = delete;
    Body& operator=(const Body&) = delete;
    Level* operator->() const { return &level_; }

   private:
    NamesInScope& names_;
    Level& level_;
  };

  /// Something is bound while this lives: `.`, `$error`, `$item`.
  class Binding {
   public:
    Binding(NamesInScope& names, std::vector<std::string> bound) : names_(names), count_(bound.size()) {
      for (std::string& one : bound) names_.bound_.push_back(std::move(one));
    }
    ~Binding() { names_.bound_.resize(names_.bound_.size() - count_); }
    Binding(const Binding&) = delete;
    Binding& operator=(const Binding&) = delete;

   private:
    NamesInScope& names_;
    std::size_t count_;
  };

  /// The innermost step that is being read may name itself while this lives.
  class SelfInSight {
   public:
    explicit SelfInSight(NamesInScope& names);
    ~SelfInSight();
    SelfInSight(const SelfInSight&) = delete;
    SelfInSight& operator=(const SelfInSight&) = delete;

   private:
    Level* level_;
    std::string self_;
  };

  /// Where a step stands that is out of sight.
  struct Inside {
    std::string groups;     ///< around it, from the top: `book.legs`
    std::string innermost;  ///< the last of them
    bool of_switch = false;
  };

  /// |root|: the file, which is lent.
  explicit NamesInScope(const Node& root) : root_(root) {}

  /// Outermost first. References to a level stay good while deeper ones come and go.
  const std::deque<Level>& levels() const { return levels_; }
  const std::vector<std::string>& bound() const { return bound_; }
  bool is_bound(const std::string& name) const;
  bool visible(const std::string& name) const;
  std::vector<std::string> visible_names() const;
  /// The node of the innermost step of this name; null: none is in sight.
  const Node* node_of(const std::string& name) const;
  /// True while the group |name| is being read.
  bool is_around(const std::string& name) const;
  /// The groups around a step of this name, anywhere in the file.
  std::optional<Inside> where_is(const std::string& name) const;

 private:
  const Node& root_;
  std::deque<Level> levels_;
  std::vector<std::string> bound_;
};

}  // namespace flowrun
