#include "engine/machine/frame.h"

namespace flowrun {

Frame::Frame(Context& context, Frame* parent, const Step& step, std::string path)
    : context_(context), parent_(parent), step_(step), path_(std::move(path)) {}

Frame::~Frame() {
  context_.queue().forget(*this);
  context_.timers().forget(*this);
  context_.abandoned().forget(*this);
}

void Frame::hold_undo() {
  for (Frame* frame = this; frame && !frame->holds_undo_; frame = frame->parent_) frame->holds_undo_ = true;
}

void Frame::hold_foreseen() {
  const Foresight& foresight = context_.foresight();
  if (foresight.nothing()) return;
  if (!foresight.concerns(path_) && !(foresight.failed && settled_.state == State::Failed) && foresight.stream != path_)
    return;
  for (Frame* frame = this; frame && !frame->foreseen_; frame = frame->parent_) frame->foreseen_ = true;
}

void Frame::name_open(std::vector<std::string>& paths) const {
  if (!is_settled()) paths.push_back(path_);
}

const std::string& Frame::file_folder() const {
  static const std::string kOfTheRun;
  return parent_ ? parent_->file_folder() : kOfTheRun;
}

std::optional<Settled> Frame::look(std::string_view rest) const {
  if (rest.empty()) return settled_;
  return std::nullopt;
}

std::string folder_of(const Frame& frame) {
  const std::string& own = frame.file_folder();
  const std::string& of_run = frame.context().run().folder;
  if (own.empty() || own == ".") return of_run;
  return own.front() == '/' ? own : of_run + "/" + own;
}

Fallible<Value> FrameScope::lookup(const Reference& reference) const {
  if (reference.variable == "." && dot_) return *dot_;
  if (reference.variable == "error" && error_) return Value(to_json(*error_));
  for (const Frame* frame = &frame_; frame; frame = frame->parent())
    if (Frame::Bound bound = frame->bind(reference)) return *std::move(bound);
  std::string name = reference.variable == "." ? "`.`" : "$" + reference.variable;
  if (!reference.member.empty()) name += "." + reference.member;
  return Failure{"expression", name + " is not bound here"};
}

}  // namespace flowrun
