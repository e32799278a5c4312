// What is written about the tree is true of it: names in its READMEs exist, comments cite what is there, lines fit, and
// a header's name says which header is meant. Reads the tree as text; knows nothing of what it means.
#include <algorithm>
#include <cctype>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/house/tree.h"
#include "tests/support/catch.h"

namespace flowrun::test::documents_test {
namespace {

using Complaints = std::vector<std::string>;

constexpr std::size_t kColumns = 120;

bool ends_with_any(const std::string& text, std::initializer_list<const char*> ends) {
  return std::any_of(ends.begin(), ends.end(), [&](const char* end) { return text.ends_with(end); });
}

bool is_source(const std::string& file) { return ends_with_any(file, {".cpp", ".h"}); }
/// Files whose comments begin with `#`.
bool is_script(const std::string& file) { return file == "dev" || file == ".ci/run" || file == "CMakeLists.txt"; }

/// The paths and the words that there are.
struct Tree {
  std::set<std::string> paths;  ///< of files, and of the folders that they are in
  std::set<std::string> words;  ///< of everything but documents and what only tests of the house name

  void add(const std::string& file, const std::string& text) {
    for (std::size_t slash = file.find('/'); slash != file.npos; slash = file.find('/', slash + 1))
      paths.insert(file.substr(0, slash));
    paths.insert(file);
    if (file.ends_with(".md") || file.rfind("tests/house/", 0) == 0) return;
    std::string word;
    for (char c : text + " ") {
      if (std::isalnum(static_cast<unsigned char>(c)) || c == '_')
        word += c;
      else if (!word.empty())
        words.insert(std::exchange(word, ""));
    }
  }
};

/// |path| without `./`, `a/..` and a slash at the end; empty when it leaves the tree.
std::string straight(const std::string& path) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    const std::string part = path.substr(at, end - at);
    at = end + 1;
    if (part.empty() || part == ".") continue;
    if (part == ".." && parts.empty()) return "";
    if (part == "..")
      parts.pop_back();
    else
      parts.push_back(part);
  }
  std::string whole;
  for (const std::string& part : parts) whole += (whole.empty() ? "" : "/") + part;
  return whole;
}

/// The folder that |file| is in, with a slash behind it; empty at the top.
std::string folder_of(const std::string& file) { return file.substr(0, file.rfind('/') + 1); }

/// Whether there is |path|, seen from the folder of |file| or from one above it.
bool is_seen_from(const Tree& tree, const std::string& file, const std::string& path) {
  for (std::string folder = folder_of(file);; folder = folder_of(folder.substr(0, folder.size() - 1))) {
    if (tree.paths.count(straight(folder + path))) return true;
    if (folder.empty()) return false;
  }
}

/// Whether |word| in quotes names a file of the tree: by the ending of a source or document, or because it goes on from
/// a folder that there is.
bool names_file(const Tree& tree, const std::string& file, const std::string& word) {
  static const std::regex path("[\\w.-]+(/[\\w.-]*)*");
  if (!std::regex_match(word, path) || word.rfind("build/", 0) == 0) return false;
  static const std::regex ending(".*\\.(h|cpp|md|def|[15])");
  static const std::regex number("[\\d.]+");
  if (std::regex_match(word, ending)) return !std::regex_match(word, number);
  const std::size_t slash = word.find('/');
  return slash != word.npos && word.rfind("./", 0) != 0 && is_seen_from(tree, file, word.substr(0, slash));
}

/// |text| without blocks of code.
std::string prose_of(const std::string& text) {
  std::string prose;
  bool code = false;
  for (const std::string& line : lines_of(text)) {
    const bool fence = line.rfind("```", 0) == 0;
    if (fence) code = !code;
    prose += (fence || code || line.rfind("    ", 0) == 0 ? "" : line) + "\n";
  }
  return prose;
}

