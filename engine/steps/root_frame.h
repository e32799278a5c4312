// The root of a run, or of a file that is run as a step, as it runs: `root.cpp` is its life, `root_names.cpp` what
// expressions of the file see of it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/machine/enclosure.h"
#include "engine/machine/run_frame.h"
#include "engine/steps/root.h"

namespace flowrun {

/// With a parent it is that of a sub-workflow. A frame has a path of its own, `pay.steps`, for its timer; its steps
/// stand below |base|, `pay`.
class RootFrame final : public Frame, public RunFrame, public Enclosure, public UndoHolder {
 public:
  RootFrame(Context& context, Frame* parent, const RootStep& step, std::string path, std::string base,
            const Definition* file, Inputs inputs)
      : Frame(context, parent, step, std::move(path)),
        root_(step),
        base_(std::move(base)),
        file_(file),
        inputs_(std::move(inputs)) {}

  void start() override;
  void on_child(Frame& child) override;
  void on_timer(TimerKind) override;
  void on_cancel(const CancelRequested& cancel) override;
  void on_undo(const UndoRequested& undo) override;
  Open open_to() const override {
    const bool begun = stage_ == Stage::Body || stage_ == Stage::OnFailure;
    return {begun && !cancel_ && !settled_.over(), scope_.waits()};
  }
  /// A sub-workflow is no scope: what it has done is undone with what is around it.
  UndoScope* undo_scope() override { return handler_ || parent() ? nullptr : &scope_; }
  /// Of a sub-workflow: for its parent it is over, its handlers run all the same, as undos do.
  void cancel(const std::string& reason) override;
  void name_open(std::vector<std::string>& paths) const override;
  const Enclosure* enclosure() const override { return this; }
  bool shares_cpus() const override { return !tidying_ && shares_cpus_at(parent()); }
  /// What is half done is not left so: handlers run.
  void drain() override;
  bool keeps_frame() const override { return true; }

  bool has_failed() const override { return body_ && body_->has_failed(); }
  Way way_to(const std::string& target) const override { return body_ ? body_->way_to(target) : false; }

  void reopen(std::string_view only) override;
  int generation() const override;
  const std::string& file_folder() const override { return file_ ? file_->folder : file_folder_at(parent()); }

  Bound bind(const Reference& reference) const override;
  std::optional<Settled> look(std::string_view rest) const override;

 private:
  /// In this order; what does not apply is passed over.
  enum class Stage { Body, Undo, OnFailure, Finally, Over };

  static bool out_of_time(const std::string& reason) { return reason == "timeout" || reason == "deadline"; }

  /// Whether something is to run yet when the file is given up for |reason|.
  bool tidies(const std::string& reason) const;
  void give_up(const std::string& reason);
  static Failure cancelled(std::string message) { return {"cancelled", std::move(message)}; }
  void arm_timeout();
  void body_ended(const Settled& body);
  /// The next stage that applies, or the end.
  void next();
  /// Begins to undo what has to be. False: nothing has.
  bool compensate();
  void undone();
  /// Begins `on_failure` or `finally`. False: there is nothing to begin.
  bool handle(bool finally);
  /// What the run has come to. An undo in vain makes it fail, whatever the body came to.
  State state() const;
  /// Why it has not succeeded.
  std::shared_ptr<const Failure> failure() const;
  void settle();

  // Of its names.
  Json run_json() const;
  /// The steps of a sub-workflow see the run that it is part of, its handlers see how it stands itself.
  bool shows_run() const { return !parent() || stage_ != Stage::Body; }
  /// A file sees nothing else of what is around the step that runs it.
  Bound outside(const Reference& reference) const;
  /// A placeholder that the executor fills, or null where there is none to be had.
  Json secret(const std::string& name) const;

  const RootStep& root_;
  const std::string base_;
  const Definition* file_;  ///< of a sub-workflow
  const Inputs inputs_;
  std::unique_ptr<Frame> body_;
  UndoScope scope_;  ///< last but for the frames that pass their undos on
  std::unique_ptr<Compensation> compensation_;
  std::optional<CancelRequested> cancel_;
  Stage stage_ = Stage::Body;
  Settled verdict_;                               ///< of the body, once it has ended
  std::unique_ptr<Frame> handler_;                ///< that runs
  std::vector<std::unique_ptr<Frame>> handlers_;  ///< that are over
  int generation_ = 0;                            ///< of the handlers: they run again at each end
  Duration span_{0};
  bool tidying_ = false;  ///< it is settled, and its handlers run
};

}  // namespace flowrun
