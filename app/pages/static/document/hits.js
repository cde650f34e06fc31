import { search } from "../shared/api.js";
import { button, element } from "../shared/dom.js";
import { texts } from "../shared/languages.js";

const most = 100; // hits in one document, as many as the service gives at once

/**
 * The places in one document that fit a query: a field to search it, and the way to the hit before and after.
 * `open(hit)` is called with the hit that the reader goes to, `searched(query)` with what they look for.
 */
export function hitsBar(documentId, { announce, open, searched }) {
  const field = element("input", { type: "search", "aria-label": texts.hits.search, placeholder: texts.hits.search, autocomplete: "off" });
  const form = element("form", { class: "within", role: "search" }, field, element("button", { type: "submit" }, texts.hits.find));
  const position = element("span", { class: "position" });
  const previous = button("‹", () => step(-1), { class: "step", "aria-label": texts.hits.previous, title: texts.hits.previous });
  const next = button("›", () => step(1), { class: "step", "aria-label": texts.hits.next, title: texts.hits.next });
  const steps = element("div", { class: "steps", hidden: true }, previous, position, next);
  let hits = [];
  let current = -1;
  let failure = null;
  let looking = null;

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const query = field.value.trim();
    searched(query);
    if ((await find(query, null)) && hits.length > 0) go(0);
  });

  /** Looks for `query`, and stands at the hit that holds `range`, if one does. */
  async function find(query, range) {
    field.value = query;
    failure = null;
    steps.hidden = !query; // at once, so that nothing moves when the hits come
    looking?.abort();
    looking = new AbortController();
    const { signal } = looking;
    const fit = query ? await found(query, signal) : [];
    if (signal.aborted) return false; // another search has begun
    hits = fit;
    stand(range);
    return true;
  }

  async function found(query, signal) {
    try {
      const result = await search({ q: query, document: documentId, limit: most }, signal);
      // By meaning, every passage of a short document is a hit; a reader looks for the words.
      const worded = result.hits.filter(({ highlights }) => highlights.length > 0);
      return (worded.length > 0 ? worded : result.hits).sort((one, other) => one.start - other.start);
    } catch (error) {
      if (signal.aborted) return [];
      failure = texts.errors[error.kind ?? "unexpected"][0];
      return [];
    }
  }

  /** Notes where the reader is, by another way than these buttons. */
  function stand(range) {
    current = hits.findIndex(({ start, end }) => range && start <= range.start && range.start < end);
    describe();
  }

  function step(by) {
    const from = current < 0 && by < 0 ? 0 : current;
    go((from + by + hits.length) % hits.length);
  }

  function go(place) {
    open(hits[place]);
    announce(position.textContent);
  }

  function describe() {
    for (const control of [previous, next]) control.disabled = hits.length === 0;
    const place = current < 0 ? "–" : current + 1;
    position.textContent = failure ?? (hits.length > 0 ? texts.hits.place(place, hits.length) : texts.hits.none);
  }

  return { elements: [form, steps], find, stand };
}
