// A table of any length: only the rows that are seen are there. Keys: arrows, Home, End, Page Up, Page Down, Enter.

import { el } from "./dom.js";

const HEIGHT = 34;
const BEYOND = 8;

/** A link leads where it says, and the browser knows what else is meant. */
const isOnLink = (event) => event.target.closest("a") !== null;
const isWithModifier = (event) => event.ctrlKey || event.metaKey || event.altKey || event.shiftKey;

export class Table {
  /**
   * @param label what it is a table of
   * @param columns each with `name`, `title` and `cell(row)`, which gives a text or an element
   * @param open what happens to a row that is chosen
   */
  constructor({ label, columns, open }) {
    this.columns = columns;
    this.open = open;
    this.rows = [];
    this.chosen = -1;
    this.drawn = new Map();
    this.fresh = new Set();
    const titles = columns.map(({ name, title }) => el("span", { role: "columnheader", class: name }, title));
    this.space = el("div", { class: "space", role: "rowgroup" });
    this.window = el("div", { class: "window", role: "presentation", tabindex: -1 }, this.space);
    const head = el("div", { class: "row head", role: "row", "aria-rowindex": 1 }, titles);
    this.element = el("div", { class: "table", role: "grid", "aria-label": label, tabindex: 0 }, head, this.window);
    this.window.addEventListener("scroll", () => this.draw(), { passive: true });
    this.element.addEventListener("keydown", (event) => this.#press(event));
    new ResizeObserver(() => this.draw()).observe(this.window);
  }

  /** Shows these rows; the chosen one stays chosen if it is among them. */
  show(rows) {
    const key = this.rows[this.chosen]?.key;
    this.rows = rows;
    this.chosen = key === undefined ? -1 : rows.findIndex((row) => row.key === key);
    this.space.style.height = `${rows.length * HEIGHT}px`;
    this.element.setAttribute("aria-rowcount", rows.length + 1);
    this.draw(true);
  }

  /** Marks a row as one that has just changed. */
  mark(key) {
    this.fresh.add(key);
    setTimeout(() => this.fresh.delete(key), 2000);
  }

  draw(isNew = false) {
    if (isNew) {
      this.space.replaceChildren();
      this.drawn.clear();
    }
    const first = Math.max(0, Math.floor(this.window.scrollTop / HEIGHT) - BEYOND);
    const last = Math.min(this.rows.length, first + Math.ceil(this.window.clientHeight / HEIGHT) + 2 * BEYOND);
    for (const [index, element] of this.drawn) {
      if (index < first || index >= last) {
        element.remove();
        this.drawn.delete(index);
      }
    }
    for (let index = first; index < last; index += 1) {
      if (!this.drawn.has(index)) this.#add(index);
    }
  }

  #add(index) {
    const row = this.rows[index];
    const cells = this.columns.map(({ name, cell }) => {
      const content = cell(row);
      // What does not fit is cut off.
      const title = typeof content === "string" ? content : undefined;
      return el("span", { role: "gridcell", class: name, title }, content);
    });
    const classes = `row${this.fresh.has(row.key) ? " fresh" : ""}`;
    const element = el("div", { class: classes, role: "row", id: `row-${index}`, "aria-rowindex": index + 2 }, cells);
    element.style.top = `${index * HEIGHT}px`;
    element.setAttribute("aria-selected", index === this.chosen);
    // The keys of the table lead to each row.
    for (const anchor of element.querySelectorAll("a")) anchor.tabIndex = -1;
    element.addEventListener("click", (event) => isWithModifier(event) || this.#choose(index, !isOnLink(event)));
    this.space.append(element);
    this.drawn.set(index, element);
  }

  /** Chooses the row of this key, if it is there. */
  choose(key) {
    const index = this.rows.findIndex((row) => row.key === key);
    if (index >= 0) this.#choose(index, false);
  }

  #choose(index, isOpened) {
    if (this.rows.length === 0) return;
    this.drawn.get(this.chosen)?.setAttribute("aria-selected", false);
    this.chosen = Math.max(0, Math.min(index, this.rows.length - 1));
    const top = this.chosen * HEIGHT;
    if (top < this.window.scrollTop) this.window.scrollTop = top;
    const room = this.window.clientHeight - HEIGHT;
    if (top > this.window.scrollTop + room) this.window.scrollTop = top - room;
    this.draw();
    this.drawn.get(this.chosen)?.setAttribute("aria-selected", true);
    this.element.setAttribute("aria-activedescendant", `row-${this.chosen}`);
    if (isOpened) this.open(this.rows[this.chosen]);
  }

  #press(event) {
    if (isWithModifier(event) || (event.key === "Enter" && isOnLink(event))) return;
    const page = Math.max(1, Math.floor(this.window.clientHeight / HEIGHT) - 1);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (event.key in steps) this.#choose(this.chosen + steps[event.key], false);
    else if (event.key === "Enter" && this.chosen >= 0) this.#choose(this.chosen, true);
    else return;
    event.preventDefault();
  }

  /** As if the arrow had been pressed in it. */
  focus() {
    this.element.focus();
    if (this.chosen < 0) this.#choose(0, false);
  }
}
