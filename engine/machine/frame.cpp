#include "engine/machine/frame.h"

#include "engine/machine/enclosure.h"

namespace flowrun {

Frame::Frame(Context& context, Frame* parent, const Step& step, std::string path)
    : context_(context), parent_(parent), step_(step), path_(std::move(path)) {}

Frame::~Frame() {
  context_.queue().forget(*this);
  context_.timers().forget(*this);
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
  if (!settled_.over()) paths.push_back(path_);
}

std::optional<Settled> Frame::look(std::string_view rest) const {
  if (rest.empty()) return settled_;
  return std::nullopt;
}

namespace {

const Enclosure* enclosure_at(const Frame* frame) {
  for (; frame; frame = frame->parent())
    if (const Enclosure* enclosure = frame->enclosure()) return enclosure;
  return nullptr;
}

}  // namespace

int generation_at(const Frame* frame) {
  const Enclosure* enclosure = enclosure_at(frame);
  return enclosure ? enclosure->generation() : 0;
}

const std::string& file_folder_at(const Frame* frame) {
  static const std::string kOfTheRun;
  const Enclosure* enclosure = enclosure_at(frame);
  return enclosure ? enclosure->file_folder() : kOfTheRun;
}

bool shares_cpus_at(const Frame* frame) {
  const Enclosure* enclosure = enclosure_at(frame);
  return enclosure && enclosure->shares_cpus();
}

std::string folder_of(const Frame& frame) {
  const std::string& own = file_folder_at(&frame);
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
