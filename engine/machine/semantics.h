// What a run decides otherwise than runs of older programs: each rule and the number from which it holds. A run keeps
// the number that it was started with, so that its replay stays as it was. Knows nothing of what the rules are about.
#pragma once

namespace flowrun {

/// `semantics` of RunStarted.
struct Semantics {
  static constexpr int kOldest = 1;
  static constexpr int kNewest = 5;
  int number = kNewest;

  static bool known(int number) { return number >= kOldest && number <= kNewest; }

  /// An empty key is a key, not the index; only the one step of an item has the path of the item.
  bool paths_differ() const { return number >= 2; }
  /// An item of one step comes out as its step does, and groups count the attempts in them.
  bool items_are_their_steps() const { return number >= 2; }
  /// `$status` of a group has `order` and `failed`, its error tells who failed from who did not start.
  bool groups_tell_order() const { return number >= 2; }
  /// A `switch` that is given up in the turn in which its way ended does not settle again.
  bool switches_settle_once() const { return number >= 2; }
  /// The deadline of a step counts the time in which a server holds its pool back, also before the first try.
  bool deadlines_count_holds() const { return number >= 2; }
  /// The handlers of a sub-workflow run also when its step is given up.
  bool files_tidy_up() const { return number >= 2; }
  /// The `delay` of a retry without `max_delay` is not cut to the 30 s that this is then.
  bool delays_are_kept() const { return number >= 3; }
  /// `retry.on` of a sub-workflow knows what failed in it, not only `child`.
  bool errors_are_seen_through() const { return number >= 4; }
  /// What flowrun evaluates without jq includes filters, and of a value only what is looked at can be too large.
  bool filters_are_native() const { return number >= 5; }
};

}  // namespace flowrun