/// What the document |file| with content |text| says of the tree that is not so.
Complaints untruths(const Tree& tree, const std::string& file, const std::string& text) {
  Complaints found;
  const std::string prose = prose_of(text);
  static const std::regex link("\\]\\(([^)#\\s]+)[^)]*\\)");
  for (std::sregex_iterator it(prose.begin(), prose.end(), link), end; it != end; ++it) {
    const std::string target = (*it)[1];
    if (target.find("://") == target.npos && !tree.paths.count(straight(folder_of(file) + target)))
      found.push_back(file + ": links to " + target + ", which is not there");
  }
  static const std::regex quoted("`([^`]+)`"), blank("[^\\s]+"), name("[A-Za-z_]\\w*(::[A-Za-z_]\\w*)*(\\(\\))?");
  for (std::sregex_iterator it(prose.begin(), prose.end(), quoted), end; it != end; ++it) {
    const std::string span = (*it)[1];
    for (std::sregex_iterator word(span.begin(), span.end(), blank); word != end; ++word)
      if (names_file(tree, file, word->str()) && !is_seen_from(tree, file, word->str()))
        found.push_back(file + ": there is no file " + word->str());
    if (!std::regex_match(span, name) || is_seen_from(tree, file, span)) continue;
    static const std::regex identifier("\\w+");
    for (std::sregex_iterator word(span.begin(), span.end(), identifier); word != end; ++word)
      if (!tree.words.count(word->str())) found.push_back(file + ": nothing is called " + word->str());
  }
  return found;
}

/// The comments of |file|, which is a source or a script.
std::vector<Comment> comments_of(const std::string& file, const std::string& text) {
  if (is_source(file)) return take_apart(text).comments;
  std::vector<Comment> comments;
  int number = 0;
  for (const std::string& line : lines_of(text)) {
    ++number;
    static const std::regex comment("^(.*\\s)?#\\s.*");
    if (std::regex_match(line, comment)) comments.push_back({number, line.substr(line.find('#'))});
  }
  return comments;
}

/// Lines of a document, or with a comment, that are too long.
Complaints long_lines(const std::string& file, const std::string& text) {
  const std::vector<std::string> lines = lines_of(text);
  std::set<int> judged;
  if (file.ends_with(".md"))
    for (std::size_t i = 0; i < lines.size(); ++i) judged.insert(static_cast<int>(i) + 1);
  else
    for (const Comment& comment : comments_of(file, text)) judged.insert(comment.line);
  Complaints found;
  for (int number : judged)
    if (columns(lines.at(static_cast<std::size_t>(number) - 1)) > kColumns)
      found.push_back(file + ":" + std::to_string(number) + ": has more than 120 columns");
  return found;
}

/// Documents that comments of |file| name and that are not there.
Complaints missing_documents(const Tree& tree, const std::string& file, const std::string& text) {
  Complaints found;
  for (const Comment& comment : comments_of(file, text)) {
    static const std::regex document("[\\w./-]*\\w\\.(md|txt)\\b");
    for (std::sregex_iterator it(comment.text.begin(), comment.text.end(), document), end; it != end; ++it)
      if (!is_seen_from(tree, file, it->str()))
        found.push_back(file + ":" + std::to_string(comment.line) + ": cites " + it->str() + ", which is not there");
  }
  return found;
}

/// The room of |file|: a folder within engine/ or tests/ is one, and cli/ is one. Empty: it stands in none.
std::string room_of(const std::string& file) {
  static const std::regex room("((engine|tests)/[^/]+|cli)/.*");
  std::smatch parts;
  return std::regex_match(file, parts, room) ? parts[1].str() : "";
}

/// Constants of |text|, by name in |known|, that another source of the room has, too. Sources of a room are compiled
/// together, in groups that every new file shifts.
Complaints shared_constants(const std::string& file, const std::string& text,
                            std::map<std::string, std::string>& known) {
  Complaints found;
  const std::string room = room_of(file);
  // Those of tests stand in a namespace of their file.
  if (!file.ends_with(".cpp") || room.empty() || room.starts_with("tests")) return found;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    static const std::regex constant("(constexpr|const) [^=({]*\\b(k[A-Z]\\w*)(\\[.*)? ?[={].*");
    std::smatch parts;
    if (!std::regex_match(line, parts, constant)) continue;
    const auto [other, fresh] = known.emplace(room + " " + parts[2].str(), file);
    if (!fresh) found.push_back(file + ": " + parts[2].str() + " is a constant of " + other->second + ", too");
  }
  return found;
}

