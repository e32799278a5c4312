// Settings under which a run is told anew: `jobs=16,limit.crm=10,scale.build=0.5`. Reads them, and holds them against
// what a workflow has; runs nothing.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/machine/limit.h"
#include "engine/run/load.h"
#include "engine/run/recording.h"

namespace flowrun {

struct WhatIf {
  struct LimitChange {
    std::string name;
    std::size_t max = 0;  ///< 0: as it was
    Limit rate{};         ///< `rate` 0: as it was
  };
  struct Scale {
    std::string step;  ///< a path, as it is written or with keys, or a pattern with `*` and `?`
    double factor = 1;
  };

  std::string text;               ///< as typed; of nothing `same`
  int jobs = 0, concurrency = 0;  ///< 0: as it was
  std::vector<LimitChange> limits;
  std::vector<Scale> scales;
};

/// Reads `NAME=VALUE,...`; nothing and `same` change nothing. Throws Error(Usage), naming what is near.
WhatIf what_if_from(const std::string& text);

/// Changes the limits of |workflow|. Throws Error(Usage) when it has no such limit.
void change_limits(Workflow& workflow, const WhatIf& what_if);

/// Throws Error(Usage) when a step that is to be scaled is none of |recording| and its |workflow|.
void check_steps(const WhatIf& what_if, const Recording& recording, const Workflow& workflow);

/// Whether |step| of a Scale means the step at |path|: that, or one around it.
bool is_meant(const std::string& step, const std::string& path);

/// By what the times of the step at |path| are to be multiplied.
double factor_of(const WhatIf& what_if, const std::string& path);
/// |span| times |factor|, a century at most.
Duration scaled(Duration span, double factor);

}  // namespace flowrun
