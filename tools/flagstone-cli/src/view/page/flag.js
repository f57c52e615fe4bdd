// One flag or segment as a picture: the steps of an evaluation from the top down, what each serves as a bar, and what it
// depends on as a graph.

import { bytes, clock, count, el, link, shown, stateOf, svg, told } from "./dom.js";
import { ask, live } from "./live.js";
import { drawing } from "./graph.js";

const COLOURS = 8;
const LONGEST_VALUE = 60;
const LATER = 300;

export async function itemPage(main, kind, key, signal) {
  let latest = 0;
  const load = async () => {
    const mine = (latest += 1);
    try {
      const item = await ask(`/api/${kind}?key=${encodeURIComponent(key)}`);
      if (signal.aborted || mine !== latest) return;
      const isOpen = main.querySelector("details")?.open;
      main.replaceChildren(...parts(kind, item));
      main.querySelector("details").open = isOpen ?? false;
    } catch (error) {
      if (signal.aborted || mine !== latest) return;
      main.replaceChildren(el("h1", {}, shown(key)), el("p", { class: "bad" }, error.message));
    }
  };
  let timer = null;
  const again = () => {
    timer ??= setTimeout(() => {
      timer = null;
      if (!signal.aborted) load();
    }, LATER);
  };
  live.addEventListener("lists", load, { signal });
  let wasAway = false;
  const back = () => {
    if (live.isLinked && wasAway) again();
    wasAway = !live.isLinked;
  };
  live.addEventListener("link", back, { signal });
  // Whatever changes may depend on it from now on.
  live.addEventListener("news", ({ detail }) => detail.key !== undefined && again(), { signal });
  main.replaceChildren(el("h1", {}, shown(key)));
  await load();
}

function parts(kind, item) {
  const { row, flag, segment } = item;
  const version = row.version === null ? null : el("span", { class: "faint" }, `version ${row.version}, ${bytes(row.bytes)}`);
  const actions = flag && el("a", { class: "button", href: `#/who/${encodeURIComponent(row.key)}` }, "Who gets what");
  return [
    el("div", { class: "title" }, el("h1", {}, shown(row.key)), stateOf(row), version, actions),
    item.name && item.name !== row.key && el("p", {}, shown(item.name)),
    item.description && el("p", { class: "faint" }, shown(item.description)),
    row.error && el("p", { class: "bad" }, shown(row.error)),
    ...item.remarks.map((remark) => el("p", { class: "doubtful" }, shown(remark))),
    flag && legend(flag.variations),
    flag && flagSteps(flag, row.on),
    segment && segmentSteps(segment),
    graphPart(item.graph),
    flag && flag.also.length > 0 && el("section", {}, el("h2", {}, "Also"), el("ul", {}, flag.also.map((line) => el("li", {}, shown(line))))),
    changes(kind, row.key),
    el("details", {}, el("summary", {}, "As it is stored"), el("pre", { tabindex: 0 }, shown(item.text))),
  ].filter(Boolean);
}

const colour = (index) => `v${((index % COLOURS) + COLOURS) % COLOURS}`;

function short(json) {
  const text = shown(json);
  return text.length > LONGEST_VALUE ? `${text.slice(0, LONGEST_VALUE - 1)}…` : text;
}

function swatch(index) {
  return el("span", { class: `swatch ${colour(index)}`, "aria-hidden": true });
}

/** Which variation it is, for those who know it by its number. */
function number(index) {
  return el("span", { class: "faint" }, String(index));
}

function legend(variations) {
  const items = variations.map((json, index) => el("li", {}, swatch(index), el("code", { title: shown(json) }, short(json)), " ", number(index)));
  return el("section", {}, el("h2", {}, "Variations"), el("ul", { class: "legend" }, items));
}

/** A share of one in per cent, as exact as shares are. */
const percent = (share) => `${Math.round(share * 1e5) / 1e3}%`;

