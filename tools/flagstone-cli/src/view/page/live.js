// What the store holds, kept true by server-sent events. Pages listen to the events of `live`:
//   lists   everything is there, or there anew
//   change  one flag or segment changed: its entry of the journal
//   news    something happened: an entry of the journal
//   pulse   how the store is; comes every second
//   link    whether the program answers

const HIDDEN_FOR = 30_000;

class Live extends EventTarget {
  flags = new Map();
  segments = new Map();
  pulse = null;
  /** The program answers. */
  isLinked = false;
  /** When it answered last. */
  heardAt = null;
  isLoaded = false;
  place = "";
  #number = -1;
  #run = null;
  /** What is read must contain this entry. */
  #wanted = 0;
  #waiting = [];
  #loading = null;
  #source = null;

  start() {
    this.load();
    this.#listen();
    let timer;
    // A browser has six connections to one server: pages that nobody sees give theirs back.
    document.addEventListener("visibilitychange", () => {
      clearTimeout(timer);
      if (document.hidden) timer = setTimeout(() => this.#deafen(), HIDDEN_FOR);
      else if (this.#source === null) this.#listen();
    });
  }

  /** Reads everything, at least as new as this number; what happens meanwhile is told afterwards. */
  load(number = 0) {
    this.#wanted = Math.max(this.#wanted, number);
    this.#loading ??= this.#load();
    return this.#loading;
  }

  async #load() {
    try {
      const lists = await ask("/api/lists");
      this.flags = new Map(lists.flags.map((row) => [row.key, row]));
      this.segments = new Map(lists.segments.map((row) => [row.key, row]));
      [this.#number, this.#run, this.place] = [lists.number, lists.run, lists.place];
      this.isLoaded = true;
    } catch {
      // The events say so, too, and begin anew when the program is back.
      this.#loading = null;
      return;
    }
    this.#loading = null;
    this.#emit("lists");
    const waiting = this.#waiting.splice(0);
    // It was on its way before the page heard of what happens.
    if (this.#number < this.#wanted) this.load();
    for (const news of waiting) this.#take(news);
  }

  #listen() {
    const source = new EventSource("/api/events");
    const on = (name, act) => source.addEventListener(name, (event) => act(JSON.parse(event.data)));
    on("hello", ({ run, number }) => {
      this.#link(true);
      if (this.#run !== null && run !== this.#run) this.#wanted = 0;
      if (!this.isLoaded || run !== this.#run || number > this.#number) this.load(number);
    });
    on("pulse", (pulse) => {
      this.#link(true);
      this.pulse = pulse;
      this.#emit("pulse", pulse);
    });
    on("news", (news) => this.#take(news));
    on("reload", ({ number }) => this.load(number));
    source.addEventListener("error", () => this.#link(false));
    this.#source = source;
  }

  #deafen() {
    this.#source?.close();
    this.#source = null;
  }

  #link(isLinked) {
    if (isLinked) this.heardAt = Date.now();
    if (isLinked !== this.isLinked) {
      this.isLinked = isLinked;
      this.#emit("link");
    }
  }

  #take(news) {
    if (!this.isLoaded || this.#loading !== null) {
      this.#waiting.push(news);
      return;
    }
    // They are contained in what was read.
    if (news.number <= this.#number) return;
    this.#number = news.number;
    for (const entry of news.entries) {
      if (entry.event === "change") {
        const rows = entry.kind === "flag" ? this.flags : this.segments;
        if (entry.row === null) rows.delete(entry.key);
        else rows.set(entry.key, entry.row);
        this.#emit("change", entry);
      }
      this.#emit("news", entry);
      if (entry.event === "many") this.load(news.number);
    }
  }

  #emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

export const live = new Live();

/** Does something once, after everything that happens at the same moment. */
export function afterwards(act) {
  let isWaiting = false;
  return () => {
    if (isWaiting) return;
    isWaiting = true;
    queueMicrotask(() => {
      isWaiting = false;
      act();
    });
  };
}

/** The JSON of an answer; what is refused is an error with the sentence. */
export async function ask(path, question) {
  const options = question && {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: question,
  };
  const answer = await fetch(path, options);
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}
