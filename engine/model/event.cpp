#include "engine/model/event.h"

namespace flowrun {

std::string_view to_string(TimerKind kind) {
  switch (kind) {
    case TimerKind::Delay:
      return "delay";
    case TimerKind::Sleep:
      return "sleep";
    case TimerKind::Retry:
      return "retry";
    case TimerKind::Timeout:
      return "timeout";
    case TimerKind::Deadline:
      return "deadline";
    case TimerKind::Wait:
      return "wait";
    case TimerKind::Poll:
      return "poll";
    case TimerKind::Limit:
      return "limit";
  }
  return "";
}

}  // namespace flowrun
