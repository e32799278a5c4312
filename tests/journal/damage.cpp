#include "tests/journal/damage.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <functional>
#include <stdexcept>
#include <vector>

#include "engine/journal/open.h"
#include "engine/journal/run_archive.h"
#include "engine/journal/sqlite.h"

namespace flowrun::test {
namespace {

using Chance = std::mt19937_64;

std::size_t pick_below(Chance& chance, std::size_t limit) { return limit == 0 ? 0 : chance() % limit; }

class File {
 public:
  explicit File(const std::string& path) {
    if (sqlite3_open(path.c_str(), &handle_) != SQLITE_OK) throw std::runtime_error("no journal to damage");
    sqlite3_db_config(handle_, SQLITE_DBCONFIG_DEFENSIVE, 0, nullptr);
  }
  ~File() { sqlite3_close(handle_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  /// Rows of |sql|, whose parameters are |texts|. What it refuses, such as a second row of a key, is no damage.
  std::vector<std::vector<std::string>> rows(const std::string& sql, const std::vector<std::string>& texts = {},
                                             const std::function<void(sqlite3_stmt*)>& bind = {}) {
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(handle_, sql.c_str(), -1, &statement, nullptr) != SQLITE_OK)
      throw std::runtime_error(sql + ": " + sqlite3_errmsg(handle_));
    for (std::size_t i = 0; i < texts.size(); ++i)
      sqlite3_bind_text(statement, static_cast<int>(i + 1), texts[i].data(), static_cast<int>(texts[i].size()),
                        SQLITE_TRANSIENT);
    if (bind) bind(statement);
    std::vector<std::vector<std::string>> all;
    while (sqlite3_step(statement) == SQLITE_ROW) {
      auto& row = all.emplace_back();
      for (int i = 0; i < sqlite3_column_count(statement); ++i) {
        const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, i));
        row.emplace_back(text ? text : "", text ? static_cast<std::size_t>(sqlite3_column_bytes(statement, i)) : 0);
      }
    }
    sqlite3_finalize(statement);
    return all;
  }

