// A file becomes a Definition, with every mistake there is. Its text is given: opens no file. Knows neither jq nor
// lints.
#pragma once

#include <string>
#include <vector>

#include "engine/model/secret.h"
#include "engine/reader/reading.h"

namespace flowrun {

class RootStep;

/// Reads the keys at the top of one file, and below them its steps.
class FileReader {
 public:
  /// Reads |root|, the text of |file|, an absolute path, into |definition|. |secrets| are those of all files of the
  /// run; all is lent. |is_main|: no other file of the run names this one.
  FileReader(const std::string& file, const Node& root, Definition& definition, bool is_main,
             std::vector<SecretSource>& secrets, Diagnostics& diagnostics, Reading::SubWorkflow sub_workflow);

  /// Returns false when the file is no map, and nothing was read. |for_questions|: steps keep all that `$steps` and
  /// `$status` can show, although no expression of the file looks at it.
  bool read(bool for_questions);
  Reading& reading() { return reading_; }

 private:
  void version();
  void keys();
  void header();
  void inputs();
  void shorthand(InputSpec& spec, const Node& node);
  void default_value(InputSpec& spec, const Node& node, bool usable);
  void vars();
  void exclusive();
  void secrets();
  void secret(const Member& member);
  void secret_input(const Member& member, const Node& input);
  void keep(SecretSource source, const Member& member);
  void limits();
  void defaults();
  void env();
  void steps();
  void streams(const GraphStep& body);
  void handlers(RootStep& root);
  void name_looked_at(bool for_questions);

  const Node& root_;
  Definition& definition_;
  const bool is_main_;
  std::vector<SecretSource>& secrets_;
  FailFast nearest_fail_fast_ = FailFast::Drain;
  Reading reading_;
};

}  // namespace flowrun
