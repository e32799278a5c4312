// What reads foreign bytes, as a fuzzer calls it. Each throws std::logic_error when a promise is broken; the seeds in
// corpus/ go through the same functions in the normal tests.
#pragma once

#include <cstddef>
#include <cstdint>

namespace flowrun::test {

/// The text of a workflow: read, checked and linted like by `flowrun validate`, but for what jq would say.
void fuzz_reader(const std::uint8_t* bytes, std::size_t size);
/// A text with expressions: found, taken apart, and answered as far as that goes without jq.
void fuzz_expression(const std::uint8_t* bytes, std::size_t size);
/// Four bytes for a workflow, the others for what happens to it; then the log is played again from some prefix.
void fuzz_machine(const std::uint8_t* bytes, std::size_t size);
/// Four bytes for what is asked and how it comes, a line for the type of an answer, one for Retry-After, then its body.
void fuzz_answer(const std::uint8_t* bytes, std::size_t size);
/// The row of a run and those of its entries, as rows.cpp has them: read from a journal, replayed, looked at, written
/// again.
void fuzz_rows(const std::uint8_t* bytes, std::size_t size);
/// The same; whether nothing was wrong with them.
bool rows_are_taken(const std::uint8_t* bytes, std::size_t size);
/// A JSON Schema as a file has it, a line `---`, then the JSON text that is held against it.
void fuzz_schema(const std::uint8_t* bytes, std::size_t size);

/// A byte for the pieces in which it comes, then requests to a worker, with the frames of an invocation in a body.
void fuzz_request(const std::uint8_t* bytes, std::size_t size);
/// A text that may be JSON: the scanner and the library of values make the same of it.
void fuzz_json(const std::uint8_t* bytes, std::size_t size);

}  // namespace flowrun::test
