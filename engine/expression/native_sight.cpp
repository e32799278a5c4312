// What an expression can see of the values that it names. Follows where each result comes from: what is compared,
// handed to jq or yielded in the end is seen as a whole, what is only gone through or asked for a member is not.
#include <algorithm>
#include <utility>

#include "engine/expression/native.h"

namespace flowrun {
namespace {

using Kind = NativeNode::Kind;
using Function = NativeNode::Function;

/// Where a result may come from.
struct Origin {
  std::vector<Sight*> places;            ///< within values that are named
  std::vector<Origin> members;           ///< at most one: of a list that the expression has built
  std::map<std::string, Origin> fields;  ///< of an object that it has built

  void add(const Origin& other) {
    for (Sight* place : other.places)
      if (std::find(places.begin(), places.end(), place) == places.end()) places.push_back(place);
    for (const Origin& member : other.members) add_member(member);
    for (const auto& [name, field] : other.fields) fields[name].add(field);
  }
  void add_member(const Origin& member) {
    if (members.empty()) members.emplace_back();
    members.front().add(member);
  }
  std::size_t weight() const {
    std::size_t sum = places.size() + 1;
    for (const Origin& member : members) sum += member.weight();
    for (const auto& [name, field] : fields) sum += field.weight();
    return sum;
  }
};

/// Who writes objects within objects again and again has them seen as a whole.
constexpr std::size_t kHeaviest = 1000;

class Follower {
 public:
  struct Root {
    std::string variable, member;
    std::shared_ptr<Sight> sight = std::make_shared<Sight>();
  };

  void follow(NativeNode& node) {
    see_all(of(node, nullptr));
    for (auto& [reference, root] : references_) reference->sight = roots_[root].sight;
  }

  void note(Use& use) const {
    const std::string& variable = use.reference.variable;
    const bool by_member = variable == "steps" || variable == "status" || variable == "secrets";
    for (const Root& root : roots_)
      if (root.variable == variable && root.member == (by_member ? use.reference.member : ""))
        use.reference.sight = root.sight;
  }

 private:
  static void see_all(const Origin& origin) {
    for (Sight* place : origin.places) place->whole = true;
    for (const Origin& member : origin.members) see_all(member);
    for (const auto& [name, field] : origin.fields) see_all(field);
  }
  static void see_members(const Origin& origin) {
    for (Sight* place : origin.places) place->members = true;
  }
  static Origin every(const Origin& origin) {
    Origin found;
    for (Sight* place : origin.places) found.places.push_back(&place->every());
    for (const Origin& member : origin.members) found.add(member);
    for (const auto& [name, field] : origin.fields) found.add(field);
    return found;
  }
  static Origin field(const Origin& origin, const std::string& key) {
    Origin found;
    for (Sight* place : origin.places) found.places.push_back(&place->fields[key]);
    if (auto own = origin.fields.find(key); own != origin.fields.end()) found.add(own->second);
    return found;
  }

  Origin root(Reference& reference) {
    std::size_t i = 0;
    while (i < roots_.size() && (roots_[i].variable != reference.variable || roots_[i].member != reference.member)) ++i;
    if (i == roots_.size()) roots_.push_back({reference.variable, reference.member});
    references_.emplace_back(&reference, i);
    return {{roots_[i].sight.get()}, {}, {}};
  }

  /// Where the results of |node| come from; |dot|: where `.` does, null where that is what the expression is given.
  Origin of(NativeNode& node, const Origin* dot) {
    Origin found = found_by(node, dot);
    if (found.weight() < kHeaviest) return found;
    see_all(found);
    return {};
  }

  Origin found_by(NativeNode& node, const Origin* dot) {
    const auto current = [&] { return dot ? *dot : root(node.reference); };
    switch (node.kind) {
      case Kind::Literal:
      case Kind::Empty:
        return {};
      case Kind::Path: {
        Origin found = dot && node.reference.variable == "." ? *dot : root(node.reference);
        for (const NativeNode::Hop& hop : node.steps) {
          const auto* key = std::get_if<std::string>(&hop);
          found = key ? field(found, *key) : every(found);
        }
        return found;
      }
      case Kind::List: {
        Origin list;
        list.add_member({});
        for (const auto& child : node.children) list.add_member(of(*child, dot));
        return list;
      }
      case Kind::Object: {
        Origin object;
        for (std::size_t i = 0; i < node.keys.size(); ++i) object.fields[node.keys[i]].add(of(*node.children[i], dot));
        return object;
      }
      case Kind::Alternative:
      case Kind::Comma: {
        Origin both = of(*node.children[0], dot);
        both.add(of(*node.children[1], dot));
        return both;
      }
      case Kind::And:
      case Kind::Or:
      case Kind::Not:
        for (const auto& child : node.children) of(*child, dot);
        return {};
      case Kind::Compare:
        compare(node, dot);
        return {};
      case Kind::Length:
        see_members(of(*node.children[0], dot));
        return {};
      case Kind::Pipe: {
        const Origin left = of(*node.children[0], dot);
        return of(*node.children[1], &left);
      }
      case Kind::If: {
        of(*node.children[0], dot);
        Origin either = of(*node.children[1], dot);
        either.add(of(*node.children[2], dot));
        return either;
      }
      case Kind::Call:
        return node.function == Function::First ? of(*node.children.front(), dot) : call(node, current());
      case Kind::Opaque: {
        const Origin given = current();
        see_all(given);
        for (const auto& child : node.children) see_all(of(*child, &given));
        return {};
      }
      case Kind::Mixture:
        for (const auto& child : node.children) see_all(of(*child, dot));
        return {};
    }
    return {};
  }

  /// What null, true and false are equal to can be told by its type.
  void compare(NativeNode& node, const Origin* dot) {
    const auto plain = [](const NativeNode& side) {
      return side.kind == Kind::Literal && (side.literal.is_null() || side.literal.is_boolean());
    };
    const bool by_type =
        (node.comparison == "==" || node.comparison == "!=") && (plain(*node.children[0]) || plain(*node.children[1]));
    for (const auto& child : node.children) {
      const Origin side = of(*child, dot);
      if (!by_type) see_all(side);
    }
  }

  Origin call(NativeNode& node, const Origin& given) {
    const auto argument = [&](const Origin& at) { return of(*node.children.front(), &at); };
    switch (node.function) {
      case Function::Select:
        argument(given);
        return given;
      case Function::Map: {
        Origin list;
        list.add_member(argument(every(given)));
        return list;
      }
      case Function::Any:
      case Function::All: {
        const Origin each = every(given);
        if (!node.children.empty()) argument(each);
        return {};
      }
      case Function::Keys:
      case Function::Has:
        see_members(given);
        return {};
      case Function::Type:
        return {};
      case Function::StartsWith:
      case Function::EndsWith:
        see_all(given);
        see_all(argument(given));
        return {};
      case Function::SortBy:
        see_all(argument(every(given)));
        return given;
      default:
        see_all(given);
        return given;
    }
  }

  std::vector<Root> roots_;
  std::vector<std::pair<Reference*, std::size_t>> references_;
};

}  // namespace

void note_sights(NativeNode& node, std::vector<Use>& uses) {
  Follower follower;
  follower.follow(node);
  for (Use& use : uses) follower.note(use);
}

}  // namespace flowrun
