// Which attempts wait in line, where the next drive finds it after kill -9, and who asks meanwhile: a started step that
// still waits has not begun, and nobody else can know that. Costs no system call a step. Knows neither slots nor
// journal.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "engine/executor/run_folder.h"

namespace flowrun {

/// In the run's folder.
constexpr const char* kLineFile = "line";

/// What a line stands for.
enum class LineKind { Slot, SharedPlace, SecretOutput, Memo };

/// Any thread.
class LineFile {
 public:
  /// In |folder|, which is lent. |token|: of the drive. Nothing is made before the first add(), to which the folder
  /// has to be open.
  LineFile(const RunFolder& folder, std::string token) : folder_(folder), token_(std::move(token)) {}
  ~LineFile();
  LineFile(const LineFile&) = delete;
  LineFile& operator=(const LineFile&) = delete;

  /// The attempt waits from here on. Nothing: that can not be written down, and it will be taken for one that has
  /// begun.
  std::optional<std::size_t> add(const std::string& path, int attempt, LineKind kind);
  /// It waits no more. REQUIRES: to be called before it begins.
  void remove(std::size_t slot);

 private:
  bool make();

  const RunFolder& folder_;
  const std::string token_;
  std::mutex mutex_;
  bool tried_ = false;
  std::uint64_t* slots_ = nullptr;
  std::vector<std::size_t> free_;
};

/// What stands in the LineFile of a drive: one that goes on, or was killed.
class LeftInLine {
 public:
  LeftInLine() = default;
  /// Empty when the file in the folder |run_dir| is not that of the drive with |token|, was copied, or may be older
  /// than what happened: after a loss of power nobody knows what of it had reached the disk.
  LeftInLine(const std::string& run_dir, const std::string& token);
  /// Nothing: the attempt stands in no line.
  std::optional<LineKind> kind_of(const std::string& path, int attempt) const;
  bool holds(const std::string& path, int attempt) const { return kind_of(path, attempt).has_value(); }

 private:
  std::unordered_set<std::uint64_t> waiting_;
};

}  // namespace flowrun
