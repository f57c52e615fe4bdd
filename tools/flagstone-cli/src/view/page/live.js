// What the store holds, kept true by server-sent events. Pages listen to the events of `live`:
//   lists   everything is there, or there anew
//   change  one flag or segment changed: its entry of the journal
//   news    something happened: an entry of the journal
//   pulse   how the store is; comes every second
//   link    whether the program answers

const HIDDEN_FOR = 30_000;
/** A pulse comes every second: whoever is not heard for so long does not answer. */
const SILENT_FOR = 5_000;
const AGAIN_AFTER = 1_000;

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
  /** What is held is not what there is, and was not read yet. */
  #isOld = false;
  #again;
  #source = null;
  #listensSince = 0;

  start() {
    this.load();
    this.#listen();
    setInterval(() => this.#watch(), AGAIN_AFTER);
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
    this.#isOld = true;
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
      this.#isOld = false;
    } catch {
      this.#loading = null;
      clearTimeout(this.#again);
      this.#again = setTimeout(() => this.#source !== null && this.load(), AGAIN_AFTER);
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
      if (this.#isOld || run !== this.#run || number > this.#number) this.load(number);
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
    this.#listensSince = Date.now();
  }

  #deafen() {
    this.#source?.close();
    this.#source = null;
    this.isLinked = false;
  }

  /** A connection may fall silent without a word, and after a refusal a browser does not try again. */
  #watch() {
    if (this.#source === null) return;
    const isClosed = this.#source.readyState === EventSource.CLOSED;
    const isSilent = Date.now() - Math.max(this.heardAt ?? 0, this.#listensSince) > SILENT_FOR;
    if (!isClosed && !isSilent) return;
    this.#link(false);
    this.#deafen();
    this.#listen();
    // It tells why it refuses.
    if (isClosed) this.load();
  }

  /** That it does not answer is told again and again: who looks now may not have looked before. */
  #link(isLinked) {
    if (isLinked) this.heardAt = Date.now();
    if (isLinked && this.isLinked) return;
    this.isLinked = isLinked;
    this.#emit("link");
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

/** The JSON of an answer; what is refused is an error with the sentence. Where the token is missing, the page that asks for it comes. */
export async function ask(path, question) {
  const options = question && {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: question,
  };
  const answer = await fetch(path, options);
  if (answer.status === 401) location.reload();
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}
