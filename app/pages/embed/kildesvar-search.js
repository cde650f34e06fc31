/**
 * <kildesvar-search endpoint="https://kilder.example" lang="nb|nn|en" placeholder="…" limit="5" key="…">
 *
 * A search box for any page: suggestions and passages from a Kildesvar service while one types, each a link to
 * its place in the document there. docs/search-box.md says how to use it. Text from the service stays text.
 */

const TEXTS = {
  nb: {
    label: "Søk i dokumentene",
    go: "Søk",
    suggestions: "Forslag",
    hits: "Treff i dokumentene",
    all: (query) => `Se alle treff på «${query}»`,
    page: (number) => `side ${number}`,
    found: (suggestions, hits) => `${suggestions} forslag og ${hits} treff.`,
    none: "Ingen treff. Prøv med andre ord.",
    unreachable: "Får ikke kontakt med søketjenesten. Prøv igjen om litt.",
    busy: "Søketjenesten er opptatt. Prøv igjen om noen sekunder.",
    failed: "Noe gikk galt i søketjenesten. Prøv igjen om litt.",
    closed: "Søkefeltet slipper ikke inn hos søketjenesten. Si fra til den som har ansvar for siden.",
    unset: "Søkefeltet mangler adressen til søketjenesten.",
  },
  nn: {
    label: "Søk i dokumenta",
    go: "Søk",
    suggestions: "Framlegg",
    hits: "Treff i dokumenta",
    all: (query) => `Sjå alle treff på «${query}»`,
    page: (number) => `side ${number}`,
    found: (suggestions, hits) => `${suggestions} framlegg og ${hits} treff.`,
    none: "Ingen treff. Prøv med andre ord.",
    unreachable: "Får ikkje kontakt med søkjetenesta. Prøv igjen om litt.",
    busy: "Søkjetenesta er oppteken. Prøv igjen om nokre sekund.",
    failed: "Noko gjekk gale i søkjetenesta. Prøv igjen om litt.",
    closed: "Søkjefeltet slepp ikkje inn hos søkjetenesta. Sei frå til den som har ansvar for sida.",
    unset: "Søkjefeltet manglar adressa til søkjetenesta.",
  },
  en: {
    label: "Search the documents",
    go: "Search",
    suggestions: "Suggestions",
    hits: "Results in the documents",
    all: (query) => `See all results for “${query}”`,
    page: (number) => `page ${number}`,
    found: (suggestions, hits) => `Suggestions: ${suggestions}. Results: ${hits}.`,
    none: "No results. Try other words.",
    unreachable: "The search service cannot be reached. Try again in a little while.",
    busy: "The search service is busy. Try again in a few seconds.",
    failed: "Something went wrong in the search service. Try again in a little while.",
    closed: "The search service does not let this box in. Tell whoever runs this page.",
    unset: "The search box lacks the address of its service.",
  },
};
const PAUSE = 150; // milliseconds without a key before the service is asked
const CLIP = 150; // letters of a passage that are shown
const SUGGESTIONS = 4;
const PROBLEMS = { 401: "closed", 403: "closed", 429: "busy", 503: "busy" };

