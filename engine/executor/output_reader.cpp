#include "engine/executor/output_reader.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "engine/executor/output_frame.h"
#include "engine/executor/run_folder.h"

namespace flowrun {

/// Tells whose the frames are.
class OutputReader::Index {
 public:
  explicit Index(OutputReader& reader) : reader_(reader) {}

  /// |main|: of the run.
  void add(int descriptor, bool main) {
    introduced_.clear();
    FramesEnd end{};
    std::uint64_t whole = scan_frames(
        descriptor,
        [&](FrameHeader&& header, std::uint64_t position) { frame(std::move(header), descriptor, position); }, &end);
    if (main && end == FramesEnd::Damaged) reader_.damaged_at_ = whole + 1;
  }

 private:
  void frame(FrameHeader&& header, int descriptor, std::uint64_t position) {
    const bool old = header.process.empty();
    const std::string process = old ? fmt::format("{}\n{}", header.path, header.attempt) : header.process;
    const std::string key = process + (header.is_stderr ? "\ne" : "\no");
    // Where a process is named first in a file, its frame says whose it is.
    if (!old && header.attempt > 0)
      introduced_.insert(key);
    else if (!old && introduced_.count(key) == 0)
      return;
    auto [known, fresh] = by_key_.emplace(key, reader_.sources_.size());
    if (fresh) {
      reader_.sources_.push_back({header.path, header.attempt, header.is_stderr, 0});
      ends_.push_back(0);
    }
    const std::size_t source = known->second;
    if (old) header.from = ends_[source];
    ends_[source] = header.from + header.bytes;
    reader_.frames_.push_back({source, header.at, header.from, header.bytes, header.lost, std::move(header.why),
                               descriptor, position, reader_.frames_.size()});
  }

