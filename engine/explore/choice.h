// What happens next in a run, as it is chosen: an attempt ends in some way, a timer fires, somebody says something, the
// process dies. A schedule is a list of such choices, and has a text. Knows no run.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/model/event.h"

namespace flowrun {

struct Choice {
  enum class Kind : std::uint8_t {
    Ends,    ///< the attempt at |path| ends as |how| says
    Fires,   ///< nothing ends until |timer| of |path| fires
    Says,    ///< the signal comes that |path| waits for; |how| is `no` for a refusal
    Dies,    ///< the process dies when |entries| are written, and somebody resumes the run
    Cancels  ///< somebody cancels the run
  };
  /// What holds for the rest of the run, too. Only of those that the search makes.
  enum class Then : std::uint8_t {
    Nothing,
    Again,  ///< later attempts of the step end in the same way
    Slow,   ///< the attempt does not end while anything else does
    Hangs   ///< nor before a timer fires
  };
  Kind kind = Kind::Ends;
  Then then = Then::Nothing;
  TimerKind timer = TimerKind::Timeout;
  bool done = false;                    ///< Dies: what was in flight has been done, and its end is not known
  OnCrash on_crash = OnCrash::Default;  ///< Dies: what is said of steps that ask
  std::uint32_t entries = 0;
  std::string path;
  std::string how;  ///< Ends: empty: well; `ok2`: with the second answer; `again`: a poll goes on; else a type of error
};

/// `ship=http.503`, `fraud@deadline`, `approval=no`, `:crash@13:done`, `:cancel`. Without blanks.
std::string word_of(const Choice& choice);

/// The words of a schedule's text.
std::vector<std::string> words_of(std::string_view text);

}  // namespace flowrun
