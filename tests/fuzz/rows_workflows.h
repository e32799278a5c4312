// What the runs in corpus/rows are runs of. Their rows name these texts by hash: a text that is changed is another one,
// and its runs are to be written anew.
#pragma once

namespace flowrun::test {

constexpr const char* kRowsWorkflows[] = {
    // A sub-workflow of others.
    R"(flowrun: 1
input: { n: 1 }
steps: { in: { set: "${ $input.n }" } }
output: ${ $steps.in }
)",
    R"(flowrun: 1
input: { list: [a, b] }
steps:
  each:
    for_each: ${ $input.list }
    do:
      sequence:
        - { id: say, exec: [echo, "${ $item }"] }
        - { id: sum, set: "${ [range(3)] | map(. * 2) | add }" }
  nap: { sleep: 1ms }
  child: { workflow: sub.yaml, with: { n: 7 } }
  pair: { parallel: { x: { exec: ["true"] }, y: { set: 2 } } }
output: ${ $steps.each }
)",
    R"(flowrun: 1
steps:
  - id: did
    exec: ["true"]
    undo: { exec: ["true"] }
  - id: fails
    shell: exit 3
    retry: { attempts: 2, delay: 1ms, on: [exit] }
  - id: never
    set: 1
)",
    R"(flowrun: 1
steps:
  work: { exec: [echo, x] }
  gate: { wait: go, timeout: 1h }
  after: { exec: [echo, "${ $steps.gate }"] }
)",
    R"(flowrun: 1
timeout: 1h
limits: { few: { max: 1, rate: 50/s } }
steps:
  first:
    parallel:
      slow: { sleep: 1h }
      quick: { exec: ["true"], limit: few }
    join: first_completed
  each:
    needs: first
    for_each: [1, 2, 3]
    join: { at_least: 2 }
    do: { shell: "test $N -lt 3", env: { N: "${ $item }" }, limit: few, timeout: 5s }
  poll: { exec: ["true"], poll: { until: "${ true }", every: 1ms } }
  choice:
    switch:
      - { if: "${ $steps.each | length > 1 }", do: { set: big } }
      - { else: { set: small } }
finally:
  - { id: tidy, exec: ["true"] }
)",
    R"(flowrun: 1
secrets: { pin: { env: PIN } }
input: { url: { type: string, default: "http://127.0.0.1:9/" } }
steps:
  ask: { http: "${ $input.url }", headers: { X: "${ $secrets.pin }" }, continue_on_error: true, retry: { attempts: 2, delay: 1ms } }
  again: { exec: ["false"], fallback: { set: 1 }, on_crash: ask }
  last: { exec: ["true"] }
)",
};

}  // namespace flowrun::test