/** What is served as a bar with its parts named. */
function bar(serves, variations) {
  const shares = serves.shares ?? (serves.variation === undefined ? [] : [{ variation: serves.variation, share: 1 }]);
  if (shares.length === 0) return el("div", { class: "serves doubtful" }, "nothing: whoever comes here gets the default");
  const value = (index) => (index in variations ? short(variations[index]) : `variation ${index}, which it does not have`);
  let from = 0;
  const pieces = shares.map(({ variation, share }) => {
    const piece = svg("rect", { x: from * 100, width: Math.max(0, share * 100), height: 10, class: colour(variation) });
    from += share;
    return piece;
  });
  const isSplit = serves.shares !== undefined;
  const names = shares.map(({ variation, share, untracked }) => {
    const part = isSplit ? `${percent(share)} ` : "";
    return el("li", {}, swatch(variation), part, el("code", {}, value(variation)), " ", number(variation), untracked && ", untracked");
  });
  const by = isSplit && el("p", { class: "faint" }, `by ${shown(serves.by)}${serves.experiment ? ", an experiment" : ""}`);
  const picture = svg("svg", { class: "bar", viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": true }, pieces);
  return el("div", { class: "serves" }, picture, el("ul", { class: "legend" }, names), by);
}

function step(title, words, serves, classes = "") {
  return el("li", { class: `step ${classes}` }, el("div", { class: "when" }, el("h3", {}, title), words), serves);
}

/** Clauses, all of which must pass. */
function conditions(clauses) {
  if (clauses.length === 0) return el("p", {}, "for everybody");
  return el("ul", { class: "clauses" }, clauses.map((clause, index) => el("li", {}, `${index === 0 ? "if" : "and"} ${shown(clause)}`)));
}

function keys({ kind, first, count: number }) {
  const names = first.map((key) => [el("code", {}, shown(key)), " "]);
  const rest = number > first.length ? `… ${(number - first.length).toLocaleString("en")} more` : "";
  return el("p", { class: "keys" }, `${shown(kind)} `, names.flat(), rest);
}

function flagSteps(flag, isOn) {
  const { variations } = flag;
  const off = flag.off === null ? el("div", { class: "serves faint" }, "the caller's default") : bar({ variation: flag.off }, variations);
  const needs = flag.needs.map(({ key, variation }) =>
    step("Needs", el("p", {}, link("flag", key), ` to be on and to serve its variation ${variation}`), el("div", { class: "serves faint" }, "otherwise as when off")));
  const targets = flag.targets.map((list) => step("Target", keys(list), bar(list, variations)));
  const rules = flag.rules.map((rule, index) => {
    const name = rule.name ? `Rule ${index + 1}: ${shown(rule.name)}` : `Rule ${index + 1}`;
    return step(name, conditions(rule.clauses), bar(rule.serves, variations));
  });
  const steps = [
    step("When off", el("p", { class: "faint" }, isOn ? "it is on" : "it is off: nothing else is looked at"), off, isOn ? "passed" : "final"),
    ...needs,
    ...targets,
    ...rules,
    step("Otherwise", null, bar(flag.otherwise, variations)),
  ];
  return el("section", {}, el("h2", {}, "How it decides"), el("ol", { class: isOn ? "steps" : "steps stopped" }, steps));
}

function segmentSteps(segment) {
  const { big, included, excluded, rules } = segment;
  const generation = big && (big.generation === null ? "not ready yet" : `generation ${big.generation}`);
  const words = (text) => el("div", { class: "serves" }, text);
  const steps = [
    big && step("Big segment", el("p", {}, `members of kind ${shown(big.kind)} are in a store; ${generation}`), words("")),
    ...included.map((list) => step("Included", keys(list), words(`${count(list.count, "key")} in it`))),
    ...excluded.map((list) => step("Excluded", keys(list), words(`${count(list.count, "key")} not in it`))),
    ...rules.map((rule, index) => {
      const share = rule.share === null ? "in it" : `${percent(rule.share)} in it, by ${shown(rule.by)}`;
      return step(`Rule ${index + 1}`, conditions(rule.clauses), words(share));
    }),
    step("Otherwise", null, words("not in it")),
  ].filter(Boolean);
  return el("section", {}, el("h2", {}, "Who is in it"), el("ol", { class: "steps" }, steps));
}

function graphPart(graph) {
  if (graph.nodes.length < 2) return null;
  return el("section", {}, el("h2", {}, "What it depends on, and who on it"), drawing(graph));
}

function changes(kind, key) {
  const list = el("ul", { class: "timeline" });
  ask("/api/timeline").then((timeline) => {
    const own = timeline.filter((entry) => entry.key === key && (entry.kind ?? "flag") === kind).reverse();
    list.append(...own.map((entry) => el("li", {}, el("time", {}, clock(entry.unix_ms)), told(entry))));
    list.parentElement.hidden = own.length === 0;
  }, () => {});
  return el("section", { hidden: true }, el("h2", {}, "Changes since the page was there"), list);
}
