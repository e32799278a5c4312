#include "engine/restate/handler.h"

#include <utility>

#include "engine/model/error.h"

namespace flowrun::restate {

Invocation::Invocation(std::string of_service, std::string of_handler, int version, std::string bytes)
    : service(std::move(of_service)), handler(std::move(of_handler)), protocol(version), body(std::move(bytes)) {
  entries = frames_of(body);
  if (entries.size() < 2 || !entries[0].is(FrameType::Start) || !entries[1].is(FrameType::Input))
    throw Corruption("an invocation begins with Start and Input");
  start_message = entries[0].message;
  start = start_from(start_message);
  input = input_from(entries[1].message);
  entries.erase(entries.begin());
  // A frame that is missing would read as a command that was never recorded.
  if (entries.size() < start.known_entries) throw Corruption("an invocation of fewer entries than it says");
}

}  // namespace flowrun::restate
