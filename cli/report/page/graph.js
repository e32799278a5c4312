// The steps of the file as a graph: columns by what waits for what, groups as boxes around what stands in them. All
// that a for_each has made of one step is one box here.

const kSvg = 'http://www.w3.org/2000/svg';
const kPad = 14, kGapX = 54, kGapY = 14, kHead = 30, kNodeHeight = 46;

function svg(tag, attributes, ...children) {
  const made = document.createElementNS(kSvg, tag);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children.filter(child => child));
  return made;
}

const graph = {nodes: [], built: false, rows: null, hot: null};

// Sizes and places of |members|, numbers of the outline that stand side by side; places are seen from their box.
function layOut(members) {
  const inside = new Map(members.map((member, i) => [member, i]));
  // Which of |members| a step anywhere in the file is, or is in.
  const memberOf = index => {
    for (let at = index; at !== undefined; at = data.outline[at].parent) if (inside.has(at)) return at;
    return undefined;
  };
  for (const member of members) {
    const children = graph.nodes[member].children;
    const node = graph.nodes[member];
    if (children.length > 0) {
      const inner = layOut(children);
      node.width = Math.max(inner.width + 2 * kPad, node.title.length * 7.4 + Math.min(node.sub.length, 24) * 6.2 + 60);
      node.height = inner.height + kHead + kPad;
    } else {
      node.width = Math.min(Math.max(textWidth(node) + 30, 96), 260);
      node.height = kNodeHeight;
    }
  }
  const column = new Map();
  const place = member => {
    if (column.has(member)) return column.get(member);
    column.set(member, 0);
    let at = 0;
    for (const from of neededIn(member, memberOf)) at = Math.max(at, place(from) + 1);
    column.set(member, at);
    return at;
  };
  for (const member of members) place(member);
  const columns = [];
  for (const member of members) (columns[column.get(member)] = columns[column.get(member)] || []).push(member);
  let x = 0, height = 0;
  const middle = new Map();
  for (const list of columns) {
    // Beside what it waits for.
    const wish = member => {
      const before = [...neededIn(member, memberOf)].filter(from => middle.has(from));
      if (before.length === 0) return inside.get(member) * 1e-3;
      return before.reduce((sum, from) => sum + middle.get(from), 0) / before.length;
    };
    list.sort((one, other) => wish(one) - wish(other));
    let y = 0, wide = 0;
    for (const member of list) {
      const node = graph.nodes[member];
      node.x = x;
      node.y = y;
      middle.set(member, y + node.height / 2);
      y += node.height + kGapY;
      wide = Math.max(wide, node.width);
    }
    height = Math.max(height, y - kGapY);
    x += wide + kGapX;
  }
  for (const list of columns) {
    // Columns are centred.
    const bottom = Math.max(...list.map(member => graph.nodes[member].y + graph.nodes[member].height));
    for (const member of list) graph.nodes[member].y += (height - bottom) / 2;
  }
  return {width: x - kGapX, height};
}

// Those of the members that |member|, or anything in it, waits for.
function neededIn(member, memberOf) {
  const found = new Set();
  for (const index of graph.nodes[member].all)
    for (const [from] of data.outline[index].edges || []) {
      const other = memberOf(from);
      if (other !== undefined && other !== member) found.add(other);
    }
  const {parent} = data.outline[member];
  if (isBeside(member) && memberOf(parent) !== undefined) found.add(memberOf(parent));
  return found;
}

// What is done instead of a step or to undo it stands beside it.
const isBeside = index => ['fallback', 'undo'].includes(data.outline[index].role) &&
  data.outline[index].parent !== undefined;

const textWidth = node => Math.min(Math.max(node.title.length * 7.2, node.sub.length * 6.1), 230);
const clipped = (text, most) => text.length > most ? `${text.slice(0, most - 1)}…` : text;

function buildGraph() {
  if (graph.built) return;
  graph.built = true;
  const panel = byId('graph');
  if (data.outline.length === 0) {
    panel.append(el('p', {class: 'note'},
      'The steps of the file are not known: flowrun could not read its copy of the workflow.'));
    return;
  }
  graph.rows = data.outline.map(() => []);
  for (let row = 0; row < rows.count; ++row) if (rows.outline[row] !== kNone) graph.rows[rows.outline[row]].push(row);
  graph.nodes = data.outline.map((outline, index) => ({
    index, children: [], all: [index],
    title: clipped(isNameless(outline.name) ? outline.kind : outline.name || outline.path, 32),
    sub: clipped([outline.role, isNameless(outline.name) ? '' : outline.kind, outline.what]
      .filter(text => text).join(' '), 38),
  }));
  const tops = [];
  data.outline.forEach((outline, index) => {
    const above = isBeside(index) ? data.outline[outline.parent].parent : outline.parent;
    (above === undefined ? tops : graph.nodes[above].children).push(index);
    for (let at = outline.parent; at !== undefined; at = data.outline[at].parent) graph.nodes[at].all.push(index);
  });
  const size = layOut(tops);
  graph.hot = findHotEdges();
  const groups = svg('g', {}), boxes = svg('g', {}), edges = svg('g', {}), marker = svg('marker', {
    id: 'arrow', viewBox: '0 0 8 8', refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: 'auto'},
    svg('path', {d: 'M0 0.8 L7 4 L0 7.2', fill: 'none', stroke: 'context-stroke', 'stroke-width': 1.3}));
  const place = (index, x, y) => {
    const node = graph.nodes[index];
    node.left = x + node.x;
    node.top = y + node.y;
    (node.children.length > 0 ? groups : boxes).append(nodeElement(node));
    for (const child of node.children) place(child, node.left + kPad, node.top + kHead);
  };
  for (const top of tops) place(top, 1, 1);
  data.outline.forEach((outline, index) => {
    for (const [from, because, success] of outline.edges || [])
      if (!isImplied(from, index)) edges.append(edgeElement(from, index, because, success));
    if (isBeside(index))
      edges.append(edgeElement(outline.parent, index, outline.role, 0));
  });
  const wide = size.width + 2, high = size.height + 2;
  graph.svg = svg('svg', {
    viewBox: `0 0 ${wide} ${high}`, width: wide, height: high, role: 'img', 'aria-label': 'Graph of steps'},
    svg('defs', {}, marker), groups, edges, boxes);
  panel.append(graph.svg);
  const fit = Math.min(1, (panel.clientWidth - 40) / wide);
  if (fit < 1 && fit > 0.55) {
    graph.svg.setAttribute('width', wide * fit);
    graph.svg.setAttribute('height', high * fit);
  }
  markGraph();
}