// No inline style, so the page's Content-Security-Policy need not allow any.
const STYLES = new CSSStyleSheet();
STYLES.replaceSync(`
:host {
  /* Dark where the page itself is: light-dark() goes by the page's color-scheme. */
  --ink: var(--kildesvar-ink, light-dark(#1c2321, #e8ebe6));
  --muted: var(--kildesvar-muted, light-dark(#57615d, #a5aeaa));
  --paper: var(--kildesvar-paper, light-dark(#fff, #1c2220));
  --edge: var(--kildesvar-edge, light-dark(#7d8682, #7d8884));
  --accent: var(--kildesvar-accent, light-dark(#0d5a55, #86d4c8));
  --on-accent: var(--kildesvar-on-accent, light-dark(#fff, #06302c));
  --chosen: var(--kildesvar-chosen, light-dark(#e1efec, #1f3835));
  --mark: var(--kildesvar-mark, light-dark(#ffe58a, #665314));
  --on-mark: var(--kildesvar-on-mark, light-dark(#1c2321, #fff8de));
  --warn: var(--kildesvar-warn, light-dark(#9a2a1c, #ffb3a4));
  --radius: var(--kildesvar-radius, 0.5rem);
  position: relative;
  display: block;
  max-width: var(--kildesvar-width, 32rem);
  color: var(--ink);
  font: var(--kildesvar-font, 1rem/1.5 system-ui, sans-serif);
}
:host([hidden]) { display: none; }
* { box-sizing: border-box; }
form { display: flex; gap: 0.5rem; }
input, button { min-height: 2.75rem; border: 1px solid var(--edge); border-radius: var(--radius); font: inherit; }
input { flex: 1; min-width: 0; padding: 0.375rem 0.75rem; background: var(--paper); color: var(--ink); }
input::placeholder { color: var(--muted); opacity: 1; }
button { padding: 0.375rem 1rem; border-color: var(--accent); background: var(--accent); color: var(--on-accent); cursor: pointer; }
:focus-visible { outline: 0.1875rem solid var(--accent); outline-offset: 0.125rem; }
#list {
  position: absolute;
  z-index: 1000;
  inset: calc(100% + 0.25rem) 0 auto;
  max-height: min(28rem, 70vh);
  padding: 0.375rem;
  overflow-y: auto;
  background: var(--paper);
  border: 1px solid var(--edge);
  border-radius: var(--radius);
  box-shadow: 0 8px 28px rgb(0 0 0 / 18%);
  overflow-wrap: anywhere;
}
.name { padding: 0.375rem 0.625rem 0.125rem; color: var(--muted); font-size: 0.8125em; font-weight: 600; }
a { display: block; padding: 0.5rem 0.625rem; border-radius: var(--radius); color: inherit; text-decoration: none; }
a:hover, [aria-selected="true"] { background: var(--chosen); }
[aria-selected="true"] { outline: 0.125rem solid var(--accent); outline-offset: -0.125rem; }
.title { display: block; color: var(--accent); font-weight: 600; }
.where, .text { display: block; color: var(--muted); font-size: 0.875em; }
.text { color: inherit; }
mark { background: var(--mark); color: var(--on-mark); border-radius: 0.15em; }
#problem { margin: 0.375rem 0 0; color: var(--warn); }
#status { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
`);

class ServiceProblem extends Error {}

class KildesvarSearch extends HTMLElement {
  static observedAttributes = ["endpoint", "lang", "placeholder", "limit", "key"];

