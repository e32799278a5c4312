#include "engine/machine/frame.h"

namespace flowrun {

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

void Frame::name_open(std::vector<std::string>& paths) const {
  if (!is_settled()) paths.push_back(path_);
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
