// The panel beside the views: what is known of one step; and the critical path with what each step on it costs.

function showDetails() {
  const panel = byId('details');
  panel.hidden = chosen === kNone;
  if (chosen === kNone) return;
  const row = chosen, detail = detailsOf(row), outline = outlineOf(row) || {};
  const state = data.states[moment.states[row]];
  const fact = (name, ...values) => values.some(value => value) ? [el('dt', {}, name), el('dd', {}, ...values)] : [];
  const took = timeOf(row);
  const step = onCriticalPath.get(row);
  panel.replaceChildren(...present([
    el('button', {class: 'close', type: 'button', 'aria-label': 'Close', title: 'Close (Esc)',
      onclick: () => select(kNone)}, '×'),
    el('h2', {}, el('span', {class: `dot ${state}`}), pathOf(row)),
    el('dl', {},
      fact('state', state,
        moment.entry < entries.count ? ` at this moment; ${data.states[rows.state[row]]} in the end` : '',
        detail.undone ? ', undone since' : ''),
      fact('kind', kindOf(row), outline.role ? `, ${outline.role}` : ''),
      fact('does', detail.what || outline.what),
      fact('stands in', outline.place),
      fact('time', took ? spanText(took) : '', rows.queued[row] ? `, ${spanText(rows.queued[row])} in line` : ''),
      fact('began', rows.from[row] === kNone ? '' : `${clockText(rows.from[row])}, after ${spanText(rows.from[row])}`),
      fact('due', detail.due === undefined ? '' : clockText(detail.due)),
      fact('waits for', detail.signal && moment.states[row] === State.waiting ? detail.signal : ''),
      fact('if', outline.if),
      fact('join', outline.join),
      fact('concurrency', outline.concurrency),
      fact('limit', outline.limit),
      fact('weight', outline.weight),
      fact('because', detail.reason),
      fact('from run', detail.memo),
      fact('critical', step ? `${spanText(step.to - step.from)} of the run's ${spanText(data.run.span)}` +
        (step.waited > 1 ? `, after a wait of ${spanText(step.waited)}` : '') : '')),
    failureOf(detail), groupOf(row), needsOf(row), attemptsOf(row),
    ...valueOf('Output', detail.output, detail.output_size, row),
    ...inputOf(detail, row),
    ...valueOf('Error in full', detail.error, detail.error_size, row)]));
  panel.scrollTop = 0;
}

function failureOf(detail) {
  if (!detail.error_type) return null;
  const where = detail.error_step ? rowAt(detail.error_step) : kNone;
  return el('div', {}, el('h3', {}, 'Error'),
    el('pre', {class: 'bad'}, `${detail.error_type}: ${detail.error_message || ''}`),
    where !== kNone ? el('p', {class: 'note'}, 'from ', link(where)) : null,
    detail.said ? [el('h3', {}, 'It said'), el('pre', {}, detail.said.replace(/^\| /gm, ''))] : null);
}

function link(row, text) {
  return el('button', {class: 'link', type: 'button', onclick: () => goToRow(row)}, text || pathOf(row));
}

function groupOf(row) {
  if (!rows.children[row]) return null;
  const counts = data.states.map(() => 0);
  const failures = [];
  for (let one = row + 1; one < rows.end[row]; ++one) {
    if (rows.children[one]) continue;
    ++counts[moment.states[one]];
    if (moment.states[one] === State.failed && failures.length < 20) failures.push(one);
  }
  const parts = counts.map((number, i) => number ? `${numberText(number)} ${data.states[i]}` : '').filter(text => text);
  const more = counts[State.failed] - failures.length;
  return el('div', {}, el('h3', {}, 'In it'), el('div', {}, parts.join(', ')),
    failures.map(one => el('div', {}, link(one), ` ${detailsOf(one).error_type || ''}`)),
    more > 0 ? el('p', {class: 'note'}, `and ${numberText(more)} more that failed`) : null);
}

function needsOf(row) {
  const needs = neededBy(row);
  if (needs.length === 0) return null;
  const line = ({row: needed, name, because, success}) => el('tr', {},
    el('td', {}, needed === kNone ? name : link(needed)),
    el('td', {}, because, success ? '' : ' (its end, good or not)'),
    el('td', {class: 'n'}, needed === kNone || rows.to[needed] < 0 ? '' : `at ${spanText(rows.to[needed])}`));
  return el('div', {}, el('h3', {}, 'Waits for'), el('table', {}, needs.slice(0, 100).map(line)));
}

function segmentText(i) {
  const what = data.segments[segments.what[i]], end = data.ends[segments.end[i]];
  if (what !== 'work') return kNames[what] + (end === 'open' ? ', still' : '');
  const error = segments.error[i] === kNone ? '' : data.words[segments.error[i]];
  const code = segments.code[i] >= 100 && !error ? ` ${segments.code[i]}` : '';
  const words = {good: 'went well', open: 'still runs', taken: 'taken over from the run that it was forked of'};
  return `${words[end] || end}${code}${error && end !== 'good' ? `: ${error}` : ''}`;
}

