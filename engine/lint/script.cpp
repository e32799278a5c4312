#include "engine/lint/script.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>

namespace flowrun {
namespace {

bool is_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }
bool ends_word(char c) { return std::string_view(" \t\n;&|()<>").find(c) != std::string_view::npos; }

class Scan {
 public:
  explicit Scan(std::string_view script) : text_(script) {}

  std::vector<Dollar> run() {
    while (i_ < text_.size()) {
      if (levels_.back().context == Context::Double) {
        in_double_quotes();
      } else {
        in_code();
      }
    }
    return std::move(found_);
  }

 private:
  enum class Context { Code, Double, Array, Arithmetic };
  struct Level {
    Context context = Context::Code;
    char close = 0;            ///< what ends it
    std::size_t word = 0;      ///< where the current word began
    std::string_view command;  ///< the first word of the current command
    bool in_word = false;
  };
  struct Here {
    std::string end;
    bool copied;
    bool tabs;
  };

  char at(std::size_t i) const { return i < text_.size() ? text_[i] : '\0'; }
  bool starts(std::string_view with) const { return text_.substr(i_, with.size()) == with; }

  void open(Context context, char close, std::size_t length) {
    begin_word();
    levels_.push_back({context, close, i_ + length, {}, false});
    i_ += length;
  }

  void begin_word() {
    Level& level = levels_.back();
    if (!level.in_word) level.word = i_;
    level.in_word = true;
  }

  void end_word() {
    Level& level = levels_.back();
    if (!level.in_word) return;
    level.in_word = false;
    std::string_view word = text_.substr(level.word, i_ - level.word);
    // Behind these a command begins.
    static constexpr std::array<std::string_view, 10> kBefore{"if",    "then", "else", "elif", "while",
                                                              "until", "do",   "!",    "time", "{"};
    bool assigns = is_assignment(word);
    if (level.command == "[[" && word == "]]") {
      level.command = {};
    } else if (level.command.empty() && !assigns && std::find(kBefore.begin(), kBefore.end(), word) == kBefore.end()) {
      level.command = word;
    }
  }

  static bool is_assignment(std::string_view word) {
    std::size_t n = 0;
    while (n < word.size() && is_name(word[n])) ++n;
    if (n == 0 || std::isdigit(static_cast<unsigned char>(word[0]))) return false;
    return word.substr(n, 1) == "=" || word.substr(n, 2) == "+=";
  }

  void in_code() {
    Level& level = levels_.back();
    char c = text_[i_];
    if (level.close && c == level.close && closes()) {
      end_word();
      bool arithmetic = level.context == Context::Arithmetic;
      levels_.pop_back();
      i_ += arithmetic ? 2 : 1;
    } else if (c == '\\') {
      begin_word();
      i_ += 2;
    } else if (c == '\'') {
      begin_word();
      ++i_;
      while (i_ < text_.size() && text_[i_] != '\'') {
        if (text_[i_] == '$') tell(Dollar::Where::Quoted);
        ++i_;
      }
      ++i_;
    } else if (c == '"') {
      open(Context::Double, '"', 1);
    } else if (c == '`') {
      open(Context::Code, '`', 1);
    } else if (c == '#' && !level.in_word) {
      while (i_ < text_.size() && text_[i_] != '\n') ++i_;
    } else if (c == '$') {
      dollar();
    } else if (starts("<<<")) {
      end_word();
      i_ += 3;
      while (at(i_) == ' ') ++i_;
      levels_.back().in_word = false;
      here_string_ = i_;
    } else if (starts("<<") && level.context == Context::Code) {
      here_document();
    } else if (starts("((") && level.command.empty() && !level.in_word) {
      open(Context::Arithmetic, ')', 2);
    } else if (c == '(') {
      bool array = i_ > 0 && text_[i_ - 1] == '=';
      bool sums = level.context == Context::Arithmetic;
      open(array || sums ? Context::Array : Context::Code, ')', 1);
    } else if (ends_word(c)) {
      end_word();
      if (c == '\n' || c == ';' || c == '&' || c == '|') levels_.back().command = {};
      ++i_;
      if (c == '\n') here_bodies();
    } else {
      begin_word();
      ++i_;
    }
  }

  /// `))` ends what `((` began.
  bool closes() const { return levels_.back().context != Context::Arithmetic || at(i_ + 1) == ')'; }

