// Data of entries that no flowrun wrote, member by member: each is read or is corruption, in replays and in views.
#include <fmt/format.h>

#include "engine/model/entry.h"
#include "engine/model/error.h"
#include "engine/run/history.h"
#include "tests/model/samples.h"
#include "tests/support/catch.h"

namespace flowrun::test::entry_damage_test {
namespace {

/// Read by both, or refused as a journal is.
bool read(const Entry& entry) {
  try {
    if (is_fact(entry.kind)) to_event(to_entry(to_event(entry), entry.kind == EntryKind::LateEnd));
    History().add(entry);
    return true;
  } catch (const Corruption&) {
    return false;
  }
}

std::vector<Entry> entries() {
  std::vector<Entry> all;
  for (const Event& event : samples::events()) all.push_back(to_entry(event));
  for (const Decision& decision : samples::decisions()) all.push_back(to_entry(decision, samples::at()));
  return all;
}

}  // namespace

TEST_CASE("any member of an entry may be anything: it is read, or the entry is corrupt") {
  for (Entry entry : entries()) {
    INFO(to_string(entry.kind) << ' ' << entry.data);
    REQUIRE(read(entry));
    const Json data = Json::parse(entry.data);
    for (const auto& [key, was] : data.items())
      for (const char* odd : {"null",
                              "true",
                              "-1",
                              "0.5",
                              "1e300",
                              "9223372036854775807",
                              "-9223372036854775808",
                              "18446744073709551615",
                              "2147483648",
                              "\"\"",
                              "\"x\"",
                              "[]",
                              "[null]",
                              "[{}]",
                              "{}",
                              R"({"":0})",
                              R"({"x":7})",
                              R"({"type":7})",
                              "\"\xff\"",
                              "\"\x01\"",
                              "\"\\ud800\"",
                              "nul"}) {
        Json changed = data;
        changed[key] = "HERE";
        entry.data = changed.dump();
        entry.data.replace(entry.data.find("\"HERE\""), 6, odd);
        INFO(entry.data);
        CHECK_NOTHROW(read(entry));
      }
  }
}

TEST_CASE("a number of an entry is whole and within what is counted") {
  Entry entry = to_entry({samples::at(), TaskEnded{"a", 1, {}}});
  for (const char* member : {"took_ms", "began_ms", "retry_after_ms", "code", "page"})
    for (const char* odd : {"9223372036854775807", "-9223372036854775808", "253402300800000", "1e3", "0.5"}) {
      entry.data = fmt::format(R"({{"ok":true,"{}":{}}})", member, odd);
      INFO(entry.data);
      CHECK_THROWS_AS(to_event(entry), Corruption);
      CHECK_THROWS_AS(History().add(entry), Corruption);
    }
}

TEST_CASE("text of an entry is UTF-8") {
  Entry entry = to_entry({samples::at(), SignalReceived{"go", "", {}, "ann", std::nullopt}});
  entry.data = "{\"name\":\"g\xC3\xA9\",\"by\":\"ann\"}";
  CHECK(std::get<SignalReceived>(to_event(entry).fact).name == "g\xC3\xA9");
  entry.data = "{\"name\":\"g\xC3\",\"by\":\"ann\"}";
  CHECK_THROWS_AS(to_event(entry), Corruption);
}

}  // namespace flowrun::test::entry_damage_test
