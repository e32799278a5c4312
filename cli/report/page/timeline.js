// The timeline: which rows are shown, and the few of them that are in sight as elements. View.from and View.to are
// in room, as clock has it.

const View = {from: 0, to: clock.span * 1.02, version: 0};
const kRowHeight = 26;
const kMostPrinted = 1000;
const kOpenAtFirst = 60;  // a group with more children begins folded

const folded = new Uint8Array(rows.count);
for (let row = 0; row < rows.count; ++row) folded[row] = rows.children[row] > kOpenAtFirst ? 1 : 0;
const filter = {text: '', states: new Set(), critical: false};
let shown = new Int32Array(0);  // rows in order
let context = new Set();        // of them those that only hold what was looked for
let placeOf = new Map();        // row -> index in shown
let chosen = kNone;

const isFiltered = () => filter.text !== '' || filter.states.size > 0 || filter.critical;

const searchTexts = new Array(rows.count);
function searchText(row) {
  if (searchTexts[row] === undefined) {
    const detail = detailsOf(row);
    const parts = [pathOf(row), kindOf(row), detail.what, detail.error_type, detail.error_message];
    searchTexts[row] = parts.join('\n').toLowerCase();
  }
  return searchTexts[row];
}

function choose() {
  const list = [];
  context = new Set();
  if (isFiltered()) {
    const words = filter.text.toLowerCase().split(/\s+/).filter(word => word !== '');
    const keep = new Uint8Array(rows.count);
    for (let row = 0; row < rows.count; ++row) {
      if (filter.critical && !onCriticalPath.has(row)) continue;
      if (filter.states.size > 0 && (rows.children[row] || !filter.states.has(moment.states[row]))) continue;
      if (!words.every(word => searchText(row).includes(word))) continue;
      keep[row] = 1;
    }
    for (let row = rows.count - 1; row >= 0; --row)
      if (keep[row] && rows.parent[row] !== kNone && !keep[rows.parent[row]]) keep[rows.parent[row]] = 2;
    for (let row = 0; row < rows.count; ++row) {
      if (!keep[row]) continue;
      if (keep[row] === 2) context.add(row);
      list.push(row);
    }
  } else {
    for (let row = 0; row < rows.count; row = folded[row] ? rows.end[row] : row + 1) list.push(row);
  }
  shown = Int32Array.from(list);
  placeOf = new Map(list.map((row, place) => [row, place]));
}

const pool = new Map();  // row -> its element
const stale = [];        // elements of rows as they were
let scroll, host, after;

function buildTimeline() {
  scroll = byId('scroll');
  host = byId('rows');
  after = byId('after');
  scroll.addEventListener('scroll', () => requestAnimationFrame(fill), {passive: true});
  host.addEventListener('click', event => {
    const row = rowOf(event.target);
    if (row === kNone) return;
    if (event.target.classList.contains('twist')) return fold(row, !folded[row]);
    select(row);
  });
  host.addEventListener('dblclick', event => {
    const row = rowOf(event.target);
    if (row !== kNone && rows.children[row]) fold(row, !folded[row]);
  });
  scroll.addEventListener('wheel', event => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    zoomAround(event.deltaY < 0 ? 0.8 : 1.25, roomAtX(event.clientX));
  }, {passive: false});
  const legend = [['good', 'works'], ['failed', 'failed'], ['open', 'still runs'], ['given-up', 'given up'],
    ['line', 'in line for a place'], ['backoff', 'until its next try'], ['sleep', 'sleeps'],
    ['person', 'waits for a person or a signal'],
    ['group', 'a group'], ['chain', 'on the critical path']];
  for (const [name, text] of legend) byId('legend').append(el('span', {}, el('i', {class: `bar ${name}`}), text));
}

function rowOf(target) {
  const element = target.closest('.row');
  return element ? Number(element.dataset.row) : kNone;
}

function barsWidth() {
  const style = getComputedStyle(document.documentElement);
  const fixed = parseInt(style.getPropertyValue('--label'), 10) + parseInt(style.getPropertyValue('--end'), 10);
  return Math.max(scroll.clientWidth - fixed, 50);
}
let width = 600, labelWidth = 340;
function roomAtX(x) {
  const left = scroll.getBoundingClientRect().left + labelWidth;
  return View.from + (x - left) / width * (View.to - View.from);
}
// Where |at| is, from 0 at the left to 1: shares of the width, so that paper may have another one than the screen.
const shareOf = at => (clock.toRoom(at) - View.from) / (View.to - View.from);
const percent = share => `${(share * 100).toFixed(3)}%`;

