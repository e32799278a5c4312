// Whose requests a worker answers: tokens signed here with keys made here, and one that a server of Restate has signed.
#include "engine/restate/identity.h"

#include <openssl/evp.h>

#include <memory>
#include <random>

#include "engine/model/error.h"
#include "tests/restate/signing_key.h"
#include "tests/support/catch.h"

namespace flowrun::test::identity_test {
namespace {

using restate::Identity;

constexpr Instant kNow{std::chrono::seconds(1'800'000'000)};

Json claims(std::string path) {
  return {{"aud", std::move(path)}, {"nbf", 1'799'999'940}, {"iat", 1'800'000'000}, {"exp", 1'800'000'060}};
}

}  // namespace

TEST_CASE("a request is answered when one of the keys has signed it for its path and this time") {
  const SigningKey key, other;
  const Identity identity({other.name(), key.name()});
  const std::string path = "/invoke/flowrun/step";
  const std::string token = key.token(claims(path));
  CHECK(identity.refusal(path, "v1", token, kNow) == "");
  CHECK(identity.refusal("/behind/a/proxy" + path, "v1", token, kNow) == "");
  CHECK(identity.refusal(path + "?q", "v1", token, kNow) == "");
  CHECK(identity.refusal(path, "v1", key.token({{"aud", {"/x", path}}, {"nbf", 0}, {"exp", 1'900'000'000}}), kNow) ==
        "");

  CHECK(identity.refusal(path, "", "", kNow).find("not signed") != std::string::npos);
  CHECK(identity.refusal(path, "unsigned", "", kNow) != "");
  CHECK(identity.refusal(path, "v2", token, kNow) != "");
  CHECK(identity.refusal("/discover", "v1", token, kNow) != "");
  CHECK(identity.refusal(path, "v1", token, kNow + std::chrono::seconds(61)).find("clocks") != std::string::npos);
  CHECK(identity.refusal(path, "v1", token, kNow - std::chrono::seconds(61)) != "");
  CHECK(identity.refusal(path, "v1", SigningKey().token(claims(path)), kNow) != "");
  CHECK(identity.refusal(path, "v1", key.token(claims(path), "none"), kNow) != "");
  for (const char* missing : {"aud", "nbf", "exp"}) {
    Json fewer = claims(path);
    fewer.erase(missing);
    CHECK(identity.refusal(path, "v1", key.token(fewer), kNow) != "");
  }
  CHECK(Identity({}).refusal(path, "", "", kNow) == "");
}

TEST_CASE("no change of a token, and no random one, is taken") {
  const SigningKey key;
  const Identity identity({key.name()});
  const std::string token = key.token(claims("/discover"));
  REQUIRE(identity.refusal("/discover", "v1", token, kNow) == "");
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 dice(seed);
  for (int i = 0; i < 500; ++i) {
    std::string changed = token;
    const std::size_t at = dice() % changed.size();
    const char c = i % 3 ? "abcXYZ019-_."[dice() % 12] : static_cast<char>(dice());
    if (changed[at] == c) continue;
    changed[at] = c;
    INFO(changed);
    CHECK(identity.refusal("/discover", "v1", changed, kNow) != "");
    std::string random(dice() % 100, ' ');
    for (char& one : random) one = "abc..=\xff{\"eyJ"[dice() % 12];
    CHECK(identity.refusal("/discover", "v1", random, kNow) != "");
  }
  for (std::size_t size = 0; size < token.size(); ++size)
    CHECK(identity.refusal("/discover", "v1", token.substr(0, size), kNow) != "");
}

TEST_CASE("a token that Restate has signed is taken") {
  // From the tests of sdk-shared-core, src/request_identity.rs.
  const std::string token =
      "eyJ0eXAiOiJKV1QiLCJhbGciOiJFZERTQSIsImtpZCI6InB1YmxpY2tleXYxX0FmUXdtd2ZnRVpocldwdnY4TjUyU0hwUnRacUdHYUZyNEFaTjZx"
      "dFlXU2lZIn0.eyJhdWQiOiIvaW52b2tlL2ZvbyIsImV4cCI6MTcyMTY2MjcwOSwiaWF0IjoxNzIxNjYyNjQ5LCJuYmYiOjE3MjE2NjI1ODl9.UBR"
      "eG_9cdFQ5VcaJxAV0rM8U_zaNw9kMXJZt691SiI0SWw7Ucmz5Zz3wtmVUc1jrkNsnTDhNEvOFGEZoKXTMCQ";
  const Instant then{std::chrono::seconds(1'721'662'649)};
  CHECK(Identity({"publickeyv1_AfQwmwfgEZhrWpvv8N52SHpRtZqGGaFr4AZN6qtYWSiY"})
            .refusal("/invoke/foo", "v1", token, then) == "");
  CHECK(Identity({"publickeyv1_ChjENKeMvCtRnqG2mrBK1HmPKufgFUc98K8B3ononQvp"})
            .refusal("/invoke/foo", "v1", token, then) != "");
}

TEST_CASE("what is no public key is refused as it is given") {
  const std::string good = SigningKey().name();
  CHECK_NOTHROW(Identity({good}));
  for (const std::string& bad : {std::string("publickeyv1_"), std::string("AfQw"), good + "1", good.substr(0, 30),
                                 "publickeyv1_" + std::string(40, '0'), std::string()})
    CHECK_THROWS_AS(Identity({bad}), Error);
}

TEST_CASE("base58 and base64url stand for the bytes that they were made of") {
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 dice(seed);
  for (int i = 0; i < 300; ++i) {
    std::string bytes(dice() % 40, '\0'), back;
    for (char& byte : bytes) byte = dice() % 3 ? static_cast<char>(dice()) : '\0';
    REQUIRE(restate::from_base58(base58(bytes), 40, back));
    CHECK(back == bytes);
    REQUIRE(restate::from_base64url(base64url(bytes), back));
    CHECK(back == bytes);
  }
  std::string back;
  for (const char* bad : {"a", "abc=", "ab+/", "aB cd", "ab"}) CHECK_FALSE(restate::from_base64url(bad, back));
}

TEST_CASE("what a server signs of a path does not depend on what stands before it") {
  const std::pair<const char*, const char*> paths[] = {{"/invoke/a/b", "/invoke/a/b"},
                                                       {"/foo/invoke/a/b", "/invoke/a/b"},
                                                       {"/foo/bar/discover", "/discover"},
                                                       {"/invoke/a", "/invoke/a"},
                                                       {"/foo/invoke/a", "/foo/invoke/a"},
                                                       {"", ""},
                                                       {"////", "////"},
                                                       {"discover", "discover"}};
  for (const auto& [path, wanted] : paths) CHECK(restate::signed_path(path) == wanted);
}

}  // namespace flowrun::test::identity_test
