// The frame: pages by the part of the address behind #, keys that work everywhere, and how the store is.

import { age, ago, clock, count, el, link, shown, stateOf, told } from "./dom.js";
import { afterwards, live } from "./live.js";
import { Table } from "./table.js";
import { itemPage } from "./flag.js";
import { whoPage } from "./who.js";
import { healthPage } from "./health.js";

const main = document.getElementById("main");
const title = document.title;

/** The part of a page that is left: what it listens to ends with it. */
let leave = new AbortController();

const FILTERS = {
  all: () => true,
  on: (row) => row.on === true,
  off: (row) => row.on === false,
  targeted: (row) => row.targets > 0 || row.rules > 0 || (row.prerequisites?.length ?? 0) > 0,
  bad: (row) => row.error !== undefined,
};

const serves = (row) => (row.error ? el("span", { class: "bad" }, shown(row.error)) : shown(row.serves ?? ""));
const some = (number) => (number ? String(number) : "");

const COLUMNS = {
  flag: [
    { name: "key", title: "Flag", cell: (row) => link("flag", row.key) },
    { name: "state", title: "State", cell: stateOf },
    { name: "version number", title: "Version", cell: (row) => String(row.version ?? "") },
    { name: "targets number", title: "Targets", cell: (row) => some(row.targets) },
    { name: "rules number", title: "Rules", cell: (row) => some(row.rules) },
    { name: "serves", title: "Otherwise", cell: serves },
  ],
  segment: [
    { name: "key", title: "Segment", cell: (row) => link("segment", row.key) },
    { name: "state", title: "", cell: stateOf },
    { name: "version number", title: "Version", cell: (row) => String(row.version ?? "") },
    { name: "rules number", title: "Rules", cell: (row) => some(row.rules) },
    { name: "serves", title: "", cell: serves },
  ],
};

/** What was searched for, for whoever comes back. */
const searched = { flag: { text: "", filter: "all" }, segment: { text: "", filter: "all" } };

/** Why nothing is there, once it is known that nothing is. */
function emptiness() {
  if (!live.isLoaded || !live.pulse?.ready || live.flags.size > 0 || live.segments.size > 0) return "";
  const elsewhere = live.place.includes(', prefix "') ? "; --prefix names another one, flagstone import writes some" : "";
  return `There are no flags: ${shown(live.place)}${elsewhere}`;
}

function listPage(kind, signal) {
  const search = searched[kind];
  const rows = () => (kind === "flag" ? live.flags : live.segments);
  const open = (row) => (location.hash = `#/${kind}/${encodeURIComponent(row.key)}`);
  const table = new Table({ label: `${kind}s`, columns: COLUMNS[kind], open });
  table.element.classList.add(kind);
  const number = el("output", { class: "faint" });
  const empty = el("p", { class: "faint", role: "status" });
  const tellEmptiness = () => (empty.hidden = (empty.textContent = emptiness()) === "");
  const input = el("input", { type: "search", value: search.text, placeholder: `Search ${kind}s`, "aria-label": `Search ${kind}s` });
  const names = kind === "flag" ? Object.keys(FILTERS) : ["all", "bad"];
  const options = names.map((name) => el("option", { value: name, selected: name === search.filter }, name));
  const filter = el("select", { "aria-label": "Which" }, options);
  const show = () => {
    [search.text, search.filter] = [input.value, filter.value];
    const all = [...rows().values()];
    const wanted = matcher(input.value);
    const shownRows = all.filter((row) => FILTERS[filter.value](row) && wanted(row.key));
    table.show(shownRows.sort((one, other) => (one.key < other.key ? -1 : 1)));
    const sum = count(all.length, kind);
    number.textContent = !live.isLoaded ? "reading…" : shownRows.length === all.length ? sum : `${shownRows.length} of ${sum}`;
    tellEmptiness();
  };
  input.addEventListener("input", show);
  filter.addEventListener("change", show);
  input.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown" && event.key !== "Enter") return;
    event.preventDefault();
    table.focus();
  });
  live.addEventListener("lists", show, { signal });
  live.addEventListener("pulse", tellEmptiness, { signal });
  const showAgain = afterwards(() => signal.aborted || show());
  const change = ({ detail }) => {
    if (detail.kind !== kind) return;
    table.mark(detail.key);
    showAgain();
  };
  live.addEventListener("change", change, { signal });
  main.replaceChildren(el("div", { class: "tools" }, input, filter, number), empty, table.element);
  show();
  if (live.isLoaded) input.focus({ preventScroll: true });
}

