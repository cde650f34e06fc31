import nb from "./texts/nb.js";

// Bokmål is what the markup is in; the others come when they are chosen.
const others = { nn: () => import("./texts/nn.js"), en: () => import("./texts/en.js") };
const loaded = { nb };
const storageKey = "kildesvar.language";
const listeners = [];

export let language = fromAddress() ?? fromStorage() ?? "nb";
if (language !== "nb") document.documentElement.style.visibility = "hidden"; // not in Bokmål first
export let texts = await textsIn(language);
document.documentElement.style.visibility = "";

/** Puts the chosen language into the page and makes the switch work. */
export function startLanguages() {
  for (const link of document.querySelectorAll("[data-language]")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      choose(link.dataset.language);
    });
  }
  addEventListener("popstate", () => use(fromAddress() ?? language));
  translatePage();
}

export function onLanguageChange(listener) {
  listeners.push(listener);
}

export function formatDuration(milliseconds) {
  const seconds = milliseconds >= 1000;
  const number = new Intl.NumberFormat([`${language}-NO`, "nb-NO"], {
    maximumFractionDigits: seconds ? 1 : 0,
  }).format(seconds ? milliseconds / 1000 : Math.max(1, milliseconds));
  return `${number}\u00a0${seconds ? "s" : "ms"}`;
}

export function formatDate(isoDay) {
  return new Date(`${isoDay}T00:00`).toLocaleDateString([`${language}-NO`, "nb-NO"], { dateStyle: "long" });
}

export function languageName(code) {
  try {
    return new Intl.DisplayNames([language, "nb"], { type: "language" }).of(code);
  } catch {
    return code;
  }
}

function choose(code) {
  store(code);
  const address = new URL(location.href);
  address.searchParams.set("lang", code);
  history.replaceState(history.state, "", address);
  use(code);
}

async function use(code) {
  if (code === language) return;
  language = code;
  const chosen = await textsIn(code);
  if (code !== language) return; // another was chosen meanwhile
  texts = chosen;
  translatePage();
  for (const listener of listeners) listener();
}

// Where they cannot be fetched, the page is in Bokmål, and says why once something is asked of the service.
async function textsIn(code) {
  loaded[code] ??= await others[code]().then((module) => module.default, () => undefined);
  return loaded[code] ?? nb;
}

function translatePage() {
  document.documentElement.lang = texts === nb ? "nb" : language;
  for (const node of document.querySelectorAll("[data-text]")) {
    node.textContent = textOf(node.dataset.text);
  }
  for (const node of document.querySelectorAll("[data-label]")) {
    node.setAttribute("aria-label", textOf(node.dataset.label));
  }
  for (const node of document.querySelectorAll("[data-placeholder]")) {
    node.placeholder = textOf(node.dataset.placeholder);
  }
  for (const link of document.querySelectorAll("[data-language]")) {
    if (link.dataset.language === language) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
  for (const link of document.querySelectorAll("[data-page]")) {
    link.href = fromAddress() ? `${link.dataset.page}?lang=${language}` : link.dataset.page;
  }
}

/** The text at a path such as `search.heading`. */
function textOf(path) {
  return path.split(".").reduce((group, name) => group[name], texts);
}

function fromAddress() {
  return known(new URLSearchParams(location.search).get("lang"));
}

// Storage throws where the browser blocks it; the address then carries the choice alone.
function fromStorage() {
  try {
    return known(localStorage.getItem(storageKey));
  } catch {
    return null;
  }
}

function store(code) {
  try {
    localStorage.setItem(storageKey, code);
  } catch {
    // See fromStorage.
  }
}

function known(code) {
  return code !== null && (code === "nb" || Object.hasOwn(others, code)) ? code : null;
}
