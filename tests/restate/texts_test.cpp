// What travels: frames and messages as bytes, tasks and ends of attempts as text. Each is read as it was written,
// whatever is in it, and random bytes are read or refused.
#include <random>

#include "engine/model/error.h"
#include "engine/model/task_text.h"
#include "engine/restate/messages.h"
#include "engine/restate/step_call.h"
#include "tests/restate/raw_http.h"
#include "tests/support/catch.h"

namespace flowrun::test::texts_test {
namespace {

/// Values of every kind, from a seed that the test prints.
class Dice {
 public:
  explicit Dice(unsigned seed) : dice_(seed) {}
  std::size_t below(std::size_t end) { return dice_() % end; }
  bool maybe() { return below(2) == 0; }
  std::string text() {
    static const std::string kPieces[] = {
        "",     "a",  "\"",        "\\",           "\n", "\xc3\xa9", "\xf0\x9f\x8d\x8a", std::string(1, '\0'), "\x01",
        "\x7f", "<>", "{\"a\":1}", "\xe2\x80\xa8", " ",  "/"};
    std::string all;
    for (std::size_t n = below(5); n > 0; --n) all += kPieces[below(std::size(kPieces))];
    return all;
  }
  std::string some_text() { return "x" + text(); }
  std::vector<std::string> texts() {
    std::vector<std::string> all(below(4));
    for (std::string& one : all) one = text();
    return all;
  }
  Duration span() { return Duration{static_cast<std::int64_t>(below(1'000'000))}; }
  template <typename Enum>
  Enum word(std::size_t count) {
    return static_cast<Enum>(below(count));
  }

 private:
  std::mt19937 dice_;
};

TaskPlaceholders placeholders(Dice& dice) {
  TaskPlaceholders all(dice.below(3));
  for (TaskPlaceholder& one : all) {
    one.in = dice.word<TaskPlaceholder::In>(7);
    one.index = dice.below(3);
    one.placeholder.at = dice.below(9);
    one.placeholder.secret = dice.some_text();
    one.placeholder.form = dice.word<Placeholder::Form>(4);
  }
  return all;
}

HttpRequest request(Dice& dice) {
  HttpRequest one;
  one.method = dice.some_text();
  one.url = dice.text();
  one.origin_url = dice.text();
  for (std::size_t n = dice.below(3); n > 0; --n) one.headers.emplace_back(dice.text(), dice.text());
  if (dice.maybe()) one.body = dice.text();
  one.body_file = dice.text();
  for (std::size_t n = dice.below(3); n > 0; --n)
    one.expect.push_back({static_cast<int>(dice.below(600)), static_cast<int>(dice.below(600))});
  one.response = dice.word<HttpRequest::Response>(7);
  one.max_response = static_cast<std::int64_t>(dice.below(1 << 30));
  one.max_redirects = static_cast<int>(dice.below(20));
  one.ca = dice.text();
  one.cert = dice.text();
  one.key = dice.text();
  one.verify = dice.maybe();
  one.proxy = dice.text();
  if (dice.maybe()) one.unix_socket = dice.some_text();
  for (std::size_t n = dice.below(3); n > 0; --n)
    one.parts.push_back({dice.some_text(), dice.text(), dice.text(), dice.text(), dice.text()});
  one.connect_timeout = dice.span();
  one.idle_timeout = dice.span();
  one.placeholders = placeholders(dice);
  return one;
}

Process process(Dice& dice) {
  Process one;
  one.argv = dice.texts();
  one.via = dice.texts();
  one.script = dice.maybe();
  for (std::size_t n = dice.below(3); n > 0; --n) {
    one.env.emplace_back(dice.text(), std::nullopt);
    if (dice.maybe()) one.env.back().second = dice.text();
  }
  one.inherit = dice.word<Process::Inherit>(3);
  one.inherited = dice.texts();
  one.cwd = dice.text();
  one.stdin_text = dice.text();
  one.capture = dice.word<Process::Capture>(7);
  one.success_codes.clear();
  for (std::size_t n = dice.below(3); n > 0; --n) one.success_codes.push_back(static_cast<int>(dice.below(256)));
  one.kill_grace = dice.span();
  one.max_output = static_cast<std::int64_t>(dice.below(1 << 30));
  one.leave = dice.maybe();
  one.unread = dice.maybe();
  one.shares_cpus = dice.maybe();
  one.weight = 1 + static_cast<int>(dice.below(9));
  one.placeholders = placeholders(dice);
  return one;
}

Task task(Dice& dice) {
  Task one;
  one.path = dice.some_text();
  one.attempt = static_cast<int>(1 + dice.below(9));
  one.rerun = static_cast<int>(dice.below(3));
  one.page = static_cast<int>(dice.below(3));
  one.idempotency_key = dice.text();
  if (dice.maybe()) one.timeout = dice.span();
  one.keep_raw = dice.maybe();
  one.strict = dice.maybe();
  one.traceparent = dice.text();
  if (dice.maybe())
    one.work = request(dice);
  else
    one.work = process(dice);
  return one;
}

void check_same(const TaskPlaceholders& a, const TaskPlaceholders& b) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    CHECK(a[i].in == b[i].in);
    CHECK(a[i].index == b[i].index);
    CHECK(a[i].placeholder == b[i].placeholder);
  }
}

