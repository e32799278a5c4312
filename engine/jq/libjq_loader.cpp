// libjq, loaded only by the process that answers questions: loading it is a fifth of what `flowrun version` would take.
// Each function of libjq that we use is defined here under its own name, and bound at its first call.
#include <cstdlib>

#include "engine/jq/programs.h"
#include "engine/jq/wire.h"
#include "engine/model/shared_library.h"

using flowrun::SharedLibrary;

namespace {

const SharedLibrary& library() {
  static const SharedLibrary loaded(FLOWRUN_LIBJQ);
  return loaded;
}

/// The function |name|, whose type is that of |function|. Ends this process where libjq does not have it: the process
/// that has started this one then says what is missing.
template <typename Function>
Function* find(const char* name, Function* function) {
  if (!library().loaded() || !library().find(function, name).empty()) std::_Exit(flowrun::jq::kNoLibjq);
  return function;
}

}  // namespace

#define LATE(result, name, parameters, arguments)      \
  result name parameters {                             \
    static const auto function = find(#name, &::name); \
    return function arguments;                         \
  }

extern "C" {
LATE(jv, jv_copy, (jv value), (value))
LATE(void, jv_free, (jv value), (value))
LATE(jv_kind, jv_get_kind, (jv value), (value))
LATE(jv, jv_dump_string, (jv value, int flags), (value, flags))
LATE(const char*, jv_string_value, (jv value), (value))
LATE(int, jv_string_length_bytes, (jv value), (value))
LATE(jv, jv_invalid, (), ())
LATE(jv, jv_invalid_get_msg, (jv value), (value))
LATE(int, jv_invalid_has_msg, (jv value), (value))
LATE(jv, jv_null, (), ())
LATE(jv, jv_number, (double value), (value))
LATE(jv, jv_object, (), ())
LATE(jv, jv_object_get, (jv object, jv key), (object, key))
LATE(jv, jv_object_set, (jv object, jv key, jv value), (object, key, value))
LATE(jv, jv_parse_sized, (const char* text, int length), (text, length))
LATE(jv, jv_string, (const char* text), (text))
LATE(jv, jv_string_sized, (const char* text, int length), (text, length))
LATE(void, jv_nomem_handler, (void (*handler)(void*), void* argument), (handler, argument))
LATE(jq_state*, jq_init, (), ())
LATE(void, jq_teardown, (jq_state * *state), (state))
LATE(int, jq_compile, (jq_state * state, const char* code), (state, code))
LATE(void, jq_start, (jq_state * state, jv input, int flags), (state, input, flags))
LATE(jv, jq_next, (jq_state * state), (state))
LATE(int, jq_halted, (jq_state * state), (state))
LATE(void, jq_set_error_cb, (jq_state * state, jq_msg_cb callback, void* argument), (state, callback, argument))
LATE(void, jq_set_input_cb, (jq_state * state, jq_input_cb callback, void* argument), (state, callback, argument))
LATE(void, jq_set_debug_cb, (jq_state * state, jq_msg_cb callback, void* argument), (state, callback, argument))
LATE(void, jq_set_nomem_handler, (jq_state * state, void (*handler)(void*), void* argument), (state, handler, argument))
}
