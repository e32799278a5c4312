#include "engine/scenario/workflow_places.h"

#include <fmt/format.h>

#include <filesystem>

namespace flowrun {

std::string WorkflowPlaces::place_of(const OutlineRow& row) const {
  std::string file = file_;
  if (!row.file.empty()) file = (std::filesystem::path(file_).parent_path() / row.file).lexically_normal().string();
  return fmt::format("{}:{}", file, row.origin.line);
}

std::string WorkflowPlaces::place_of(const std::string& path) const {
  const OutlineRow* row = find_row(rows_, path);
  return row ? place_of(*row) : "";
}

std::string WorkflowPlaces::named(const std::string& path) const {
  const std::string place = place_of(path);
  return place.empty() ? path : fmt::format("{} ({})", path, place);
}

}  // namespace flowrun
