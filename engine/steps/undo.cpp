#include "engine/steps/undo.h"

#include <algorithm>
#include <set>

#include "engine/machine/enclosure.h"
#include "engine/steps/error_types.h"
#include "engine/steps/retry.h"

namespace flowrun {
namespace {

/// The undo of one step as it runs: sees what that step saw.
class UndoFrame final : public Frame, public Enclosure {
 public:
  UndoFrame(Context& context, Frame* parent, const Undoable& undoable)
      : Frame(context, parent, *undoable.undo, undoable.path + ".undo"),
        seen_(undoable.seen),
        file_folder_(undoable.file_folder),
        generation_(undoable.key),
        step_(undoable.undo->frame(context, this, path())) {}

  void start() override { context().queue().start(*step_); }
  void on_child(Frame&) override {
    settled_ = step_->settled();
    context().queue().settled(*this);
  }
  void cancel(const std::string& reason) override { step_->cancel(reason); }
  void drain() override {}
  void name_open(std::vector<std::string>& paths) const override { step_->name_open(paths); }
  int generation() const override { return generation_; }
  const std::string& file_folder() const override { return file_folder_; }
  bool shares_cpus() const override { return shares_cpus_at(parent()); }
  const Enclosure* enclosure() const override { return this; }
  Bound bind(const Reference& reference) const override {
    // Of an output all was kept, of a status what was named of it, of anything else there is one.
    for (const auto& [known, value] : seen_) {
      if (known.variable != reference.variable) continue;
      if ((reference.variable == "steps" || reference.variable == "secrets") && known.member != reference.member)
        continue;
      if (reference.variable == "status" && (known.member != reference.member || known.field != reference.field))
        continue;
      return value;
    }
    return std::nullopt;
  }

 private:
  const Seen seen_;
  const std::string file_folder_;
  const int generation_;  ///< servers must not replay what they said of another effect, or of a try that they refused
  std::unique_ptr<Frame> step_;
};

/// What the step of |frame| has come to is not in its parent's books yet.
std::optional<Value> own(const Frame& frame, const Settled& settled, const Reference& reference) {
  if (reference.member != frame.step().name) return std::nullopt;
  if (reference.variable == "status") return Value(status_json(settled, reference));
  if (reference.variable != "steps") return std::nullopt;
  auto output = output_of(settled, frame.step(), frame.path());
  return output ? *output : Value();
}

}  // namespace

void UndoScope::pass_to(UndoScope& outer, bool due) {
  for (Undoable& undoable : waiting_) {
    undoable.due = undoable.due || due;
    outer.add(std::move(undoable));
  }
  waiting_.clear();
}

bool UndoScope::waits(bool only_due) const {
  return std::any_of(waiting_.begin(), waiting_.end(), [&](const Undoable& one) { return one.due || !only_due; });
}

std::vector<Undoable> UndoScope::take(bool only_due) {
  auto wanted = std::stable_partition(waiting_.begin(), waiting_.end(),
                                      [&](const Undoable& one) { return only_due && !one.due; });
  std::vector<Undoable> taken(std::make_move_iterator(wanted), std::make_move_iterator(waiting_.end()));
  waiting_.erase(wanted, waiting_.end());
  std::sort(taken.begin(), taken.end(), [](const Undoable& a, const Undoable& b) { return a.order > b.order; });
  std::set<std::pair<std::string, int>> seen;
  std::erase_if(taken, [&](const Undoable& one) { return !seen.emplace(one.path, one.generation).second; });
  std::reverse(taken.begin(), taken.end());
  return taken;
}

std::vector<std::string> UndoScope::failed() const {
  std::vector<std::string> paths;
  for (const Undoable& one : waiting_)
    if (one.tries > 0) paths.push_back(one.path);
  return paths;
}

UndoScope* undo_scope_around(const Frame& frame) {
  for (Frame* around = frame.parent(); around; around = around->parent()) {
    auto* holder = dynamic_cast<UndoHolder*>(around);
    if (UndoScope* scope = holder ? holder->undo_scope() : nullptr) return scope;
  }
  return nullptr;
}

void remember_undo(Frame& frame, const UndoPolicy& policy, const Settled& settled) {
  UndoScope* scope = undo_scope_around(frame);
  if (!scope) return;
  Undoable undoable;
  undoable.order = frame.context().undone().next_order();
  undoable.path = frame.path();
  undoable.undo = policy.step.get();
  undoable.file_folder = file_folder_at(&frame);
  undoable.generation = generation_at(&frame);
  FrameScope sees(frame);
  for (const Reference& reference : policy.references) {
    if (auto known = own(frame, settled, reference)) {
      undoable.seen.emplace_back(reference, std::move(*known));
      continue;
    }
    // What is not there yet may be when the undo runs.
    auto value = sees.lookup(reference);
    if (auto* found = std::get_if<Value>(&value)) undoable.seen.emplace_back(reference, std::move(*found));
  }
  scope->add(std::move(undoable));
}

Compensation::Compensation(Context& context, Frame& parent, std::vector<Undoable> undoables,
                           std::optional<Failure> error)
    : Frame(context, &parent, parent.step(), parent.path()),
      SuccessorFrame(static_cast<Frame&>(*this)),
      undoables_(std::move(undoables)),
      error_(std::move(error)) {}

void Compensation::start() {
  settled_.state = State::Running;
  context().abandoned().await(*this, path());
}

void Compensation::next() {
  if (undoables_.empty()) {
    settled_.state = failed_.empty() ? State::Succeeded : State::Failed;
    context().queue().settled(*this);
    return;
  }
  running_ = std::move(undoables_.back());
  undoables_.pop_back();
  // Of an undo that may have been done, though we were not told so, a second try must not be a second request.
  int fresh = context().next_generation();
  if (running_->key == 0) running_->key = fresh;
  current_ = std::make_unique<UndoFrame>(context(), this, *running_);
  context().queue().start(*current_);
}

void Compensation::on_child(Frame& child) {
  if (&child != current_.get()) return;
  if (State state = child.settled().state; state == State::Succeeded || state == State::Skipped) {
    context().undone().note(running_->path);
  } else {
    ++running_->tries;
    const auto& failure = child.settled().failure;
    if (failure && is_refusal(failure->type)) running_->key = 0;
    failed_.push_back(std::move(*running_));
  }
  running_.reset();
  current_.reset();
  next();
}

void Compensation::cancel(const std::string& reason) {
  if (current_) current_->cancel(reason);
}

std::vector<Undoable> Compensation::take_rest() {
  std::vector<Undoable> rest = std::move(failed_);
  if (running_) rest.push_back(std::move(*running_));
  rest.insert(rest.end(), std::make_move_iterator(undoables_.begin()), std::make_move_iterator(undoables_.end()));
  undoables_.clear();
  failed_.clear();
  running_.reset();
  return rest;
}

Frame::Bound Compensation::bind(const Reference& reference) const {
  if (reference.variable == "error") return error_ ? Value(to_json(*error_)) : Value();
  return std::nullopt;
}

}  // namespace flowrun
