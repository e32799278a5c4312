// How wide, deep and long the house may become: public functions of a class, levels of a hierarchy, lines of a file.
// Reads the sources as text; knows nothing of what they do.
#include <algorithm>
#include <cctype>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "tests/house/tree.h"
#include "tests/support/catch.h"

namespace flowrun::test::faces_test {
namespace {

using Names = std::vector<std::string>;

constexpr std::size_t kMostFunctions = 20;
constexpr std::size_t kMostLines = 420;
/// What is beyond that, and how far: nothing is.
const std::map<std::string, std::size_t> kBeyond = {};
/// An interface and what implements it. A class of kMiddles may stand between the two; this list only gets shorter.
constexpr int kMostLevels = 2;
const std::set<std::string> kMiddles = {
    "CommonStep",     // the options of every kind: engine/steps/README.md, "Inheritance"
    "StepFrame",      // the life of every kind: the same
    "EventSink",      // an interface: a DecisionSink that is told of events, too
    "Jq",             // an interface: an Evaluator that checks programs, too
    "PlainProgress",  // GithubProgress is it, with annotations
};

/// A class as it is defined.
struct Class {
  std::string name;
  Names bases;        ///< without namespaces and arguments
  std::string body;   ///< between its braces
  bool open = false;  ///< a struct: public from its first line
};

/// |text| without what stands in braces; where that was is a `;`.
std::string without_blocks(const std::string& text) {
  std::string outside;
  int depth = 0;
  for (char c : text) {
    if (c == '{') ++depth;
    if (depth == 0) outside += c;
    if (c == '}' && --depth == 0) outside += ';';
  }
  return outside;
}

/// |text| without template arguments.
std::string without_arguments(std::string text) {
  static const std::regex arguments("<[^<>]*>");
  for (std::string before; before != text;) {
    before = text;
    text = std::regex_replace(text, arguments, "");
  }
  return text;
}

std::size_t most_of(const std::string& what, std::size_t most) {
  auto beyond = kBeyond.find(what);
  return beyond == kBeyond.end() ? most : beyond->second;
}

Names bases_of(const std::string& list) {
  Names bases;
  static const std::regex base("(?:\\w+::)*(\\w+)\\s*(,|$)");
  const std::string plain = without_arguments(list);
  for (std::sregex_iterator it(plain.begin(), plain.end(), base), end; it != end; ++it) bases.push_back((*it)[1]);
  return bases;
}

/// The classes that |text|, a source, defines; nested ones, too.
std::vector<Class> classes_of(const std::string& text) {
  static const std::regex preprocessor("(^|\n)[ \t]*#[^\n]*");
  const std::string code = std::regex_replace(take_apart(text).code, preprocessor, "$1");
  static const std::regex head("\\b(enum\\s+)?(class|struct)\\s+(?:\\w+::)*(\\w+)(\\s+final)?\\s*(:[^;{}()]*)?\\{");
  std::vector<Class> classes;
  for (std::sregex_iterator it(code.begin(), code.end(), head), end; it != end; ++it) {
    if ((*it)[1].matched) continue;
    const auto from = static_cast<std::size_t>(it->position() + it->length());
    std::size_t to = from;
    for (int depth = 1; to < code.size() && depth > 0; ++to) depth += code[to] == '{' ? 1 : code[to] == '}' ? -1 : 0;
    classes.push_back({(*it)[3], bases_of((*it)[5]), code.substr(from, to - from - 1), (*it)[2] == "struct"});
  }
  return classes;
}

/// The functions that others may call: what is public and no constructor, destructor or deleted.
Names public_functions(const Class& one) {
  static const std::regex access("\\b(public|private|protected)\\s*:");
  static const std::regex function("(operator\\W+|[~\\w]+)\\s*\\(");
  static const std::regex other("\\s*(using|friend|typedef|enum|class|struct|static_assert)\\b[^]*");
  std::string members = std::regex_replace(without_blocks(one.body), access, ";@$1;") + ";";
  bool open = one.open;
  Names found;
  for (std::size_t at = 0; at < members.size();) {
    const std::size_t end = members.find(';', at);
    const std::string member = members.substr(at, end - at);
    at = end + 1;
    if (member.rfind("@", 0) == 0) open = member == "@public";
    const std::string plain = without_arguments(member);
    std::smatch match;
    if (!open || std::regex_match(plain, other) || plain.find("= delete") != plain.npos) continue;
    if (!std::regex_search(plain, match, function)) continue;
    const std::string name = match[1];
    const bool initialised = plain.find('=') < static_cast<std::size_t>(match.position()) && name.rfind("operator", 0);
    if (!initialised && name != one.name && name[0] != '~') found.push_back(name);
  }
  return found;
}

/// The sources of the program: path and text.
std::map<std::string, std::string> sources() {
  std::map<std::string, std::string> found;
  for (const std::string& file : house_files())
    if ((file.rfind("engine/", 0) == 0 || file.rfind("cli/", 0) == 0) &&
        (file.ends_with(".h") || file.ends_with(".cpp")))
      found.emplace(file, content_of(file));
  return found;
}

using Bases = std::map<std::string, std::set<std::string>>;

/// How many classes stand above each other at |name|, those in the middle not counted.
int levels(const Bases& bases, const std::string& name) {
  auto known = bases.find(name);
  if (known == bases.end()) return 0;  // none of ours
  int most = 0;
  for (const std::string& base : known->second)
    if (base != name) most = std::max(most, levels(bases, base));
  return most + (kMiddles.count(name) ? 0 : 1);
}

/// Classes of |files| with too wide a face or too high a hierarchy, and files that are too long.
Names complaints(const std::map<std::string, std::string>& files) {
  Names found;
  Bases bases;
  for (const auto& [file, text] : files) {
    if (const std::size_t lines = lines_of(text).size(); lines > most_of(file, kMostLines))
      found.push_back(file + ": has " + std::to_string(lines) + " lines");
    for (const Class& one : classes_of(text)) {
      bases[one.name].insert(one.bases.begin(), one.bases.end());
      if (const Names functions = public_functions(one); functions.size() > most_of(one.name, kMostFunctions))
        found.push_back(file + ": " + one.name + " has " + std::to_string(functions.size()) + " public functions");
    }
  }
  for (const auto& [name, unused] : bases)
    if (const int high = levels(bases, name); high > kMostLevels)
      found.push_back(name + ": is level " + std::to_string(high) + " of its hierarchy");
  return found;
}

std::string functions(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += "  virtual int f" + std::to_string(i) + "(int a = 0) const { return {a}; }\n";
  return text;
}

}  // namespace

TEST_CASE("no face of the house is too wide, no hierarchy too high, no file too long", "[house]") {
  const auto all = sources();
  REQUIRE(all.size() > 100);
  CHECK(complaints(all) == Names{});
}

TEST_CASE("the check of faces counts what others may call", "[house]") {
  const auto count = [](const std::string& text) { return public_functions(classes_of(text).at(0)).size(); };
  CHECK(count("class A { void f(); public: A(); ~A(); A(A&&) noexcept; A(const A&) = delete; int g() const; };") == 1);
  CHECK(count("struct A : B<int> { int x = f(1); int y{2}; std::function<void(int)> z; void g(int a = 0); };") == 1);
  CHECK(count("struct A { struct B { void f(); void g(); }; using C = int(int); friend void h(); B b() { return {}; } "
              "private: void i(); };") == 1);
  CHECK(count("class A { public: enum class E { X }; template <typename T> T f(T t) { return t; }\n // int g();\n"
              "  bool operator==(const A& o) const; protected: int h(); };") == 2);
  CHECK(classes_of("enum class A { X };\nclass B;\n// class C {};\nconst char* d = \"class D {};\";").empty());
}

TEST_CASE("the check of faces sees a class that is too wide", "[house]") {
  CHECK(complaints({{"engine/a.h", "class A {\n public:\n" + functions(20) + " private:\n" + functions(9) + "};\n"}})
            .empty());
  CHECK(complaints({{"engine/a.h", "class A {\n public:\n" + functions(21) + "};\n"}}).size() == 1);
  CHECK(complaints({{"engine/a.h", "namespace {\nclass A final : public B {\n public:\n" + functions(21) + "};\n}\n"}})
            .size() == 1);
}

TEST_CASE("the check of faces sees a hierarchy that is too high", "[house]") {
  const std::string two = "class A {};\nclass B : public A {};\n";
  CHECK(complaints({{"engine/a.h", two}}).empty());
  CHECK(complaints({{"engine/a.h", two}, {"cli/b.cpp", "class C final : public D, public x::B {};\n"}}).size() == 1);
  CHECK(complaints({{"engine/a.h", "class A {};\nclass StepFrame : public A {};\nclass C : public StepFrame {};\n"}})
            .empty());
  CHECK(complaints({{"engine/a.h",
                     "class A {};\nclass StepFrame : public A {};\nclass C : public StepFrame {};\nclass D : C {};\n"}})
            .size() == 1);
}

TEST_CASE("the check of faces sees a file that is too long", "[house]") {
  std::string text;
  for (int i = 0; i < 420; ++i) text += "int x;\n";
  CHECK(complaints({{"engine/a.cpp", text}}).empty());
  CHECK(complaints({{"engine/a.cpp", text + "int x;\n"}}).size() == 1);
}

}  // namespace flowrun::test::faces_test