/** A part of a key, or all of it with * and ?, as at the command line. */
function matcher(text) {
  const pattern = text.trim().toLowerCase();
  if (!/[*?]/.test(pattern)) return (key) => key.toLowerCase().includes(pattern);
  const wanted = [...pattern];
  return (key) => isLike([...key.toLowerCase()], wanted);
}

/** Whether letters are like a pattern. Only the last * is tried again, so however many there are, it does not take long. */
function isLike(letters, pattern) {
  let [at, place, star, from] = [0, 0, -1, 0];
  while (at < letters.length) {
    if (pattern[place] === "*") {
      [star, from] = [place, at];
      place += 1;
    } else if (place < pattern.length && (pattern[place] === "?" || pattern[place] === letters[at])) {
      at += 1;
      place += 1;
    } else if (star >= 0) {
      from += 1;
      [at, place] = [from, star + 1];
    } else {
      return false;
    }
  }
  return pattern.slice(place).every((letter) => letter === "*");
}

/** What somebody wrote into the address may be no such text. */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function route() {
  leave.abort();
  leave = new AbortController();
  const { signal } = leave;
  const [, page, key] = /^#\/(\w+)(?:\/(.*))?$/.exec(location.hash) ?? [null, "flags"];
  const name = key === undefined ? null : decoded(key);
  document.title = name === null ? title : `${shown(name)} – ${title}`;
  const tab = { flag: "flags", segment: "segments" }[page] ?? page;
  for (const anchor of document.querySelectorAll("nav a")) {
    const isHere = anchor.getAttribute("href") === `#/${tab}`;
    if (isHere) anchor.setAttribute("aria-current", "page");
    else anchor.removeAttribute("aria-current");
  }
  main.className = tab;
  window.scrollTo(0, 0);
  if (page === "flag" || page === "segment") itemPage(main, page, name ?? "", signal);
  else if (page === "segments") listPage("segment", signal);
  else if (page === "who") whoPage(main, name, signal);
  else if (page === "health") healthPage(main, signal);
  else listPage("flag", signal);
}

function showPulse() {
  const { pulse, isLinked } = live;
  const [box, trouble] = [document.getElementById("pulse"), document.getElementById("trouble")];
  const say = (health, words, complaint = "") => {
    box.className = health;
    box.querySelector(".words").textContent = words;
    if (trouble.textContent !== complaint) trouble.textContent = complaint;
    trouble.hidden = complaint === "";
  };
  if (!isLinked) {
    const held = live.heardAt === null ? "" : `, what is here was held at ${clock(live.heardAt)}`;
    say("bad", "no answer", `flagstone view does not answer${held}. It may have ended.`);
  } else if (pulse === null) {
    say("", "connecting");
  } else if (!pulse.ready) {
    const reason = pulse.last_error ? `: ${shown(pulse.last_error)}` : "";
    say("bad", "nothing read yet", `Nothing was read from ${shown(live.place)} yet${reason}. Waiting for it.`);
  } else if (pulse.state !== "VALID" || pulse.available === false) {
    const reason = pulse.last_error ? `: ${shown(pulse.last_error)}` : "";
    const words = `${shown(live.place)} is away${reason}. What was read last stays in force, and is shown here.`;
    const old = pulse.verified_age_ms === null ? "" : `, ${age(pulse.verified_age_ms)} old`;
    say("bad", `held${old}`, words);
  } else {
    say("good", pulse.freshness === "push" ? `live by ${pulse.rung ?? "push"}` : `read ${ago(pulse.verified_age_ms)}`);
  }
}

document.addEventListener("keydown", (event) => {
  const isTyping = event.target.matches("input, textarea, select");
  const search = main.querySelector("input[type=search]");
  if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    if (search) search.focus();
    else location.hash = "#/flags";
  } else if (event.key === "Escape") {
    const back = { flag: "#/flags", segment: "#/segments" }[/^#\/(\w+)\//.exec(location.hash)?.[1]];
    if (search?.value) {
      search.value = "";
      search.dispatchEvent(new Event("input"));
      search.focus();
    } else if (back) {
      location.hash = back;
    } else {
      event.target.blur();
    }
  }
});

document.querySelector(".skip").addEventListener("click", (event) => {
  // What is behind # is a page here.
  event.preventDefault();
  main.focus();
});

live.addEventListener("pulse", showPulse);
live.addEventListener("link", showPulse);
live.addEventListener("lists", showPulse);
live.addEventListener("lists", () => performance.mark("interactive"), { once: true });
window.addEventListener("hashchange", route);
// Whoever cannot see it hears it.
const announced = el("p", { class: "unseen", role: "log" });
document.body.append(announced);
live.addEventListener("news", ({ detail }) => (announced.textContent = `${shown(detail.key ?? "")} ${told(detail)}`));
route();
live.start();
