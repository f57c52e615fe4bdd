// Elements made of data. A text is always a text: nothing here reads markup.

const SVG = "http://www.w3.org/2000/svg";

function make(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function el(name, attributes = {}, ...children) {
  return make(document.createElement(name), attributes, children);
}

export function svg(name, attributes = {}, ...children) {
  return make(document.createElementNS(SVG, name), attributes, children);
}

/** The address of a flag or segment on this page. */
export function address(kind, key) {
  return `#/${kind}/${encodeURIComponent(key)}`;
}

export function link(kind, key) {
  return el("a", { href: address(kind, key), class: "key" }, shown(key));
}

/** A text from data, with what nobody would see, or what would turn other text around, made visible. */
export function shown(text) {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (character) => `\\u{${character.codePointAt(0).toString(16)}}`);
}

/** `1 flag`, `2 flags`. */
export function count(number, noun) {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}

/** The time, with the day if that is not today. */
export function clock(unixMs) {
  const moment = new Date(unixMs);
  const day = moment.toDateString() === new Date().toDateString() ? "" : `${moment.toLocaleDateString("sv-SE")} `;
  return `${day}${moment.toLocaleTimeString("en-GB", { hour12: false })}`;
}

export function bytes(number) {
  if (number < 1e3) return `${number} B`;
  return number < 1e6 ? `${(number / 1e3).toFixed(1)} kB` : `${(number / 1e6).toFixed(1)} MB`;
}

/** How long something lasts, in a few letters. */
export function age(ms) {
  if (ms < 950) return "less than a second";
  const seconds = Math.round(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}

/** How long ago something was, if it ever was. */
export function ago(ms) {
  return ms === null || ms === undefined ? "never" : `${age(ms)} ago`;
}

export function stateOf(row) {
  if (row.version === null) return el("span", { class: "state bad" }, "bad");
  if (row.on === undefined) return el("span", { class: "state" }, row.big ? "big" : "");
  return el("span", { class: row.on ? "state on" : "state off" }, row.on ? "on" : "off");
}

/** What a change was, in words. */
export function told(entry) {
  switch (entry.event) {
    case "change": {
      const { old_version: from, new_version: to, words, row } = entry;
      const rest = words.length > 0 ? `: ${words.map(shown).join("; ")}` : "";
      if (row === null) return `gone, was version ${from}`;
      if (from === null) return `new, version ${to}`;
      return from === to ? `still version ${to}${rest}` : `version ${from} → ${to}${rest}`;
    }
    case "through":
      return `version ${entry.version}, through what it depends on`;
    case "many":
      return `${count(entry.count, "item")} at once`;
    case "status":
      return `${STATES[entry.state] ?? entry.state}${entry.reason ? `: ${shown(entry.reason)}` : ""}`;
    default:
      return shown(entry.text ?? "");
  }
}

export const STATES = {
  INIT: "not read yet",
  VALID: "up to date",
  INTERRUPTED: "interrupted, what was read last stays in force",
  OFF: "off",
};
