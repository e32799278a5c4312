// Files that are named by others: where they are looked for, what is wrong with them, how many there may be.
#include <filesystem>

#include "engine/run/load.h"
#include "engine/steps/outline.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::sub_workflow_test {
namespace {

/// A workflow in a folder, `main.yaml` and what it names.
struct Folder {
  TempDir dir;

  std::string write(const std::string& name, const std::string& rest) const {
    std::filesystem::create_directories(std::filesystem::path(dir.path(name)).parent_path());
    return dir.write(name, "flowrun: 1\n" + rest);
  }
  std::optional<Loaded> read(std::string* said = nullptr, const Texts* frozen = nullptr) const {
    const std::string file = dir.path("main.yaml");
    Diagnostics diagnostics({"some/main.yaml", read_file(file)});
    auto loaded = load(file, diagnostics, nullptr, Lints::No, false, frozen);
    if (said) *said = diagnostics.text() + diagnostics.summary();
    INFO(diagnostics.text());
    if (!said) REQUIRE(loaded);
    return loaded;
  }
  std::string findings() const {
    std::string said;
    CHECK_FALSE(read(&said));
    return said;
  }
};

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a sub-workflow is looked for beside the file that names it, and read once", "[load]") {
  Folder folder;
  folder.write("main.yaml",
               "cwd: elsewhere\nsteps: { a: { workflow: parts/a.yaml }, b: { workflow: ./parts/../parts/a.yaml } }\n");
  folder.write("parts/a.yaml", "steps: { b: { workflow: ../b.yaml } }\noutput: \"${ [1, 2] | add }\"\n");
  folder.write("b.yaml", "steps: { ask: { wait: approval } }\noutput: \"${ [1, 2] | add }\"\n");
  auto loaded = folder.read();
  CHECK(loaded->children.size() == 2);
  CHECK(loaded->sources.size() == 2);
  CHECK(loaded->sources.count("parts/a.yaml") == 1);
  CHECK(loaded->sources.count("b.yaml") == 1);
  CHECK(loaded->programs.size() == 1);          // both ask jq the same
  CHECK(loaded->workflow.signals.size() == 1);  // two files down
  CHECK(loaded->steps == 2 * 2 + 2);

  std::vector<OutlineRow> rows = outline(loaded->workflow);
  const OutlineRow* ask = find_row(rows, "b/b/ask");
  REQUIRE(ask);
  CHECK(ask->file == "b.yaml");
  CHECK(find_row(rows, "b")->file.empty());
}

TEST_CASE("what is wrong in a sub-workflow is told with its name, and with that of the file that names it", "[load]") {
  Folder folder;
  folder.write("main.yaml", "steps: { pay: { workflow: parts/pay.yaml } }\n");
  folder.write("parts/pay.yaml", "steps: { a: { shell: make, retires: 1 }, b: { set: '${ $steps.c }' } }\n");
  std::string said = folder.findings();
  INFO(said);
  CHECK(has(said, "some/parts/pay.yaml:2:28: error[E101]: unknown key `retires`"));
  CHECK(has(said, "some/parts/pay.yaml:2:"));
  CHECK(has(said, "error[E203]"));
  CHECK(has(said, "some/main.yaml:2:27: error[E305]: sub-workflow parts/pay.yaml is not valid (2 errors)"));
  CHECK(has(said, "1 error, 0 warnings"));
}

TEST_CASE("a recursion of files is told with those that it goes through", "[load]") {
  Folder folder;
  folder.write("main.yaml", "steps: { a: { workflow: a.yaml } }\n");
  folder.write("a.yaml", "steps: { b: { workflow: parts/b.yaml } }\n");
  folder.write("parts/b.yaml", "steps: { a: { workflow: ../a.yaml } }\n");
  std::string said = folder.findings();
  INFO(said);
  CHECK(has(said, "some/parts/b.yaml:2:25: error[E305]: a recursion: a.yaml runs parts/b.yaml, which runs a.yaml"));
  CHECK(has(said, "sub-workflow a.yaml is not valid (1 error)"));
}

