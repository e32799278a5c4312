// One process: a script for an interpreter, or a program with its arguments.
//
//     shell: echo "$NAME"                     exec: [convert, "${ $steps.fetch.path }", out.png]
//     env: { NAME: "${ $steps.user.name }" }  capture: none
#pragma once

#include "engine/language/template.h"
#include "engine/steps/effect.h"

namespace flowrun {

class ProcessStep final : public CommonStep, public RetrySettings, public Effect {
 public:
  std::unique_ptr<Frame> frame(Context& context, Frame* parent, std::string path) const override;
  Fallible<Request> resolve(const FrameScope& scope, Evaluator& evaluator, const Frame& frame, const std::string& key,
                            const std::string& next) const override;
  ReservePlace reservation() const override { return {"", true, shares_cpus, static_cast<int>(weight)}; }
  const char* default_output() const override { return "value"; }
  bool shares_with_file() const override { return follows_file; }

  std::optional<std::string> script;  ///< of `shell`, never interpolated
  std::vector<std::string> interpreter{"bash", "-euo", "pipefail"};
  std::vector<TextTemplate> arguments;           ///< of `exec`
  std::optional<std::vector<TextTemplate>> via;  ///< what starts it elsewhere; nothing: what holds for the run
  ValueTemplate env;                             ///< object; null removes a variable
  Process::Inherit inherit = Process::Inherit::All;
  std::vector<std::string> inherited;
  std::optional<TextTemplate> cwd;  ///< relative to the workflow's
  ValueTemplate input;              ///< `stdin`
  Process::Capture capture = Process::Capture::Text;
  std::vector<int> success_codes{0};
  Setting<Duration> kill_grace;
  std::int64_t max_output = 1 << 20;
  bool leave = false;         ///< what it leaves running is meant to stay
  bool unread = false;        ///< no expression sees what it brings, see mark_unread
  bool shares_cpus = false;   ///< inside a for_each that wrote no `concurrency`
  bool follows_file = false;  ///< in no for_each of its file: shares them when the step that runs the file does
};

}  // namespace flowrun
