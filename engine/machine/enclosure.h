// What a level of the tree is to the steps within when it is more than their parent: a file, a try of a file, an undo.
#pragma once

#include <string>

namespace flowrun {

class Frame;

class Enclosure {
 public:
  virtual ~Enclosure() = default;
  /// How often what is below has been run anew under the same paths: part of its idempotency keys.
  virtual int generation() const = 0;
  /// The folder of the file that the steps stand in: absolute, or seen from that of the run.
  virtual const std::string& file_folder() const = 0;
  /// Whether the processes of a file that is run here share the CPUs, unless the file says otherwise.
  virtual bool shares_cpus() const = 0;
};

// The same as it is at |frame|: what the nearest enclosure says, from |frame| upwards. Null: around everything.
int generation_at(const Frame* frame);
const std::string& file_folder_at(const Frame* frame);
bool shares_cpus_at(const Frame* frame);

}  // namespace flowrun
