// Which outputs stay in memory, beside a plain list of them.
#include "engine/machine/held_outputs.h"

#include <deque>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>

#include "tests/support/catch.h"

namespace flowrun::test::held_outputs_test {
namespace {

constexpr std::size_t kMega = 1 << 20;

/// It has texts of any length.
struct Home : TextHome {
  void read(std::int64_t number, const std::function<void(std::string_view)>& take) const override {
    take(std::string(static_cast<std::size_t>(number), '1'));
  }
};

Value value_of(std::size_t size) {
  static const auto home = std::make_shared<const Home>();
  Value value = Value::from_text(std::string(size, '1'));
  value.keep_at(home, static_cast<std::int64_t>(size));
  return value;
}

struct Shelf {
  explicit Shelf(HeldOutputs& held) : owner(held, [this](std::size_t i) { REQUIRE(there.erase(i) == 1); }) {}
  void put(std::size_t i, std::size_t size) {
    owner.hold(i, value_of(size));
    there.insert(i);
  }
  /// It comes back when it has left.
  void look(std::size_t i, std::size_t size) {
    owner.look(i, there.contains(i) ? value_of(size) : value_of(size).let_go());
    there.insert(i);
  }
  std::set<std::size_t> there;
  HeldOutputs::Owner owner;
};

}  // namespace

TEST_CASE("the oldest outputs leave memory, the newest stays whatever its size") {
  HeldOutputs held;
  Shelf one(held), other(held);
  one.put(0, 6 * kMega);
  other.put(0, 6 * kMega);
  one.put(1, 4 * kMega);
  CHECK(one.there == std::set<std::size_t>{0, 1});
  one.put(2, 100);  // so short that nothing is gained
  other.put(1, kMega);
  CHECK(one.there == std::set<std::size_t>{1, 2});
  other.put(2, 40 * kMega);
  CHECK(one.there == std::set<std::size_t>{2});
  CHECK(other.there == std::set<std::size_t>{2});
  other.put(3, kMega);
  CHECK(other.there == std::set<std::size_t>{3});
}

TEST_CASE("who is looked at again is the newest, and stays after the second time") {
  HeldOutputs held;
  Shelf shelf(held);
  shelf.put(0, 10 * kMega);
  shelf.look(0, 10 * kMega);  // it is there: nothing changes
  shelf.put(1, 10 * kMega);
  CHECK(shelf.there == std::set<std::size_t>{1});
  shelf.look(0, 10 * kMega);
  CHECK(shelf.there == std::set<std::size_t>{0});
  shelf.look(1, 10 * kMega);
  CHECK(shelf.there == std::set<std::size_t>{1});
  shelf.look(0, 10 * kMega);
  CHECK(shelf.there == std::set<std::size_t>{0, 1});
  shelf.look(1, 10 * kMega);  // it is there
  shelf.put(2, 10 * kMega);
  CHECK(shelf.there == std::set<std::size_t>{0, 2});
  shelf.put(3, 10 * kMega);
  CHECK(shelf.there == std::set<std::size_t>{0, 3});
}

TEST_CASE("what is kept nowhere else is not counted") {
  HeldOutputs held;
  Shelf shelf(held);
  shelf.put(0, 10 * kMega);
  shelf.owner.hold(1, Value::from_text(std::string(10 * kMega, '1')));
  CHECK(shelf.there.size() == 1);
}

TEST_CASE("whoever goes is asked no more, and makes room") {
  HeldOutputs held;
  Shelf stays(held);
  stays.put(0, 4 * kMega);
  for (int round = 0; round < 3; ++round) {
    Shelf goes(held);
    goes.put(0, 10 * kMega);
  }
  CHECK(stays.there.size() == 1);
  stays.owner.forget();
  stays.put(1, 15 * kMega);
  CHECK(stays.there.size() == 2);  // of the first nothing is known any more
}

TEST_CASE("outputs of many owners leave memory in the order in which they came") {
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  HeldOutputs held;
  std::deque<std::unique_ptr<Shelf>> shelves;
  struct Put {
    Shelf* shelf;
    std::size_t i, size;
  };
  std::deque<Put> expected;
  std::size_t next = 0;
  for (int step = 0; step < 2'000; ++step) {
    const auto dice = random() % 10;
    if (shelves.empty() || dice == 0) shelves.push_back(std::make_unique<Shelf>(held));
    const std::size_t which = random() % shelves.size();
    if (dice == 1) {
      std::erase_if(expected, [&](const Put& put) { return put.shelf == shelves[which].get(); });
      shelves.erase(shelves.begin() + static_cast<std::ptrdiff_t>(which));
      continue;
    }
    const std::size_t size = 1024 + random() % (3 * kMega);
    shelves[which]->put(next, size);
    expected.push_back({shelves[which].get(), next++, size});
    std::size_t all = 0;
    for (const Put& put : expected) all += put.size;
    for (; all > 16 * kMega; expected.pop_front()) all -= expected.front().size;
    std::size_t there = 0;
    for (const auto& shelf : shelves) there += shelf->there.size();
    REQUIRE(there == expected.size());
    for (const Put& put : expected) REQUIRE(put.shelf->there.contains(put.i));
  }
}

}  // namespace flowrun::test::held_outputs_test
