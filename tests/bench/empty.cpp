// A program that does nothing, to tell what starting one costs. BENCH_LIBRARIES: linked with all that flowrun is linked
// with; then COMMITS rows are appended to FILE, one a commit.
//
//   bench_empty
//   bench_linked FILE COMMITS
#ifdef BENCH_LIBRARIES
#include <curl/curl.h>
#include <fmt/format.h>
#include <libfyaml.h>
#include <openssl/evp.h>
#include <sqlite3.h>
#include <uuid/uuid.h>
#include <xxhash.h>

#include <cstdlib>

extern "C" {
#include <jv.h>
// Behind jv.h, on which it depends.
#include <jq.h>
}

// Their addresses keep the linker from leaving the libraries out.
extern const void* const kUsed[];
const void* const kUsed[] = {
    reinterpret_cast<const void*>(curl_version), reinterpret_cast<const void*>(jq_init),
    reinterpret_cast<const void*>(EVP_sha256),   reinterpret_cast<const void*>(uuid_generate),
    reinterpret_cast<const void*>(XXH3_64bits),  reinterpret_cast<const void*>(fy_parser_create)};

int main(int argc, char** argv) {
  if (argc != 3 || !kUsed[0]) return 1;
  sqlite3* database = nullptr;
  sqlite3_open(argv[1], &database);
  auto execute = [&](const std::string& sql) {
    if (sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) std::exit(1);
  };
  execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE IF NOT EXISTS t (a TEXT)");
  for (int i = 0; i < std::atoi(argv[2]); ++i) execute(fmt::format("INSERT INTO t VALUES ('row {} of a test')", i));
  sqlite3_close(database);
}
#else
int main() {}
#endif
