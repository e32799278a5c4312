#include "engine/expression/pattern_syntax.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "engine/expression/pattern.h"

namespace flowrun {
namespace {

constexpr char32_t kHighest = 0x10FFFF;

// ECMA-262, WhiteSpace and LineTerminator; RE2's \s has six of them.
constexpr const char* kSpace =
    R"(\t-\r \x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff})";
constexpr const char* kNoSpace =
    R"(\x{0}-\x{8}\x{e}-\x{1f}!-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}\x{200b}-\x{2027}\x{202a}-\x{202e}\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{fefe}\x{ff00}-\x{10ffff})";

// Unicode's long names of the general categories; RE2 knows the short ones.
constexpr std::array<std::pair<std::string_view, std::string_view>, 14> kCategories{{{"Letter", "L"},
                                                                                     {"Uppercase_Letter", "Lu"},
                                                                                     {"Lowercase_Letter", "Ll"},
                                                                                     {"Titlecase_Letter", "Lt"},
                                                                                     {"Modifier_Letter", "Lm"},
                                                                                     {"Other_Letter", "Lo"},
                                                                                     {"Mark", "M"},
                                                                                     {"Number", "N"},
                                                                                     {"Decimal_Number", "Nd"},
                                                                                     {"digit", "Nd"},
                                                                                     {"Punctuation", "P"},
                                                                                     {"Symbol", "S"},
                                                                                     {"Separator", "Z"},
                                                                                     {"Other", "C"}}};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// One pass over the pattern that writes it in RE2's syntax.
class Translation {
 public:
  explicit Translation(std::string_view ecma) : in_(ecma) {}

  std::string whole() {
    while (i_ < in_.size()) piece();
    if (!open_.empty()) refuse(open_.back(), "`(` is never closed");
    return std::move(out_);
  }

 private:
  /// A character, or a set of them such as \d.
  struct Atom {
    char32_t one = 0;
    std::string set;
  };

  [[noreturn]] static void refuse(std::size_t at, std::string message) { throw PatternError{at, std::move(message)}; }

  bool at(std::string_view text) const { return in_.substr(i_, text.size()) == text; }

  void piece() {
    const char c = in_[i_];
    switch (c) {
      case '\\':
        return escape();
      case '[':
        return bracket();
      case '(':
        return group();
      case ')':
        if (open_.empty()) refuse(i_, "`)` closes nothing");
        open_.pop_back();
        break;
      case '.':
        ++i_;
        out_ += R"([^\n\r\x{2028}\x{2029}])";
        repeatable_ = true;
        return;
      case '*':
      case '+':
      case '?':
        return repeat(1);
      case '{':
        if (std::size_t length = bounds()) return repeat(length);
        return literal(character());
      case '^':
      case '$':
      case '|':
        repeatable_ = false;
        out_ += c;
        ++i_;
        return;
      default:
        return literal(character());
    }
    out_ += c;
    ++i_;
    repeatable_ = true;
  }

  void literal(char32_t one) {
    put(out_, one);
    repeatable_ = true;
  }

  /// Takes the character that stands here; a text that is not UTF-8 is not compiled.
  char32_t character() {
    const auto lead = static_cast<unsigned char>(in_[i_++]);
    if (lead < 0x80) return lead;
    const int more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
    char32_t one = lead & (0x3F >> more);
    for (int k = 0; k < more && i_ < in_.size(); ++k) one = one << 6 | (static_cast<unsigned char>(in_[i_++]) & 0x3F);
    return one;
  }

  static void put(std::string& out, char32_t one) {
    if (one < 0x80 && (is_letter(static_cast<char>(one)) || is_digit(static_cast<char>(one)))) {
      out += static_cast<char>(one);
    } else {
      out += fmt::format("\\x{{{:x}}}", static_cast<std::uint32_t>(one));
    }
  }

  /// The length of `{2}`, `{2,}` or `{2,3}` that stands here, or 0.
  std::size_t bounds() const {
    std::size_t end = i_ + 1;
    auto digits = [&] {
      const std::size_t from = end;
      while (end < in_.size() && is_digit(in_[end])) ++end;
      return end > from;
    };
    if (!digits()) return 0;
    if (end < in_.size() && in_[end] == ',') {
      ++end;
      digits();
    }
    return end < in_.size() && in_[end] == '}' ? end + 1 - i_ : 0;
  }