function attemptsOf(row) {
  const first = segments.first[row], last = Math.min(segments.first[row + 1], first + 200);
  if (first === last) return null;
  const list = [];
  for (let i = first; i < last; ++i) {
    const isTry = segments.try[i] > 0 && segments.what[i] === What.work;
    list.push(el('tr', {}, el('td', {}, isTry ? `try ${segments.try[i]}` : ''), el('td', {}, segmentText(i)),
      el('td', {class: 'n'}, spanText(segments.length[i])),
      el('td', {class: 'n'}, `at ${spanText(segments.from[i])}`)));
  }
  const more = segments.first[row + 1] - last;
  return el('div', {}, el('h3', {}, 'Its time'), el('table', {}, list),
    more > 0 ? el('p', {class: 'note'}, `and ${numberText(more)} more`) : null);
}

function valueOf(title, json, size, row) {
  if (json === undefined) return [];
  const note = size === undefined ? null : el('p', {class: 'note'},
    json === '' ? `${bytesText(size)}, not in this page: ` : `The beginning of ${bytesText(size)}; all of it: `,
    el('code', {}, `flowrun output ${data.run.id}${row === kNone ? '' : ` --step '${pathOf(row)}'`}`));
  const text = size === undefined ? valueText(json) : json;
  const shown = json === '' ? null : json === '""' ? el('p', {class: 'note'}, 'an empty text') : el('pre', {}, text);
  return [el('h3', {}, title), shown, note];
}

// Of a script the script itself, and then what else it was given.
function inputOf(detail, row) {
  let input = null;
  try {
    input = JSON.parse(detail.input);
  } catch {
    // There is none, or its end is missing.
  }
  const argv = input && input.argv;
  if (!Array.isArray(argv) || argv.length < 3 || argv[argv.length - 2] !== '-c')
    return valueOf('Input', detail.input, detail.input_size, row);
  delete input.argv;
  return [el('h3', {}, 'Script'), el('pre', {}, String(argv[argv.length - 1])),
    el('p', {class: 'note'}, 'for ', el('code', {}, argv.slice(0, -1).join(' '))),
    ...(Object.keys(input).length ? valueOf('Given to it', JSON.stringify(input), undefined, row) : [])];
}

function buildCritical() {
  const panel = byId('critical');
  if (critical.length === 0) {
    panel.append(el('p', {class: 'note'}, 'No step has come to its end.'));
    return;
  }
  // Items of one group that follow each other are one line.
  const lines = [];
  const group = step => step.row === kNone ? '' : (pathOf(step.row).match(/^[^[]*(?=\[)/) || [''])[0];
  for (const step of critical) {
    const last = lines[lines.length - 1];
    const took = step.to - step.from;
    if (critical.length > 30 && last && group(step) !== '' && last.group === group(step)) {
      ++last.steps;
      last.took += took;
      last.waited += step.waited;
    } else {
      lines.push({group: group(step), steps: 1, row: step.row, path: step.path, took, waited: step.waited});
    }
  }
  const span = Math.max(data.run.span, 1);
  const share = ms => `${(ms / span * 100).toFixed(ms / span < 0.0995 ? 1 : 0)}%`;
  const piece = (ms, waits, title) => {
    const made = el('i', {class: waits ? 'wait' : '', title});
    made.style.flexGrow = String(ms);
    return made;
  };
  const bit = (ms, waits) => {
    const made = el('i', {class: waits ? 'wait' : ''});
    made.style.width = `${ms / span * 100}%`;
    return made;
  };
  const name = line => {
    if (line.row === kNone) return line.path;
    if (line.steps > 1) return link(line.row, `${line.group}, ${numberText(line.steps)} steps of its items`);
    return [link(line.row), ' ', el('span', {class: 'note'}, detailsOf(line.row).what || kindOf(line.row))];
  };
  const covered = critical[critical.length - 1].to;
  const sum = el('div', {class: 'sum', 'aria-hidden': 'true'});
  for (const line of lines) {
    const path = line.row === kNone ? line.path : pathOf(line.row);
    if (line.waited > 1) sum.append(piece(line.waited, true, `before ${path}: ${spanText(line.waited)}`));
    sum.append(piece(Math.max(line.took, 1), false, `${path}: ${spanText(line.took)}`));
  }
  panel.append(...present([
    el('div', {}, 'What the time was made of: each of these steps could not begin before the one above it had ended. ',
      `Together ${spanText(covered)} of ${spanText(data.run.span)}.`),
    sum,
    el('table', {}, el('tr', {}, el('th', {}, 'step'), el('th', {class: 'n'}, 'waited before'),
      el('th', {class: 'n'}, 'took'), el('th', {class: 'n'}, 'of the run'), el('th', {class: 'cost'}, '')),
    lines.slice(0, 500).map(line => el('tr', {},
      el('td', {}, name(line)),
      el('td', {class: 'n'}, line.waited > 1 ? spanText(line.waited) : ''), el('td', {class: 'n'}, spanText(line.took)),
      el('td', {class: 'n'}, share(line.took + line.waited)),
      el('td', {class: 'cost'}, line.waited > 1 ? bit(line.waited, true) : null, bit(line.took, false))))),
    lines.length > 500 ? el('p', {class: 'note'}, `and ${numberText(lines.length - 500)} more`) : null]));
}
