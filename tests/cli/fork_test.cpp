// fork of real runs: what is the same is taken over, what is not runs anew, and the old run stays as it is.
#include <fstream>
#include <iterator>

#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::fork_test {
namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// What ran is written to a file, a word each.
class Forked {
 public:
  std::string write(const std::string& steps) const {
    return dir_.write("w.yaml",
                      "flowrun: 1\ninput: { who: ann }\nenv: { LOG: " + dir_.path("log") + " }\nsteps:\n" + steps);
  }
  std::string write_child(const std::string& steps, const std::string& inputs = "") const {
    return dir_.write("child.yaml",
                      "flowrun: 1\n" + inputs + "env: { LOG: " + dir_.path("log") + " }\nsteps:\n" + steps);
  }
  /// What has run since this was last asked.
  std::string ran() {
    std::ifstream in(dir_.path("log"));
    std::string all(std::istreambuf_iterator<char>(in), {});
    std::string fresh = all.substr(seen_);
    seen_ = all.size();
    return fresh;
  }
  Ran operator()(std::vector<std::string> args) const { return flowrun(dir_.path("journal.db"), std::move(args)); }

 private:
  TempDir dir_;
  std::size_t seen_ = 0;
};

constexpr const char* kSteps = R"(
  a: { shell: 'printf "a " >>"$LOG"; echo 1' }
  b: { shell: 'printf "b " >>"$LOG"; echo "$A-$WHO"', env: { A: "${ $steps.a }", WHO: "${ $input.who }" } }
  c: { shell: 'printf "c " >>"$LOG"; exit 3', env: { B: "${ $steps.b }" } }
  d: { for_each: [x, y], do: { shell: 'printf "d " >>"$LOG"; echo "$FLOWRUN_ITEM"' } }
  e: { shell: 'printf "e " >>"$LOG"', env: { C: "${ $steps.c }" } }
)";

std::string with(std::string text, const std::string& old, const std::string& fresh) {
  text.replace(text.find(old), old.size(), fresh);
  return text;
}

}  // namespace

TEST_CASE("edit the file and go on: only what failed and what has changed runs") {
  Forked flow;
  CHECK(flow({"run", flow.write(kSteps), "--id", "old", "-k"}).code == 1);
  CHECK(flow.ran().size() == 10);
  flow.write(with(kSteps, "exit 3", "exit 0"));
  Ran forked = flow({"fork", "old", "--id", "new"});
  INFO(forked.err);
  CHECK(forked.code == 0);
  CHECK(flow.ran() == "c e ");
  CHECK(has(forked.err, "4 steps were taken over from run old"));
  CHECK(has(flow({"journal", "show", "new"}).out, "forked of old"));
  CHECK(has(flow({"show", "old"}).out, "failed"));
  CHECK(flow({"journal", "verify", "--all"}).code == 0);
  // The fork of a fork takes over what that one had taken over.
  Ran again = flow({"fork", "new", "--id", "newer"});
  CHECK(again.code == 0);
  CHECK(flow.ran().empty());
  CHECK(has(again.err, "6 steps were taken over"));
}

TEST_CASE("another definition, another input and --from run anew, and it is said why") {
  Forked flow;
  CHECK(flow({"run", flow.write(with(kSteps, "exit 3", "exit 0")), "--id", "old"}).code == 0);
  flow.ran();
  Ran input = flow({"fork", "old", "-i", "who=bob"});
  CHECK(flow.ran() == "b c ");
  CHECK(has(input.err, "run anew: b: its input has changed"));
  CHECK(has(input.err, "run anew: c: its input has changed"));
  Ran from = flow({"fork", "old", "--from", "c"});
  CHECK(flow.ran() == "c e ");
  CHECK(has(from.err, "run anew: c: --from"));
  // When it runs and how often it is tried is not what it does.
  flow.write(with(with(kSteps, "exit 3", "exit 0"), "echo 1'", "echo 1', timeout: 1m, retry: { attempts: 2 }"));
  Ran same = flow({"fork", "old"});
  CHECK(flow.ran().empty());
  flow.write(with(with(kSteps, "exit 3", "exit 0"), "echo 1'", "echo 1', capture: json"));
  Ran definition = flow({"fork", "old"});
  CHECK(flow.ran() == "a ");
  CHECK(has(definition.err, "run anew: a: its definition has changed"));
}