  void repeat(std::size_t length) {
    if (!repeatable_) refuse(i_, fmt::format("there is nothing that `{}` could repeat", in_.substr(i_, length)));
    if (length > 1) {
      // RE2 writes what is repeated as often as it may be.
      const std::string_view inside = in_.substr(i_ + 1, length - 2);
      int least = -1, most = -1;
      for (std::size_t from = 0; from <= inside.size();) {
        const std::size_t comma = std::min(inside.find(',', from), inside.size());
        const std::string_view number = inside.substr(from, comma - from);
        int value = 0;
        for (char digit : number) value = std::min(value * 10 + (digit - '0'), 100'000);
        if (value > 1000) refuse(i_, fmt::format("`{}` repeats more than 1000 times", in_.substr(i_, length)));
        if (!number.empty()) (from == 0 ? least : most) = value;
        from = comma + 1;
      }
      if (most >= 0 && most < least)
        refuse(i_, fmt::format("`{}` has its numbers in the wrong order", in_.substr(i_, length)));
    }
    out_ += in_.substr(i_, length);
    i_ += length;
    if (i_ < in_.size() && in_[i_] == '?') {
      out_ += '?';
      ++i_;
    }
    repeatable_ = false;
  }

  void group() {
    const std::size_t from = i_;
    if (at("(?=") || at("(?!")) refuse(from, "looking ahead is not available: it takes more than linear time");
    if (at("(?<=") || at("(?<!")) refuse(from, "looking behind is not available: it takes more than linear time");
    if (at("(?:")) {
      out_ += "(?:";
      i_ += 3;
    } else if (at("(?<")) {
      const std::size_t end = in_.find('>', i_);
      if (end == in_.npos) refuse(from, "the name of this group is never closed by `>`");
      out_ += '(';
      i_ = end + 1;
    } else if (at("(?")) {
      refuse(from, "a group begins with `(`, `(?:` or `(?<name>`; there are no flags");
    } else {
      out_ += '(';
      ++i_;
    }
    open_.push_back(from);
    repeatable_ = false;
  }

  /// Outside of brackets.
  void escape() {
    const char next = i_ + 1 < in_.size() ? in_[i_ + 1] : '\0';
    if (next == 'b' || next == 'B') {
      out_ += in_.substr(i_, 2);
      i_ += 2;
      repeatable_ = false;
      return;
    }
    if (next >= '1' && next <= '9')
      refuse(i_, fmt::format("`\\{}`: what a group has matched can not be referred to: it takes more than linear time",
                             next));
    if (next == 'k') refuse(i_, "`\\k`: what a group has matched can not be referred to");
    Atom atom = escaped();
    if (atom.set.empty()) return literal(atom.one);
    out_ += '[' + atom.set + ']';
    repeatable_ = true;
  }

  /// What the escape that begins here means, inside of brackets and outside.
  Atom escaped() {
    const std::size_t from = i_++;
    if (i_ == in_.size()) refuse(from, "`\\` ends the pattern");
    const char c = in_[i_];
    auto taken = [&](Atom atom) {
      ++i_;
      return atom;
    };
    switch (c) {
      case 'd':
        return taken({0, "0-9"});
      case 'D':
        return taken({0, R"(\x{0}-/:-\x{10ffff})"});
      case 'w':
        return taken({0, "0-9A-Za-z_"});
      case 'W':
        return taken({0, R"(\x{0}-/:-@\x{5b}-\x{5e}`\x{7b}-\x{10ffff})"});
      case 's':
        return taken({0, kSpace});
      case 'S':
        return taken({0, kNoSpace});
      case 't':
        return taken({'\t', ""});
      case 'n':
        return taken({'\n', ""});
      case 'v':
        return taken({'\v', ""});
      case 'f':
        return taken({'\f', ""});
      case 'r':
        return taken({'\r', ""});
      case '0':
        if (i_ + 1 < in_.size() && is_digit(in_[i_ + 1]))
          refuse(from, "there are no octal escapes; write `\\x` and two digits");
        return taken({0, ""});
      case 'c':
        if (i_ + 1 == in_.size() || !is_letter(in_[i_ + 1])) refuse(from, "`\\c` needs a letter behind it");
        i_ += 2;
        return {static_cast<char32_t>(in_[i_ - 1] & 0x1F), ""};
      case 'x':
        ++i_;
        return {hexadecimal(from, 2), ""};
      case 'u':
        ++i_;
        return {unicode(from), ""};
      case 'p':
      case 'P':
        return property(from);
      default:
        if (is_letter(c) || is_digit(c)) refuse(from, fmt::format("`\\{}` means nothing here", c));
        return {character(), ""};
    }
  }

  char32_t hexadecimal(std::size_t from, int digits) {
    char32_t value = 0;
    for (int k = 0; k < digits; ++k, ++i_) {
      const char c = i_ < in_.size() ? static_cast<char>(in_[i_] | 0x20) : 'z';
      if (!is_digit(c) && (c < 'a' || c > 'f'))
        refuse(from, fmt::format("`{}` needs {} hexadecimal digits behind it", in_.substr(from, 2), digits));
      value = value * 16 + static_cast<char32_t>(is_digit(c) ? c - '0' : c - 'a' + 10);
    }
    return value;
  }

  char32_t unicode(std::size_t from) {
    if (i_ < in_.size() && in_[i_] == '{') {
      const std::size_t end = std::min(in_.find('}', i_), in_.size());
      const int digits = static_cast<int>(end - i_) - 1;
      if (end == in_.size() || digits < 1 || digits > 6)
        refuse(from, "`\\u{` needs up to six hexadecimal digits and `}`");
      ++i_;
      const char32_t one = hexadecimal(from, digits);
      ++i_;
      if (one > kHighest) refuse(from, "there is no such character");
      return one;
    }
    char32_t one = hexadecimal(from, 4);
    if (one >= 0xD800 && one < 0xDC00 && at("\\u")) {
      i_ += 2;
      const char32_t low = hexadecimal(i_ - 2, 4);
      if (low < 0xDC00 || low > 0xDFFF) refuse(from, "this is half of a character");
      one = 0x10000 + ((one - 0xD800) << 10) + (low - 0xDC00);
    } else if (one >= 0xD800 && one <= 0xDFFF) {
      refuse(from, "this is half of a character");
    }
    return one;
  }

  /// `\p{L}`, `\p{Letter}`, `\p{Script=Greek}`, `\p{gc=Lu}`.
  Atom property(std::size_t from) {
    const std::string kind(in_.substr(i_++, 1));
    const std::size_t end = i_ < in_.size() && in_[i_] == '{' ? in_.find('}', i_) : in_.npos;
    if (end == in_.npos) refuse(from, fmt::format("write `\\{}{{...}}`", kind));
    std::string_view name = in_.substr(i_ + 1, end - i_ - 1);
    i_ = end + 1;
    if (const std::size_t equals = name.find('='); equals != name.npos) {
      const std::string_view of = name.substr(0, equals);
      if (of != "Script" && of != "sc" && of != "General_Category" && of != "gc")
        refuse(from, fmt::format("no property `{}`; there are Script and General_Category", of));
      name.remove_prefix(equals + 1);
    }
    for (auto [full, brief] : kCategories)
      if (name == full) name = brief;
    std::string set = fmt::format("\\{}{{{}}}", kind, name);
    re2::RE2::Options quiet;
    quiet.set_log_errors(false);
    if (name.empty() || name[0] == '^' || name == "Any" || !re2::RE2(set, quiet).ok())
      refuse(from, fmt::format("no general category or script `{}`", name));
    return {0, std::move(set)};
  }

  /// One atom within brackets.
  Atom member() {
    if (in_[i_] != '\\') return {character(), ""};
    if (at("\\b")) {
      i_ += 2;
      return {'\b', ""};
    }
    if (at("\\B") || (i_ + 1 < in_.size() && in_[i_ + 1] >= '1' && in_[i_ + 1] <= '9'))
      refuse(i_, fmt::format("`{}` means nothing within `[`", in_.substr(i_, 2)));
    return escaped();
  }

  void bracket() {
    const std::size_t from = i_++;
    const bool negated = at("^");
    if (negated) ++i_;
    std::string set;
    for (;;) {
      if (i_ == in_.size()) refuse(from, "`[` is never closed");
      if (in_[i_] == ']') break;
      const std::size_t start = i_;
      Atom low = member();
      const bool range = low.set.empty() && at("-") && i_ + 1 < in_.size() && in_[i_ + 1] != ']';
      if (!range) {
        put(set, low);
        continue;
      }
      ++i_;
      Atom high = member();
      if (!high.set.empty()) {
        // `[a-\d]`: no range, but three things.
        put(set, low);
        put(set, Atom{'-', ""});
        put(set, high);
        continue;
      }
      if (high.one < low.one) refuse(start, fmt::format("`{}` is the wrong way round", in_.substr(start, i_ - start)));
      put(set, low.one);
      set += '-';
      put(set, high.one);
    }
    ++i_;
    if (set.empty()) {
      // `[]` matches nothing, `[^]` everything.
      out_ += negated ? R"([\x{0}-\x{10ffff}])" : R"([^\x{0}-\x{10ffff}])";
    } else {
      out_ += (negated ? "[^" : "[") + set + ']';
    }
    repeatable_ = true;
  }

  static void put(std::string& out, const Atom& atom) {
    if (atom.set.empty()) {
      put(out, atom.one);
    } else {
      out += atom.set;
    }
  }

  std::string_view in_;
  std::size_t i_ = 0;
  std::string out_;
  std::vector<std::size_t> open_;  ///< `(`
  bool repeatable_ = false;        ///< what stands before
};

}  // namespace

std::string in_re2_syntax(std::string_view ecma) { return Translation(ecma).whole(); }

}  // namespace flowrun
