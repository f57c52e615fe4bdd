// How the store is: where it is, how changes are heard of, how old the data are, what is bad, and what happened.

import { STATES, ago, bytes, clock, count, el, link, shown, told } from "./dom.js";
import { ask, live } from "./live.js";

const LATER = 500;

export function healthPage(main, signal) {
  const load = async () => {
    try {
      const health = await ask("/api/health");
      if (!signal.aborted) main.replaceChildren(...parts(health));
    } catch (error) {
      if (main.childElementCount < 2) main.replaceChildren(el("h1", {}, "Health"), el("p", { class: "bad" }, error.message));
    }
  };
  let timer = null;
  const again = () => {
    timer ??= setTimeout(() => {
      timer = null;
      if (!signal.aborted) load();
    }, LATER);
  };
  live.addEventListener("news", again, { signal });
  live.addEventListener("lists", again, { signal });
  const beat = ({ detail }) => {
    const box = main.querySelector("#age");
    if (box) box.textContent = ago(detail.verified_age_ms);
  };
  live.addEventListener("pulse", beat, { signal });
  main.replaceChildren(el("h1", {}, "Health"));
  load();
}

function card(title, value, note, classes = "") {
  return el("div", { class: `card ${classes}` }, el("h2", {}, title), el("p", { class: "value" }, value), note && el("p", { class: "faint" }, note));
}

function parts({ place, status, bytes: size, problems, timeline }) {
  const isGood = status.state === "VALID" && status.available;
  const redis = status.redis;
  const where = redis && [redis.topology, redis.address, redis.role].filter(Boolean).join(", ");
  const cards = [
    card("Store", STATES[status.state] ?? status.state, where && shown(where), isGood ? "good" : "bad"),
    card("Changes", status.freshness, shown(status.freshness_reason ?? status.watch?.rung ?? ""), status.freshness === "ttl" ? "doubtful" : ""),
    card("Known to be true", el("span", { id: "age" }, ago(status.verified_age_ms))),
    card("Held", count(status.flags, "flag"), `${count(status.segments, "segment")}, ${bytes(size)}`),
    card("Bad items", String(problems.count), status.malformed > 0 ? `${count(status.malformed, "item")} cannot be read` : "", problems.count > 0 ? "doubtful" : "good"),
  ];
  return [
    el("h1", {}, "Health"),
    el("p", { class: "faint" }, shown(place)),
    el("div", { class: "cards" }, cards),
    status.last_error && el("p", { class: "doubtful" }, `${clock(status.last_error_ms)} ${shown(status.last_error)}`),
    ladder(status.watch),
    bad(problems),
    el("section", {}, el("h2", {}, "What happened"), happened(timeline)),
  ].filter(Boolean);
}

function ladder(watch) {
  if (!watch?.ladder?.length) return null;
  const rungs = watch.ladder.map(({ rung, state, reason }) => {
    const isInForce = rung === watch.rung;
    const words = `${isInForce ? "in force" : state}${reason ? `: ${shown(reason)}` : ""}`;
    return el("li", { class: isInForce ? "here" : "" }, el("span", {}, rung), el("span", { class: isInForce ? "" : "faint" }, words));
  });
  return el("section", {}, el("h2", {}, "How it hears of changes"), el("ol", { class: "ladder" }, rungs));
}

function bad({ count: number, first }) {
  if (number === 0) return null;
  const problems = first.map(({ kind, key, problem, unreadable }) =>
    el("li", { class: unreadable ? "bad" : "doubtful" }, `${kind} `, link(kind, key), ` ${shown(problem)}`));
  const rest = number > first.length && el("p", { class: "faint" }, `${number - first.length} more: flagstone verify`);
  return el("section", {}, el("h2", {}, count(number, "problem")), el("ul", { class: "problems" }, problems), rest);
}

function happened(timeline) {
  if (timeline.length === 0) return el("p", { class: "faint" }, "nothing yet");
  const lines = timeline.toReversed().map((entry) => {
    const key = entry.key !== undefined && [link(entry.kind ?? "flag", entry.key), " "];
    return el("li", { class: entry.event === "log" ? "doubtful" : entry.event }, el("time", {}, clock(entry.unix_ms)), key, told(entry));
  });
  return el("ol", { class: "timeline" }, lines);
}
