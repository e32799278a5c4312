// Runs a body for each item of a list, some at a time.
//
//     for_each: ${ $steps.customers }
//     as: customer
//     key: ${ $customer.id }
//     concurrency: 32
//     do: { http: "https://crm.example/${ $customer.id }" }
#pragma once

#include "engine/language/template.h"
#include "engine/steps/group.h"

namespace flowrun {

class ForEachStep final : public CommonStep, public GroupSettings {
 public:
  std::unique_ptr<Frame> frame(Context& context, Frame* parent, std::string path) const override;

  ValueTemplate items;         ///< list, map or integer
  bool stream = false;         ///< standard input: its items come while it runs, and |items| is empty
  std::unique_ptr<Step> body;  ///< a GraphStep without a name
  std::string as;              ///< empty: not given
  std::optional<TextTemplate> key;
  Setting<std::int64_t> concurrency;  ///< 16
  Setting<std::int64_t> batch;
  std::optional<ValueTemplate> collect;
};

}  // namespace flowrun
