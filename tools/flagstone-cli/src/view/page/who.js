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
  /** None before there is an answer. */
  let given = null;
  /** The context that was asked about: whoever types on is not done yet. */
  let sent = null;
  const latest = { all: 0, why: 0 };
  const table = new Table({ label: "what this context gets", columns: COLUMNS, open: (row) => explain(row.key) });
  table.element.classList.add("given");
  const show = () => {
    const wanted = search.value.trim().toLowerCase();
    table.show((given ?? []).filter((row) => row.key.toLowerCase().includes(wanted)));
    number.textContent = given === null ? "" : count(given.length, "flag");
  };
  /** The answer; none if there is none, or if the same was asked again meanwhile. */
  const send = async (what, more) => {
    const mine = (latest[what] += 1);
    const isLate = () => signal.aborted || mine !== latest[what];
    try {
      JSON.parse(sent);
      // As it was typed: a number that was read and written again may be another one.
      const answer = await ask("/api/who", `{"context":${sent}${more}}`);
      if (isLate()) return null;
      complaint.textContent = "";
      return answer;
    } catch (error) {
      if (!isLate()) fail(error);
      return null;
    }
  };
  const fail = (error) => {
    complaint.textContent = error instanceof SyntaxError ? `this is no JSON: ${error.message}` : error.message;
    // Nobody answered: what was answered before is as true as the whole page is.
    if (error instanceof TypeError) return;
    given = null;
    show();
    why.replaceChildren();
  };
  const all = async () => {
    latest.why += 1;
    const answer = await send("all", "");
    if (answer === null) return;
    given = answer;
    show();
    if (asked.key !== null) await explain(asked.key);
  };
  const submit = async () => {
    asked.context = sent = input.value;
    await all();
    // Only now: whoever scrolls meanwhile stays there when something changes.
    table.choose(asked.key);
  };
  const explain = async (of) => {
    asked.key = of;
    const answer = await send("why", `,"key":${JSON.stringify(of)}`);
    if (answer !== null) why.replaceChildren(...explanation(of, answer));
  };
  let timer;
  const again = () => {
    clearTimeout(timer);
    timer = setTimeout(() => !signal.aborted && sent !== null && all(), LATER);
  };
  live.addEventListener("news", again, { signal });
  live.addEventListener("lists", again, { signal });
  search.addEventListener("input", show);
  search.addEventListener("keydown", (event) => event.key === "ArrowDown" && (event.preventDefault(), table.focus()));
  input.addEventListener("keydown", (event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && submit());
  const form = el("form", { onsubmit: (event) => (event.preventDefault(), submit()) },
    el("label", { for: "context" }, "A context, as JSON"), input, el("div", { class: "tools" }, el("button", {}, "What does it get?"), search, number), complaint);
  main.replaceChildren(el("h1", {}, "Who gets what"), form, el("div", { class: "both" }, table.element, why));
  if (asked.key !== null) submit();
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
    el("p", {}, result, `: ${shown(reason)}${stale ? "; the data may be out of date" : ""}`),
    el("ul", { class: "tree" }, branch(tree)),
  ];
}

function branch({ text, mark, below }) {
  const [sign, word] = MARKS[mark];
  const head = [el("span", { class: `mark ${mark}`, "aria-hidden": true }, sign), el("span", { class: "unseen" }, word), shown(text)];
  return el("li", {}, head, below.length > 0 && el("ul", {}, below.map(branch)));
}