  OutputReader& reader_;
  std::unordered_map<std::string, std::size_t> by_key_;
  std::set<std::string> introduced_;  ///< in the file that is read
  std::vector<std::uint64_t> ends_;   ///< of each source, for old frames
};

OutputReader::OutputReader(const std::string& run_dir) {
  RunFolder folder(run_dir);
  if (!folder.look()) return;
  // The ends first: they may be moved to the file of the run while this reads.
  std::vector<std::string> tails = folder.names(kTailPrefix);
  std::sort(tails.begin(), tails.end());
  for (const std::string& tail : tails)
    if (int descriptor = folder.read(tail); descriptor >= 0) descriptors_.push_back(descriptor);
  int main = folder.read(kOutputLog);
  if (main >= 0) descriptors_.insert(descriptors_.begin(), main);
  Index index(*this);
  for (int descriptor : descriptors_) index.add(descriptor, descriptor == main);
  put_in_order();
}

OutputReader::~OutputReader() {
  for (int descriptor : descriptors_) close(descriptor);
}

void OutputReader::put_in_order() {
  // First each source for itself: its bytes have numbers, whatever the clock did and whichever file they are in.
  std::stable_sort(frames_.begin(), frames_.end(), [](const Frame& a, const Frame& b) {
    return std::tie(a.source, a.from) < std::tie(b.source, b.from);
  });
  std::uint64_t end = 0;
  for (std::size_t i = 0; i < frames_.size(); ++i) {
    Frame& frame = frames_[i];
    const bool first = i == 0 || frames_[i - 1].source != frame.source;
    frame.last = i + 1 == frames_.size() || frames_[i + 1].source != frame.source;
    if (first) {
      end = 0;
    } else {
      frame.at = std::max(frame.at, frames_[i - 1].at);
      frame.number = std::max(frame.number, frames_[i - 1].number);
    }
    if (frame.from > end) {
      frame.lost = std::min(frame.lost, frame.from - end);
      frame.left_out = frame.from - end - frame.lost;
    } else {
      frame.lost = 0;
      frame.skipped = std::min(end - frame.from, frame.bytes);
    }
    sources_[frame.source].lost += frame.lost;
    end = std::max(end, frame.from + frame.bytes);
  }
  std::stable_sort(frames_.begin(), frames_.end(),
                   [](const Frame& a, const Frame& b) { return std::tie(a.at, a.number) < std::tie(b.at, b.number); });
}

void OutputReader::pieces(const std::function<bool(const Piece&)>& each, const Known& known) const {
  constexpr std::size_t kAtOnce = 1 << 20;
  std::string buffer;
  for (const Frame& frame : frames_) {
    const std::uint64_t before = frame.source < known.size() ? known[frame.source] : 0;
    if (before > 0 && frame.from + frame.bytes <= before) continue;
    Piece piece{frame.source, frame.at, frame.left_out, frame.lost, frame.why, false, 0, {}};
    std::uint64_t at = frame.skipped;
    if (frame.from + at < before) {
      at = before - frame.from;
      piece.left_out = piece.lost = 0;
    }
    do {
      piece.from = frame.from + at;
      buffer.resize(static_cast<std::size_t>(std::min<std::uint64_t>(frame.bytes - at, kAtOnce)));
      std::size_t got = 0;
      while (got < buffer.size()) {
        ssize_t more = pread(frame.descriptor, buffer.data() + got, buffer.size() - got,
                             static_cast<off_t>(frame.position + at + got));
        if (more < 0 && errno == EINTR) continue;
        if (more <= 0) break;
        got += static_cast<std::size_t>(more);
      }
      // What the file does not give any more is not there.
      at = got < buffer.size() ? frame.bytes : at + got;
      buffer.resize(got);
      piece.bytes = buffer;
      piece.last = frame.last && at == frame.bytes;
      if (!each(piece)) return;
      piece.left_out = piece.lost = 0;
    } while (at < frame.bytes);
  }
}

void OutputReader::lines(const std::function<bool(const Line&)>& each, const Known& known) const {
  struct Begun {
    std::string text;
    Instant at{};
    std::uint64_t end = 0;
  };
  std::unordered_map<std::size_t, Begun> begun;
  pieces(
      [&](const Piece& piece) {
        Line line;
        line.source = piece.source;
        auto tell_begun = [&] {
          auto found = begun.find(piece.source);
          if (found == begun.end()) return true;
          Begun last = std::move(found->second);
          begun.erase(found);
          line.at = last.at;
          line.text = last.text;
          line.end = last.end;
          const bool more = each(line);
          line.open = false;
          return more;
        };
        if (piece.left_out > 0 || piece.lost > 0) {
          if (!tell_begun()) return false;
          line.at = piece.at;
          line.text = {};
          line.end = piece.from;
          line.left_out = piece.left_out;
          line.lost = piece.lost;
          line.why = piece.why;
          if (!each(line)) return false;
          line.left_out = line.lost = 0;
          line.why.clear();
        }
        std::string_view bytes = piece.bytes;
        const auto behind = [&](std::string_view left) { return piece.from + (piece.bytes.size() - left.size()); };
        for (std::size_t end; (end = bytes.find('\n')) != bytes.npos; bytes.remove_prefix(end + 1)) {
          auto found = begun.find(piece.source);
          if (found != begun.end()) {
            found->second.text += bytes.substr(0, end);
            found->second.end = behind(bytes) + end + 1;
            if (!tell_begun()) return false;
            continue;
          }
          line.at = piece.at;
          line.text = bytes.substr(0, end);
          line.end = behind(bytes) + end + 1;
          if (!each(line)) return false;
        }
        if (!bytes.empty()) {
          auto [found, fresh] = begun.try_emplace(piece.source);
          if (fresh) found->second.at = piece.at;
          found->second.text += bytes;
          found->second.end = piece.from + piece.bytes.size();
        }
        line.open = piece.last;
        return !piece.last || tell_begun();
      },
      known);
}

}  // namespace flowrun
