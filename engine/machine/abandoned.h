// What was given up and is not over: attempts that still run, and files that tidy up after themselves. Who must not
// begin before that is over waits here. Does not know why something was given up.
#pragma once

#include <list>
#include <memory>
#include <string>
#include <vector>

namespace flowrun {

class Attempts;
class Frame;

/// What a frame is that does not begin before what was given up is over.
class SuccessorFrame {
 public:
  explicit SuccessorFrame(Frame& self) : self_(self) {}
  virtual ~SuccessorFrame();
  SuccessorFrame(const SuccessorFrame&) = delete;
  SuccessorFrame& operator=(const SuccessorFrame&) = delete;

  /// What it awaited is over.
  virtual void on_abandoned_done() = 0;

  Frame& frame() const { return self_; }

 private:
  Frame& self_;
};

class Abandoned {
 public:
  explicit Abandoned(const Attempts& attempts);
  ~Abandoned();

  /// on_abandoned_done() of |frame| follows when no attempt that was given up at |below| or further down still runs,
  /// and nothing there is being tidied up but by |frame| itself; maybe at once.
  void await(SuccessorFrame& frame, const std::string& below);
  /// Something that was given up is over: tells who waited for that.
  void tell();

  /// Whether who was given up may run what its end asks for; false after `flowrun cancel --now`.
  bool may_tidy() const { return may_tidy_; }
  void let_tidy(bool may) { may_tidy_ = may; }
  /// |frame| has settled for its parent, which may vanish, and goes on until tidied(): the run waits for it.
  void tidy(Frame& frame);
  /// To be called last, the frame may be gone then.
  void tidied(Frame& frame);
  bool is_tidying(const Frame& frame) const;
  /// The parent of a frame that is being tidied up vanishes.
  void keep(std::unique_ptr<Frame> frame);
  /// |frame|, which was tidied up, is run again by |parent|.
  void give_back(Frame& frame, Frame& parent);
  /// Nothing else is to run.
  void stop_all();

  /// In the order in which they were given up.
  const std::vector<Frame*>& tidying() const { return tidying_; }
  /// |frame| vanishes.
  void forget(const SuccessorFrame& frame);
  /// The run vanishes: frames that are still tidied up are kept by nobody.
  void forget_all() { tidying_.clear(); }

 private:
  struct Listener {
    SuccessorFrame* frame;
    std::string below;
  };
  bool is_over(const std::string& below, const Frame& asked_by) const;

  const Attempts& attempts_;
  std::list<Listener> listeners_;
  std::vector<Frame*> tidying_;
  bool may_tidy_ = false;
  std::list<std::unique_ptr<Frame>> kept_;  ///< of |tidying_|, whose parents are gone; last: they unhook themselves
};

}  // namespace flowrun
