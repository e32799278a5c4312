// Fails on purpose, with a message, and perhaps with a type of its own and data.
//
//     fail: order ${ $input.id } looks fraudulent
//     fail: { type: out_of_stock, message: "no ${ $input.sku } left", data: { sku: "${ $input.sku }" } }
#pragma once

#include "engine/language/template.h"
#include "engine/steps/step_frame.h"

namespace flowrun {

class FailStep final : public CommonStep {
 public:
  std::unique_ptr<Frame> frame(Context& context, Frame* parent, std::string path) const override;
  std::string type = "fail";
  std::optional<TextTemplate> message;  ///< none: the type says it all
  std::optional<ValueTemplate> data;    ///< `$error.data`
};

}  // namespace flowrun
