#include "engine/machine/frame.h"

namespace flowrun {

Json status_json(const Settled& settled, std::string_view field) {
  Json status = Json::object();
  auto wanted = [&](std::string_view name) { return field.empty() || field == name; };
  if (wanted("state")) status["state"] = to_string(settled.state);
  if (wanted("ok")) status["ok"] = settled.state == State::Succeeded;
  if (wanted("output")) status["output"] = settled.output.json();
  if (wanted("error")) status["error"] = settled.failure ? to_json(*settled.failure) : Json();
  if (wanted("attempts")) status["attempts"] = settled.attempts;
  if (settled.started_at != Instant{}) {
    if (wanted("started_at")) status["started_at"] = timestamp(settled.started_at);
    if (wanted("finished_at")) status["finished_at"] = timestamp(settled.ended_at);
    if (wanted("duration_ms")) status["duration_ms"] = (settled.ended_at - settled.started_at).count();
  }
  if (settled.more)
    for (const auto& [name, value] : settled.more->items())
      if (wanted(name)) status[name] = value;
  return status;
}

std::variant<Value, Failure> output_of(const Settled& settled, const std::string& name) {
  if (settled.state == State::Succeeded) return settled.output;
  if (settled.lets_through()) return Value();
  return Failure{"expression",
                 "$steps." + name + " has no output: the step is " + std::string(to_string(settled.state)),
                 "",
                 0,
                 {}};
}

Frame::Frame(Machine& machine, Frame* parent, const Step& step, std::string path)
    : machine_(machine), parent_(parent), step_(step), path_(std::move(path)) {}

Frame::~Frame() { machine_.forget(*this); }

void Frame::on_child(Frame&) {}

void Frame::reopen(std::string_view) {}

void Frame::hold_undo() {
  for (Frame* frame = this; frame && !frame->holds_undo_; frame = frame->parent_) frame->holds_undo_ = true;
}

void Frame::hold_foreseen() {
  const Foresight& foresight = machine_.foresight();
  if (foresight.nothing()) return;
  if (!foresight.concerns(path_) && !(foresight.failed && settled_.state == State::Failed)) return;
  for (Frame* frame = this; frame && !frame->foreseen_; frame = frame->parent_) frame->foreseen_ = true;
}

std::string Frame::folder() const {
  const std::string& below = place();
  if (below.empty() || below == ".") return machine_.run().folder;
  return below.front() == '/' ? below : machine_.run().folder + "/" + below;
}

const std::string& Frame::place() const {
  static const std::string kOfTheRun;
  return parent_ ? parent_->place() : kOfTheRun;
}

Frame::Bound Frame::bind(const Reference&) const { return std::nullopt; }

std::optional<Settled> Frame::look(std::string_view rest) const {
  if (rest.empty()) return settled_;
  return std::nullopt;
}

std::variant<Value, Failure> FrameScope::lookup(const Reference& reference) const {
  if (reference.variable == "." && dot_) return *dot_;
  if (reference.variable == "error" && error_) return Value(to_json(*error_));
  for (const Frame* frame = &frame_; frame; frame = frame->parent())
    if (Frame::Bound bound = frame->bind(reference)) return *std::move(bound);
  std::string name = reference.variable == "." ? "`.`" : "$" + reference.variable;
  if (!reference.member.empty()) name += "." + reference.member;
  return Failure{"expression", name + " is not bound here", "", 0, {}};
}

}  // namespace flowrun
