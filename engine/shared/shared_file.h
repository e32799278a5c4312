// What drives on the same journal share: the file `JOURNAL-shared`, its locks and its rates. Knows neither runs nor
// tasks; who stands in line for what is said by shared_line.h.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace flowrun {

/// The file of what drives on the journal at |journal| share.
std::string shared_file_of(const std::string& journal);

/// An open file of its own for each object: its locks are OFD locks, so that two drives of one process wait for each
/// other, too. They end with the process, however it ends: what it starts has no descriptor of the file. One thread at
/// a time.
class SharedFile {
 public:
  /// Made, 0600, when missing. Throws Error(Journal) when what stands there is not simply a file that may be written.
  explicit SharedFile(std::string path);
  ~SharedFile();
  SharedFile(const SharedFile&) = delete;
  SharedFile& operator=(const SharedFile&) = delete;

  /// Which file it is, by whatever name it is opened.
  struct Identity {
    std::uint64_t device = 0, inode = 0;
    bool operator==(const Identity&) const = default;
  };
  const Identity& identity() const { return identity_; }

  /// False: somebody else has that byte. Never waits.
  bool lock(std::int64_t byte);
  void unlock(std::int64_t byte);

  /// Bytes, from |begin| up to |end|.
  struct Range {
    std::int64_t begin, end;
  };
  /// What others have of |range|, in no order, and adjacent bytes of one holder together.
  std::vector<Range> locked(Range range) const;

  // What stands in the file. False: it can not be read, or not be written.
  bool read(std::int64_t at, void* bytes, std::size_t size) const;
  bool write(std::int64_t at, const void* bytes, std::size_t size);

 private:
  const std::string path_;
  int descriptor_;
  Identity identity_;
};

/// Of 2^61 bytes behind all areas the one that |number| stands for.
std::int64_t shared_mark(std::uint64_t number);

/// Where the bytes are that belong to |name|: of 2^36 areas of 2^24 bytes each, behind all content of the file.
/// |what|: tells names of one kind apart from those of another.
std::int64_t shared_area(std::string_view what, std::string_view name);

}  // namespace flowrun
