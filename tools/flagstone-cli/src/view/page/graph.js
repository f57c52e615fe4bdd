// Nodes and edges as SVG: whoever depends on something stands left of it.

import { address, count, el, shown, svg } from "./dom.js";

const [WIDTH, HEIGHT, GAP_X, GAP_Y, MARGIN] = [190, 44, 70, 18, 8];
const LONGEST = 23;

export function drawing(graph) {
  const places = layout(graph.nodes);
  const edges = graph.edges.map((edge) => arrow(edge, places));
  const nodes = graph.nodes.map((node, index) => box(node, places[index], index === 0));
  const width = Math.max(...places.map(({ x }) => x)) + WIDTH + MARGIN;
  const height = Math.max(...places.map(({ y }) => y)) + HEIGHT + MARGIN;
  const tip = svg("marker", { id: "tip", viewBox: "0 0 8 8", refX: 8, refY: 4, markerWidth: 8, markerHeight: 8, orient: "auto" },
    svg("path", { d: "M0 0 8 4 0 8z" }));
  const label = `${count(graph.nodes.length, "item")} that depend on each other`;
  const picture = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": label },
    svg("defs", {}, tip), edges, nodes);
  const frame = el("div", { class: "graph" }, picture);
  const rest = graph.left_out > 0 && el("p", { class: "faint" }, `${graph.left_out} more are left out`);
  return el("div", {}, frame, rest);
}

/** Columns by the number of steps, each in the order in which its nodes were found, in the middle of the height. */
function layout(nodes) {
  const least = Math.min(...nodes.map(({ step }) => step));
  const columns = [];
  nodes.forEach(({ step }, index) => (columns[step - least] ??= []).push(index));
  const tallest = Math.max(...columns.map((column) => column.length));
  const places = [];
  columns.forEach((column, number) => {
    const top = ((tallest - column.length) * (HEIGHT + GAP_Y)) / 2;
    column.forEach((index, position) => {
      places[index] = { x: MARGIN + number * (WIDTH + GAP_X), y: MARGIN + top + position * (HEIGHT + GAP_Y) };
    });
  });
  return places;
}

function box(node, { x, y }, isHere) {
  const isMissing = node.version === null;
  const state = isMissing ? "missing, or bad" : node.kind === "segment" ? "segment" : node.on ? "on" : "off";
  const key = shown(node.key);
  const name = key.length > LONGEST ? `${key.slice(0, LONGEST - 1)}…` : key;
  const classes = ["node", node.kind, isHere && "here", isMissing && "missing", node.on === false && "off"];
  return svg("a", { href: address(node.kind, node.key), class: classes.filter(Boolean).join(" "), "aria-label": `${node.kind} ${key}, ${state}` },
    svg("title", {}, key),
    svg("rect", { x, y, width: WIDTH, height: HEIGHT, rx: node.kind === "segment" ? HEIGHT / 2 : 6 }),
    svg("text", { x: x + WIDTH / 2, y: y + 19 }, name),
    svg("text", { x: x + WIDTH / 2, y: y + 35, class: "what" }, isMissing ? state : `${state}, version ${node.version}`));
}

function arrow({ from, to, variation }, places) {
  const [start, end] = [places[from], places[to]];
  const [y1, y2] = [start.y + HEIGHT / 2, end.y + HEIGHT / 2];
  const isBack = end.x <= start.x;
  // What goes back, or stays in its column, leaves and arrives at the right.
  const [x1, x2] = [start.x + WIDTH, isBack ? end.x + WIDTH : end.x];
  const [out, into] = isBack ? [x1 + GAP_X, x2 + GAP_X] : [x1 + GAP_X / 2, x2 - GAP_X / 2];
  const line = svg("path", { d: `M${x1} ${y1}C${out} ${y1} ${into} ${y2} ${x2} ${y2}`, "marker-end": "url(#tip)" });
  const words = variation !== null && svg("text", { x: (x1 + x2) / 2, y: (y1 + y2) / 2 - 5, class: "what" }, `serves ${variation}`);
  return svg("g", { class: "edge" }, line, words);
}