/// Headers of two rooms with one name.
Complaints shared_names(const std::vector<std::string>& files) {
  std::map<std::string, std::string> rooms;
  Complaints found;
  for (const std::string& file : files) {
    const std::string room = room_of(file);
    if (room.empty() || !file.ends_with(".h")) continue;
    const auto [other, fresh] = rooms.emplace(file.substr(file.rfind('/') + 1), room);
    if (!fresh && other->second != room)
      found.push_back(file + ": a header of " + other->second + " has the same name");
  }
  return found;
}

const Tree& our_tree() {
  static const Tree tree = [] {
    Tree made;
    for (const std::string& file : house_files()) made.add(file, content_of(file));
    return made;
  }();
  return tree;
}

/// A tree for the tests of the checks.
Tree small_tree() {
  Tree tree;
  tree.add("engine/machine/join.h", "enum class Verdict { Open };\nVerdict judge(const Join& join);\n");
  tree.add("engine/README.md", "nobody_else_says_this\n");
  tree.add("dev", "");
  return tree;
}

void append(Complaints& all, const Complaints& more) { all.insert(all.end(), more.begin(), more.end()); }

}  // namespace

TEST_CASE("files and names that a README mentions are there", "[house]") {
  Complaints all;
  std::size_t read = 0;
  for (const std::string& file : house_files()) {
    if (!file.ends_with(".md")) continue;
    ++read;
    append(all, untruths(our_tree(), file, content_of(file)));
  }
  CHECK(read > 10);
  CHECK(all == Complaints{});
}

TEST_CASE("every room has a README that says what it is", "[house]") {
  std::set<std::string> rooms;
  for (const std::string& file : house_files())
    if (file.rfind("engine/", 0) == 0 && is_source(file)) rooms.insert(folder_of(file));
  rooms.insert({"engine/", "cli/", "tests/"});
  for (const std::string& room : rooms) {
    INFO(room);
    const std::size_t lines = lines_of(content_of(room + "README.md")).size();
    CHECK(lines >= 30);
    CHECK(lines <= (room == "engine/" ? 120 : 90));
  }
  for (const std::string& line : lines_of(content_of("engine/README.md"))) {
    INFO(line);
    CHECK(columns(line) <= 100);
  }
}

TEST_CASE("no line of a README and no line with a comment has more than 120 columns", "[house]") {
  Complaints all;
  for (const std::string& file : house_files())
    if (file.ends_with(".md") || is_source(file) || is_script(file)) append(all, long_lines(file, content_of(file)));
  CHECK(all == Complaints{});
}

TEST_CASE("documents that comments name are there", "[house]") {
  Complaints all;
  for (const std::string& file : house_files())
    if (is_source(file) || is_script(file)) append(all, missing_documents(our_tree(), file, content_of(file)));
  CHECK(all == Complaints{});
}

TEST_CASE("no two rooms have a header of the same name", "[house]") {
  CHECK(shared_names(house_files()) == Complaints{});
}

TEST_CASE("no two sources of a room have a constant of the same name", "[house]") {
  Complaints all;
  std::map<std::string, std::string> known;
  for (const std::string& file : house_files())
    if (is_source(file)) append(all, shared_constants(file, content_of(file), known));
  CHECK(known.size() > 100);
  CHECK(all == Complaints{});
}

TEST_CASE("the check of documents sees files and links that are not there", "[house]") {
  const Tree tree = small_tree();
  auto wrong = [&](const char* text) { return untruths(tree, "engine/README.md", text).size(); };
  CHECK(wrong("`machine/join.h`, `engine/machine/join.h`, [join](machine/join.h) and [top](../dev#verbs)") == 0);
  CHECK(wrong("`machine/joins.h`") == 1);
  CHECK(wrong("`join.h`") == 1);
  CHECK(wrong("`machine/joins`") == 1);
  CHECK(wrong("`run machine/joins.h`") == 1);
  CHECK(wrong("[join](join.h)") == 1);
  CHECK(wrong("[join](engine/machine/join.h)") == 1);
  CHECK(wrong("[elsewhere](https://example.org/join.h)") == 0);
  CHECK(wrong("`runs/ID/line`, `order.yaml`, `build/flowrun`, `/proc/self`, `2.5`") == 0);
  CHECK(wrong("```\n`machine/joins.h` [x](y)\n```\n    `machine/joins.h`\n") == 0);
  CHECK(untruths(tree, "engine/machine/README.md", "`join.h`, `machine/join.h`").empty());
}

