// Rows of a journal as no flowrun writes them, by chance, with the checksums that such rows would have.
#pragma once

#include <cstdint>
#include <random>
#include <string>

namespace flowrun::test {

/// Changes something in the journal |path|: a column, a member of the data, a row, an order. Returns what, for people.
/// |mended|: the checksums of the entries, and those of the runs, are made to fit again.
std::string damage(const std::string& path, std::mt19937_64& chance, bool mended);

/// Executes the statement |sql| on the journal or archive |path|. |mended|: as above, and the sum of an archive, too.
void change_rows(const std::string& path, const std::string& sql, bool mended);

}  // namespace flowrun::test