// Everything anew: what is shown has changed, or where it is.
function redraw() {
  labelWidth = parseInt(getComputedStyle(document.documentElement).getPropertyValue('--label'), 10);
  width = barsWidth();
  host.style.height = `${shown.length * kRowHeight + 8}px`;
  stale.push(...pool.values());
  pool.clear();
  drawAxis();
  fill();
}

// The rows that are in sight, and some around them.
function fill() {
  const top = scroll.scrollTop, height = scroll.clientHeight || 600;
  const first = Math.max(Math.floor(top / kRowHeight) - 6, 0);
  const last = Math.min(Math.ceil((top + height) / kRowHeight) + 6, shown.length);
  fillBetween(first, last);
}

// Elements of rows that went out of sight are those of the rows that came into it.
function fillBetween(first, last) {
  const wanted = new Set();
  for (let place = first; place < last; ++place) wanted.add(shown[place]);
  const free = stale.splice(0);
  for (const [row, element] of pool) {
    if (wanted.has(row)) continue;
    free.push(element);
    pool.delete(row);
  }
  const fresh = document.createDocumentFragment();
  for (let place = first; place < last; ++place) {
    const row = shown[place];
    if (pool.has(row)) continue;
    const element = free.pop() || fresh.appendChild(emptyRow());
    showIn(element, row, place);
    pool.set(row, element);
  }
  for (const element of free) element.remove();
  host.append(fresh);
  scroll.setAttribute('aria-activedescendant', pool.has(chosen) ? `row-${chosen}` : '');
}

function emptyRow() {
  const element = el('div', {role: 'treeitem'},
    el('div', {class: 'label'}, el('span', {class: 'twist', 'aria-hidden': 'true'}), el('span', {}),
      el('span', {class: 'name'}), el('span', {})),
    el('div', {class: 'bars'}), el('div', {class: 'end'}));
  const [label, bars, end] = element.children;
  const [twist, dot, name, what] = label.children;
  element.parts = {label, bars, end, twist, dot, name, what};
  return element;
}

function showIn(element, row, place) {
  const state = data.states[moment.states[row]];
  const group = rows.children[row] > 0;
  const open = group && (!folded[row] || isFiltered());
  const {label, bars, end, twist, dot, name, what} = element.parts;
  element.className = `row${row === chosen ? ' chosen' : ''}${context.has(row) ? ' context' : ''}` +
    (onCriticalPath.has(row) ? ' critical' : '');
  element.id = `row-${row}`;
  element.dataset.row = row;
  element.dataset.state = state;
  element.setAttribute('aria-level', rows.depth[row] + 1);
  element.setAttribute('aria-selected', row === chosen);
  if (group) element.setAttribute('aria-expanded', open);
  else element.removeAttribute('aria-expanded');
  element.setAttribute('aria-label', `${pathOf(row)}, ${state}`);
  element.style.top = `${place * kRowHeight}px`;
  label.style.paddingLeft = `${14 + Math.min(rows.depth[row], 8) * 16}px`;
  twist.textContent = group ? (open ? '▾' : '▸') : '';
  dot.className = `dot ${state}`;
  name.textContent = labelOf(row);
  showWhat(what, row, group);
  bars.replaceChildren();
  drawBars(row, bars, group && !open);
  const took = timeOf(row);
  end.replaceChildren(...present([rows.tries[row] > 1 ? el('b', {title: 'tries'}, `×${rows.tries[row]}`) : null,
    took > 0 || segments.first[row + 1] > segments.first[row] ? spanText(took) : null]));
}

