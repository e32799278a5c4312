// `on_failure` or `finally` as it runs: a body of its own, which sees how the run stands and begins when all that was
// given up has ended.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/machine/frame.h"
#include "engine/steps/graph.h"

namespace flowrun {

class HandlerFrame final : public Frame, public SuccessorFrame {
 public:
  /// It begins when all has ended at |base| and below.
  HandlerFrame(Context& context, Frame* parent, const GraphStep& body, const std::string& path, std::string base)
      : Frame(context, parent, body, path),
        SuccessorFrame(static_cast<Frame&>(*this)),
        base_(std::move(base)),
        body_(body.frame(context, this, path)) {}

  void start() override { context().abandoned().await(*this, base_); }
  void on_abandoned_done() override { context().queue().start(*body_); }
  void on_child(Frame&) override {
    settled_ = body_->settled();
    context().queue().settled(*this);
  }
  void cancel(const std::string& reason) override { body_->cancel(reason); }
  void drain() override { body_->drain(); }
  void name_open(std::vector<std::string>& paths) const override { body_->name_open(paths); }
  std::optional<Settled> look(std::string_view rest) const override { return body_->look(rest); }

 private:
  const std::string base_;
  std::unique_ptr<Frame> body_;
};

}  // namespace flowrun
