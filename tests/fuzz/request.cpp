#include <algorithm>
#include <stdexcept>
#include <string>

#include "engine/model/error.h"
#include "engine/restate/handler.h"
#include "engine/restate/http_parser.h"
#include "engine/restate/identity.h"
#include "engine/restate/step_call.h"
#include "tests/fuzz/targets.h"

namespace flowrun::test {
namespace {

/// All that is read of |bytes|, given in pieces of |piece|.
std::string requests_in(std::string_view bytes, std::size_t piece) {
  restate::HttpParser parser(restate::HttpLimits{4096, 64 << 10});
  std::string text;
  while (!bytes.empty()) {
    const std::string_view given = bytes.substr(0, piece);
    const std::size_t taken = parser.feed(given);
    if (taken > given.size()) throw std::logic_error("more is taken than was given");
    bytes.remove_prefix(taken);
    if (parser.refusal()) {
      if (parser.why().empty() || parser.refusal() < 400) throw std::logic_error("refused without a reason");
      return text + std::to_string(parser.refusal());
    }
    if (!parser.complete()) {
      if (taken == 0) throw std::logic_error("nothing is taken, and nothing is complete");
      continue;
    }
    const restate::HttpMessage message = parser.take();
    text += message.method + " " + message.target + (message.keep_alive ? "\n" : " close\n");
    for (const auto& [name, value] : message.headers) text += name + ": " + value + "\n";
    text += message.body + "\n";
  }
  return text;
}

void read_call(std::string_view body) {
  try {
    const restate::Invocation invocation("flowrun", "step", restate::kNewestProtocol, std::string(body));
    for (const restate::Frame& entry : invocation.entries)
      if (entry.is_notification()) restate::notification_from(entry);
    const restate::StepCall call = restate::step_call_from(invocation.input);
    const std::string text = restate::to_text(call);
    if (restate::to_text(restate::step_call_from(text)) != text)
      throw std::logic_error("a call is not read as it was written: " + text);
  } catch (const Corruption&) {
  }
}

}  // namespace

void fuzz_request(const std::uint8_t* bytes, std::size_t size) {
  if (size < 1) return;
  const std::string_view rest(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  const std::string whole = requests_in(rest, rest.size() + 1);
  if (requests_in(rest, 1 + bytes[0] % 16) != whole)
    throw std::logic_error("it matters in which pieces a request comes");
  const std::size_t body = rest.find("\r\n\r\n");
  read_call(body == std::string_view::npos ? rest : rest.substr(body + 4));
  if (const std::string_view path = rest.substr(0, 100);
      !path.ends_with(restate::signed_path(path)) && path.find('?') == std::string_view::npos)
    throw std::logic_error("what is signed of a path is its end");
}

}  // namespace flowrun::test
