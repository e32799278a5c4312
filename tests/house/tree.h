// The tree of the repository as text: its files, and what of a source is code and what is comment. Judges nothing.
#pragma once

#include <string>
#include <vector>

namespace flowrun::test {

/// The folder of the tree that is looked at: $FLOWRUN_HOUSE where it is set (`./dev check` sets it to what is staged),
/// else that of the sources.
std::string house_root();

/// Paths of all files from the top of the tree, in order; what builds and runs leave behind is not among them.
std::vector<std::string> house_files();

std::string content_of(const std::string& file);

struct Comment {
  int line = 1;      ///< from 1
  std::string text;  ///< of one line, with its `//` or `#`
};

/// A C++ source taken apart: what is in quotes is in neither of the two.
struct SourceText {
  std::string code;
  std::vector<Comment> comments;
};
SourceText take_apart(const std::string& text);

/// Columns of |line|, by code points.
std::size_t columns(const std::string& line);

std::vector<std::string> lines_of(const std::string& text);

}  // namespace flowrun::test
