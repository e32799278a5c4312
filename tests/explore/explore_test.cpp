// Planted faults are found, each with a schedule that shows it again, and nothing is found in the mended twins.
#include "engine/explore/exploration.h"

#include <set>
#include <string>
#include <vector>

#include "engine/explore/replay_schedule.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace flowrun::test::explore_test {
namespace {

struct Twin {
  const char* name;
  const char* kind;  ///< of what is found
  const char* step;  ///< where
  const char* planted;
  const char* mended;
  const char* scenarios = "";
};

const std::vector<Twin> kTwins{
    {"a charge that nobody undoes", "stays", "charge", R"(flowrun: 1
steps:
  charge: { http: POST http://pay/charges }
  ship: { needs: [charge], http: POST http://post/parcels }
)",
     R"(flowrun: 1
steps:
  charge:
    http: POST http://pay/charges
    undo: { http: DELETE http://pay/charges }
    undo_on: started
  ship:
    needs: [charge]
    http: POST http://post/parcels
    undo: { http: DELETE http://post/parcels }
    undo_on: started
)"},
    {"a charge whose undo waits for its success", "stays", "charge", R"(flowrun: 1
steps:
  charge:
    http: POST http://pay/charges
    undo: { http: DELETE http://pay/charges }
)",
     R"(flowrun: 1
steps:
  charge:
    http: POST http://pay/charges
    undo: { http: DELETE http://pay/charges }
    undo_on: started
)"},
    {"what is tried last may be done though all is undone", "stays", "ship", R"(flowrun: 1
steps:
  charge:
    http: POST http://pay/charges
    undo: { http: DELETE http://pay/charges }
    undo_on: succeeded
  ship: { needs: [charge], http: POST http://post/parcels }
)",
     R"(flowrun: 1
steps:
  charge:
    http: POST http://pay/charges
    undo: { http: DELETE http://pay/charges }
    undo_on: succeeded
  ship:
    needs: [charge]
    http: POST http://post/parcels
    on_crash: rerun
    undo: { http: DELETE http://post/parcels }
    undo_on: started
)"},
    {"a request that only looks is no use", "stays", "charge", R"(flowrun: 1
steps:
  charge: { http: POST http://pay/charges }
  look: { http: "GET http://pay/charges/${ $steps.charge.id }" }
  ship: { needs: [look], http: GET http://post/parcels }
)",
     R"(flowrun: 1
steps:
  charge: { http: POST http://pay/charges }
  look: { http: "GET http://pay/charges/${ $steps.charge.id }" }
  ship: { needs: [look], http: GET http://post/parcels }
on_failure:
  - http: "POST http://pay/refunds?charge=${ $steps.charge.id }"
)"},
    {"votes of too few", "join", "votes", R"(flowrun: 1
steps:
  votes:
    for_each: [a, b]
    do: { http: "GET http://${ $item }/vote" }
    join: { at_least: 3 }
    fail_fast: false
)",
     R"(flowrun: 1
steps:
  votes:
    for_each: [a, b, c]
    do: { http: "GET http://${ $item }/vote" }
    join: { at_least: 3 }
    fail_fast: false
)"},
    {"the second of two bookings has no undo", "stays", "trip/hotel", R"(flowrun: 1
steps:
  trip:
    sequence:
      - id: flight
        http: POST http://air/bookings
        undo: { http: "DELETE http://air/bookings/${ $steps.flight.id }" }
      - id: hotel
        http: POST http://inn/bookings
      - id: car
        http: GET http://car/offer
)",
     R"(flowrun: 1
steps:
  trip:
    sequence:
      - id: flight
        http: POST http://air/bookings
        undo: { http: "DELETE http://air/bookings/${ $steps.flight.id }" }
        undo_on: succeeded
      - id: hotel
        http: POST http://inn/bookings
        undo: { http: "DELETE http://inn/bookings/${ $steps.hotel.id }" }
        undo_on: succeeded
      - id: car
        http: GET http://car/offer
)"},
    {"a request without a key is sent again", "twice", "pay", R"(flowrun: 1
steps:
  pay:
    http: POST http://pay/charges
    idempotency_key: none
    retry: { attempts: 3 , on: [transient] }
)",
     R"(flowrun: 1
steps:
  pay:
    http: POST http://pay/charges
    retry: { attempts: 3 , on: [transient] }
)"},
    {"a payment that a crash cuts off begins again", "twice", "pay", R"(flowrun: 1
steps:
  pay: { exec: [./pay, "12"] }
)",
     R"(flowrun: 1
steps:
  pay: { exec: [./pay, "12"], on_crash: ask }
)"},
    {"a script that has deployed half is tried again", "twice", "roll", R"(flowrun: 1
steps:
  roll:
    shell: ./deploy "$VERSION"
    on_crash: fail
    retry: { attempts: 2 }
)",
     R"(flowrun: 1
steps:
  roll:
    shell: ./deploy "$VERSION" --key "$FLOWRUN_IDEMPOTENCY_KEY"
    on_crash: fail
    retry: { attempts: 2 }
)"},
    {"a poll that never ends", "endless", "job", R"(flowrun: 1
steps:
  job:
    http: GET http://jobs/1
    poll: { until: "${ .body.done }", every: 5s }
)",
     R"(flowrun: 1
steps:
  job:
    http: GET http://jobs/1
    poll: { until: "${ .body.done }", every: 5s }
    deadline: 1m
)"},
    {"a join that can not be met", "join", "votes", R"(flowrun: 1
steps:
  votes:
    parallel:
      a: { http: GET http://a/vote }
      b: { http: GET http://b/vote }
      c: { fail: there is no third }
    join: { at_least: 3 }
    fail_fast: false
)",
     R"(flowrun: 1
steps:
  votes:
    parallel:
      a: { http: GET http://a/vote }
      b: { http: GET http://b/vote }
      c: { fail: there is no third }
    join: { at_least: 2 }
    fail_fast: false
)"},
    {"what gives a lock back is skipped by a cancel", "finally", "release", R"(flowrun: 1
steps:
  take: { http: POST http://locks/a }
  work: { needs: [take], http: GET http://work }
  release: { after: [take, work], http: "DELETE http://locks/${ $steps.take.id }" }
)",
     R"(flowrun: 1
steps:
  take: { http: POST http://locks/a }
  work: { needs: [take], http: GET http://work }
finally:
  release: { http: "DELETE http://locks/${ $steps.take.id }" }
)"},
    {"the end of finally is not reached", "finally", "finally/clean", R"(flowrun: 1
steps:
  work: { http: GET http://work }
finally:
  - { id: tell, http: GET http://log/told }
  - { id: clean, shell: rm -rf scratch }
)",
     R"(flowrun: 1
steps:
  work: { http: GET http://work }
finally:
  tell: { http: GET http://log/told }
  clean: { shell: rm -rf scratch }
)"},
    {"an output that only a good end has", "output", "", R"(flowrun: 1
steps:
  price: { http: GET http://price, continue_on_error: true }
output: "it costs ${ $steps.price.amount }"
)",
     R"(flowrun: 1
steps:
  price: { http: GET http://price, continue_on_error: true }
output: "it costs ${ $steps.price.amount // 0 }"
)"},
    {"a step that waits for what always fails", "never_runs", "tell", R"(flowrun: 1
steps:
  stop: { fail: not today, continue_on_error: false }
  tell: { needs: [stop], http: GET http://log/told }
)",
     R"(flowrun: 1
steps:
  stop: { fail: not today, continue_on_error: false }
  tell: { after: [stop], http: GET http://log/told }
)"},
    {"what a person rules out", "never", "", R"(flowrun: 1
steps:
  charge: { http: POST http://pay/charges }
  ship: { needs: [charge], http: POST http://post/parcels }
)",
     R"(flowrun: 1
steps:
  charge:
    http: POST http://pay/charges
    undo: { http: "DELETE http://pay/charges/${ $steps.charge.id }" }
  ship: { needs: [charge], http: GET http://post/parcels }
)",
     R"(flowrun_test: 1
never: charge succeeded and run failed and charge not undone
effects: { charge: false }
answers:
  charge: { body: { id: P-1 } }
  ship: { body: {} }
scenarios:
  all is well: { expect: { state: succeeded } }
)"},
    {"a file that is tried again charges again", "twice", "order/charge", R"(flowrun: 1
steps:
  order: { workflow: part.yaml, retry: { attempts: 2 } }
)",
     R"(flowrun: 1
steps:
  order: { workflow: part.yaml, retry: none }
)"},
};

/// With an undo for what is done, so that nothing else is to be found in it.
constexpr const char* kPart = R"(flowrun: 1
steps:
  charge:
    http: POST http://pay/charges
    undo: { http: DELETE http://pay/charges }
    undo_on: started
  ship: { needs: [charge], http: GET http://post/parcels }
)";

Explored look(const TempDir& dir, const Twin& twin, const char* text, std::size_t depth) {
  dir.write("part.yaml", kPart);
  if (*twin.scenarios) dir.write("flow.test.yaml", twin.scenarios);
  ExploreOptions options;
  options.depth = depth;
  return explore({dir.write("flow.yaml", text), "", {}}, options);
}

std::string text_of(const std::vector<ExploreFinding>& findings) {
  std::string text;
  for (const ExploreFinding& one : findings)
    text += one.kind + " " + one.step + ": " + one.message + "\n    " + one.schedule + "\n";
  return text;
}

}  // namespace

TEST_CASE("planted faults are found with a schedule that shows them again", "[explore]") {
  for (const Twin& twin : kTwins) {
    INFO(twin.name);
    const TempDir dir;
    const Explored explored = look(dir, twin, twin.planted, 1);
    INFO(text_of(explored.findings));
    bool found = false;
    for (const ExploreFinding& one : explored.findings) {
      found = found || (one.kind == twin.kind && one.step == twin.step);
      if (one.everywhere) continue;
      const ReplayedSchedule again = replay_schedule({dir.path("flow.yaml"), "", {}}, one.schedule);
      INFO("replayed `" << one.schedule << "`:\n" << text_of(again.findings));
      bool same = false;
      for (const ExploreFinding& other : again.findings)
        same = same || (other.kind == one.kind && other.step == one.step);
      CHECK(same);
    }
    CHECK(found);
  }
}

TEST_CASE("nothing is found in their mended twins, also where two things go wrong", "[explore]") {
  for (const Twin& twin : kTwins) {
    INFO(twin.name);
    const TempDir dir;
    const Explored explored = look(dir, twin, twin.mended, 2);
    INFO(text_of(explored.findings));
    CHECK(explored.findings.empty());
    CHECK(explored.schedules > 1);
    for (const ExploredLevel& level : explored.levels) CHECK(level.complete);
  }
}

}  // namespace flowrun::test::explore_test
