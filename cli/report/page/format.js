// Times and values as text, and elements of the page. Whatever comes from the run goes in as text.

function spanText(ms) {
  if (ms < 1) return '0s';
  if (ms < 995) return `${Math.round(ms)}ms`;
  const seconds = ms / 1000;
  if (seconds < 9.995) return `${seconds.toFixed(2)}s`;
  if (seconds < 59.95) return `${seconds.toFixed(1)}s`;
  const whole = Math.round(seconds);
  const two = number => String(number).padStart(2, '0');
  if (whole < 3600) return `${Math.floor(whole / 60)}m${two(whole % 60)}s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)}h${two(Math.floor(whole / 60) % 60)}m`;
  return `${Math.floor(whole / 86400)}d${two(Math.floor(whole / 3600) % 24)}h`;
}

function clockText(at) {
  const date = new Date(data.run.started + at);
  const two = number => String(number).padStart(2, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.` +
    String(date.getMilliseconds()).padStart(3, '0');
}

function dateText(at) {
  const date = new Date(data.run.started + at);
  const two = number => String(number).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

function bytesText(bytes) {
  if (bytes < 1024) return `${bytes} bytes`;
  return bytes < 1048576 ? `${(bytes / 1024).toFixed(0)} KiB` : `${(bytes / 1048576).toFixed(1)} MiB`;
}

const kNumbers = new Intl.NumberFormat('en-US');
const numberText = number => kNumbers.format(number);

// JSON text with line breaks. It is not parsed: numbers stay as they are written, and its end may be missing.
function spreadOut(json) {
  let out = '', depth = 0, quoted = false;
  const line = () => '\n' + '  '.repeat(Math.min(depth, 40));
  for (let i = 0; i < json.length; ++i) {
    const c = json[i];
    if (quoted) {
      out += c;
      if (c === '\\' && i + 1 < json.length) out += json[++i];
      if (c === '"') quoted = false;
    } else if (c === '"') {
      out += c;
      quoted = true;
    } else if (c === '{' || c === '[') {
      const empty = json[i + 1] === '}' || json[i + 1] === ']';
      out += c;
      if (empty) { out += json[++i]; continue; }
      ++depth;
      out += line();
    } else if (c === '}' || c === ']') {
      --depth;
      out += line() + c;
    } else if (c === ',') {
      out += c + line();
    } else {
      out += c === ':' ? ': ' : c;
    }
  }
  return out;
}

// A value for people: a text as it is, everything else as JSON.
function valueText(json) {
  if (!json.startsWith('"')) return spreadOut(json);
  try {
    return JSON.parse(json);
  } catch {
    return json;  // its end is missing
  }
}

function el(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key === 'class') made.className = value;
    else if (key.startsWith('on')) made.addEventListener(key.slice(2), value);
    else if (key === 'hidden') made.hidden = true;
    else made.setAttribute(key, value);
  }
  made.append(...present(children));
  return made;
}
// Without those that there is nothing to say for.
const present = children => children.flat(Infinity).filter(child => child !== false && child != null);
const byId = id => document.getElementById(id);
const classOf = name => name.replace(' ', '-');

const kNames = {
  line: 'in line for a place to run', work: 'works', sleep: 'sleeps', backoff: 'waits for its next try',
  person: 'waits for a signal or a person',
};
