// Each lint finds what it is for, at its place, and leaves alone what only looks like it.
#include "engine/lint/lint.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "engine/lint/script.h"
#include "engine/run/load.h"
#include "tests/support/catch.h"

namespace flowrun::test::lint_test {
namespace {

std::vector<Diagnostic> findings(const std::string& text) {
  Diagnostics diagnostics({"lint.yaml", text});
  const Texts part{{"part.yaml", "flowrun: 1\ninput: { n: 1 }\nsteps: { set: 1 }\n"}};
  auto loaded = load("/tmp/lint.yaml", diagnostics, nullptr, Lints::Yes, false, &part);
  INFO(text << "\n" << diagnostics.text());
  REQUIRE(loaded);
  return diagnostics.all();
}

std::string file(const std::string& text) {
  return text.find("steps:") == std::string::npos ? "flowrun: 1\nsteps:\n" + text : "flowrun: 1\n" + text;
}

/// |text| has @@ before each place where |code| must be told of.
void expect(const std::string& code, const std::string& marked) {
  std::string text = file(marked);
  std::set<std::pair<int, int>> wanted, found;
  for (std::size_t at = text.find("@@"); at != std::string::npos; at = text.find("@@")) {
    text.erase(at, 2);
    std::size_t line = text.rfind('\n', at);
    wanted.emplace(static_cast<int>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n')) + 1,
                   static_cast<int>(at - line));
  }
  std::string told;
  for (const Diagnostic& one : findings(text)) {
    told += one.code + " at " + std::to_string(one.at.line) + ":" + std::to_string(one.at.column) + " " + one.message +
            "\n";
    if (one.code != code) continue;
    found.emplace(one.at.line, one.at.column);
    CHECK((one.severity == Diagnostic::Severity::Hint) == (code[0] == 'I'));
    CHECK_FALSE(one.message.empty());
    CHECK_FALSE(one.suggestion.empty());
  }
  INFO(code << " in\n" << text << "\n" << told);
  CHECK(wanted == found);
}

std::string content_of(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

}  // namespace

TEST_CASE("W110: requests in a list that use nothing of each other", "[lint]") {
  expect("W110", R"(
  - id: user
    http: https://a.example/user
  - id: @@orders
    http: https://a.example/orders
  - id: rates
    http: https://a.example/rates
  - set: ${ [$steps.user, $steps.orders, $steps.rates] }
)");
  // Unnamed, in a body further inside, with something between that only computes.
  expect("W110", R"(
  each:
    for_each: [1, 2]
    do:
      - http: https://a.example/${ $item }
      - set: { n: "${ $item }" }
      - @@http: https://b.example/${ $item }
      - for_each: 3
        do: { http: "https://c.example/${ $item }" }
)");
  // A POST whose answer is used later asks; one whose answer is not used does something.
  expect("W110", R"(
  - id: order
    http: https://a.example/order
  - id: stock
    http: POST https://a.example/stock
    json: ${ $steps.order.lines }
  - id: @@fraud
    http: POST https://a.example/fraud
    json: ${ $steps.order }
  - id: pay
    http: POST https://a.example/payments
    json: [ "${ $steps.fraud.score }", "${ $steps.stock }" ]
  - id: ship
    http: POST https://a.example/shipments
)");
}

TEST_CASE("W110 leaves alone what has to be in order", "[lint]") {
  expect("W110", R"(
  - id: user
    http: https://a.example/user
  - id: orders
    http: https://a.example/orders/${ $steps.user.id }
  - http: PUT https://a.example/state
  - http: https://a.example/state
)");
  expect("W110", R"(
  - { http: "https://a.example/healthz" }
  - { id: data, http: "https://a.example/data" }
  - { http: "https://a.example/up", expect: 204 }
  - { id: job, http: "https://a.example/job", poll: { attempts: 9 } }
  - { id: more, http: "https://a.example/more" }
  - { set: "${ [$steps.data, $steps.job, $steps.more] }" }
)");
  expect("W110", R"(
  a: { http: "https://a.example/user" }
  b: { http: "https://a.example/orders" }
)");
  expect("W110", R"(
  - { id: a, http: "https://a.example/user" }
  - { sleep: 1s }
  - { id: b, http: "https://a.example/orders" }
  - { if: "${ $status.a.ok }", http: "https://a.example/report" }
)");
}

TEST_CASE("W111: edges that are there anyway", "[lint]") {
  expect("W111", R"(
  a: { shell: one }
  b: { shell: two, needs: [a] }
  c: { needs: [@@a, b], shell: three }
  d: { needs: @@c, set: "${ $steps.c }" }
  e: { after: [@@b, @@a], needs: [d], shell: four }
)");
  expect("W111", R"(
  a: { shell: one }
  b: { shell: two, after: [a] }
  c: { needs: [a, b], shell: three }
  d: { after: [a, b], shell: four }
  e: { needs: [a], set: "${ $status.a.attempts }" }
  f: { needs: [a], shell: five, fallback: { set: "${ $steps.a }" } }
)");
}

TEST_CASE("W116: joins that decide nothing, or can never be", "[lint]") {
  expect("W116", R"(
  a: { @@race: { one: { shell: one } } }
  b: { parallel: { one: { shell: one }, two: { shell: two } }, join: { quorum: @@2 } }
  c: { for_each: [1, 2, 3], do: { shell: one }, join: { quorum: @@4 } }
  d: { for_each: "${ [] }", do: { shell: one }, join: { at_least: @@0 } }
  e: { for_each: "${ [] }", do: { shell: one }, join: { tolerate: @@100% } }
  f: { for_each: 3, do: { shell: one }, join: { at_least: @@5 } }
)");
  expect("W116", R"(
  a: { race: { one: { shell: one }, two: { shell: two } } }
  b: { parallel: { one: { shell: one }, two: { shell: two } }, join: { quorum: 1 } }
  c: { for_each: "${ [] }", do: { shell: one }, join: { quorum: 4 } }
  d: { for_each: 3, do: { shell: one }, join: { at_least: 50% } }
  e: { for_each: 3, do: { shell: one }, join: { tolerate: 2 } }
)");
}

TEST_CASE("W117: a fallback of what can not fail", "[lint]") {
  expect("W117", R"(
  a: { set: 1, @@fallback: { set: 2 } }
  b: { sleep: 1s, @@fallback: { set: 2 } }
)");
  expect("W117", R"(
  a: { set: "${ 1 / 0 }", fallback: { set: 2 } }
  b: { shell: one, fallback: { set: 2 } }
  c: { set: "the ${ $steps.b }", fallback: { set: 2 } }
)");
}

TEST_CASE("W221: a call that may have arrived is repeated without its key", "[lint]") {
  expect("W221", R"(
  a: { http: "POST https://a.example", idempotency_key: none, retry: { on: [connect, @@timeout, http.503] } }
)");
  expect("W221", R"(
  a: { http: "POST https://a.example", retry: { on: [timeout] } }
  b: { http: "POST https://a.example", idempotency_key: none, retry: { on: [connect, dns] } }
  c: { http: "PUT https://a.example", idempotency_key: none, retry: { on: [timeout] } }
)");
}

TEST_CASE("I222: a script with an effect is repeated without the key", "[lint]") {
  expect("I222", R"(
  a: { shell: "curl -X POST https://a.example", @@retry: { attempts: 2 } }
  send_mail: { exec: [mailer, "${ $run.id }"], @@retry: { attempts: 2 } }
)");
  expect("I222", R"(
  a: { shell: "curl -X POST -H \"Idempotency-Key: $FLOWRUN_IDEMPOTENCY_KEY\" https://a.example", retry: { attempts: 2 } }
  b: { shell: "curl -fsS https://a.example", retry: { attempts: 2 } }
  c: { shell: make, retry: { attempts: 2 } }
  deploy: { shell: ./go, retry: { attempts: 1 } }
)");
}

TEST_CASE("W223: what a crash would do twice", "[lint]") {
  expect("W223", R"(
  deploy_eu: { @@shell: ./go }
  migrate:
    for_each: [1, 2]
    do: { @@exec: [./go, "${ $item }"] }
)");
  expect("W223", R"(
  deploy: { shell: ./go, on_crash: ask }
  payload: { shell: ./go }
  send: { http: "POST https://a.example" }
  pay: { shell: "test $FLOWRUN_RERUN = 0 && ./pay" }
)");
}

TEST_CASE("W229: an undo that leaves open what begins it", "[lint]") {
  expect("W229", R"(
  a: { exec: [a], @@undo: { exec: [b] } }
  r: { race: { x: { http: "POST https://a.example", @@undo: { http: "DELETE https://a.example" } } } }
)");
  expect("W229", R"(
  a: { exec: [a], undo_on: started, undo: { exec: [b] } }
  b: { http: "POST https://a.example", undo: { http: "DELETE https://a.example" } }
)");
}

TEST_CASE("W231: an atomic group with an effect that nothing undoes", "[lint]") {
  expect("W231", R"(
  a:
    atomic: true
    sequence:
      - { @@exec: [a] }
      - { http: "https://a.example" }
      - { id: c, http: "POST https://a.example", undo: { http: "DELETE https://a.example" } }
      - parallel:
          @@d: { shell: one }
  e: { for_each: [1], atomic: true, do: { @@shell: "echo ${ITEM}" } }
)");
  expect("W231", R"(
  a: { exec: [a] }
  b: { atomic: true, sequence: [{ parallel: { c: { exec: [c] } }, undo: { exec: [d] } }] }
)");
}

TEST_CASE("an undo sees its own step, which has not been skipped then", "[lint]") {
  expect("W343", R"(
  a:
    if: ${ $run.cpus > 1 }
    http: POST https://a.example
    undo: { http: "DELETE https://a.example/${ $steps.a }" }
)");
}

TEST_CASE("W224: a wait without end", "[lint]") {
  expect("W224", R"(
  a: { @@wait: approval }
  b: { parallel: { c: { @@wait: go } } }
  d: { http: "https://a.example", @@poll: { every: 1s } }
)");
  expect("W224", R"(
  a: { wait: approval, timeout: 24h }
  b: { parallel: { c: { wait: go } }, timeout: 1h }
  d: { http: "https://a.example", poll: { every: 1s }, deadline: 1h }
  e: { http: "https://a.example", poll: { every: 1s, attempts: 5 } }
)");
}

TEST_CASE("handlers are looked through as well, and see the steps at the top", "[lint]") {
  expect("W343", R"(
input: { go: false }
on_failure: { shell: "true", env: { A: "id ${ @@$steps.a.id }" } }
steps:
  a: { if: "${ $input.go }", http: "https://a.example" }
)");
  expect("W110", R"(
steps: { shell: "true" }
finally:
  - http: https://a.example/one
  - @@http: https://b.example/two
)");
  expect("W226", R"(
timeout: 5s
steps: { shell: "true" }
finally: { shell: "true", timeout: 10s }
)");
}

TEST_CASE("W225: times that contradict each other", "[lint]") {
  expect("W225", R"(
  a: { http: "https://a.example", timeout: 10s, deadline: @@5s }
  b: { http: "https://a.example", deadline: @@5s, retry: { delay: 10s } }
  c: { http: "https://a.example", retry: { delay: 10s, max_delay: @@5s } }
  d: { http: "https://a.example", timeout: @@1s, connect_timeout: 2s }
  e: { http: "https://a.example", deadline: @@1s, poll: { every: 2s, max_every: @@1s } }
)");
  expect("W225", R"(
defaults: { http: { timeout: 10s } }
steps:
  a: { http: "https://a.example", deadline: 5s }
  b: { http: "https://a.example", timeout: 5s, deadline: 5s, retry: { delay: 1s, max_delay: 1s } }
)");
}

TEST_CASE("W226: a group is over before what is in it", "[lint]") {
  expect("W226", R"(
timeout: @@30s
steps:
  a:
    parallel: { x: { sequence: [{ shell: one, timeout: 10s }, { shell: two, deadline: 20s }] }, y: { shell: three } }
    timeout: @@5s
  b: { sleep: 1m }
)");
  expect("W226", R"(
timeout: 1m
steps:
  a:
    parallel: { x: { shell: one, timeout: 4s } }
    timeout: 4s
  b: { shell: one, timeout: 5s, fallback: { shell: two, timeout: 2m } }
)");
}

TEST_CASE("W227: what fails every time is tried again", "[lint]") {
  expect("W227", R"(
  a: { http: "https://a.example", retry: { on: [@@any] } }
  b: { http: "https://a.example", retry: { on: [transient, @@http.403, http.429, http.500] } }
  c: { http: "https://a.example", retry: { on: @@http.4xx } }
  d: { shell: one, retry: { on: [@@any] } }
)");
  expect("W227", R"(
  a: { http: "https://a.example", retry: { on: [transient, http.408, http.425, http.429, http.5xx] } }
  b: { http: "https://a.example", retry: { on: [any], if: "${ $error.http.status == 409 }" } }
  c: { shell: one, retry: { on: [exit.75] } }
)");
}

TEST_CASE("sub-workflows are work: their retry and poll are looked at", "[lint]") {
  expect("W224", R"(
  a: { workflow: part.yaml, @@poll: { every: 1s } }
  b: { workflow: part.yaml, poll: { every: 1s }, deadline: 1h }
)");
  expect("W227", "  a: { workflow: part.yaml, retry: { on: [@@any] } }\n");
  expect("W230", R"(
  a: { workflow: part.yaml, retry: { on: [child, timeout, http.503, exit, @@cancelled] } }
  b: { shell: make, retry: { on: [@@child] } }
)");
}

TEST_CASE("W230: errors that a kind never gives are to be tried again", "[lint]") {
  expect("W230", R"(
  a: { http: "https://a.example", retry: { on: [transient, @@exit] } }
  b: { shell: one, retry: { on: [@@http.503, killed, @@exit.0] } }
)");
  expect("W230", R"(
defaults: { all: { retry: { on: [connect, exit] } } }
steps:
  a: { http: "https://a.example" }
  b: { shell: one }
  c: { shell: one, retry: { on: [transient, timeout, exit.1] } }
)");
}

TEST_CASE("W228: a step that may fail leaves null where null is an error", "[lint]") {
  expect("W228", R"(
  a: { http: "https://a.example", continue_on_error: true }
  b: { http: "https://b.example/${ @@$steps.a.id }" }
  c: { exec: [echo, "${ @@$steps.a.id }"] }
  d: { for_each: "${ @@$steps.a }", do: { shell: one } }
)");
  expect("W228", R"(
  a: { http: "https://a.example", continue_on_error: true }
  b: { http: "https://b.example/${ $steps.a.id // 0 }" }
  c: { if: "${ $status.a.ok }", exec: [echo, "${ $steps.a.id }"] }
  d: { set: "${ $steps.a.id }" }
  e: { http: "https://a.example", continue_on_error: true, fallback: { set: { id: 1 } } }
  f: { exec: [echo, "${ $steps.e.id }"] }
)");
}

TEST_CASE("W343: a step that may be skipped leaves null where null is an error", "[lint]") {
  expect("W343", R"(
input: { go: false }
output: { text: "it was ${ @@$steps.a.id }", plain: "${ $steps.a.id }" }
steps:
  a: { if: "${ $input.go }", http: "https://a.example" }
  b: { if: "${ @@$steps.a.score > 0.5 }", shell: one }
  c: { set: "id ${ @@$steps.a.id }" }
)");
  expect("W343", R"(
input: { go: false, far: false }
steps:
  a: { if: "${ $input.go }", http: "https://a.example" }
  b: { if: "${ $input.go }", set: "id ${ $steps.a.id }" }
  c: { if: "${ $input.go and $input.far }", parallel: { x: { set: "id ${ $steps.a.id }" } } }
  d: { if: "${ $steps.a != null }", set: "id ${ $steps.a.id }" }
  e: { switch: [{ if: "${ $status.a.ok }", do: { set: "id ${ $steps.a.id }" } }] }
  f: { set: "id ${ $steps.a.id // \"none\" }" }
  g: { if: true, set: { id: 1 } }
  h: { set: "id ${ $steps.g.id }" }
)");
}

TEST_CASE("W322: certificates that nobody checks", "[lint]") {
  expect("W322", "  a: { http: \"https://a.example\", tls: { @@verify: false } }\n");
  expect("W322", "  a: { http: \"https://a.example\", tls: { verify: true } }\n");
}

TEST_CASE("W324: credentials in clear text to another machine", "[lint]") {
  expect("W324", R"(
vars: { api: "http://api.example" }
input: { token: {} }
defaults: { http: { auth: { bearer: "${ $input.token }" } } }
steps:
  a: { http: @@"http://api.example:8080/x" }
  b: { http: @@"POST ${ $vars.api }/x" }
  c: { http: @@"http://x.example", auth: none, headers: { Authorization: "${ $input.token }" } }
)");
  expect("W324", R"(
input: { token: {}, api: "http://127.0.0.1:8080" }
defaults: { http: { auth: { bearer: "${ $input.token }" } } }
steps:
  a: { http: "https://api.example" }
  b: { http: "${ $input.api }/x" }
  c: { http: "http://[::1]:80/x" }
  d: { http: "http://api.example", auth: none }
)");
}

TEST_CASE("W321: secrets in the query of a URL", "[lint]") {
  expect("W321", R"(
secrets: { key: { env: KEY } }
steps:
  a: { http: "https://a.example", query: { key: "${ @@$secrets.key }" } }
  b: { http: "https://a.example/x?key=${ @@$secrets.key }" }
  c: { http: "https://a.example/${ $secrets.key }?q=1", headers: { X-Key: "${ $secrets.key }" } }
  d: { http: "${ $secrets.key }" }
)");
}

TEST_CASE("W342: secrets that nobody uses", "[lint]") {
  expect("W342", R"(
secrets: { used: { env: A }, @@unused: { env: B } }
steps: { a: { shell: "echo hi", env: { A: "${ $secrets.used }" } } }
)");
}

TEST_CASE("W325: what looks like a secret", "[lint]") {
  expect("W325", R"(
  a: { http: "https://a.example", headers: { X-Key: "@@AKIAIOSFODNN7EXAMPLE" } }
  b: { shell: "gh auth login", stdin: @@ghp_abcdefghijklmnopqrstuvwxyz0123456789 }
  c:
    shell: ssh-add -
    stdin: |
      @@-----BEGIN RSA PRIVATE KEY-----
      x
)");
  expect("W325", R"(
  a: { shell: "echo ghp_short sk_live_ AKIA, taking AKIAlong_words_of_no_meaning" }
  b: { set: "-----BEGIN CERTIFICATE-----" }
)");
}

TEST_CASE("W331: expressions in a script", "[lint]") {
  expect("W331", R"(
  a: { set: 1 }
  b:
    shell: |
      echo one
      echo @@${ $steps.a }
  c: { shell: "echo '@@${{ github.sha }}'" }
)");
  expect("W331", R"(
  a:
    shell: |
      echo "${HOME}" # not ${ $steps.a }
      cat > ci.yml <<'END'
        run: echo ${{ github.sha }}
      END
  b: { shell: 'print(f"${{a}}")', interpreter: [python3] }
)");
}

TEST_CASE("W332: variables of env without quotes", "[lint]") {
  expect("W332", R"y(
input: { dir: "" }
steps:
  a:
    shell: |
      rm -r @@$DIR/x
      for d in $DIR; do echo "$(ls @@${DIR})"; done
    env: { DIR: "${ $input.dir }" }
)y");
  expect("W332", R"y(
input: { dir: "" }
steps:
  a:
    shell: |
      rm -r "$DIR" "${DIR}/x" '$DIR' # $DIR
      copy=$DIR; export OTHER=$DIR
      [[ -d $DIR ]] && echo $((1 + ($DIR)))
      case $DIR in x) ;; esac
      cat <<END
        $DIR
      END
      wc <<< $DIR
      cc $CFLAGS $MODE $HOME
    env: { DIR: "${ $input.dir }", CFLAGS: "${ $input.dir }", MODE: fast }
)y");
}

TEST_CASE("W333: values that an interpreter would run", "[lint]") {
  expect("W333", R"y(
input: { x: "" }
steps:
  a: { exec: [sh, -c, @@"echo ${ $input.x }"] }
  b: { exec: [/bin/bash, -e, -uc, @@"echo ${ $input.x }"] }
  c: { exec: [python3, -c, @@"print('${ $input.x }')"] }
)y");
  expect("W333", R"(
input: { x: "" }
steps:
  a: { exec: [sh, -c, "echo \"$1\"", sh, "${ $input.x }"] }
  b: { exec: [grep, -c, "${ $input.x }"] }
  c: { exec: [sh, "${ $input.x }"] }
)");
}

TEST_CASE("W341: values that YAML changes", "[lint]") {
  expect("W341", R"(
input: { dry: @@no, zip: @@01234 }
vars: { go_version: @@1.10 }
steps:
  a: { set: [ "${ $input }", "${ $vars }" ] }
  b: { shell: one, env: { PY: @@3.10, ID: @@007 } }
  c: { for_each: [3.9, @@3.10], do: { set: "${ $item }" } }
  d: { http: "POST https://a.example", json: { phone: @@+4912345, version: "1.10" } }
)");
  expect("W341", R"(
version: 1.10
input: { dry: false, country: "no", zip: "01234", n: { type: integer, default: 10 } }
steps:
  a: { set: "${ $input }" }
  b: { shell: one, env: { PY: "3.10", N: 3.5, M: 10 } }
  c: { http: "POST https://a.example", json: { price: 1.10, mode: 0, tag: 1.5 } }
  d: { exec: [python, 3.10] }
)");
}

TEST_CASE("W342: names that nobody uses", "[lint]") {
  expect("W342", R"(
input: { @@a: 1, b: 2, c: 3 }
vars: { @@x: 1, y: "${ $input.b }" }
defaults: { http: { timeout: "${ $input.c }" } }
steps:
  s: { for_each: 2, as: @@one, do: { set: "${ $item + $vars.y }" } }
)");
  expect("W342", R"(
input: { a: 1, b: 2 }
vars: { x: 1 }
steps:
  s: { for_each: 2, as: one, do: { set: "${ [$one, $input, $vars.x] }" } }
)");
}

TEST_CASE("W342: a limit that no step takes", "[lint]") {
  expect("W342", R"(
limits: { @@a: 1, b: 2, c: { rate: 5/s }, x-note: 1 }
defaults: { http: { limit: b } }
steps:
  s: { http: "https://a.example" }
  t: { race: { u: { shell: one, fallback: { shell: two, limit: c } } }, join: first_completed }
)");
}

TEST_CASE("W114: many requests to a server at once", "[lint]") {
  expect("W114", R"(
  @@a: { for_each: 101, do: { http: "https://a.example/${ $item }" } }
  b: { for_each: 100, do: { http: "https://a.example/${ $item }" } }
  c: { for_each: 500, do: { http: "https://a.example/${ $item }", limit: 8 } }
  d: { for_each: 500, concurrency: 4, do: { http: "https://a.example/${ $item }" } }
  e: { for_each: 500, do: { shell: one } }
  f: { for_each: 500, do: [{ http: "https://a.example/${ $item }" }, { sleep: 1s }] }
  g: { for_each: "${ [range(500)] }", do: { http: "https://a.example/${ $item }" } }
)");
  expect("W114", R"(
limits: { api: { rate: 5/s } }
defaults: { http: { limit: api } }
steps:
  a: { for_each: 101, do: { http: "https://a.example/${ $item }" } }
)");
}

TEST_CASE("I115: the value of a set that nobody uses", "[lint]") {
  expect("I115", R"(
output: "${ $steps.b }"
steps:
  @@a: { set: 1 }
  b:
    sequence:
      - @@set: 1
      - set: 2
)");
  expect("I115", R"(
output: "${ $steps.b }"
steps:
  a: { set: 1 }
  b: { set: "${ $steps.a }" }
  c: { set: 1 }
  d: { shell: one, needs: [c] }
  e: { sequence: [{ set: "${ $steps.b | required(\"b\") }" }, { shell: one }] }
)");
}

TEST_CASE("I345: many steps and no output", "[lint]") {
  const std::string steps =
      "  a: { shell: a }\n  b: { shell: b }\n  c: { shell: c }\n  d: { shell: d }\n  e: { shell: e }\n";
  expect("I345", "@@steps:\n" + steps + "  f: { shell: f }\n");
  expect("I345", "steps:\n" + steps);
  expect("I345", "output: 1\nsteps:\n" + steps + "  f: { shell: f }\n");
}

TEST_CASE("lint_ignore silences what it names and nothing else", "[lint]") {
  auto codes = [](const std::string& ignored) {
    std::set<std::string> told;
    for (const Diagnostic& one : findings("flowrun: 1\nlint_ignore: " + ignored +
                                          "\nsteps: { deploy: { shell: ./go, retry: { on: [any] } } }\n"))
      told.insert(one.code);
    return told;
  };
  using Codes = std::set<std::string>;
  CHECK(codes("[]") == Codes{"I222", "W223", "W227"});
  CHECK(codes("[W223, W224]") == Codes{"I222", "W227"});
  CHECK(codes("[I222, W223, W227]").empty());
}

TEST_CASE("a code that is none is an error with a suggestion", "[lint]") {
  auto told = [](const std::string& list) {
    Diagnostics diagnostics({"lint.yaml", "flowrun: 1\nlint_ignore: " + list + "\nsteps: { shell: one }\n"});
    CHECK_FALSE(load("/tmp/lint.yaml", diagnostics));
    return diagnostics.text();
  };
  CHECK(told("[W110, I110]").find("lint.yaml:2:21: error[E102]") != std::string::npos);
  CHECK(told("[w110]").find("did you mean `W110`?") != std::string::npos);
  CHECK(told("[W11]").find("did you mean `W110`?") != std::string::npos);
  CHECK(told("[W999]").find("did you mean") == std::string::npos);
  CHECK(told("[E101]").find("an error can not be ignored") != std::string::npos);
  CHECK(told("W110").find("E102") != std::string::npos);
}

TEST_CASE("a file with errors and one that is only run get no lints", "[lint]") {
  Diagnostics wrong({"lint.yaml", "flowrun: 1\nsteps: { deploy: { shell: one, tls: 1 } }\n"});
  CHECK_FALSE(load("/tmp/lint.yaml", wrong, nullptr, Lints::Yes));
  CHECK(wrong.warnings() == 0);
  Diagnostics quiet({"lint.yaml", "flowrun: 1\nsteps: { deploy: { shell: one } }\n"});
  CHECK(load("/tmp/lint.yaml", quiet));
  CHECK(quiet.all().empty());
}

TEST_CASE("an expression without braces is told of, where it names something", "[lint]") {
  expect("W344", R"(
input: { n: 1 }
vars: { v: @@$input.n }
steps:
  a: { set: { x: @@"total $input.n", y: "$input.other $HOME $5.20", z: "${ $input.n } of $input.n" } }
  b: { exec: [echo, @@$steps.a.x, "a; b $steps.a"] }
  c: { shell: 'echo $input.n' }
  d: { http: @@"https://a.example/$steps.b" }
output: @@$steps.b
)");
}

TEST_CASE("the name of a type as a default is told of", "[lint]") {
  expect("W346", R"(
input: { a: @@string, b: "string", c: { type: string }, d: strings, e: @@integer, f: { default: string } }
steps:
  a: { set: "${ [$input.a, $input.b, $input.c, $input.d, $input.e, $input.f] }" }
)");
}

TEST_CASE("what stands in the defaults is told of once", "[lint]") {
  expect("W322", R"(
defaults: { http: { tls: { @@verify: false } } }
steps:
  a: { http: "https://a.example" }
  b: { http: "https://b.example" }
)");
  CHECK(
      findings("flowrun: 1\ndefaults: { http: { tls: { verify: false } } }\nsteps:\n  a: { http: \"https://a.example\" "
               "}\n  b: { http: \"https://b.example\" }\n")
          .size() == 1);
}

TEST_CASE("every code has its line in the manual", "[lint]") {
  const std::string manual = content_of(std::string(FLOWRUN_SOURCE_DIR) + "/man/flowrun-workflow.5");
  for (const std::string& code : lint_codes()) {
    INFO(code);
    CHECK(manual.find("\n.It " + code + "\n") != std::string::npos);
  }
}

TEST_CASE("the example workflows get no warning and no hint", "[lint]") {
  for (const auto& entry : std::filesystem::directory_iterator(std::string(FLOWRUN_SOURCE_DIR) + "/workflows")) {
    if (entry.path().stem().extension() == ".test") continue;
    if (entry.path().extension() != ".yaml") continue;
    Diagnostics diagnostics({entry.path().filename().string(), content_of(entry.path())});
    CHECK(load(entry.path().string(), diagnostics, nullptr, Lints::Yes));
    CHECK(diagnostics.text() == "");
  }
}

TEST_CASE("the scanner of scripts knows where a value is split", "[lint]") {
  using Where = Dollar::Where;
  auto where = [](std::string_view script) {
    std::vector<Where> found;
    for (const Dollar& dollar : dollars_of(script))
      if (dollar.name == "V") found.push_back(dollar.where);
    return found;
  };
  using Found = std::vector<Where>;
  CHECK(where("echo $V \"$V\" '$V'") == Found{Where::Split, Where::Whole, Where::Quoted});
  CHECK(where("echo \"$(cat $V \"$V\")\" `cat $V`") == Found{Where::Split, Where::Whole, Where::Split});
  CHECK(where("A=$V cmd $V; B=(x $V)") == Found{Where::Whole, Where::Split, Where::Whole});
  CHECK(where("if [ $V ]; then [[ $V ]] && x $V; fi") == Found{Where::Split, Where::Whole, Where::Split});
  CHECK(where("cat <<A <<'B'\n$V\nA\n$V\nB\necho $V") == Found{Where::Whole, Where::Copied, Where::Split});
  CHECK(where("echo $(( ($V) + 1 )) \\$V $'a\\'$V'") == Found{Where::Whole});
  CHECK(where("for f in $V; do rm $V; done # $V") == Found{Where::Whole, Where::Split});
  for (const char* torn : {"'", "\"", "$(", "`", "<<", "<<E", "$", "${", "\\", "((", "$((", "$'", "\"$("})
    CHECK_NOTHROW(dollars_of(torn));
}

}  // namespace flowrun::test::lint_test
