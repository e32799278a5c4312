// The long outputs of steps that have settled which stay in memory: the newest and those that were looked at last, up
// to a bound. The journal has the others, and whoever asks for one reads it again. Knows not what reads them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "engine/model/value.h"

namespace flowrun {

class HeldOutputs {
 public:
  /// Who has outputs.
  class Owner {
   public:
    /// |let_go| is told which of its outputs leaves memory, its oldest first, if the journal has it. |held| outlives
    /// it.
    Owner(HeldOutputs& held, std::function<void(std::size_t i)> let_go) : all_(held), let_go_(std::move(let_go)) {}
    ~Owner() { forget(); }
    Owner(const Owner&) = delete;
    Owner& operator=(const Owner&) = delete;

    /// Output |i| is there, and is |output|. The newest of all owners stays, whatever its size.
    void hold(std::size_t i, const Value& output);
    /// Somebody looks at it. One that has left memory is back then; after the second time it stays, so that two that
    /// are looked at in turn do not push each other out for ever.
    void look(std::size_t i, const Value& output);
    /// None of them leaves memory any more.
    void forget();

   private:
    friend class HeldOutputs;
    void add(std::size_t i, std::size_t size);
    HeldOutputs& all_;
    std::function<void(std::size_t i)> let_go_;
    std::vector<std::uint64_t> held_;  ///< numbers in |outputs_|
    std::size_t gone_ = 0;             ///< so many of the first of them have left memory
    std::map<std::size_t, int> back_;  ///< how often outputs have come back
  };

 private:
  struct Output {
    Owner* owner;
    std::size_t i, size;
  };
  void let_oldest_go();

  std::map<std::uint64_t, Output> outputs_;  ///< as they came
  std::uint64_t next_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace flowrun
