// The commands that messages tell people to type. Knows where a journal is looked for; nothing of what commands do.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace flowrun {

/// |word| as one word of a POSIX shell: as it is, or in single quotes.
std::string shell_word(std::string_view word);

/// Of a copy at |journal| of a run that is elsewhere, commands say |words| instead: they are about the run itself. One
/// copy a process.
void tell_of_copy(const std::string& journal, const std::vector<std::string>& words);

/// `flowrun WORDS...` for the journal file at |journal|: works as it is printed, from the folder and with the
/// environment that this process has. It names the journal only where the usual search does not find that file.
/// |journal| empty: the command needs none.
std::string typed_command(const std::vector<std::string>& words, const std::string& journal = "");

}  // namespace flowrun