function showWhat(element, row, group) {
  element.className = 'what';
  if (group) {
    const leaves = moment.leaves[rows.end[row]] - moment.leaves[row];
    const failures = moment.failures[rows.end[row]] - moment.failures[row];
    const ended = moment.ended[rows.end[row]] - moment.ended[row];
    element.textContent = rows.children[row] < 3 && !failures ? kindOf(row)
      : `${kindOf(row)}  ${ended < leaves ? `${numberText(ended)} of ` : ''}${numberText(leaves)}`;
    if (failures) element.append(el('span', {class: 'bad'}, `  ${numberText(failures)} failed`));
    return;
  }
  const detail = detailsOf(row);
  const failed = moment.states[row] === State.failed && detail.error_type;
  if (failed) element.classList.add('bad');
  element.textContent = failed ? `${detail.error_type}: ${detail.error_message || ''}`
    : detail.what || detail.reason || kindOf(row);
}

function bar(host, classes, from, to, tip) {
  const left = Math.max(shareOf(from), -0.01), right = Math.min(shareOf(to), 1.01);
  if (right < 0 || left > 1) return;
  const made = document.createElement('i');
  made.className = `bar ${classes}`;
  made.style.left = percent(left);
  made.style.width = percent(Math.max(right - left, 0));
  if (tip !== undefined) made.dataset.segment = tip;
  host.append(made);
}

function drawBars(row, host, closed) {
  if (closed && segments.first[rows.end[row]] > segments.first[row + 1]) {
    drawDensity(row, host);
  } else if (rows.children[row] && rows.from[row] !== kNone) {
    bar(host, 'group', rows.from[row], rows.to[row]);
  }
  const first = segments.first[row], last = segments.first[row + 1];
  if (first < last) {
    const ready = readyAt(row);
    if (ready !== kNone && segments.from[first] - ready > 1) bar(host, 'ready', ready, segments.from[first], -2);
  }
  for (let i = first; i < last; ++i) {
    const what = data.segments[segments.what[i]];
    const end = classOf(data.ends[segments.end[i]]);
    bar(host, what === 'work' ? end : what, segments.from[i], segments.from[i] + segments.length[i], i);
  }
  let from = kNone, to = kNone;  // pieces that touch are one
  for (const step of closed ? critical : onCriticalPath.has(row) ? [onCriticalPath.get(row)] : []) {
    if (step.row < row || step.row >= rows.end[row]) continue;
    if (from !== kNone && step.from - step.waited > to + 1) {
      bar(host, 'chain', from, to);
      from = kNone;
    }
    if (from === kNone) from = step.from - step.waited;
    to = step.to;
  }
  if (from !== kNone) bar(host, 'chain', from, to);
}

// How many of all that is in a folded group worked at each moment, with a mark where one failed.
function drawDensity(row, host) {
  const canvas = document.createElement('canvas');
  host.append(canvas);
  const scale = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round((kRowHeight - 4) * scale);
  paintDensity(canvas, segments.first[row], segments.first[rows.end[row]], View.from, View.to);
}

// Of the segments from |first| to before |last|; returns how many worked at most.
function paintDensity(canvas, first, last, from, to) {
  const {width: wide, height: high} = canvas;
  const paint = canvas.getContext('2d');
  const style = getComputedStyle(document.documentElement);
  const busy = new Float32Array(wide + 2), failed = new Uint8Array(wide + 1);
  const scale = wide / (to - from);
  for (let i = first; i < last; ++i) {
    if (segments.what[i] !== What.work) continue;
    const a = Math.max((clock.toRoom(segments.from[i]) - from) * scale, 0);
    const b = Math.min((clock.toRoom(segments.from[i] + segments.length[i]) - from) * scale, wide);
    if (b < 0 || a > wide || b < a) continue;
    spread(busy, a, Math.max(b, a + 0.01));
    if (data.ends[segments.end[i]] === 'failed') failed[Math.min(Math.floor(b), wide - 1)] = 1;
  }
  let most = 0.5;
  for (let x = 0; x < wide; ++x) most = Math.max(most, busy[x]);
  paint.clearRect(0, 0, wide, high);
  paint.fillStyle = style.getPropertyValue('--good');
  paint.globalAlpha = 0.75;
  for (let x = 0; x < wide; ++x) {
    if (busy[x] <= 0) continue;
    const tall = Math.max(busy[x] / most * high, 1);
    paint.fillRect(x, high - tall, 1, tall);
  }
  paint.globalAlpha = 1;
  paint.fillStyle = style.getPropertyValue('--failed');
  const thick = Math.max(Math.round(window.devicePixelRatio || 1), 1) * 1.5;
  for (let x = 0; x < wide; ++x) if (failed[x]) paint.fillRect(x, 0, thick, high);
  return most;
}