  void in_double_quotes() {
    char c = text_[i_];
    if (c == '"') {
      levels_.pop_back();
      ++i_;
    } else if (c == '\\') {
      i_ += 2;
    } else if (c == '`') {
      open(Context::Code, '`', 1);
    } else if (c == '$') {
      dollar();
    } else {
      ++i_;
    }
  }

  void dollar() {
    begin_word();
    tell(splits() ? Dollar::Where::Split : Dollar::Where::Whole);
    if (starts("$((")) {
      open(Context::Arithmetic, ')', 3);
    } else if (starts("$(")) {
      open(Context::Code, ')', 2);
    } else if (starts("$'")) {
      for (i_ += 2; i_ < text_.size() && text_[i_] != '\''; ++i_) i_ += text_[i_] == '\\' ? 1 : 0;
      ++i_;
    } else {
      i_ += found_.back().length;
    }
  }

  bool splits() const {
    // These take their words apart on purpose, or never do.
    static constexpr std::array<std::string_view, 6> kOther{"for", "select", "case", "[[", "set", "read"};
    static constexpr std::array<std::string_view, 5> kDeclare{"export", "local", "declare", "readonly", "typeset"};
    const Level& level = levels_.back();
    if (level.context != Context::Code || here_string_ == level.word) return false;
    if (std::find(kOther.begin(), kOther.end(), level.command) != kOther.end()) return false;
    bool may_assign =
        level.command.empty() || std::find(kDeclare.begin(), kDeclare.end(), level.command) != kDeclare.end();
    return !(may_assign && is_assignment(text_.substr(level.word, i_ - level.word)));
  }

  void tell(Dollar::Where where) {
    Dollar dollar{i_, where, {}, 1};
    bool brace = at(i_ + 1) == '{';
    std::size_t from = i_ + (brace ? 2 : 1), to = from;
    while (to < text_.size() && is_name(text_[to])) ++to;
    bool named = to > from && !std::isdigit(static_cast<unsigned char>(text_[from]));
    if (named && (!brace || at(to) == '}')) {
      dollar.name = text_.substr(from, to - from);
      dollar.length = to - i_ + (brace ? 1 : 0);
    }
    found_.push_back(dollar);
  }

  void here_document() {
    end_word();
    i_ += 2;
    Here here{"", false, false};
    if (at(i_) == '-') {
      here.tabs = true;
      ++i_;
    }
    while (at(i_) == ' ' || at(i_) == '\t') ++i_;
    for (; i_ < text_.size() && !ends_word(text_[i_]); ++i_) {
      bool quote = text_[i_] == '\'' || text_[i_] == '"' || text_[i_] == '\\';
      here.copied = here.copied || quote;
      if (!quote) here.end += text_[i_];
    }
    if (!here.end.empty()) heres_.push_back(std::move(here));
  }

  void here_bodies() {
    for (const Here& here : heres_) {
      while (i_ < text_.size()) {
        std::size_t end = std::min(text_.find('\n', i_), text_.size());
        std::string_view line = text_.substr(i_, end - i_);
        if (here.tabs) line.remove_prefix(std::min(line.find_first_not_of('\t'), line.size()));
        bool last = line == here.end;
        for (; i_ < end; ++i_)
          if (!last && text_[i_] == '$') tell(here.copied ? Dollar::Where::Copied : Dollar::Where::Whole);
        i_ = end + 1;
        if (last) break;
      }
    }
    heres_.clear();
  }

  std::string_view text_;
  std::size_t i_ = 0;
  std::size_t here_string_ = std::string_view::npos;  ///< where the word behind `<<<` begins
  std::vector<Level> levels_ = std::vector<Level>(1);
  std::vector<Here> heres_;
  std::vector<Dollar> found_;
};

}  // namespace

std::vector<Dollar> dollars_of(std::string_view script) { return Scan(script).run(); }

bool is_shell(std::string_view program) {
  static constexpr std::array<std::string_view, 6> kShells{"sh", "bash", "dash", "ash", "ksh", "busybox"};
  if (std::size_t slash = program.rfind('/'); slash != std::string_view::npos) program.remove_prefix(slash + 1);
  return std::find(kShells.begin(), kShells.end(), program) != kShells.end();
}

}  // namespace flowrun
