#include "engine/shared/shared_rate.h"

#include <algorithm>

#include "engine/model/hash.h"
#include "engine/model/token_rate.h"
#include "engine/shared/boot.h"

namespace flowrun {
namespace {

using Nanoseconds = std::chrono::nanoseconds;

constexpr std::int64_t kRecords = 256;  // of so many pools; of more the one that rested longest is forgotten
constexpr std::int64_t kKept = 1024;    // dates of the last starts
constexpr std::int64_t kHeadSize = 64;  // with room for more
constexpr std::int64_t kRecordSize = kHeadSize + kKept * static_cast<std::int64_t>(sizeof(std::int64_t));
constexpr std::int64_t kTable = std::int64_t{1} << 60;                         // the byte of who takes a record
constexpr std::int64_t kLongest = Nanoseconds(std::chrono::hours(2)).count();  // no token is so far ahead

}  // namespace

SharedRate::SharedRate(SharedFile& file, std::string_view name)
    : file_(file), name_(hash64(name) | 1), boot_(boot_hash()) {}

std::int64_t SharedRate::now() { return boot_time().count(); }

bool SharedRate::find() {
  if (at_ && file_.read(*at_, &head_, sizeof head_) && head_.name == name_ && head_.boot == boot_) return true;
  at_.reset();
  if (!file_.lock(kTable)) return false;
  std::int64_t oldest = 0, rested = INT64_MAX;
  for (std::int64_t record = 0; record < kRecords; ++record) {
    Head head;
    if (!file_.read(record * kRecordSize, &head, sizeof head)) break;
    if (head.name == name_) {
      at_ = record * kRecordSize;
      head_ = head;
      break;
    }
    const std::int64_t since = head.name == 0 || head.boot != boot_ ? INT64_MIN : head.token;
    if (since >= rested) continue;
    oldest = record * kRecordSize;
    rested = since;
    if (head.name == 0) break;  // all behind it are free, too
  }
  if (!at_ || head_.boot != boot_) {
    if (!at_) at_ = oldest;
    head_ = {name_, boot_, 0, 0};
    if (!file_.write(*at_, &head_, sizeof head_)) at_.reset();
  }
  file_.unlock(kTable);
  return at_.has_value();
}

std::int64_t SharedRate::at_start(std::uint64_t number) const {
  return *at_ + kHeadSize + static_cast<std::int64_t>(number % kKept * sizeof(std::int64_t));
}

std::optional<std::int64_t> SharedRate::opens(std::int64_t rate, Duration per) {
  if (!find()) return std::nullopt;
  // What a write that was cut off has left must not hold anybody up.
  const std::int64_t latest = now() + kLongest;
  std::int64_t at = head_.token <= latest ? head_.token : 0;
  // A faster rate is kept in equal parts of its span, of which the dates of all starts are known.
  const std::int64_t parts = (rate + kKept - 1) / kKept, most = rate / parts;
  std::int64_t before = 0;
  if (head_.starts >= static_cast<std::uint64_t>(most) &&
      file_.read(at_start(head_.starts - static_cast<std::uint64_t>(most)), &before, sizeof before) && before <= latest)
    at = std::max(at, before + Nanoseconds(per).count() / parts);
  return at;
}

bool SharedRate::start(std::int64_t rate, Duration per, std::int64_t now) {
  const std::int64_t token = head_.token <= now + kLongest ? head_.token : 0;
  head_.token = next_token(token, now, rate, per);
  // The date first: cut off between the two, it is one that nobody counts.
  if (!file_.write(at_start(head_.starts), &now, sizeof now)) return false;
  ++head_.starts;
  return file_.write(*at_, &head_, sizeof head_);
}

}  // namespace flowrun
