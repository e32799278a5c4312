// Finds secrets in what comes back from the world and writes *** instead. Knows their values and the forms in which
// they turn up; not where the text comes from.
#pragma once

#include <bitset>
#include <cstdint>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace flowrun {

/// What to look for. Filled before threads share it, and only read from then on, unless it was let grow.
class Mask {
 public:
  /// Shorter ones are not looked for: masking `test` everywhere tells what the secret is.
  static constexpr std::size_t kShortest = 6;

  /// Looks for |secret|, each of its lines, each text in it when it is JSON; all of them also as base64 (also in the
  /// midst of more), percent-encoded and escaped in JSON.
  void add(const std::string& secret);
  /// Threads may add to it from now on while others use it.
  void let_grow() { grows_ = std::make_shared<std::shared_mutex>(); }
  bool empty() const {
    const auto lock = look();
    return patterns_.empty();
  }

  /// |cut|: the text goes on behind; what may be the beginning of a secret at its end is masked as well.
  std::string text(std::string_view text, bool cut = false) const;
  /// |json| is the text of a JSON value, and stays one: strings are masked as what they say, and a number that is a
  /// secret becomes a string.
  std::string json(std::string_view json) const;

  /// Text that comes in pieces. It keeps back what may be the beginning of a secret.
  class Stream {
   public:
    explicit Stream(const Mask& mask) : mask_(mask) {}
    /// What can be let through by now. Valid until the next call.
    std::string_view pass(std::string_view piece);
    /// What is left, when nothing more comes.
    std::string_view rest();

   private:
    std::string_view let(std::size_t end);

    const Mask& mask_;
    std::string held_, out_;
    std::size_t covered_ = 0;  ///< so many bytes of |held_| belong to a secret that is masked already
    bool starred_ = false;     ///< what was let through ends with stars
  };

 private:
  struct Span {
    std::size_t from, to;
  };
  void add_forms(const std::string& secret);
  void add_pattern(std::string pattern);
  /// What is to be masked, in order, without overlaps; |covered| bytes at the beginning are.
  std::vector<Span> find(std::string_view text, std::size_t covered = 0) const;
  /// From where on |text| may be the beginning of a secret; its size when it is none.
  std::size_t open_from(std::string_view text) const;

  std::shared_lock<std::shared_mutex> look() const {
    return grows_ ? std::shared_lock(*grows_) : std::shared_lock<std::shared_mutex>();
  }

  std::shared_ptr<std::shared_mutex> grows_;  ///< null: it does not
  std::vector<std::string> patterns_;
  std::size_t longest_ = 0;
  std::bitset<65536> begins_;  ///< by a hash of the first four bytes: most of a text is passed over by one look
  std::unordered_map<std::uint16_t, std::vector<std::uint32_t>> by_start_;
};

}  // namespace flowrun