void check_same(const HttpRequest& a, const HttpRequest& b) {
  const auto ranges = [](const HttpRequest& of) {
    std::vector<std::pair<int, int>> all;
    for (const StatusRange& one : of.expect) all.emplace_back(one.first, one.last);
    return all;
  };
  CHECK(a.method == b.method);
  CHECK(a.url == b.url);
  CHECK(a.origin_url == b.origin_url);
  CHECK(a.headers == b.headers);
  CHECK(a.body == b.body);
  CHECK(a.body_file == b.body_file);
  CHECK(ranges(a) == ranges(b));
  CHECK(a.response == b.response);
  CHECK(a.max_response == b.max_response);
  CHECK(a.max_redirects == b.max_redirects);
  CHECK(a.ca == b.ca);
  CHECK(a.cert == b.cert);
  CHECK(a.key == b.key);
  CHECK(a.verify == b.verify);
  CHECK(a.proxy == b.proxy);
  CHECK(a.unix_socket == b.unix_socket);
  const auto told = [](const HttpRequest& request) {
    std::vector<std::vector<std::string>> parts;
    for (const FormPart& part : request.parts)
      parts.push_back({part.name, part.text, part.file, part.filename, part.type});
    return parts;
  };
  CHECK(told(a) == told(b));
  CHECK(a.connect_timeout == b.connect_timeout);
  CHECK(a.idle_timeout == b.idle_timeout);
  check_same(a.placeholders, b.placeholders);
}

void check_same(const Process& a, const Process& b) {
  CHECK(a.argv == b.argv);
  CHECK(a.via == b.via);
  CHECK(a.script == b.script);
  CHECK(a.env == b.env);
  CHECK(a.inherit == b.inherit);
  CHECK(a.inherited == b.inherited);
  CHECK(a.cwd == b.cwd);
  CHECK(a.stdin_text == b.stdin_text);
  CHECK(a.capture == b.capture);
  CHECK(a.success_codes == b.success_codes);
  CHECK(a.kill_grace == b.kill_grace);
  CHECK(a.max_output == b.max_output);
  CHECK(a.leave == b.leave);
  CHECK(a.unread == b.unread);
  CHECK(a.shares_cpus == b.shares_cpus);
  CHECK(a.weight == b.weight);
  check_same(a.placeholders, b.placeholders);
}

void check_same(const Task& a, const Task& b) {
  CHECK(a.path == b.path);
  CHECK(a.attempt == b.attempt);
  CHECK(a.rerun == b.rerun);
  CHECK(a.page == b.page);
  CHECK(a.idempotency_key == b.idempotency_key);
  CHECK(a.timeout == b.timeout);
  CHECK(a.keep_raw == b.keep_raw);
  CHECK(a.strict == b.strict);
  CHECK(a.traceparent == b.traceparent);
  REQUIRE((*a.work).index() == (*b.work).index());
  if (const auto* one = std::get_if<Process>(&*a.work))
    check_same(*one, std::get<Process>(*b.work));
  else
    check_same(std::get<HttpRequest>(*a.work), std::get<HttpRequest>(*b.work));
}

unsigned a_seed() { return std::random_device{}(); }

}  // namespace

TEST_CASE("a call of step is read as it was written, whatever is in it") {
  const unsigned seed = a_seed();
  INFO("seed " << seed);
  Dice dice(seed);
  for (int i = 0; i < 500; ++i) {
    restate::StepCall call;
    call.run_id = dice.some_text();
    call.folder = dice.text();
    call.file = dice.text();
    call.repeats = dice.maybe();
    for (std::size_t n = dice.below(3); n > 0; --n) {
      SecretSource source;
      source.name = dice.some_text();
      source.from = dice.word<SecretSource::From>(3);
      source.place = dice.text();
      source.command = dice.texts();
      source.optional = dice.maybe();
      source.line = static_cast<int>(dice.below(100));
      call.secrets.push_back(source);
    }
    call.task = task(dice);
    // Which only say how it gets there.
    call.task.pool = "gpu";
    call.task.call = "key";
    const std::string text = restate::to_text(call);
    INFO(text);
    const restate::StepCall back = restate::step_call_from(text);
    // Older workers would leave these out, and send something else.
    const auto* sent = std::get_if<HttpRequest>(&*call.task.work);
    CHECK(back.version == (sent && (!sent->parts.empty() || !sent->unix_socket.empty()) ? 2 : 1));
    CHECK(back.run_id == call.run_id);
    CHECK(back.folder == call.folder);
    CHECK(back.file == call.file);
    CHECK(back.repeats == call.repeats);
    REQUIRE(back.secrets.size() == call.secrets.size());
    for (std::size_t n = 0; n < call.secrets.size(); ++n) {
      CHECK(back.secrets[n].name == call.secrets[n].name);
      CHECK(back.secrets[n].from == call.secrets[n].from);
      CHECK(back.secrets[n].place == call.secrets[n].place);
      CHECK(back.secrets[n].command == call.secrets[n].command);
      CHECK(back.secrets[n].optional == call.secrets[n].optional);
      CHECK(back.secrets[n].line == call.secrets[n].line);
    }
    check_same(back.task, call.task);
    CHECK(back.task.pool.empty());
    CHECK(back.task.call.empty());
    CHECK(restate::to_text(back) == text);
    // Cut off anywhere it is refused.
    CHECK_THROWS_AS(restate::step_call_from(text.substr(0, dice.below(text.size()))), Corruption);
  }
}

