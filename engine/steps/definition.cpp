#include "engine/steps/definition.h"

namespace flowrun {

Fallible<Value> StartScope::lookup(const Reference& reference) const {
  if (reference.variable == "input") return Value(inputs);
  if (reference.variable == "vars") return Value(vars);
  if (reference.variable == "run") return Value(Json{{"name", run_name_}});
  if (reference.variable == "now")
    return Value(Json(std::chrono::duration_cast<std::chrono::seconds>(now_.time_since_epoch()).count()));
  return Failure{"expression", "$" + reference.variable + " is not known before the run has started"};
}

}  // namespace flowrun
