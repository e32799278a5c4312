'use strict';
// The run as the page has it: what is in the data element, and the states of all steps after any entry. Draws nothing.
//
// data: {version, flowrun, run, folded?, states, segments, ends, rows, entries, notes, idle, outline, critical,
// details, words}. Times are in ms since run.started, which is in ms since 1970; -1 stands for none.
//   run       {id, name, file, state, started, span, ended, error_type?, error_message?, error_step?, next?, input?,
//             output?}
//   rows      columns, an element for each step in the order of a tree: name (what its path adds to that of parent),
//             parent, kind (a number of words), state (a number of states), outline, tries, from, to, took, queued, and
//             segments: seven numbers each: what (of segments), from, length, try, end (of ends), code, error (of
//             words)
//   entries   columns, an element for each entry: seq, after (ms since the one before), kind (of words), row, state
//   notes     [seq, text] of entries of the run itself
//   idle      from, to, 1 where flowrun was frozen: when nobody drove the run
//   outline   the steps as the file has them: {path, name, kind, what?, role?, if?, join?, concurrency?, limit?,
//             place?, parent?, edges?: [[from, because, 1 where it waits for success]]}
//   critical  [row, from, to, waited before, path where there is no row]
//   details   by row: {what?, reason?, signal?, undone?, code?, due?, error_type?, error_message?, error_step?, said?,
//             and JSON as text: error?, input?, output?; NAME_size where only the beginning is there}
const data = JSON.parse(document.getElementById('data').textContent);

const kNone = -1;
const State = Object.fromEntries(data.states.map((name, i) => [name, i]));
const kFirstEnd = State.succeeded;  // states from here on are ends

const rows = (() => {
  const columns = data.rows;
  const count = columns.name.length;
  const made = {count, name: columns.name};
  for (const key of ['parent', 'kind', 'state', 'outline', 'tries', 'from', 'to', 'took', 'queued'])
    made[key] = Float64Array.from(columns[key]);
  made.depth = new Uint16Array(count);
  made.end = new Uint32Array(count);       // behind the last row of all that is in it
  made.children = new Uint32Array(count);  // how many stand right in it
  for (let row = 0; row < count; ++row) {
    const parent = made.parent[row];
    if (parent === kNone) continue;
    made.depth[row] = made.depth[parent] + 1;
    ++made.children[parent];
  }
  for (let row = count - 1; row >= 0; --row) {
    made.end[row] = Math.max(made.end[row], row + 1);
    const parent = made.parent[row];
    if (parent !== kNone) made.end[parent] = Math.max(made.end[parent], made.end[row]);
  }
  // A group whose end nobody has told spans what is in it.
  for (let row = count - 1; row >= 0; --row) {
    const parent = made.parent[row];
    const to = made.to[row] === kNone && made.from[row] !== kNone ? data.run.span : made.to[row];
    if (made.from[row] !== kNone && made.to[row] < made.from[row]) made.to[row] = Math.max(to, made.from[row]);
    if (parent === kNone || made.from[row] === kNone) continue;
    if (made.from[parent] === kNone || made.from[row] < made.from[parent]) made.from[parent] = made.from[row];
    if (made.to[row] > made.to[parent]) made.to[parent] = made.to[row];
  }
  return made;
})();

// All segments one behind the other; those of a row begin at first[row].
const segments = (() => {
  const first = new Uint32Array(rows.count + 1);
  for (let row = 0; row < rows.count; ++row) first[row + 1] = first[row] + data.rows.segments[row].length / 7;
  const all = {first, count: first[rows.count]};
  const keys = ['what', 'from', 'length', 'try', 'end', 'code', 'error'];
  for (const key of keys) all[key] = new Float64Array(all.count);
  let at = 0;
  for (const list of data.rows.segments)
    for (let i = 0; i < list.length; i += 7, ++at) keys.forEach((key, k) => { all[key][at] = list[i + k]; });
  return all;
})();
const What = Object.fromEntries(data.segments.map((name, i) => [name, i]));

