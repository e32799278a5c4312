#include "cli/manual.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "engine/model/error.h"

namespace flowrun::cli {
namespace {

constexpr std::pair<const char*, const char*> kPages[] = {{"workflow", "flowrun-workflow"},
                                                          {"flowrun-workflow", "flowrun-workflow"},
                                                          {"flowrun-journal", "flowrun-journal"},
                                                          {"flowrun-worker", "flowrun-worker"},
                                                          {"flowrun-test", "flowrun-test"},
                                                          {"flowrun-explore", "flowrun-explore"},
                                                          {"flowrun", "flowrun"}};

}  // namespace

std::string manual_page(const std::string& topic) {
  for (const auto& [word, page] : kPages)
    if (topic == word) return page;
  return "";
}

void open_manual(const std::string& page) {
  signal(SIGPIPE, SIG_DFL);
  execlp("man", "man", page.c_str(), nullptr);
  throw Error(Problem::Impossible,
              fmt::format("cannot open the manual page {}: the program man: {}", page, std::strerror(errno)));
}

}  // namespace flowrun::cli