  #input = make("input", {
    id: "field", type: "text", inputmode: "search", maxlength: "2000", autocomplete: "off", autocapitalize: "none",
    spellcheck: "false", enterkeyhint: "search", role: "combobox", "aria-autocomplete": "list",
    "aria-expanded": "false", "aria-controls": "list",
  });
  #button = make("button", { type: "submit" });
  #form = make("form", { role: "search" }, this.#input, this.#button);
  #list = make("div", { id: "list", role: "listbox", hidden: "" });
  #problem = make("p", { id: "problem", hidden: "" });
  #status = make("p", { id: "status", role: "status" });
  #options = [];
  #active = -1;
  #connection = null; // aborted when the element leaves the page: every listener ends
  #asking = null;
  #typing;

  constructor() {
    super();
    const shadow = this.attachShadow({ mode: "open", delegatesFocus: true });
    shadow.adoptedStyleSheets = [STYLES];
    shadow.append(this.#form, this.#list, this.#problem, this.#status);
  }

  connectedCallback() {
    this.#connection = new AbortController();
    const { signal } = this.#connection;
    this.#form.addEventListener("submit", (event) => this.#submit(event), { signal });
    this.#input.addEventListener("input", () => this.#typed(), { signal });
    this.#input.addEventListener("keydown", (event) => this.#key(event), { signal });
    this.#input.addEventListener("blur", () => this.#expand(false), { signal });
    this.#list.addEventListener("mousedown", (event) => event.preventDefault(), { signal });
    this.#label();
  }

  disconnectedCallback() {
    this.#connection.abort();
    this.#stop();
    this.#close();
  }

  attributeChangedCallback() {
    this.#stop();
    this.#close();
    this.#label();
  }

  get #texts() {
    const named = this.lang || this.closest("[lang]")?.lang || "nb";
    const [code] = named.toLowerCase().split("-");
    return Object.hasOwn(TEXTS, code) ? TEXTS[code] : TEXTS.nb;
  }

  /** The service's address with a slash at the end; null when the page gives none that can be used. */
  get #service() {
    const given = (this.getAttribute("endpoint") ?? "").replace(/\/*$/, "/");
    return /^https?:\/\//i.test(given) && URL.canParse(given) ? given : null;
  }

  get #limit() {
    const given = Number.parseInt(this.getAttribute("limit"), 10);
    return given >= 1 ? Math.min(given, 20) : 5;
  }

  #label() {
    const texts = this.#texts;
    this.#input.setAttribute("aria-label", texts.label);
    this.#input.placeholder = this.getAttribute("placeholder") ?? texts.label;
    this.#button.textContent = texts.go;
    this.#list.setAttribute("aria-label", texts.label);
    this.#tell(this.isConnected && !this.#service ? texts.unset : "");
  }

  #address(path, parameters, hash = "") {
    return `${this.#service}${path}?${new URLSearchParams(parameters)}${hash}`;
  }

  // ?q= lets the document's page go on to the next hit; the hash is the passage.
  #placeAddress({ document_id: id, start, end }, query) {
    const hash = Number.isInteger(start) && Number.isInteger(end) ? `#${start}-${end}` : "";
    return this.#address(`documents/${encodeURIComponent(id)}`, { q: query }, hash);
  }

  #typed() {
    this.#stop();
    const query = this.#input.value.trim();
    if (!query || !this.#service) this.#close();
    else this.#typing = setTimeout(() => this.#ask(query), PAUSE);
  }

  #stop() {
    clearTimeout(this.#typing);
    this.#asking?.abort();
  }

  async #ask(query) {
    this.#asking = new AbortController();
    const { signal } = this.#asking;
    const [suggested, found] = await Promise.allSettled([
      this.#get("v1/suggest", { q: query, limit: SUGGESTIONS }, signal),
      this.#get("v1/search", { q: query, limit: this.#limit }, signal),
    ]);
    if (signal.aborted) return;
    if (found.status === "rejected") {
      this.#close();
      this.#tell(this.#texts[found.reason instanceof ServiceProblem ? found.reason.message : "unreachable"]);
      return;
    }
    this.#tell("");
    this.#show(query, suggested.value?.suggestions ?? [], found.value.hits);
  }

  async #get(path, parameters, signal) {
    const key = this.getAttribute("key")?.trim();
    const headers = key ? { Authorization: `Bearer ${key}` } : {};
    const response = await fetch(this.#address(path, parameters), { signal, credentials: "omit", headers });
    if (!response.ok) throw new ServiceProblem(PROBLEMS[response.status] ?? "failed");
    return response.json();
  }

  #show(query, suggestions, hits) {
    const texts = this.#texts;
    const others = suggestions.filter(({ text, document_id: id }) => id || text !== query);
    this.#options = [];
    const groups = [
      this.#group(texts.suggestions, others.map((suggestion) => this.#suggestion(suggestion, query))),
      this.#group(texts.hits, hits.map((hit) => this.#hit(hit, query))),
    ].filter(Boolean);
    if (groups.length > 0) groups.push(this.#option(this.#address("search", { q: query }), texts.all(query)));
    this.#list.replaceChildren(...groups);
    this.#list.scrollTop = 0;
    this.#activate(-1);
    this.#expand(groups.length > 0 && this.shadowRoot.activeElement === this.#input);
    this.#status.textContent = groups.length > 0 ? texts.found(others.length, hits.length) : texts.none;
    if (groups.length === 0) this.#tell(texts.none);
  }

  #group(name, options) {
    if (options.length === 0) return null;
    return make("div", { role: "group", "aria-label": name }, make("div", { class: "name", "aria-hidden": "true" }, name), ...options);
  }

  #suggestion(suggestion, query) {
    const { text, document_id: id } = suggestion;
    return this.#option(id ? this.#placeAddress(suggestion, query) : this.#address("search", { q: text }), text);
  }

  #hit(hit, query) {
    const headings = hit.heading_path.filter((heading) => heading !== hit.title).join(" › ");
    const where = [headings, hit.page && this.#texts.page(hit.page)].filter(Boolean).join(" · ");
    return this.#option(
      this.#placeAddress(hit, query),
      make("span", { class: "title" }, hit.title),
      ...(where ? [" ", make("span", { class: "where" }, where)] : []),
      " ",
      make("span", { class: "text" }, ...excerpt(hit)),
    );
  }

  #option(href, ...children) {
    const option = make("a", { role: "option", id: `option-${this.#options.length}`, tabindex: "-1", "aria-selected": "false", href }, ...children);
    this.#options.push(option);
    return option;
  }

  #key(event) {
    if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const count = this.#options.length;
    if (event.key === "Escape" && !this.#list.hidden) {
      this.#expand(false);
    } else if (event.key === "Enter" && this.#active >= 0) {
      this.#options[this.#active].click();
    } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && count > 0) {
      const step = event.key === "ArrowDown" ? 1 : -1;
      if (this.#list.hidden) this.#expand(true);
      // One place more than the options: the field itself.
      this.#activate(((this.#active + 1 + step + count + 1) % (count + 1)) - 1);
    } else {
      return;
    }
    event.preventDefault();
  }

  #activate(index) {
    this.#options[this.#active]?.setAttribute("aria-selected", "false");
    this.#active = index;
    const option = this.#options[index];
    option?.setAttribute("aria-selected", "true");
    option?.scrollIntoView({ block: "nearest" });
    if (option) this.#input.setAttribute("aria-activedescendant", option.id);
    else this.#input.removeAttribute("aria-activedescendant");
  }

  #submit(event) {
    event.preventDefault();
    const query = this.#input.value.trim();
    if (query && this.#service) location.assign(this.#address("search", { q: query }));
    else this.#input.focus();
  }

  #expand(open) {
    this.#list.hidden = !open;
    this.#input.setAttribute("aria-expanded", String(open));
    if (!open) this.#activate(-1);
  }

  #close() {
    this.#expand(false);
    this.#options = [];
    this.#list.replaceChildren();
    this.#status.textContent = "";
    this.#tell("");
  }

  #tell(problem) {
    this.#problem.textContent = problem;
    this.#problem.hidden = !problem;
    if (problem) this.#status.textContent = problem;
  }
}

/** The part of a hit's text around its first mark, as nodes. The service counts code points. */
function excerpt({ text, highlights }) {
  const letters = Array.from(text);
  const [first] = highlights.find(([start, end]) => end - start > 3) ?? highlights[0] ?? [0];
  let start = first < CLIP / 2 ? 0 : first - 50;
  while (start > 0 && letters[start - 1].trim()) start -= 1;
  let end = Math.min(letters.length, start + CLIP);
  while (end > start && end < letters.length && letters[end].trim()) end -= 1;
  const slice = (from, to) => letters.slice(from, to).join("").replace(/\s+/g, " ");
  const nodes = start > 0 ? ["… "] : [];
  let reached = start;
  for (const [from, to] of highlights) {
    if (from < reached || to > end) continue;
    nodes.push(slice(reached, from), make("mark", {}, slice(from, to)));
    reached = to;
  }
  nodes.push(slice(reached, end), end < letters.length ? " …" : "");
  return nodes;
}

/** An element; its children are nodes or text, and text is never read as markup. */
function make(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

// A page may load two services' scripts.
if (!customElements.get("kildesvar-search")) customElements.define("kildesvar-search", KildesvarSearch);
