// The two sides of members(archive, what): one writes the members of a fact or decision into an entry, one reads them.
// Each kind says its members once, for both. Only for the files of this room; knows no kinds.
//
// Text is appended and read in slices, never by way of a tree: a run has two entries a step. Reading ignores members
// that it does not know, and what is missing keeps its default: older versions wrote less, newer ones write more.
#pragma once

#include <fmt/format.h>

#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "engine/model/entry.h"
#include "engine/model/error.h"
#include "engine/model/failure_text.h"
#include "engine/model/json_text.h"

namespace flowrun {

/// What members() has of |T|: a reader fills it, a writer only looks.
template <class Archive, class T>
using Of = std::conditional_t<Archive::kReads, T, const T>;

/// The words of FailFast and OnCrash, by their numbers.
constexpr std::array<std::string_view, 4> kFailFastWords = {"inherit", "cancel", "drain", "continue"};
constexpr std::array<std::string_view, 4> kOnCrashWords = {"default", "rerun", "ask", "fail"};

inline std::string_view to_string(FailFast word) { return kFailFastWords[static_cast<std::size_t>(word)]; }
inline std::string_view to_string(OnCrash word) { return kOnCrashWords[static_cast<std::size_t>(word)]; }

template <class Enum, std::size_t n>
Enum enum_from(const std::array<std::string_view, n>& words, const std::string& word) {
  for (std::size_t i = 0; i < n; ++i)
    if (words[i] == word) return static_cast<Enum>(i);
  throw Corruption(fmt::format("unknown word '{}'", word));
}

inline void read_word(const std::string& word, FailFast& to) { to = enum_from<FailFast>(kFailFastWords, word); }
inline void read_word(const std::string& word, OnCrash& to) { to = enum_from<OnCrash>(kOnCrashWords, word); }
inline void read_word(const std::string& word, State& to) { to = state_from(word); }
inline void read_word(const std::string& word, TimerKind& to) {
  for (TimerKind kind : kTimerKinds)
    if (to_string(kind) == word) return static_cast<void>(to = kind);
  throw Corruption(fmt::format("unknown timer '{}'", word));
}

template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};
template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};

/// Writes into an entry, or into the text of an object within one.
class MemberWriter {
 public:
  static constexpr bool kReads = false;
  explicit MemberWriter(Entry& entry) : entry_(&entry), data_(entry.data) {}
  explicit MemberWriter(std::string& object) : data_(object) {}

  // The columns beside the data.
  void path(const std::string& from) { entry_->path = from; }
  void attempt(int from) { entry_->attempt = from; }
  void value(const Value& from) { entry_->value = from; }

  void always(std::string_view key, const auto& from) { put(data_.member(key), from); }
  /// Left out when it says nothing.
  void unless_empty(std::string_view key, const auto& from) {
    if (!says_nothing(from)) always(key, from);
  }
  void unless(const auto& default_value, std::string_view key, const auto& from) {
    if (from != default_value) always(key, from);
  }
  /// As unless_empty, but for reading: without it the entry says nothing.
  void required(std::string_view key, const auto& from) { always(key, from); }
  /// An instant before that of the entry, as the time between: that takes fewer digits.
  void before(std::string_view key, Instant from) {
    if (from != Instant{}) always(key, std::max(Duration{0}, entry_->at - from));
  }
  /// |append|(text) appends what follows from the other members and is not read again.
  void written(std::string_view key, const auto& append) { append(data_.member(key)); }

 private:
  template <class T>
  static bool says_nothing(const T& from) {
    if constexpr (IsOptional<T>::value)
      return !from;
    else if constexpr (std::is_same_v<T, Value>)
      return from.is_null();
    else if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T>)
      return from == T{};
    else
      return from.empty();
  }

  template <class T>
  static void put(std::string& out, const T& from) {
    if constexpr (std::is_same_v<T, std::string>) {
      append_json_string(out, from);
    } else if constexpr (std::is_same_v<T, bool>) {
      out += from ? "true" : "false";
    } else if constexpr (std::is_arithmetic_v<T>) {
      out += std::to_string(from);
    } else if constexpr (std::is_enum_v<T>) {
      append_json_string(out, to_string(from));
    } else if constexpr (std::is_same_v<T, Duration>) {
      out += std::to_string(from.count());
    } else if constexpr (std::is_same_v<T, Instant>) {
      out += std::to_string(to_millis(from));
    } else if constexpr (std::is_same_v<T, Value>) {
      out += from.text();
    } else if constexpr (std::is_same_v<T, Failure>) {
      append_failure(out, from);
    } else if constexpr (IsOptional<T>::value) {
      put(out, *from);
    } else if constexpr (IsVector<T>::value) {
      out += '[';
      for (std::size_t i = 0; i < from.size(); ++i) {
        if (i > 0) out += ',';
        put(out, from[i]);
      }
      out += ']';
    } else if constexpr (std::is_same_v<T, std::map<std::string, std::string>>) {
      out += Value(Json(from)).text();
    } else {
      MemberWriter object(out);
      members(object, from);
    }
  }

  Entry* entry_ = nullptr;  ///< null within an object
  ObjectWriter data_;
};

