// Text as it should be, kept in files. ./dev accept rewrites them; the diff is read in review.
#pragma once

#include <string>

namespace flowrun::test {

/// Compares |text| with the file tests/goldens/|name|; with FLOWRUN_ACCEPT=1 writes it. The test that calls this is
/// tagged [golden], which is what ./dev accept runs.
void check_golden(const std::string& name, const std::string& text);

}  // namespace flowrun::test
