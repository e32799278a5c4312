#include "engine/restate/protobuf.h"

#include "engine/model/error.h"

namespace flowrun::restate {
namespace {

enum Type { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

}  // namespace

void FieldWriter::append_number(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>((value & 0x7f) | 0x80);
  out += static_cast<char>(value);
}

void FieldWriter::number(std::uint32_t field, std::uint64_t value) {
  append_number(out_, field << 3 | kVarint);
  append_number(out_, value);
}

void FieldWriter::bytes(std::uint32_t field, std::string_view value) {
  append_number(out_, field << 3 | kBytes);
  append_number(out_, value.size());
  out_ += value;
}

std::uint64_t FieldReader::take_number() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    if (rest_.empty()) throw Corruption("a number of a message ends early");
    const auto byte = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  throw Corruption("a number of a message has more than 64 bits");
}

std::string_view FieldReader::take_bytes(std::uint64_t count) {
  if (count > rest_.size()) throw Corruption("a field of a message ends early");
  const std::string_view taken = rest_.substr(0, count);
  rest_.remove_prefix(count);
  return taken;
}

bool FieldReader::next() {
  if (rest_.empty()) return false;
  const std::uint64_t tag = take_number();
  if (tag >> 3 == 0 || tag >> 32 != 0) throw Corruption("a message has a field without a number");
  field_ = static_cast<std::uint32_t>(tag >> 3);
  number_ = 0;
  bytes_ = {};
  switch (tag & 7) {
    case kVarint:
      number_ = take_number();
      return true;
    case kBytes:
      bytes_ = take_bytes(take_number());
      return true;
    case kFixed64:
      take_bytes(8);
      return true;
    case kFixed32:
      take_bytes(4);
      return true;
    default:
      throw Corruption("a message has a field of an unknown type");
  }
}

}  // namespace flowrun::restate