/// Reads an entry, or an object within one.
class MemberReader {
 public:
  static constexpr bool kReads = true;
  explicit MemberReader(const Entry& entry) : entry_(&entry), data_(entry.data) {}
  explicit MemberReader(std::string_view object) : data_(object) {}

  /// Fills |what|, which has its defaults. Throws Corruption, or what the library throws, naming the member.
  template <class T>
  void read(T& what) {
    members(*this, what);  // the columns, and what is required
    columns_ = false;
    while (data_.next()) members(*this, what);
    if (!required_.empty()) throw Corruption(fmt::format("it does not say its `{}`", required_));
  }

  void path(std::string& to) {
    if (columns_) to = entry_->path;
  }
  void attempt(int& to) {
    if (columns_) to = entry_->attempt;
  }
  void value(Value& to) {
    if (columns_) to = entry_->value;
  }

  void always(std::string_view key, auto& to) {
    if (columns_ || data_.key() != key) return;
    try {
      get(to);
    } catch (const Corruption& error) {
      throw Corruption(fmt::format("`{}`: {}", key, error.what()));
    } catch (const Json::exception& error) {
      const std::string why = error.what();  // behind the number that the library has for it
      throw Corruption(fmt::format("`{}`: {}", key, why.substr(why.find(']') + 2)));
    }
  }
  void unless_empty(std::string_view key, auto& to) { always(key, to); }
  void unless(const auto&, std::string_view key, auto& to) { always(key, to); }
  void required(std::string_view key, auto& to) {
    if (columns_) required_ = key;
    if (!columns_ && data_.key() == key) required_ = {};
    always(key, to);
  }
  void before(std::string_view key, Instant& to) {
    Duration span{0};
    always(key, span);
    if (!columns_ && data_.key() == key) to = entry_->at - span;
  }
  void written(std::string_view, const auto&) {}

 private:
  template <class T>
  void get(T& to) const {
    if constexpr (std::is_same_v<T, std::string>) {
      to = data_.text();
    } else if constexpr (std::is_same_v<T, bool>) {
      to = data_.boolean();
    } else if constexpr (std::is_same_v<T, int>) {
      to = data_.integer();
    } else if constexpr (std::is_arithmetic_v<T>) {
      const std::int64_t number = data_.number();
      if (std::is_unsigned_v<T> && number < 0) throw Corruption(fmt::format("it can not be {}", number));
      to = static_cast<T>(number);
    } else if constexpr (std::is_enum_v<T>) {
      read_word(data_.text(), to);
    } else if constexpr (std::is_same_v<T, Duration>) {
      to = Duration(data_.number());
    } else if constexpr (std::is_same_v<T, Instant>) {
      to = from_millis(data_.number());
    } else if constexpr (std::is_same_v<T, Value>) {
      to = data_.value();
    } else if constexpr (std::is_same_v<T, Failure>) {
      to = failure_from_text(data_.raw());
    } else if constexpr (IsOptional<T>::value) {
      get(to.emplace());
    } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
      to.clear();
      for (std::string_view element : list_elements(data_.raw())) to.push_back(string_of(element));
    } else if constexpr (std::is_same_v<T, std::vector<int>>) {
      to = data_.value().json().get<T>();
    } else if constexpr (IsVector<T>::value) {
      to.clear();
      for (std::string_view element : list_elements(data_.raw())) MemberReader(element).read(to.emplace_back());
    } else if constexpr (std::is_same_v<T, std::map<std::string, std::string>>) {
      to = data_.value().json().get<T>();
    } else {
      to = {};
      MemberReader(data_.raw()).read(to);
    }
  }

  const Entry* entry_ = nullptr;  ///< null within an object
  ObjectReader data_;
  bool columns_ = true;        ///< those of the entry are read, then its members
  std::string_view required_;  ///< a member that has not come
};

}  // namespace flowrun