TEST_CASE("files nest 16 deep", "[load]") {
  Folder folder;
  folder.write("main.yaml", "steps: { s: { workflow: f1.yaml } }\n");
  for (int i = 1; i <= 16; ++i)
    folder.write("f" + std::to_string(i) + ".yaml",
                 i < 16 ? "steps: { s: { workflow: f" + std::to_string(i + 1) + ".yaml } }\n" : "steps: { set: 1 }\n");
  CHECK(folder.read()->children.size() == 16);
  // Also when the lower ones are known already.
  folder.write("main.yaml", "steps: { t: { workflow: f9.yaml }, s: { workflow: f1.yaml } }\n");
  folder.read();
  folder.write("f16.yaml", "steps: { s: { workflow: f17.yaml } }\n");
  folder.write("f17.yaml", "steps: { set: 1 }\n");
  CHECK(has(folder.findings(), "error[E008]: sub-workflows are nested more than 16 deep"));
}

TEST_CASE("steps of a file count as often as it is named", "[load]") {
  Folder folder;
  // Ten times in each of four files: 10,000 steps, and those that name them.
  for (int i = 1; i <= 4; ++i) {
    std::string steps = "steps:\n";
    for (char name = 'a'; name <= 'j'; ++name)
      steps += std::string("  ") + name + ": " +
               (i == 4 ? "{ set: 1 }" : "{ workflow: f" + std::to_string(i + 1) + ".yaml }") + "\n";
    folder.write(i == 1 ? "main.yaml" : "f" + std::to_string(i) + ".yaml", steps);
  }
  CHECK(has(folder.findings(), "error[E008]: more than 10000 steps with those of this file"));
}

TEST_CASE("a missing file and a wrong input are told with what may be meant", "[load]") {
  Folder folder;
  folder.write(
      "main.yaml",
      "steps:\n  a: { workflow: pai.yaml }\n  b: { workflow: pay.yaml, with: { amunt: 1, kind: 7, x-n: 1 } }\n");
  folder.write("pay.yaml",
               "input:\n  amount: { description: in cents }\n  kind: { type: string }\n  region: { env: REGION }\n"
               "steps: { set: 1 }\n");
  std::string said = folder.findings();
  INFO(said);
  CHECK(has(said, "there is no file " + folder.dir.path("pai.yaml")));
  CHECK(has(said, "did you mean `pay.yaml`?"));
  CHECK(has(said, "pay.yaml has no input `amunt`"));
  CHECK(has(said, "did you mean `amount`?"));
  CHECK(has(said, "pay.yaml needs the input `amount` (in cents)"));
  CHECK(has(said, "error[E305]: input `kind` of pay.yaml: "));
}

TEST_CASE("a sub-workflow of a run is read from the text that is kept with it", "[load]") {
  Folder folder;
  folder.write("main.yaml", "steps: { a: { workflow: a.yaml } }\n");
  const Texts frozen{{"a.yaml", "flowrun: 1\nsteps: { kept: { set: 1 } }\n"}};
  auto loaded = folder.read(nullptr, &frozen);
  CHECK(loaded->sources == frozen);
  std::string said;
  const Texts none;
  CHECK_FALSE(folder.read(&said, &none));
  CHECK(has(said, "the text of a.yaml is not kept with the run"));
}

TEST_CASE("an input of a sub-workflow that no step gives comes from the environment, before anything is started",
          "[load]") {
  Folder folder;
  folder.write("main.yaml",
               "steps: { a: { workflow: a.yaml, with: { given: x } }, b: { workflow: a.yaml, with: { given: y } } }\n");
  folder.write("a.yaml",
               "input:\n  given: { env: GIVEN, type: integer }\n  count: { env: COUNT, type: integer }\n"
               "steps: { set: 1 }\n");
  std::string said = folder.findings();  // the literal is no integer
  CHECK(has(said, "input `given` of a.yaml"));
  folder.write("main.yaml", "steps: { a: { workflow: a.yaml, with: { given: 1 } } }\n");
  auto loaded = folder.read();
  auto jq = make_jq();
  auto resolve = [&](std::optional<std::string> count) {
    auto environment = [&](const std::string& name) {
      return name == "COUNT" ? count : std::optional<std::string>("x");
    };
    return resolve_inputs(*loaded, {}, environment, *jq, Instant{}).sub_inputs.text();
  };
  CHECK(resolve("7") == R"({"a.yaml":{"count":7}})");
  CHECK_THROWS_WITH(resolve("seven"), ContainsSubstring("input count of a.yaml: `seven` is not of type integer") &&
                                          ContainsSubstring("COUNT"));
  CHECK_THROWS_WITH(resolve(std::nullopt), ContainsSubstring("the environment variable COUNT is not set"));
}

}  // namespace flowrun::test::sub_workflow_test
