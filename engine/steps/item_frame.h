// One item of a for_each in flight: owns the frame of its body, and binds the names of the item.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/machine/frame.h"
#include "engine/steps/for_each.h"

namespace flowrun {

class ItemFrame final : public Frame {
 public:
  ItemFrame(Context& context, Frame* parent, const ForEachStep& step, std::string path, std::size_t position,
            Value value, std::string key);

  void start() override;
  void on_child(Frame& child) override;
  void cancel(const std::string& reason) override;
  void drain() override;
  void name_open(std::vector<std::string>& paths) const override;
  bool keeps_frame() const override { return !is_finished(settled_.state) || Frame::keeps_frame(); }
  bool reopens() const override { return true; }
  bool has_failed() const override { return settled_.state == State::Failed || (body_ && body_->has_failed()); }
  void reopen(std::string_view only) override;
  Way way_to(const std::string& target) const override;
  Bound bind(const Reference& reference) const override;
  std::optional<Settled> look(std::string_view rest) const override;

 private:
  /// Begins anew when the item is meant, or when nothing in it is left to be done.
  void reopen_exactly();
  /// The item comes out as |body| has.
  void come_out_as(Frame& body);
  void collect(Frame& body);

  const ForEachStep& for_each_;
  Value value_;
  std::string key_;
  std::unique_ptr<Frame> body_;
};

}  // namespace flowrun
