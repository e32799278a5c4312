// A value of parts is what it would be as one text, and what was let go is read where it is kept, each time anew.
#include "engine/model/value_writer.h"

#include <fmt/format.h>

#include <map>
#include <random>

#include "engine/model/error.h"
#include "tests/support/catch.h"

namespace flowrun::test::value_writer_test {
namespace {

class Shelf : public TextHome {
 public:
  std::map<std::int64_t, std::string> texts;
  mutable int read_times = 0;
  void read(std::int64_t number, const std::function<void(std::string_view)>& take) const override {
    ++read_times;
    take(texts.at(number));
  }
};

std::string in_pieces(const Value& value) {
  std::string all;
  const bool whole = value.pieces([&](std::string_view piece) {
    all += piece;
    return true;
  });
  CHECK(whole);
  return all;
}

std::string long_text(char c, std::size_t size = 5000) { return '"' + std::string(size, c) + '"'; }

}  // namespace

TEST_CASE("of a value that is looked at again the tree stays, of one that is looked at once none does") {
  const auto shelf = std::make_shared<Shelf>();
  shelf->texts[3] = R"({"a":[1,2],"text":)" + long_text('x') + "}";
  const Value held = Value::from_text(shelf->texts[3]);
  held.keep_at(shelf, 3);
  const Value bare = held.let_go();
  CHECK_FALSE(bare.is_looked_at_again());
  CHECK(bare.tree().at("a") == Json{1, 2});
  CHECK_FALSE(bare.has_tree());
  CHECK(bare.in_memory() == 0);
  CHECK(bare.is_looked_at_again());
  CHECK(bare.json().at("a") == Json{1, 2});
  CHECK(bare.has_tree());
  CHECK(bare.in_memory() == shelf->texts[3].size());
  const int before = shelf->read_times;
  CHECK(bare.json().at("a") == Json{1, 2});
  CHECK(shelf->read_times == before);
  CHECK(bare.let_go().in_memory() == 0);
  CHECK_FALSE(Value::from_text(shelf->texts[3]).is_looked_at_again());
  CHECK(Value().has_tree());
}

TEST_CASE("a value that is put together of any parts is the same as one text") {
  const unsigned seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 200; ++round) {
    auto shelf = std::make_shared<Shelf>();
    ValueWriter writer;
    writer.add("[");
    std::string flat = "[";
    const int members = 1 + static_cast<int>(random() % 8);
    for (int i = 0; i < members; ++i) {
      const std::string comma = i > 0 ? "," : "";
      writer.add(comma);
      flat += comma;
      std::string text = random() % 2 == 0 ? std::to_string(i) : long_text('x', random() % 4000);
      const Value value = Value::from_text(text);
      switch (random() % 4) {
        case 0:
          writer.add(std::string_view(text));
          break;
        case 1:
          writer.add(value);
          break;
        case 2: {
          writer.add(Value::from_text("[" + text + "]"), 1, text.size());
          break;
        }
        default: {
          shelf->texts[i] = text;
          value.keep_at(shelf, i);
          ValueWriter nested;
          nested.add("[");
          nested.add(value.let_go());
          nested.add(",1]");
          writer.add(std::move(nested).done());
          text = "[" + text + ",1]";
        }
      }
      flat += text;
    }
    writer.add("]");
    flat += "]";
    const Value value = std::move(writer).done();
    CHECK(value.size() == flat.size());
    CHECK_FALSE(value.is_null());
    CHECK(in_pieces(value) == flat);
    CHECK(in_pieces(value.let_go()) == flat);
    CHECK(value.tree() == Value::from_text(flat).json());
    CHECK(value == Value::from_text(flat));
    CHECK(value.text() == flat);
    CHECK(in_pieces(value) == flat);
  }
}

TEST_CASE("a long text that is kept elsewhere is read each time that it is lent, and once for who wants it as one") {
  auto shelf = std::make_shared<Shelf>();
  shelf->texts[7] = long_text('a');
  const Value held = Value::from_text(long_text('a'));
  held.keep_at(shelf, 7);
  CHECK(held.text() == shelf->texts[7]);
  CHECK(shelf->read_times == 0);
  const Value bare = held.let_go();
  CHECK_FALSE(bare.is_same_as(held));
  CHECK(bare.size() == shelf->texts[7].size());
  CHECK(shelf->read_times == 0);
  CHECK(in_pieces(bare) == shelf->texts[7]);
  CHECK(in_pieces(bare) == shelf->texts[7]);
  CHECK(bare.tree() == held.json());
  CHECK(shelf->read_times == 3);
  CHECK(bare.text() == shelf->texts[7]);
  CHECK(bare.text() == shelf->texts[7]);
  CHECK(shelf->read_times == 4);

  // Who has computed it again need not hold it either.
  const Value again(Json(std::string(5000, 'a'))), other = Value::from_text(long_text('b'));
  CHECK_FALSE(again.is_kept_elsewhere());
  again.keep_as(held);
  other.keep_as(held);
  CHECK(again.is_kept_elsewhere());
  CHECK_FALSE(other.is_kept_elsewhere());
  CHECK(in_pieces(again.let_go()) == shelf->texts[7]);

  // What is there by now is another text.
  shelf->texts[7].back() = 'b';
  CHECK_THROWS_AS(held.let_go().text(), Corruption);
  shelf->texts[7] = "1";
  CHECK_THROWS_AS(in_pieces(held.let_go()), Corruption);
  CHECK(held.text() == long_text('a'));
}

TEST_CASE("a short value stays where it is") {
  auto shelf = std::make_shared<Shelf>();
  const Value small = Value::from_text("17");
  small.keep_at(shelf, 1);
  CHECK(small.let_go().is_same_as(small));
  Value().keep_at(shelf, 2);
  CHECK(Value().let_go().is_null());
  CHECK(in_pieces(Value()) == "null");
  CHECK(Value().size() == 4);
  CHECK_FALSE(Value::from_text("[1,2]").pieces([](std::string_view) { return false; }));
}

}  // namespace flowrun::test::value_writer_test
