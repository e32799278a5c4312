// Catch2, whichever of its versions 2 and 3 the distribution has.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
namespace flowrun::test {
using Catch::Matchers::ContainsSubstring;
}
#else
#include <catch2/catch.hpp>
namespace flowrun::test {
inline auto ContainsSubstring(const std::string& text) { return Catch::Contains(text); }
}  // namespace flowrun::test
#endif
