#include "engine/machine/signals.h"

#include <algorithm>
#include <utility>

#include "engine/machine/frame.h"

namespace flowrun {
namespace {

bool is_for(const SignalReceived& signal, const SignalFrame& frame, const std::string& name) {
  return signal.name == name && (signal.path.empty() || signal.path == frame.awaiting_path()) && frame.accepts(signal);
}

}  // namespace

SignalFrame::~SignalFrame() { self_.context().signals().ignore(*this); }

const std::string& SignalFrame::awaiting_path() const { return self_.path(); }

void Signals::await(SignalFrame& frame, const std::string& name, std::string prompt) {
  awaiting_.push_back({&frame, name});
  frame.awaits_ = true;
  decisions_.decide(SignalAwaited{frame.awaiting_path(), name, std::move(prompt)});
  auto early = std::find_if(early_.begin(), early_.end(),
                            [&](const SignalReceived& signal) { return is_for(signal, frame, name); });
  if (early == early_.end()) return;
  const SignalReceived signal = std::move(*early);
  early_.erase(early);
  ignore(frame);
  frame.on_signal(signal);
}

void Signals::ignore(SignalFrame& frame) {
  if (!std::exchange(frame.awaits_, false)) return;
  awaiting_.remove_if([&](const Awaiting& one) { return one.frame == &frame; });
}

void Signals::receive(const SignalReceived& signal) {
  auto wanted = std::find_if(awaiting_.begin(), awaiting_.end(),
                             [&](const Awaiting& one) { return is_for(signal, *one.frame, one.name); });
  if (wanted == awaiting_.end()) return early_.push_back(signal);
  SignalFrame& frame = *wanted->frame;
  ignore(frame);
  frame.on_signal(signal);
}

std::vector<std::string> Signals::awaiting_paths() const {
  std::vector<std::string> paths;
  for (const Awaiting& one : awaiting_) paths.push_back(one.frame->awaiting_path());
  return paths;
}

}  // namespace flowrun
