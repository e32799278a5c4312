// Where libFuzzer begins; one program for each target.
#include "tests/fuzz/targets.h"

// libfyaml 0.8 loses some bytes of a scalar where it finds it wrong. The name is LeakSanitizer's.
extern "C" const char* __lsan_default_suppressions() { return "leak:libfyaml\n"; }

// The name is libFuzzer's.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  flowrun::test::FLOWRUN_FUZZ_TARGET(bytes, size);
  return 0;
}