 private:
  sqlite3* handle_ = nullptr;
};

std::string deep(std::size_t levels) { return std::string(levels, '[') + std::string(levels, ']'); }

/// JSON that stands where other JSON should.
std::string odd_json(Chance& chance) {
  static const std::string all[] = {"null",
                                    "true",
                                    "0",
                                    "-1",
                                    "1e300",
                                    "0.5",
                                    "\"\"",
                                    "\"x\"",
                                    "[]",
                                    "{}",
                                    "[null]",
                                    R"({"type":7})",
                                    "\"a/b[c]/d\"",
                                    "{\"\":0}",
                                    "2147483647",
                                    "-9223372036854775808",
                                    "\"a\\u0000\"",
                                    "\"\\u001b[2J\"",
                                    "9223372036854775807",
                                    "18446744073709551615",
                                    deep(100),
                                    deep(5000),
                                    deep(300'000),
                                    R"({"type":"child","message":"m","causes":[{"type":"child"}]})"};
  return all[pick_below(chance, std::size(all))];
}

/// A text that stands where another should; not JSON either.
std::string odd_text(Chance& chance, const std::string& was) {
  std::string text = was;
  switch (pick_below(chance, 10)) {
    case 0:
      return "";
    case 1:
      return text.substr(0, pick_below(chance, text.size()));
    case 2:
      return text + std::string("\0rest", 5);
    case 3:
      return text.insert(pick_below(chance, text.size()), std::string(1, '\0'));
    case 4:
      return text.insert(pick_below(chance, text.size()), "\xff\xfe");
    case 5:
      return odd_json(chance);
    case 6:
      return std::string(pick_below(chance, 20'000), "[{\"x/"[pick_below(chance, 5)]);
    case 7:
      return "../../" + text;
    case 8:
      if (!text.empty()) text[pick_below(chance, text.size())] = static_cast<char>(chance());
      return text;
    default:
      return text + text;
  }
}

/// Something in |json| is another thing.
void change(Json& json, Chance& chance) {
  if ((json.is_object() || json.is_array()) && !json.empty() && pick_below(chance, 5) > 0) {
    auto at = json.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(pick_below(chance, json.size())));
    switch (pick_below(chance, 6)) {
      case 0:
        json.erase(at);
        return;
      case 1:
        if (json.is_object()) {
          const std::string key = at.key() + "x";
          json[key] = *at;
        } else {
          json.push_back(*at);
        }
        return;
      default:
        change(*at, chance);
        return;
    }
  }
  if (json.is_string() && pick_below(chance, 3) == 0) {
    json = json.get<std::string>().substr(0, 1);
  } else if (json.is_number_integer() && pick_below(chance, 3) == 0) {
    json = json.get<std::int64_t>() + (pick_below(chance, 2) ? 1 : -1);
  } else if (const std::string odd = odd_json(chance); odd.size() < 20'000) {
    json = Json::parse(odd);
  }
}

void mend(File& file) {
  for (const auto& run : file.rows("SELECT number FROM runs")) {
    const std::int64_t number = std::stoll(run[0]);
    std::uint64_t sum = 0;
    std::int64_t last = 0;
    if (number < 0 || number > 1000) continue;
    for (const auto& row :
         file.rows(fmt::format("SELECT id, at, attempt, kind, path, data, coalesce(entries.value, "
                               "vals.value), id - {0} FROM entries LEFT JOIN vals ON hash = value_ref "
                               "WHERE id > {0} AND id < {1} ORDER BY id",
                               first_id(number), first_id(number + 1)))) {
      Entry entry;
      const auto integer = [&](int column) { return std::strtoll(row[column].c_str(), nullptr, 10); };
      entry.at = from_millis(integer(1));
      entry.attempt = static_cast<int>(integer(2));
      entry.path = row[4];
      entry.data = row[5];
      entry.value = Value::from_text(row[6]);
      sum = entry_sum(sum, integer(0), row[3], entry);
      file.rows(fmt::format("UPDATE entries SET sum = {} WHERE id = {}", static_cast<std::int64_t>(sum), integer(0)));
      last = integer(7);
    }
    file.rows(fmt::format("UPDATE runs SET last_sum = {}, last_seq = {} WHERE number = {}",
                          static_cast<std::int64_t>(sum), last, number));
  }
}

std::string damage_entry(File& file, Chance& chance) {
  const auto entries = file.rows("SELECT id, kind, path, data, coalesce(value, '') FROM entries");
  if (entries.empty()) return "nothing";
  const auto& row = entries[pick_below(chance, entries.size())];
  const std::string about = fmt::format("entry {} {} {}: ", row[0], row[1], row[2]), where = " WHERE id = " + row[0];
  switch (pick_below(chance, 12)) {
    case 0:
      file.rows("DELETE FROM entries" + where);
      return about + "gone";
    case 1: {
      const auto& other = entries[pick_below(chance, entries.size())];
      file.rows("DELETE FROM entries WHERE id = " + other[0]);
      file.rows("UPDATE entries SET id = " + other[0] + where);
      return about + "in the place of " + other[0];
    }
    case 2: {
      static const char* const columns[] = {"at", "kind", "path", "attempt", "data", "value", "sum"};
      static const char* const values[] = {"NULL",
                                           "x'00ff'",
                                           "-1",
                                           "9223372036854775807",
                                           "1.5",
                                           "''",
                                           "'\x1b'",
                                           "zeroblob(100000)",
                                           "4611686018427387904"};
      const std::string column = columns[pick_below(chance, 7)], value = values[pick_below(chance, 9)];
      file.rows("UPDATE OR IGNORE entries SET " + column + " = " + value + where);
      return about + column + " = " + value;
    }
    case 3: {
      const auto& other = entries[pick_below(chance, entries.size())];
      file.rows("UPDATE entries SET kind = ?" + where, {other[1]});
      return about + "kind " + other[1];
    }
    case 4: {
      const std::string path =
          pick_below(chance, 2) ? odd_text(chance, row[2]) : entries[pick_below(chance, entries.size())][2];
      file.rows("UPDATE entries SET path = ?" + where, {path});
      return about + "path " + path.substr(0, 100);
    }
    case 5: {
      const std::string value = odd_text(chance, row[4]);
      file.rows("UPDATE entries SET value = ?" + where, {value});
      return about + "value " + value.substr(0, 100);
    }
    case 6: {
      const std::string data = odd_text(chance, row[3]);
      file.rows("UPDATE entries SET data = ?" + where, {data});
      return about + "data " + data.substr(0, 100);
    }
    case 7:
      file.rows("UPDATE entries SET attempt = attempt + 1" + where);
      return about + "another attempt";
    default: {
      Json data = Json::parse(row[3], nullptr, false);
      if (data.is_discarded()) return "nothing";
      change(data, chance);
      const std::string text = data.dump(-1, ' ', false, Json::error_handler_t::replace);
      file.rows("UPDATE entries SET data = ?" + where, {text});
      return about + "data " + text.substr(0, 200);
    }
  }
}

std::string damage_run(File& file, Chance& chance) {
  const auto runs =
      file.rows("SELECT number, id, coalesce(input, ''), coalesce(output, ''), coalesce(error, '') FROM runs");
  if (runs.empty()) return "nothing";
  const auto& row = runs[pick_below(chance, runs.size())];
  static const char* const columns[] = {"last_seq", "started_at", "alive_at",    "ended_at",  "state",
                                        "id",       "name",       "source_hash", "input",     "output",
                                        "error",    "file",       "number",      "input_ref", "output_ref"};
  const std::string column = columns[pick_below(chance, 15)];
  const std::string text = pick_below(chance, 2) ? odd_text(chance, row[1 + pick_below(chance, 4)]) : odd_json(chance);
  const std::string where = " WHERE number = " + row[0];
  static const char* const states[] = {"running", "suspended", "succeeded", "failed", "cancelled"};
  const std::string state = states[pick_below(chance, 5)];
  if (column == "state" && pick_below(chance, 2)) {
    file.rows("UPDATE runs SET state = ?" + where, {state});
  } else if (pick_below(chance, 4) == 0) {
    file.rows("UPDATE OR IGNORE runs SET " + column + " = -5" + where);
  } else {
    file.rows("UPDATE OR IGNORE runs SET " + column + " = ?" + where, {text});
  }
  return "run " + row[1] + ": " + column + " " + text.substr(0, 100);
}

}  // namespace

std::string damage(const std::string& path, Chance& chance, bool mended) {
  File file(path);
  file.rows("BEGIN");
  std::string what;
  switch (pick_below(chance, 10)) {
    case 0:
      what = damage_run(file, chance);
      break;
    case 1: {
      const char* const table = pick_below(chance, 2) ? "sources" : "vals";
      file.rows(fmt::format("DELETE FROM {}", table));
      what = table;
      break;
    }
    case 2: {
      const auto runs = file.rows("SELECT number FROM runs");
      const std::string data = odd_text(chance, R"({"undo":true})");
      static const char* const kinds[] = {"cancel", "signal", "x", ""};
      for (const auto& run : runs)
        file.rows("INSERT INTO mailbox (run, at, kind, name, data, sender) VALUES (" + run[0] + ", 1, ?, 'go', ?, 'x')",
                  {kinds[pick_below(chance, 4)], data});
      what = "mail " + data.substr(0, 100);
      break;
    }
    default:
      what = damage_entry(file, chance);
      break;
  }
  if (mended) mend(file);
  file.rows("COMMIT");
  return what;
}

void change_rows(const std::string& path, const std::string& sql, bool mended) {
  {
    File file(path);
    file.rows(sql);
    if (!mended) return;
    mend(file);
    if (file.rows("SELECT 1 FROM meta WHERE name = 'archive_sum'").empty()) return;
  }
  Database archive(path, SQLITE_OPEN_READWRITE, path);
  const std::string sum = archive_sum(archive);
  Statement update(archive, "UPDATE meta SET value = ? WHERE name = 'archive_sum'");
  update.use()(std::string_view(sum)).run();
}

}  // namespace flowrun::test
