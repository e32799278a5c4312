// flowrun's speed beside that of others, in ratios: each pair of runs is ours and theirs, one right after the other.
//
//   flowrun_bench [--quick] [--pairs N] [--json FILE] [NAME...]
//
// A NAME is that of a case, or what stands before the first hyphen of several.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/bench/bench.h"

namespace {

using bench::Case;

// What varies more than this says more about the machine than about us.
constexpr double kNoise = 0.30;

struct Options {
  bench::Size size;
  int pairs = 5;
  std::string json;
  std::vector<std::string> names;
};

struct Figures {
  double ours, theirs, ratio, least, most;
  const char* verdict;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  std::size_t half = values.size() / 2;
  return values.size() % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
}

Figures measure(const Case& one, int pairs) {
  std::vector<double> ours, theirs, ratios;
  for (int i = 0; i < pairs; ++i) {
    ours.push_back(one.ours());
    theirs.push_back(one.theirs());
    bool rate = one.goal != Case::Goal::AtMost;
    ratios.push_back(rate ? theirs.back() / ours.back() : ours.back() / theirs.back());
  }
  auto [least, most] = std::minmax_element(ratios.begin(), ratios.end());
  Figures figures{median(ours), median(theirs), median(ratios), *least, *most, ""};
  bool met = one.goal == Case::Goal::AtMost ? figures.ratio <= one.target : figures.ratio >= one.target;
  figures.verdict = *most - *least > kNoise * figures.ratio ? "noisy"
                    : one.goal == Case::Goal::Shown         ? ""
                    : met                                   ? "met"
                                                            : "not met";
  return figures;
}

std::string shown(double value) {
  if (value >= 1000) return fmt::format("{:.1f}k", value / 1000);
  if (value >= 1) return fmt::format("{:.2f}", value);
  return fmt::format("{:.4f}", value);
}

double load() {
  double value = 0;
  std::ifstream("/proc/loadavg") >> value;
  return value;
}

bool means(const std::string& name, const Case& one) { return one.name == name || one.name.starts_with(name + "-"); }

int usage() {
  std::fprintf(stderr, "usage: flowrun_bench [--quick] [--pairs N] [--json FILE] [NAME...]\n");
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    std::string word = argv[i];
    if (word == "--quick") {
      options.size.quick = true;
      options.pairs = 3;
    } else if (word == "--pairs" && i + 1 < argc) {
      options.pairs = std::max(1, std::atoi(argv[++i]));
    } else if (word == "--json" && i + 1 < argc) {
      options.json = argv[++i];
    } else if (word.starts_with("-")) {
      return usage();
    } else {
      options.names.push_back(word);
    }
  }
  const std::filesystem::path self = std::filesystem::canonical("/proc/self/exe").parent_path();
  bench::Stage stage(self.string(), (self / "bench").string());
  std::vector<Case> cases = bench::all_cases(stage, options.size);
  for (Case& one : bench::size_cases(stage, options.size)) cases.push_back(std::move(one));
  for (Case& one : bench::answer_cases(stage, options.size)) cases.push_back(std::move(one));
  for (Case& one : bench::restate_cases(stage, options.size)) cases.push_back(std::move(one));
  for (const std::string& name : options.names)
    if (std::none_of(cases.begin(), cases.end(), [&](const Case& one) { return means(name, one); })) {
      std::fprintf(stderr, "no case is named %s; there are:", name.c_str());
      for (const Case& one : cases) std::fprintf(stderr, " %s", one.name.c_str());
      std::fprintf(stderr, "\n");
      return 2;
    }

  std::printf("%u cores, load %.2f, %d pairs each%s\n\n", std::thread::hardware_concurrency(), load(), options.pairs,
              options.size.quick ? ", a tenth of the work" : "");
  std::printf("%-14s %-44s %9s %-44s %9s  %6s %-15s %8s  %s\n", "case", "ours", "", "reference", "", "ratio", "range",
              "target", "");
  nlohmann::json records = nlohmann::json::array();
  bool broken = false;
  for (const Case& one : cases) {
    if (!options.names.empty() && std::none_of(options.names.begin(), options.names.end(),
                                               [&](const std::string& name) { return means(name, one); }))
      continue;
    try {
      std::fprintf(stderr, "%s ...\r", one.name.c_str());
      Figures f = measure(one, options.pairs);
      const bool aims = one.goal != Case::Goal::Shown, least = one.goal == Case::Goal::AtLeast;
      const std::string target = aims ? fmt::format("{} {:5.4g}", least ? ">=" : "<=", one.target) : "";
      std::printf("%-14s %-44s %9s %-44s %9s  %6.2f %-15s %8s  %s\n", one.name.c_str(), one.work.c_str(),
                  shown(f.ours).c_str(), one.reference.c_str(), shown(f.theirs).c_str(), f.ratio,
                  fmt::format("{:.2f} to {:.2f}", f.least, f.most).c_str(), target.c_str(), f.verdict);
      records.push_back({{"case", one.name},
                         {"work", one.work},
                         {"reference", one.reference},
                         {"ours", f.ours},
                         {"theirs", f.theirs},
                         {"ratio", f.ratio},
                         {"range", {f.least, f.most}},
                         {"goal", !aims   ? "shown"
                                  : least ? "at least"
                                          : "at most"},
                         {"target", aims ? nlohmann::json(one.target) : nlohmann::json()},
                         {"verdict", f.verdict}});
    } catch (const bench::Broken& trouble) {
      broken = true;
      std::printf("%-14s broken: %s\n", one.name.c_str(), trouble.what.c_str());
      records.push_back({{"case", one.name}, {"broken", trouble.what}});
    }
    std::fflush(stdout);
  }
  if (!options.json.empty()) std::ofstream(options.json) << records.dump(2) << "\n";
  return broken ? 1 : 0;
}
