#include "engine/executor/unpack.h"

#include <zlib.h>

#include <array>

#include "engine/executor/libcurl.h"

namespace flowrun {

struct Unpacker::Stream : z_stream {};

Unpacker::~Unpacker() {
  if (!stream_) return;
  zlib().inflateEnd(stream_);
  delete stream_;
}

Unpacker::State Unpacker::take(std::string_view bytes, const Sink& sink) {
  if (bytes.empty()) return State::Good;
  if (!stream_) {
    stream_ = new Stream{};
    // 32 more than the largest window: gzip or zlib, as the first bytes say.
    if (zlib().inflateInit2_(stream_, MAX_WBITS + 32, ZLIB_VERSION, static_cast<int>(sizeof(z_stream))) != Z_OK)
      return State::Broken;
  }
  stream_->next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream_->avail_in = static_cast<uInt>(bytes.size());
  std::array<char, 16384> buffer;
  for (;;) {
    if (at_end_) {
      if (stream_->avail_in == 0) return State::Good;
      // RFC 1952, 2.2: one file may follow the other.
      if (zlib().inflateReset(stream_) != Z_OK) return State::Broken;
      at_end_ = false;
    }
    stream_->next_out = reinterpret_cast<Bytef*>(buffer.data());
    stream_->avail_out = static_cast<uInt>(buffer.size());
    const int said = zlib().inflate(stream_, Z_NO_FLUSH);
    const std::size_t got = buffer.size() - stream_->avail_out;
    if (got > 0 && !sink({buffer.data(), got})) return State::Refused;
    if (said != Z_OK && said != Z_STREAM_END && said != Z_BUF_ERROR) return State::Broken;
    at_end_ = said == Z_STREAM_END;
    if (!at_end_ && stream_->avail_in == 0 && stream_->avail_out > 0) return State::Good;
    if (said == Z_BUF_ERROR && got == 0) return State::Good;
  }
}

}  // namespace flowrun
