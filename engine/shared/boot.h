// The boot of the machine: which one it is, and the clock that began with it. What is kept beyond a process and is of
// no use after a boot says with this of which it is.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace flowrun {

/// Another one after each boot; empty where /proc is not there.
std::string boot_id();
/// The same as a number.
std::uint64_t boot_hash();
/// CLOCK_BOOTTIME: runs on while the machine sleeps and the process is stopped, and does not jump when somebody sets
/// the clock.
std::chrono::nanoseconds boot_time();

}  // namespace flowrun
