// What comes from outside, and who waits for it. Signals: who waits first is served first; what nobody accepts is kept
// until somebody does. Items of standard input: one step at most waits for them. Does not know what is said.
#pragma once

#include <list>
#include <string>
#include <vector>

#include "engine/machine/answer_recorder.h"
#include "engine/model/event.h"

namespace flowrun {

class Frame;
class ItemStream;

/// What a step is that waits for a signal.
class SignalFrame {
 public:
  explicit SignalFrame(Frame& self) : self_(self) {}
  virtual ~SignalFrame();
  SignalFrame(const SignalFrame&) = delete;
  SignalFrame& operator=(const SignalFrame&) = delete;

  /// Whether it can do with this signal; one that nobody accepts waits for who will.
  virtual bool accepts(const SignalReceived& signal) const = 0;
  /// The signal that it awaited.
  virtual void on_signal(const SignalReceived& signal) = 0;

  const std::string& awaiting_path() const;

 private:
  friend class Signals;
  Frame& self_;
  bool awaits_ = false;
};

class Signals {
 public:
  explicit Signals(AnswerRecorder& decisions) : decisions_(decisions) {}

  /// on_signal() follows when a signal of that name comes that the frame accepts; at once when one has come already.
  void await(SignalFrame& frame, const std::string& name, std::string prompt);
  void ignore(SignalFrame& frame);

  void receive(const SignalReceived& signal);

  std::size_t awaiting() const { return awaiting_.size(); }
  /// Paths of those who wait, in the order in which they began to.
  std::vector<std::string> awaiting_paths() const;

  /// The for_each that takes items; null: none does.
  ItemStream* stream() const { return stream_; }
  void set_stream(ItemStream* stream) { stream_ = stream; }

 private:
  struct Awaiting {
    SignalFrame* frame;
    std::string name;
  };

  AnswerRecorder& decisions_;
  ItemStream* stream_ = nullptr;
  std::list<Awaiting> awaiting_;     ///< in the order in which they began to wait
  std::list<SignalReceived> early_;  ///< that nobody has waited for yet, in order of arrival
};

}  // namespace flowrun