TEST_CASE("the check of documents sees names that nothing has", "[house]") {
  const Tree tree = small_tree();
  auto wrong = [&](const char* text) { return untruths(tree, "engine/README.md", text).size(); };
  CHECK(wrong("`Verdict`, `Verdict::Open`, `judge()`, `judge`") == 0);
  CHECK(wrong("`Verdict::Shut`") == 1);
  CHECK(wrong("`Judge::judges()`") == 2);
  CHECK(wrong("`nobody_else_says_this`") == 1);
  CHECK(wrong("`exec: [true]`, `$steps.x`, `-j 8`") == 0);
}

TEST_CASE("the check of lines counts columns, in documents and where a comment is", "[house]") {
  const std::string wide(121, 'x'), umlauts = [] {
    std::string text;
    for (int i = 0; i < 120; ++i) text += "\xc3\xa4";
    return text;
  }();
  CHECK(long_lines("README.md", "# x\n" + wide + "\n") == Complaints{"README.md:2: has more than 120 columns"});
  CHECK(long_lines("README.md", umlauts + "\n").empty());
  CHECK(long_lines("engine/x.cpp", "int a;\n// " + wide + "\n").size() == 1);
  CHECK(long_lines("engine/x.cpp", "/* one\n" + wide + "\n*/ int b;\n").size() == 1);
  CHECK(long_lines("engine/x.cpp", "auto raw = R\"(\n// " + wide + "\n)\";\n").empty());
  CHECK(long_lines("engine/x.cpp", "auto raw = R\"(\n\n)\";\n// " + wide + "\n").front().find("x.cpp:4:") == 7);
  CHECK(long_lines("dev", "# " + wide + "\necho \"$#\" " + wide + "\n").size() == 1);
}

TEST_CASE("the check of comments sees a document that is not there", "[house]") {
  const Tree tree = small_tree();
  auto wrong = [&](const char* text) { return missing_documents(tree, "engine/machine/x.cpp", text).size(); };
  CHECK(wrong("// Rule 2 of engine/README.md.\n") == 0);
  CHECK(wrong("// Rule 2 of README.md.\n") == 0);
  CHECK(wrong("// DESIGN.md, rule 2\n/// and notes/plan.txt\n") == 2);
  CHECK(wrong("auto name = \"plan.txt\";\n") == 0);
  CHECK(missing_documents(tree, "dev", "x=1  # see PLAN.md\n").size() == 1);
}

TEST_CASE("the check of headers sees one name in two rooms", "[house]") {
  CHECK(shared_names({"engine/machine/join.h", "engine/steps/join.h"}).size() == 1);
  CHECK(shared_names({"engine/run/open.h", "cli/progress/open.h"}).size() == 1);
  CHECK(shared_names({"cli/open.h", "cli/progress/open.h"}).empty());
  CHECK(shared_names({"engine/machine/join.h", "engine/machine/join.cpp", "engine/steps/join.cpp"}).empty());
}

TEST_CASE("the check of constants sees one name in two sources of a room", "[house]") {
  std::map<std::string, std::string> known;
  const char* one = "constexpr int kMost = 3;\nconst char* const kNames[] = {\"a\"};\n  constexpr int kInner = 1;\n";
  CHECK(shared_constants("cli/one.cpp", one, known).empty());
  CHECK(shared_constants("cli/report/two.cpp", "constexpr Duration kMost{5};\n", known).size() == 1);
  CHECK(shared_constants("cli/three.cpp", "constexpr const char* kNames[2] = {};\n", known).size() == 1);
  CHECK(shared_constants("cli/four.cpp", "constexpr int kInner = 1;\n", known).empty());
  CHECK(shared_constants("engine/run/five.cpp", "constexpr int kMost = 3;\n", known).empty());
  CHECK(shared_constants("cli/six.h", "constexpr int kMost = 3;\n", known).empty());
}

}  // namespace flowrun::test::documents_test
