// Files by patterns of their names.
#include "engine/memo/path_pattern.h"

#include <sys/stat.h>

#include <filesystem>

#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::path_pattern_test {
namespace {

struct Folder {
  TempDir dir;
  Folder() {
    std::filesystem::create_directories(dir.path("src/deep/er"));
    for (const char* name : {"a.c", "b.h", "src/a.c", "src/.hidden.c", "src/deep/b.c", "src/deep/er/c.c", "src/x[1].c"})
      dir.write(name, name);
  }
  std::string operator()(const std::vector<std::string>& patterns, std::size_t most = 100) const {
    const NamedFiles found = files_named(dir.path(), patterns, most);
    std::string text = found.trouble.empty() ? "" : "! " + found.trouble;
    if (found.trouble.empty())
      for (const auto& [name, there] : found.files) text += (text.empty() ? "" : " ") + name + (there ? "" : "?");
    return text;
  }
};

}  // namespace

TEST_CASE("patterns name files, a folder all that is in it", "[memo]") {
  const Folder in;
  CHECK(in({"*.c"}) == "a.c");
  CHECK(in({"src/*.c"}) == "src/a.c src/x[1].c");
  CHECK(in({"src/.*.c"}) == "src/.hidden.c");
  CHECK(in({"**/*.c"}) == "a.c src/a.c src/deep/b.c src/deep/er/c.c src/x[1].c");
  CHECK(in({"src/**/c.c"}) == "src/deep/er/c.c");
  CHECK(in({"src/deep"}) == "src/deep/b.c src/deep/er/c.c");
  CHECK(in({"src/deep/"}) == "src/deep/b.c src/deep/er/c.c");
  CHECK(in({"src/d*"}) == "src/deep/b.c src/deep/er/c.c");
  CHECK(in({"[ab].?"}) == "a.c b.h");
  CHECK(in({"src/../a.c"}) == "src/../a.c");
  CHECK(in({"a.c", "*.c", "a.c"}) == "a.c");
  CHECK(in({in.dir.path("b.h")}) == in.dir.path("b.h"));
}

TEST_CASE("a name that is no pattern is there or not; a pattern without a file names none", "[memo]") {
  const Folder in;
  CHECK(in({"gone.c", "a.c"}) == "a.c gone.c?");
  CHECK(in({"a.c/b"}) == "a.c/b?");
  CHECK(in({"*.rs"}).empty());
  CHECK(in({"gone/**/*.c"}).empty());
}

TEST_CASE("links to files count, links to folders are not followed round in circles", "[memo]") {
  const Folder in;
  std::filesystem::create_symlink("a.c", in.dir.path("link.c"));
  std::filesystem::create_symlink("..", in.dir.path("src/up"));
  std::filesystem::create_symlink("nowhere", in.dir.path("broken.c"));
  CHECK(in({"*.c"}) == "a.c link.c");
  CHECK(in({"broken.c"}) == "broken.c?");
  CHECK(in({"**/b.c"}) == "src/deep/b.c");
  CHECK(in({"src/up/b.h"}) == "src/up/b.h");
}

TEST_CASE("what can not be told is trouble: too many files, a pipe", "[memo]") {
  const Folder in;
  CHECK(in({"src"}, 2).starts_with("! "));
  REQUIRE(mkfifo(in.dir.path("pipe").c_str(), 0600) == 0);
  CHECK(in({"pipe"}) == "! pipe: it is no regular file");
  CHECK(in({"p*"}).empty());
}

}  // namespace flowrun::test::path_pattern_test