TEST_CASE("what was undone is not there to be taken over") {
  Forked flow;
  CHECK(flow({"run", flow.write(R"(
  - { id: a, shell: 'printf "a " >>"$LOG"', undo_on: succeeded, undo: { shell: 'printf "undo " >>"$LOG"' } }
  - { id: b, shell: 'printf "b " >>"$LOG"; exit 1' }
)"),
              "--id", "old"})
            .code == 1);
  CHECK(flow.ran() == "a b undo ");
  Ran forked = flow({"fork", "old"});
  CHECK(forked.code == 1);
  CHECK(flow.ran() == "a b undo ");
  CHECK(has(forked.err, "run anew: a: it was undone"));
}

TEST_CASE("an old result answers once: what a fork does again is done") {
  Forked flow;
  // The child is good from its third run on.
  flow.write_child(R"(
  count: { shell: 'printf "t " >>"$LOG"; wc -w <"$LOG"' }
  good: { shell: 'test "$N" -ge 3', env: { N: "${ $steps.count | tonumber }" } }
)");
  const std::string tried = "  c: { workflow: child.yaml, retry: { attempts: 2, delay: 1ms } }\n";
  CHECK(flow({"run", flow.write(tried), "--id", "old"}).code == 1);
  CHECK(flow.ran() == "t t ");
  Ran forked = flow({"fork", "old", "--id", "new"});
  INFO(forked.err);
  CHECK(forked.code == 0);
  CHECK(flow.ran() == "t ");
  CHECK(has(forked.err, "1 step was taken over"));
  // What was undone in the fork, and in a process of its own, is not taken over by its retry.
  CHECK(flow({"run", flow.write(R"(
  a: { shell: 'printf "a " >>"$LOG"', undo: { shell: 'printf "undo " >>"$LOG"' } }
)"),
              "--id", "kept"})
            .code == 0);
  CHECK(flow({"fork", "kept", "--id", "copy"}).code == 0);
  CHECK(flow.ran() == "a ");
  CHECK(flow({"undo", "copy"}).code == 0);
  CHECK(flow.ran() == "undo ");
  Ran again = flow({"retry", "copy"});
  INFO(again.err);
  CHECK(again.code == 0);
  CHECK(flow.ran() == "a ");
}

TEST_CASE("mistakes of a fork start nothing") {
  Forked flow;
  CHECK(flow({"run", flow.write(kSteps), "--id", "old"}).code == 1);
  flow.ran();
  Ran from = flow({"fork", "old", "--from", "bb"});
  CHECK(from.code == 8);
  CHECK(has(from.err, "did you mean `b`?"));
  CHECK(flow({"fork", "nobody"}).code == 8);
  CHECK(flow({"fork", "old", "--id", "old"}).code == 8);
  CHECK(flow({"fork", "old", "-i", "whom=x"}).code == 3);
  flow.write("  a: { shel: x }\n");
  CHECK(flow({"fork", "old"}).code == 3);
  CHECK(flow.ran().empty());
  CHECK_FALSE(has(flow({"list"}).out, "w-"));  // ids are made of the name of the file
}

TEST_CASE("a fork can not begin at a single item, and says at which step it can") {
  Forked flow;
  CHECK(flow({"run", flow.write(R"(
  - id: fe
    for_each: [1, 2]
    do: { q: { shell: 'printf "q " >>"$LOG"' } }
)"),
              "--id", "old"})
            .code == 0);
  flow.ran();
  for (const char* item : {"fe[2]/q", "fe/2/q"}) {
    Ran forked = flow({"fork", "old", "--from", item});
    CHECK(forked.code == 8);
    CHECK(has(forked.err, "for all of them: --from fe/q"));
  }
  CHECK(has(flow({"fork", "old", "--from", "fe/2"}).err, "for all of them: --from fe"));
  CHECK(flow.ran().empty());
}

