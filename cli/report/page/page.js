// What holds the page together: head, views, filters, the slider over the entries, keys.

const tabs = ['timeline', 'graph', 'critical'];
let tab = 'timeline';

function buildHead() {
  const {run} = data;
  document.title = `${run.name} ${run.state} · flowrun`;
  byId('run-state').textContent = run.state;
  byId('run-state').classList.add(run.state);
  byId('run-name').textContent = run.name;
  byId('run-span').textContent = `${run.ended ? '' : 'after '}${spanText(run.span)}`;
  const facts = [run.id, run.file, `started ${dateText(0)} ${clockText(0)}`,
    `${numberText(moment.leaves[rows.count])} steps, ${numberText(entries.count)} entries`];
  if (run.next) facts.push(run.next);
  byId('run-facts').append(...facts.map((text, i) => el('span', {}, i === 4 ? el('code', {}, text) : text)));
  if (run.error_type) {
    byId('run-error').hidden = false;
    byId('run-error').append(`${run.error_type}: ${run.error_message || ''}`);
    const row = run.error_step ? rowAt(run.error_step) : kNone;
    if (row !== kNone)
      byId('run-error').append(el('button', {type: 'button', onclick: () => goToRow(row)}, pathOf(row)));
  }
  if (data.folded) {
    byId('run-folded').hidden = false;
    byId('run-folded').textContent =
      `${numberText(data.folded)} more steps, of items that went well or came last, are not in this page.`;
  }
}

function drawChips() {
  const shownStates = data.states.map((name, state) => ({name, state}))
    .filter(({state}) => moment.counts[state] > 0 || filter.states.has(state));
  byId('chips').replaceChildren(...shownStates.map(({name, state}) => el('button', {
    type: 'button', 'aria-pressed': String(filter.states.has(state)), 'data-state': name,
    onclick: () => {
      if (!filter.states.delete(state)) filter.states.add(state);
      refresh();
    }}, el('span', {class: `dot ${name}`}), `${name} ${numberText(moment.counts[state])}`)));
}

function clearFilter() {
  filter.text = byId('filter').value = '';
  filter.states.clear();
}

function refresh() {
  choose();
  drawChips();
  redraw();
}

function select(row) {
  const before = chosen;
  chosen = row;
  for (const one of [before, row]) {
    const element = pool.get(one);
    if (!element) continue;
    element.classList.toggle('chosen', one === row);
    element.setAttribute('aria-selected', String(one === row));
  }
  const wasHidden = byId('details').hidden;
  showDetails();
  if (byId('details').hidden !== wasHidden) redraw();
  scroll.setAttribute('aria-activedescendant', pool.has(chosen) ? `row-${chosen}` : '');
  markGraph();
}

function goToRow(row) {
  select(row);
  showRow(row);
}

function openTab(name) {
  tab = name;
  for (const one of tabs) {
    byId(one).hidden = one !== name;
    byId(`tab-${one}`).setAttribute('aria-selected', String(one === name));
  }
  if (name === 'graph') buildGraph();
  if (name === 'timeline') redraw();
}

// The slider. Moves of it in one frame are one.
let wanted = null;
function moveTo(entry) {
  if (wanted === null) requestAnimationFrame(() => {
    if (wanted === null) return;  // playing has gone on meanwhile
    goTo(wanted);
    wanted = null;
    afterMove();
  });
  wanted = Math.min(Math.max(entry, 0), entries.count);
}

function afterMove() {
  byId('entry').value = String(moment.entry);
  byId('entry-text').textContent = entryText();
  byId('entry-text').title = entryText();
  drawChips();
  if (filter.states.size > 0) choose();
  if (tab === 'timeline') redraw();
  showDetails();
  markGraph();
}

function entryText() {
  const {entry} = moment;
  if (entry === entries.count) return `the end, after entry ${numberText(entry === 0 ? 0 : entries.seq[entry - 1])}`;
  if (entry === 0) return 'before the first entry';
  const i = entry - 1;
  const kind = data.words[entries.kind[i]].replaceAll('_', ' ');
  const row = entries.row[i];
  const what = row < 0 ? notes.get(entries.seq[i]) || '' : pathOf(row);
  const state = row < 0 ? '' : ` · ${data.states[entries.state[i]]}`;
  return `${numberText(entries.seq[i])} · ${clockText(entries.at[i])} · ${kind} ${what}${state}`;
}

let playing = 0;
function play() {
  const button = byId('play');
  if (playing) {
    cancelAnimationFrame(playing);
    playing = 0;
    button.textContent = '▶';
    return;
  }
  button.textContent = '❚❚';
  const whole = 12000;  // ms for all of it, as its own clock went
  const begun = performance.now();
  const from = moment.entry === entries.count ? 0 : clock.toRoom(moment.at);
  let entry = moment.entry === entries.count ? 0 : moment.entry;
  const frame = now => {
    const at = from + (now - begun) / whole * clock.span;
    while (entry < entries.count && clock.toRoom(entries.at[entry]) <= at) ++entry;
    wanted = null;
    goTo(entry);
    afterMove();
    if (entry < entries.count) playing = requestAnimationFrame(frame);
    else { playing = 0; button.textContent = '▶'; }
  };
  playing = requestAnimationFrame(frame);
}