// Adds to each column how much of it lies between |a| and |b|.
function spread(columns, a, b) {
  const first = Math.floor(a), last = Math.floor(b);
  if (first === last) {
    columns[first] += b - a;
    return;
  }
  columns[first] += first + 1 - a;
  for (let x = first + 1; x < last; ++x) columns[x] += 1;
  columns[last] += b - last;
}

function drawAxis() {
  const axis = byId('axis'), grid = byId('grid');
  axis.replaceChildren();
  grid.replaceChildren();
  for (const gap of clock.gaps) {
    const left = shareOf(gap.from), right = shareOf(gap.to), wide = (right - left) * width;
    if (right < 0 || left > 1 || wide < 1) continue;
    const mark = el('i', {class: wide < 120 ? 'idle narrow' : 'idle'}, el('span', {}, wide < 16 ? '' :
      `${spanText(gap.to - gap.from)} ${gap.frozen ? 'frozen' : 'nobody drove it'}`));
    mark.style.left = percent(left);
    mark.style.width = percent(right - left);
    grid.append(mark);
  }
  const from = clock.toTime(View.from), to = clock.toTime(View.to);
  const room = View.to - View.from;
  const steps = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 15e3, 3e4, 6e4, 12e4, 3e5, 6e5, 9e5, 18e5,
    36e5, 72e5, 144e5, 216e5, 432e5, 864e5, 1728e5, 6048e5];
  const step = steps.find(one => one / room * width > 90) || steps[steps.length - 1] * 10;
  let free = -1;
  for (let at = Math.max(Math.ceil(from / step), 0) * step, drawn = 0; at <= to && drawn < 400; at += step, ++drawn) {
    const share = shareOf(at);
    if (share * width < free || clock.isCut(at)) continue;
    free = share * width + 62;
    const line = document.createElement('i');
    line.style.left = percent(share);
    grid.append(line);
    const text = el('span', {}, at === 0 ? '0' : axisText(at, step));
    text.style.left = percent(share);
    axis.append(text);
  }
  drawAfter();
  drawOverviewWindow();
}

function axisText(at, step) {
  if (step >= 6e4 || at >= 36e5) return spanText(at);
  if (at < 1000) return `${at}ms`;
  const places = step >= 1000 ? 0 : step >= 100 ? 1 : step >= 10 ? 2 : 3;
  if (at < 6e4) return `${(at / 1000).toFixed(places)}s`;
  return `${Math.floor(at / 6e4)}m${((at % 6e4) / 1000).toFixed(places).padStart(places ? 3 + places : 2, '0')}s`;
}

function drawAfter() {
  after.hidden = moment.entry === entries.count;
  if (after.hidden) return;
  after.style.left = percent(Math.min(Math.max(shareOf(moment.at), 0), 1));
}

function zoomTo(from, to) {
  const least = Math.min(2, clock.span), most = clock.span * 1.02;
  const room = Math.min(Math.max(to - from, least), most);
  View.from = Math.max(Math.min(from, most - room), 0);
  View.to = View.from + room;
  redraw();
}
function zoomAround(factor, room) {
  zoomTo(room - (room - View.from) * factor, room + (View.to - room) * factor);
}

function fold(row, yes) {
  folded[row] = yes ? 1 : 0;
  const top = scroll.scrollTop;
  refresh();
  scroll.scrollTop = top;
}

function showRow(row) {
  for (let above = rows.parent[row]; above !== kNone; above = rows.parent[above]) folded[above] = 0;
  if (!placeOf.has(row)) {
    choose();
    if (!placeOf.has(row)) {
      clearFilter();
      choose();
    }
    redraw();
  }
  const top = placeOf.get(row) * kRowHeight;
  if (top < scroll.scrollTop + kRowHeight) scroll.scrollTop = Math.max(top - 3 * kRowHeight, 0);
  if (top > scroll.scrollTop + scroll.clientHeight - 2 * kRowHeight)
    scroll.scrollTop = top - scroll.clientHeight + 4 * kRowHeight;
}