TEST_CASE("the end of an attempt is read as it was written") {
  const unsigned seed = a_seed();
  INFO("seed " << seed);
  Dice dice(seed);
  for (int i = 0; i < 500; ++i) {
    TaskEnded ended{dice.some_text(), static_cast<int>(1 + dice.below(5)), {}};
    Result& result = ended.result;
    if (dice.maybe()) result.failure = Failure{dice.some_text(), dice.text()};
    if (result.failure && dice.maybe())
      result.failure->detail = Value(Json{{"exit_code", 3}, {"stderr_tail", dice.text()}});
    result.value = dice.maybe() ? Value(Json(dice.text())) : Value(Json::array({1, nullptr, dice.text()}));
    result.code = static_cast<int>(dice.below(600)) - 100;
    result.took = dice.span();
    const Instant at{std::chrono::milliseconds(1'800'000'000'000)};
    result.began = at - result.took;
    if (dice.maybe()) result.retry_after = dice.span();
    result.sent = dice.maybe();
    result.cut = static_cast<std::int64_t>(dice.below(100));
    const std::string text = ended_text(ended, at);
    INFO(text);
    const Event event = ended_from_text(text);
    const auto& back = std::get<TaskEnded>(event.fact);
    CHECK(event.at == at);
    CHECK(back.path == ended.path);
    CHECK(back.attempt == ended.attempt);
    CHECK(back.result.ok() == result.ok());
    if (result.failure) {
      CHECK(back.result.failure->type == result.failure->type);
      CHECK(back.result.failure->message == result.failure->message);
      CHECK(back.result.failure->detail.text() == result.failure->detail.text());
    }
    CHECK(back.result.value.text() == result.value.text());
    CHECK(back.result.code == result.code);
    CHECK(back.result.took == result.took);
    CHECK(back.result.began == result.began);
    CHECK(back.result.retry_after == result.retry_after);
    CHECK(back.result.sent == result.sent);
    CHECK(back.result.cut == result.cut);
    CHECK(ended_text(back, event.at) == text);
  }
}

TEST_CASE("messages of the protocol are read as they were written") {
  const unsigned seed = a_seed();
  INFO("seed " << seed);
  Dice dice(seed);
  for (int i = 0; i < 300; ++i) {
    restate::Call call{dice.text(),
                       dice.text(),
                       dice.text(),
                       dice.text(),
                       1 + static_cast<std::uint32_t>(dice.below(1 << 30)),
                       2 + static_cast<std::uint32_t>(dice.below(300)),
                       dice.text(),
                       dice.text()};
    const restate::Call back = restate::call_from(restate::to_message(call));
    CHECK(back.service == call.service);
    CHECK(back.handler == call.handler);
    CHECK(back.parameter == call.parameter);
    CHECK(back.idempotency_key == call.idempotency_key);
    CHECK(back.invocation_id_completion == call.invocation_id_completion);
    CHECK(back.completion == call.completion);
    CHECK(back.name == call.name);
    CHECK(back.key == call.key);

    const restate::Sleep sleep{dice.below(1u << 31) << 9, static_cast<std::uint32_t>(dice.below(300)), dice.text()};
    const restate::Sleep woken = restate::sleep_from(restate::to_message(sleep));
    CHECK(woken.wake_up_ms == sleep.wake_up_ms);
    CHECK(woken.completion == sleep.completion);
    CHECK(woken.name == sleep.name);

    const std::string input = dice.text();
    const std::string frames = invocation_frames("inv_1", input, 3);
    const std::vector<restate::Frame> all = restate::frames_of(frames);
    REQUIRE(all.size() == 2);
    const restate::Start start = restate::start_from(all[0].message);
    CHECK(start.id == "inv_1");
    CHECK(start.known_entries == 1);
    CHECK(start.retries == 3);
    CHECK(restate::input_from(all[1].message) == input);
  }
}

TEST_CASE("random bytes are frames and messages, or are refused") {
  const unsigned seed = a_seed();
  INFO("seed " << seed);
  Dice dice(seed);
  int refused = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes(dice.below(40), '\0');
    for (char& byte : bytes) byte = static_cast<char>(dice.maybe() ? dice.below(256) : dice.below(24));
    try {
      for (const restate::Frame& frame : restate::frames_of(bytes)) restate::notification_from(frame);
      restate::start_from(bytes, "key");
      restate::input_from(bytes);
      restate::call_from(bytes);
      restate::sleep_from(bytes);
    } catch (const Corruption&) {
      ++refused;
    }
  }
  CHECK(refused > 0);
}

}  // namespace flowrun::test::texts_test
