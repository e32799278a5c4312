// Where libFuzzer begins; one program for each target.
#include "tests/fuzz/targets.h"

// The name is libFuzzer's.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  flowrun::test::FLOWRUN_FUZZ_TARGET(bytes, size);
  return 0;
}