const paths = new Array(rows.count);
function pathOf(row) {
  if (paths[row] === undefined)
    paths[row] = (rows.parent[row] === kNone ? '' : pathOf(rows.parent[row])) + rows.name[row];
  return paths[row];
}
const isNameless = name => /^_\d+$/.test(name);
// A step without a name of its own is called by its kind.
function labelOf(row) {
  const name = rows.name[row].replace(/^\//, '');
  return isNameless(name) ? kindOf(row) : name;
}
const kindOf = row => data.words[rows.kind[row]];
const detailsOf = row => data.details[row] || {};
const outlineOf = row => data.outline[rows.outline[row]];
let byPath = null;
function rowAt(path) {
  if (!byPath) {
    byPath = new Map();
    for (let row = 0; row < rows.count; ++row) byPath.set(pathOf(row), row);
  }
  return byPath.has(path) ? byPath.get(path) : kNone;
}

// The rows that a row waits for, by the edges of its file; of steps beside it.
function neededBy(row) {
  const outline = outlineOf(row);
  if (!outline || !outline.edges) return [];
  const parent = rows.parent[row];
  const above = parent === kNone ? '' : pathOf(parent) + '/';
  return outline.edges.map(([from, because, success]) => {
    const name = data.outline[from].path;
    return {row: rowAt(above + name.slice(name.lastIndexOf('/') + 1)), name, because, success: success === 1};
  });
}

// How long a row took, or takes so far.
function timeOf(row) {
  if (rows.took[row] > 0 || rows.from[row] === kNone) return rows.took[row];
  return Math.max(rows.to[row] - rows.from[row], 0);
}

// When a row could have begun: what it needs was over, or its group had begun. kNone: not known.
const readies = new Map();
function readyAt(row) {
  if (readies.has(row)) return readies.get(row);
  const outline = outlineOf(row);
  let ready = kNone;
  if (outline && (!outline.role || rows.parent[row] !== kNone)) {
    const parent = rows.parent[row];
    ready = parent === kNone ? 0 : readyAt(parent);
    const inItem = parent !== kNone && rows.name[parent].startsWith('[');
    if (inItem && ready !== kNone) ready = Math.max(ready, rows.from[parent]);
    for (const {row: needed} of neededBy(row)) {
      if (needed === kNone || ready === kNone) continue;
      ready = rows.to[needed] === kNone ? kNone : Math.max(ready, rows.to[needed]);
    }
    if (outline.role) ready = kNone;
  } else if (!outline && rows.parent[row] !== kNone) {
    ready = readyAt(rows.parent[row]);
  }
  readies.set(row, ready);
  return ready;
}

const critical = data.critical.map(([row, from, to, waited, path]) => ({row, from, to, waited, path}));
const onCriticalPath = new Map();
for (const step of critical) if (step.row !== kNone) onCriticalPath.set(step.row, step);
const aboveCritical = new Set();
for (const {row} of critical)
  for (let above = row; above !== kNone; above = rows.parent[above]) aboveCritical.add(above);

const entries = (() => {
  const columns = data.entries;
  const count = columns.seq.length;
  const made = {count, seq: columns.seq, kind: columns.kind};
  made.row = Int32Array.from(columns.row);
  made.state = Int8Array.from(columns.state);
  made.at = new Float64Array(count);
  let at = 0;
  for (let i = 0; i < count; ++i) made.at[i] = at += columns.after[i];
  return made;
})();
const notes = new Map(data.notes);

// The states of all rows after the first |entry| entries.
const moment = {
  entry: entries.count,
  states: Int8Array.from(rows.state),
  at: data.run.span,
  counts: [],
  leaves: null,  // prefix sums over rows: steps that hold no others, and those of them that failed or are over
  failures: null,
  ended: null,
};

function goTo(entry) {
  const told = new Int8Array(rows.count);  // by their own entries
  const has = new Uint8Array(rows.count);
  const states = moment.states;
  for (let i = 0; i < entry; ++i) {
    const row = entries.row[i];
    if (row < 0) continue;
    told[row] = entries.state[i];
    has[row] = 1;
  }
  const last = entry === entries.count;
  const open = new Uint8Array(rows.count), begun = new Uint8Array(rows.count);
  for (let row = rows.count - 1; row >= 0; --row) {
    if (last)
      states[row] = rows.state[row];
    else if (has[row] && (told[row] >= kFirstEnd || !rows.children[row]))
      states[row] = told[row];
    else if (rows.children[row])
      states[row] = !open[row] && rows.state[row] >= kFirstEnd ? rows.state[row]
        : begun[row] ? State.running : has[row] ? told[row] : State.pending;
    else
      states[row] = State.pending;
    const parent = rows.parent[row];
    if (parent === kNone) continue;
    if (states[row] < kFirstEnd) open[parent] = 1;
    if (states[row] !== State.pending) begun[parent] = 1;
  }
  moment.entry = entry;
  moment.at = last ? data.run.span : entry === 0 ? 0 : entries.at[entry - 1];
  count();
}

function count() {
  const {states} = moment;
  const counts = data.states.map(() => 0);
  moment.leaves = moment.leaves || new Uint32Array(rows.count + 1);
  moment.failures = moment.failures || new Uint32Array(rows.count + 1);
  moment.ended = moment.ended || new Uint32Array(rows.count + 1);
  for (let row = 0; row < rows.count; ++row) {
    const leaf = rows.children[row] === 0;
    if (leaf) ++counts[states[row]];
    moment.leaves[row + 1] = moment.leaves[row] + (leaf ? 1 : 0);
    moment.failures[row + 1] = moment.failures[row] + (leaf && states[row] === State.failed ? 1 : 0);
    moment.ended[row + 1] = moment.ended[row] + (leaf && states[row] >= kFirstEnd ? 1 : 0);
  }
  moment.counts = counts;
}

// Time on the page: spans in which nobody drove the run, when they would take most of the room, are drawn short.
const clock = (() => {
  const span = Math.max(data.run.span, 1);
  const gaps = [];
  for (let i = 0; i < data.idle.length; i += 3)
    gaps.push({from: data.idle[i], to: data.idle[i + 1], frozen: data.idle[i + 2] === 1});
  const idle = gaps.reduce((sum, gap) => sum + gap.to - gap.from, 0);
  const busy = Math.max(span - idle, 1);
  const cuts = [];
  let saved = 0;
  for (const gap of gaps) {
    const shown = Math.min(gap.to - gap.from, busy * 0.06);
    if (gap.to - gap.from <= busy * 0.25) continue;
    saved += gap.to - gap.from - shown;
    cuts.push({from: gap.from, to: gap.to, shown});
  }
  return {
    span: span - saved,
    gaps,
    isCut: at => cuts.some(cut => at > cut.from && at < cut.to),
    // From time to room, and back.
    toRoom(at) {
      let room = at;
      for (const cut of cuts) {
        if (at <= cut.from) break;
        room -= at >= cut.to ? cut.to - cut.from - cut.shown
          : (at - cut.from) * (1 - cut.shown / (cut.to - cut.from));
      }
      return room;
    },
    toTime(room) {
      let at = room;
      for (const cut of cuts) {
        if (at <= cut.from) break;
        const inside = at - cut.from;
        at = inside < cut.shown ? cut.from + inside * (cut.to - cut.from) / cut.shown
          : at + cut.to - cut.from - cut.shown;
      }
      return at;
    },
  };
})();
