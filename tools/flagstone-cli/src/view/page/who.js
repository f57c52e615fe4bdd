// Who gets what: all flags for a context, and why one of them has its value.

import { count, el, shown } from "./dom.js";
import { ask, live } from "./live.js";
import { Table } from "./table.js";

const EXAMPLE = '{"kind": "user", "key": "ada"}';
const LATER = 300;

/** What was asked last, for whoever comes back; it is kept nowhere else. */
const asked = { context: EXAMPLE, key: null };

const MARKS = { yes: ["✓", "yes: "], no: ["✗", "no: "], open: ["?", "unknown: "], none: ["", ""] };

export function whoPage(main, key, signal) {
  if (key !== null) asked.key = key;
  const input = el("textarea", { id: "context", rows: 4, spellcheck: "false", autocapitalize: "off" });
  input.value = asked.context;
  const complaint = el("p", { class: "bad", role: "alert" });
  const number = el("output", { class: "faint" });
  const search = el("input", { type: "search", placeholder: "Search flags", "aria-label": "Search flags" });
  const why = el("section", { class: "why", "aria-live": "polite" });
  let given = [];
  const table = new Table({ label: "what this context gets", columns: COLUMNS, open: (row) => explain(row.key) });
  table.element.classList.add("given");
  const show = () => {
    const wanted = search.value.trim().toLowerCase();
    table.show(given.filter((row) => row.key.toLowerCase().includes(wanted)));
    number.textContent = count(given.length, "flag");
  };
  const send = async (question) => {
    asked.context = input.value;
    try {
      JSON.parse(input.value);
      // As it was typed: a number that was read and written again may be another one.
      const answer = await ask("/api/who", question === null ? `{"context":${input.value}}` : `{"context":${input.value},"key":${JSON.stringify(question)}}`);
      complaint.textContent = "";
      return signal.aborted ? null : answer;
    } catch (error) {
      complaint.textContent = error instanceof SyntaxError ? `this is no JSON: ${error.message}` : error.message;
      return null;
    }
  };
  const all = async () => {
    const answer = await send(null);
    if (answer === null) return;
    given = answer;
    show();
    if (asked.key !== null) await explain(asked.key);
  };
  const explain = async (of) => {
    asked.key = of;
    const answer = await send(of);
    if (answer !== null) why.replaceChildren(...explanation(of, answer));
  };
  let timer;
  const again = () => {
    clearTimeout(timer);
    timer = setTimeout(() => !signal.aborted && given.length > 0 && all(), LATER);
  };
  live.addEventListener("news", again, { signal });
  live.addEventListener("lists", again, { signal });
  search.addEventListener("input", show);
  search.addEventListener("keydown", (event) => event.key === "ArrowDown" && (event.preventDefault(), table.focus()));
  input.addEventListener("keydown", (event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && all());
  const form = el("form", { onsubmit: (event) => (event.preventDefault(), all()) },
    el("label", { for: "context" }, "A context, as JSON"), input, el("div", { class: "tools" }, el("button", {}, "What does it get?"), search, number), complaint);
  main.replaceChildren(el("h1", {}, "Who gets what"), form, el("div", { class: "both" }, table.element, why));
  if (asked.key !== null) all();
}

const COLUMNS = [
  { name: "key", title: "Flag", cell: (row) => shown(row.key) },
  { name: "value", title: "Value", cell: (row) => el("code", {}, shown(row.value ?? "no value")) },
  { name: "serves", title: "Because", cell: (row) => `${shown(row.reason)}${row.stale ? "; may be out of date" : ""}` },
];

function explanation(key, { explanation: { value, stale }, reason, tree }) {
  const result = value === null ? el("span", { class: "doubtful" }, "no value: the caller's default") : el("code", {}, shown(JSON.stringify(value)));
  return [
    el("h2", {}, el("a", { href: `#/flag/${encodeURIComponent(key)}` }, shown(key))),
    el("p", {}, result, ` ${shown(reason)}${stale ? "; the data may be out of date" : ""}`),
    el("ul", { class: "tree" }, branch(tree)),
  ];
}

function branch({ text, mark, below }) {
  const [sign, word] = MARKS[mark];
  const head = [el("span", { class: `mark ${mark}`, "aria-hidden": true }, sign), el("span", { class: "unseen" }, word), shown(text)];
  return el("li", {}, head, below.length > 0 && el("ul", {}, below.map(branch)));
}