function nodeElement(node) {
  const group = node.children.length > 0;
  const box = svg('rect', {class: 'box', width: node.width, height: node.height, rx: 8});
  node.mark = svg('circle', {class: 'mark', cx: 15, cy: 17, r: 4});
  const title = svg('text', {x: 26, y: 21});
  title.textContent = node.title;
  const sub = svg('text', {class: 'sub', x: group ? 34 + node.title.length * 7.2 : 26, y: group ? 21 : 37});
  const room = Math.floor((node.width - 60 - node.title.length * 7.4) / 6);
  sub.textContent = group ? clipped(node.sub, Math.max(room, 12)) : node.sub;
  node.count = svg('text', {class: 'sub', x: node.width - 10, y: 21, 'text-anchor': 'end'});
  const onPath = graph.rows[node.index].some(row => onCriticalPath.has(row));
  node.element = svg('g', {
    class: `node${group ? ' group' : ''}${onPath ? ' on-path' : ''}`,
    transform: `translate(${node.left} ${node.top})`},
    box, node.mark, title, sub, node.count);
  node.element.addEventListener('click', event => {
    event.stopPropagation();
    const its = graph.rows[node.index];
    if (its.length) select(its.find(row => moment.states[row] === State.failed) ?? its[0]);
  });
  return node.element;
}

function edgeElement(from, to, because, success) {
  const one = graph.nodes[from], other = graph.nodes[to];
  const x1 = one.left + one.width, y1 = one.top + one.height / 2, x2 = other.left, y2 = other.top + other.height / 2;
  const bend = Math.max(Math.abs(x2 - x1) / 2, 22);
  const made = svg('path', {
    class: `edge${success ? '' : ' any'}${graph.hot.has(`${from} ${to}`) ? ' critical' : ''}`,
    'marker-end': 'url(#arrow)',
    d: `M${x1} ${y1} C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`}, svg('title', {}));
  made.firstChild.textContent = because;
  return made;
}

// Whether |to| waits for |from| by way of others as well: such an edge is left out, or the picture is full of them.
function isImplied(from, to) {
  if (data.outline.length > 600) return false;
  const seen = new Set();
  const reaches = index => {
    for (const [before] of data.outline[index].edges || []) {
      if (before === from && index !== to) return true;
      if (before === from || seen.has(before)) continue;
      seen.add(before);
      if (reaches(before)) return true;
    }
    return false;
  };
  return reaches(to);
}

// The edges along which the critical path goes, also through steps that took no time, as `from to`.
function findHotEdges() {
  const hot = new Set();
  const outlines = critical.map(step => step.row === kNone ? kNone : rows.outline[step.row]);
  const pairs = new Set(outlines.map((to, i) => i > 0 ? `${outlines[i - 1]} ${to}` : ''));
  for (const pair of pairs) {
    const [from, to] = pair.split(' ').map(Number);
    if (!pair || from === kNone || to === kNone || from === to) continue;
    const seen = new Set();
    const goBack = index => {  // whether |from| is behind it
      if (index === from) return true;
      if (seen.has(index)) return false;
      seen.add(index);
      let found = false;
      for (const [before] of data.outline[index].edges || []) {
        if (before !== from && outlines.includes(before)) continue;
        if (!goBack(before)) continue;
        hot.add(`${before} ${index}`);
        found = true;
      }
      return found;
    };
    goBack(to);
  }
  return hot;
}

// Of steps in several states, which one the box shows.
const kByInterest =
  ['failed', 'running', 'retrying', 'waiting', 'sleeping', 'cancelled', 'blocked', 'succeeded', 'skipped'];

function markGraph() {
  if (!graph.built || !graph.svg) return;
  for (const node of graph.nodes) {
    const counts = data.states.map(() => 0);
    for (const row of graph.rows[node.index]) ++counts[moment.states[row]];
    const all = graph.rows[node.index].length;
    const worst = kByInterest.find(name => counts[State[name]] > 0) || 'pending';
    node.mark.setAttribute('class', `mark ${worst}`);
    const over = counts.reduce((sum, number, state) => sum + (state >= kFirstEnd ? number : 0), 0);
    const failed = counts[State.failed];
    node.count.textContent = all < 2 ? '' : failed ? `${numberText(failed)} of ${numberText(all)} failed`
      : over < all ? `${numberText(over)} of ${numberText(all)}` : numberText(all);
    node.element.classList.toggle('chosen', chosen !== kNone && rows.outline[chosen] === node.index);
  }
}
