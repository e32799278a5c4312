// The values of a run's secrets: read where the workflow says, put into tasks as the last thing before these go out,
// and masked in what comes back. Nothing here reaches an event, a file or a message. Knows sources and tasks only.
#pragma once

#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "engine/executor/mask.h"
#include "engine/model/secret.h"
#include "engine/model/task.h"

namespace flowrun {

/// Somebody wanted an end while the secrets were being read: before anything has begun.
class Interrupted : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class SecretOutputs;

class Secrets {
 public:
  Secrets() = default;  ///< none
  /// Reads all of |sources|; paths are relative to |folder|, where commands run, too. Blocks while these do, at most
  /// 30 s each, and until |stop| says yes: then throws Interrupted. Throws Error(Invalid) that names every one that can
  /// not be had, as a line of |file|.
  Secrets(const std::vector<SecretSource>& sources, const std::string& folder, const std::string& file,
          const std::function<bool()>& stop = {});

  /// What the journal may know, salted with |salt|.
  std::vector<SecretMark> marks(const std::string& salt) const;
  /// Names of those that are too short to be masked.
  std::vector<std::string> unmasked() const;
  /// Whether there is a value.
  bool has(const std::string& name) const { return values_.count(name) > 0; }
  /// Whether the variable |name| of our environment brought a secret: then it is not passed on.
  bool brought_by(std::string_view name) const;
  /// Puts the values into the texts of |task|; those of steps are in |outputs|. Throws std::runtime_error, which names
  /// no value, when one can not go there.
  void fill(Task& task, SecretOutputs* outputs = nullptr) const;
  const Mask& mask() const { return mask_; }

 private:
  std::string value_of(const Placeholder& placeholder, SecretOutputs* outputs) const;

  std::map<std::string, const std::string> values_;  ///< without those that are absent
  std::vector<std::string> names_;                   ///< of all, as declared
  std::vector<std::string> variables_;
  Mask mask_;
};

/// The text into which a secret goes. Null: there is none, as a task that another machine sent may have it.
std::string* place_of_secret(Task& task, const TaskPlaceholder& placeholder);

/// Tells two values of a secret apart, for whoever knows both: 16 bits of PBKDF2-HMAC-SHA256 (RFC 8018), so that a
/// guess is slow to try and most wrong ones look right. Empty for values under 8 bytes, which could all be tried.
std::string fingerprint(const std::string& value, const std::string& salt);

}  // namespace flowrun