TEST_CASE("what only waits for a step that ran anew runs anew, and what nothing ran before does not") {
  Forked flow;
  const std::string steps = R"(
  make: { shell: 'printf "make " >>"$LOG"; echo 1' }
  link: { shell: 'printf "link " >>"$LOG"', needs: [make] }
  note: { set: 1, after: [link] }
  ship: { shell: 'printf "ship " >>"$LOG"', after: [note] }
  sees: { shell: 'printf "sees " >>"$LOG"', env: { MADE: "${ $steps.make }" } }
  list:
    sequence:
      - { id: one, shell: 'printf "one " >>"$LOG"' }
      - { id: two, shell: 'printf "two " >>"$LOG"' }
  apart: { shell: 'printf "apart " >>"$LOG"' }
)";
  CHECK(flow({"run", flow.write(steps), "--id", "old", "-j", "1"}).code == 0);
  flow.ran();
  flow.write(with(steps, "echo 1'", "echo 1', capture: text"));
  Ran forked = flow({"fork", "old", "-j", "1"});
  INFO(forked.err);
  CHECK(forked.code == 0);
  CHECK(flow.ran() == "make link ship ");
  CHECK(has(forked.err, "run anew: link: make, which it follows, ran anew"));
  flow.write(with(steps, "one \" >>", "one  \" >>"));
  CHECK(flow({"fork", "old", "-j", "1"}).code == 0);
  CHECK(flow.ran() == "one  two ");
}

TEST_CASE("a fork knows items that have moved, and their place counts only where it is used") {
  Forked flow;
  const char* steps = R"(
  each:
    for_each: ITEMS
    do: { pay: { shell: 'printf "$SKU " >>"$LOG"', env: { SKU: "${ $item.sku }" } },
          place: { shell: 'printf "$FLOWRUN_INDEX:$SKU " >>"$LOG"', env: { SKU: "${ $item.sku }" }, needs: [pay] } }
)";
  CHECK(flow({"run", flow.write(with(steps, "ITEMS", "[{sku: a}, {sku: b}, {sku: b}]")), "--id", "old", "-j", "1"})
            .code == 0);
  flow.ran();
  flow.write(with(steps, "ITEMS", "[{sku: a}, {sku: new}, {sku: b}, {sku: b}]"));
  Ran forked = flow({"fork", "old", "-j", "1"});
  INFO(forked.err);
  CHECK(forked.code == 0);
  std::string ran = flow.ran();
  CHECK(has(ran, "new "));
  CHECK(has(ran, "1:new "));
  CHECK(has(ran, "3:b "));
  CHECK_FALSE(has(" " + ran, " a "));
  CHECK_FALSE(has(" " + ran, " b "));
  CHECK_FALSE(has(ran, "0:a"));
}

TEST_CASE("a fork knows an item that has moved and changed by what its steps ask") {
  Forked flow;
  flow.write_child(R"(
  pay: { shell: 'printf "$SKU " >>"$LOG"', env: { SKU: "${ $input.sku }" } }
)",
                   "input: { sku: {} }\n");
  const char* steps = R"(
  each: { for_each: ITEMS, do: { c: { workflow: child.yaml, with: { sku: "${ $item.sku }" } } } }
)";
  CHECK(flow({"run", flow.write(with(steps, "ITEMS", "[{sku: a, n: 1}, {sku: b, n: 1}]")), "--id", "old"}).code == 0);
  flow.ran();
  flow.write(with(steps, "ITEMS", "[{sku: new, n: 2}, {sku: a, n: 2}, {sku: b, n: 2}]"));
  Ran dry = flow({"fork", "old", "--dry-run"});
  INFO(dry.out);
  CHECK(has(dry.out, "of run old 2 steps would be taken over"));
  CHECK(flow({"fork", "old"}).code == 0);
  CHECK(flow.ran() == "new ");
}

TEST_CASE("a fork says what differs, and with --dry-run all of it without starting anything") {
  Forked flow;
  CHECK(flow({"run", flow.write(with(kSteps, "exit 3", "exit 0")), "--id", "old"}).code == 0);
  flow.ran();
  Ran dry = flow({"fork", "old", "-i", "who=bob", "--dry-run"});
  INFO(dry.out << dry.err);
  CHECK(dry.code == 0);
  CHECK(has(dry.out, "taken over: a\n"));
  CHECK(has(dry.out, "taken over: d[x]\n"));
  CHECK(has(dry.out, "run anew: b: its input has changed: `WHO` was \"ann\", is \"bob\"\n"));
  CHECK(has(dry.out, "nothing was started"));
  CHECK(flow.ran().empty());
  CHECK(flow({"list", "--json"}).out.find("w-") == std::string::npos);
  CHECK(flow({"fork", "old", "--from", "cc", "--dry-run"}).code == 8);
  Ran real = flow({"fork", "old", "-i", "who=bob"});
  CHECK(has(real.err, "run anew: b: its input has changed: `WHO` was \"ann\", is \"bob\""));
}

}  // namespace flowrun::test::fork_test
