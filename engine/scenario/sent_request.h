// What a step has sent or started, as a value that a scenario is held against. Secrets are `***`.
#pragma once

#include "engine/model/task.h"

namespace flowrun {

/// {method, url, headers, body or file} with the names of headers in small letters, or {argv, via, env, stdin}. A body
/// and standard input that are JSON are its value.
Json sent_json(const Task& task);

/// `POST http://shop/payments` or the command, for people.
std::string sent_text(const Task& task);

}  // namespace flowrun