function drawOverview() {
  const canvas = byId('overview-canvas');
  const scale = window.devicePixelRatio || 1;
  canvas.width = Math.round(canvas.clientWidth * scale);
  canvas.height = Math.round(canvas.clientHeight * scale);
  const most = paintDensity(canvas, 0, segments.count, 0, clock.span * 1.02);
  byId('overview').title = `at most ${Math.round(most)} at once`;
  drawOverviewWindow();
}

function drawOverviewWindow() {
  const mark = byId('overview-window'), wide = byId('overview').clientWidth, all = clock.span * 1.02;
  mark.hidden = View.to - View.from > all * 0.995;
  mark.style.left = `${View.from / all * wide}px`;
  mark.style.width = `${Math.max((View.to - View.from) / all * wide, 3)}px`;
}

function buildOverview() {
  const canvas = byId('overview-canvas');
  let from = null;
  const room = event => {
    const box = canvas.getBoundingClientRect();
    return Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1) * clock.span * 1.02;
  };
  canvas.addEventListener('pointerdown', event => {
    from = room(event);
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener('pointermove', event => {
    if (from === null) return;
    const to = room(event);
    if (Math.abs(to - from) > clock.span / 200) zoomTo(Math.min(from, to), Math.max(from, to));
  });
  canvas.addEventListener('pointerup', () => { from = null; });
  canvas.addEventListener('dblclick', () => zoomTo(0, clock.span * 1.02));
}

function buildTip() {
  const tip = byId('tip');
  document.addEventListener('pointermove', event => {
    const bar = event.target.closest ? event.target.closest('.bar[data-segment]') : null;
    tip.hidden = !bar;
    if (!bar) return;
    const i = Number(bar.dataset.segment), row = rowOf(bar);
    if (i < 0) {
      const ready = readyAt(row);
      const waited = segments.from[segments.first[row]] - ready;
      tip.textContent = `${pathOf(row)}\nwhat it needs was there; in line for ${spanText(waited)}`;
    } else {
      tip.textContent = `${pathOf(row)}${segments.try[i] ? `, try ${segments.try[i]}` : ''}\n${segmentText(i)}\n` +
        `${spanText(segments.length[i])}, from ${clockText(segments.from[i])} (${spanText(segments.from[i])})`;
    }
    tip.style.left = `${Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8)}px`;
    tip.style.top = `${Math.min(event.clientY + 16, window.innerHeight - tip.offsetHeight - 8)}px`;
  });
}

// Light and dark: as the system has it until somebody chooses.
const dark = matchMedia('(prefers-color-scheme: dark)');
let theme = 'auto';
function applyTheme(name) {
  if (name) theme = name;
  document.documentElement.dataset.theme = theme === 'auto' ? (dark.matches ? 'dark' : 'light') : theme;
  byId('theme').textContent = {auto: '◐', light: '☀', dark: '☾'}[theme];
  byId('theme').setAttribute('aria-label', `Colours: ${theme}`);
}
// From that of the system to the other one, then to the same by choice, then back.
function nextTheme() {
  const [system, other] = dark.matches ? ['dark', 'light'] : ['light', 'dark'];
  return {auto: other, [other]: system, [system]: 'auto'}[theme];
}

function step(by) {
  if (shown.length === 0) return;
  const at = placeOf.has(chosen) ? placeOf.get(chosen) : by > 0 ? -1 : shown.length;
  const row = shown[Math.min(Math.max(at + by, 0), shown.length - 1)];
  select(row);
  showRow(row);
}

function nextFailure(by) {
  for (let n = 1; n <= rows.count; ++n) {
    const row = (Math.max(chosen, by > 0 ? -1 : 0) + by * n + 2 * rows.count) % rows.count;
    if (moment.states[row] !== State.failed || rows.children[row]) continue;
    select(row);
    return showRow(row);
  }
}

const closer = () => zoomAround(0.6, (View.from + View.to) / 2);
const wider = () => zoomAround(1 / 0.6, (View.from + View.to) / 2);
const all = () => zoomTo(0, clock.span * 1.02);
const pan = by => zoomTo(View.from + by * (View.to - View.from), View.to + by * (View.to - View.from));
const pageful = () => Math.max(Math.floor(scroll.clientHeight / kRowHeight) - 2, 1);

// [keys, what they do, how]
const keys = [
  [['j', 'ArrowDown'], 'next step', () => step(1)],
  [['k', 'ArrowUp'], 'step before', () => step(-1)],
  [['PageDown'], 'a page further', () => step(pageful())],
  [['PageUp'], 'a page back', () => step(-pageful())],
  [['Home'], 'first step', () => step(-shown.length)],
  [['End'], 'last step', () => step(shown.length)],
  [['l', 'ArrowRight'], 'unfold a group', () => chosen !== kNone && rows.children[chosen] && fold(chosen, false)],
  [['h', 'ArrowLeft'], 'fold a group, or go to it', () => {
    if (chosen === kNone) return;
    if (rows.children[chosen] && !folded[chosen]) return fold(chosen, true);
    if (rows.parent[chosen] !== kNone) { select(rows.parent[chosen]); showRow(chosen); }
  }],
  [['n'], 'next step that failed', () => nextFailure(1)],
  [['N'], 'the one before', () => nextFailure(-1)],
  [['/'], 'filter by text', () => byId('filter').focus()],
  [['p'], 'only the critical path', () => { filter.critical = !filter.critical; refresh(); }],
  [['t'], 'timeline', () => openTab('timeline')],
  [['g'], 'graph', () => openTab('graph')],
  [['c'], 'critical path and its costs', () => openTab('critical')],
  [['+', '='], 'closer', closer],
  [['-'], 'wider', wider],
  [['0'], 'all of the time', all],
  [['<', ','], 'earlier', () => pan(-0.2)],
  [['>', '.'], 'later', () => pan(0.2)],
  [['['], 'an entry back', () => moveTo(moment.entry - 1)],
  [[']'], 'an entry further', () => moveTo(moment.entry + 1)],
  [['e'], 'to the end of the run', () => moveTo(entries.count)],
  [[' '], 'play the run', play],
  [['d'], 'light or dark', () => applyTheme(nextTheme())],
  [['Escape'], 'close, clear', () => {
    if (chosen !== kNone) return select(kNone);
    filter.critical = false;
    clearFilter();
    refresh();
  }],
  [['?'], 'this list', () => byId('help').showModal()],
];
const keyNames = {ArrowDown: '↓', ArrowUp: '↑', ArrowLeft: '←', ArrowRight: '→', ' ': 'space', Escape: 'Esc'};

function buildKeys() {
  byId('help').append(el('h2', {}, 'Keys'), el('dl', {}, keys.map(([names, text]) => [
    el('dt', {}, names.map(name => [el('kbd', {}, keyNames[name] || name), ' '])), el('dd', {}, text)])),
    el('p', {class: 'note'}, 'Drag over the picture at the top, or turn the wheel with Ctrl, to look closer.'));
  byId('help').addEventListener('click', () => byId('help').close());
  document.addEventListener('keydown', event => {
    if (event.ctrlKey || event.metaKey || event.altKey || byId('help').open) return;
    const field = event.target.closest('input');
    if (field && event.key === 'Escape') {
      field.blur();
      if (field.id === 'filter') { clearFilter(); refresh(); }
      return;
    }
    if (field && (field.type === 'search' || /^(Arrow|Page|Home|End)/.test(event.key))) return;
    if (event.target.closest('button') && (event.key === ' ' || event.key === 'Enter')) return;
    const known = keys.find(([names]) => names.includes(event.key));
    if (!known) return;
    event.preventDefault();
    known[2]();
  });
}

function buildControls() {
  for (const name of tabs) byId(`tab-${name}`).addEventListener('click', () => openTab(name));
  byId('theme').addEventListener('click', () => { applyTheme(nextTheme()); });
  byId('help-button').addEventListener('click', () => byId('help').showModal());
  byId('zoom-in').addEventListener('click', closer);
  byId('zoom-out').addEventListener('click', wider);
  byId('zoom-all').addEventListener('click', all);
  byId('play').addEventListener('click', play);
  byId('entry').max = String(entries.count);
  byId('entry').addEventListener('input', event => moveTo(Number(event.target.value)));
  byId('filter').addEventListener('input', event => { filter.text = event.target.value; refresh(); });
  dark.addEventListener('change', () => { applyTheme(); drawOverview(); redraw(); });
  window.addEventListener('hashchange', openPart);
  window.addEventListener('resize', () => { drawOverview(); redraw(); });
  // On paper all rows are there, up to a number, and light.
  window.addEventListener('beforeprint', () => {
    document.documentElement.dataset.theme = 'light';
    redraw();
    fillBetween(0, Math.min(shown.length, kMostPrinted));
    host.style.height = `${Math.min(shown.length, kMostPrinted) * kRowHeight}px`;
  });
  window.addEventListener('afterprint', () => { applyTheme(); redraw(); });
}

// The part behind # names a view, a step, an entry or colours: graph, critical, step=PATH, entry=N, theme=dark; with &.
function openPart() {
  let parts = [];
  try {
    parts = decodeURIComponent(location.hash.slice(1)).split('&');
  } catch {
    return;  // somebody has typed it
  }
  for (const part of parts) {
    const [name, ...rest] = part.split('=');
    const value = rest.join('=');
    if (tabs.includes(name)) openTab(name);
    if (name === 'theme' && ['light', 'dark', 'auto'].includes(value)) applyTheme(value);
    if (name === 'entry') moveTo(Number(value) || 0);
    if (name === 'help') byId('help').showModal();
    const row = name === 'step' ? rowAt(value) : kNone;
    if (row !== kNone) {
      select(row);
      showRow(row);
    }
  }
}

applyTheme();
goTo(entries.count);
buildHead();
buildTimeline();
buildOverview();
buildTip();
buildKeys();
buildControls();
buildCritical();
choose();
openTab('timeline');
afterMove();
openPart();
drawOverview();
document.documentElement.dataset.ready = 'yes';
