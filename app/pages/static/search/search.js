import { ServiceError, suggest } from "../shared/api.js";
import { showCaller } from "../shared/caller.js";
import { onLanguageChange, startLanguages, texts } from "../shared/languages.js";
import { showMasthead } from "../shared/masthead.js";
import { problemView, tryAgain } from "../shared/problem.js";
import { filterParameters, readSearch, addressOf, searchParameters } from "./address.js";
import { findHits } from "./facets.js";
import { filterPanel } from "./filters.js";
import { countText, introView, resultsView, waitingView } from "./results.js";
import { startSuggestions } from "./suggestions.js";

const form = document.querySelector("#search-form");
const field = document.querySelector("#query");
const results = document.querySelector("#results");
const status = document.querySelector("#status");

const typingPause = 150; // milliseconds without a key before the service is asked
const tellingPause = 700; // and before a screen reader is told, which would else talk while one types
const suggestionCount = 6;
const remembered = 50;

const found = new Map(); // what this page has been told, so that Back shows it at once
let finding = null;
let suggesting = null;
let typing;
let telling;
let suggested = 0;

const suggestions = startSuggestions(field, document.querySelector("#suggestions"), {
  chosen: (text) => {
    field.value = text;
    go({ ...readSearch(), query: text, page: 1 });
  },
  below: () => results.querySelector(".hit a")?.focus(),
  termAddress: (text) => addressOf({ ...readSearch(), query: text, page: 1 }),
});
const filters = filterPanel(document.querySelector("#filters"), (search) => go(search));

// The address says everything the page shows; each change of it comes through here.
async function showAddress() {
  const search = readSearch();
  document.title = [search.query, texts.pageNames.search, "Kildesvar"].filter(Boolean).join(" – ");
  filters.show(search);
  finding?.abort();
  clearTimeout(telling);
  if (!search.query) {
    settle(introView());
    status.textContent = "";
    return;
  }
  const key = JSON.stringify(searchParameters(search));
  if (found.has(key)) showResults(search, found.get(key));
  else await find(search, key);
}

async function find(search, key) {
  finding = new AbortController();
  const { signal } = finding;
  results.setAttribute("aria-busy", "true");
  if (!results.querySelector(".hits, .no-hits")) results.replaceChildren(...waitingView());
  try {
    const result = await findHits(search, signal);
    if (signal.aborted) return;
    remember(key, result);
    showResults(search, result);
  } catch (error) {
    if (signal.aborted) return;
    status.textContent = "";
    suggestions.hide();
    settle([problemView(error, tryAgain(() => find(search, key)), "h2")]);
  }
}

function remember(key, result) {
  found.set(key, result);
  if (found.size > remembered) found.delete(found.keys().next().value);
}

function showResults(search, result) {
  filters.count(result.facets);
  settle(resultsView(search, result));
  announce(() => texts.search.announce(countText(result), suggested));
}

// The link that was followed goes with the old hits; its like, or else the new hits, then has focus.
function settle(nodes) {
  const left = results.contains(document.activeElement) ? document.activeElement : null;
  results.replaceChildren(...nodes);
  results.removeAttribute("aria-busy");
  const like = left?.dataset.keep && results.querySelector(`[data-keep="${left.dataset.keep}"]`);
  if (left) (like ?? results.querySelector("#found"))?.focus({ preventScroll: true });
}

function announce(message) {
  clearTimeout(telling);
  telling = setTimeout(() => (status.textContent = message()), tellingPause);
}

/** Goes to a search. What is typed on the way to it makes one step of the history, not one a key. */
function go(search, { whileTyping = false } = {}) {
  const address = addressOf(search);
  const changed = address !== location.pathname + location.search;
  const state = { typing: whileTyping };
  if (history.state?.typing || !changed) history.replaceState(state, "", address);
  else history.pushState(state, "", address);
  showAddress();
}

function typed() {
  const query = field.value.trim();
  const search = { ...readSearch(), query };
  if (query !== readSearch().query) go({ ...search, page: 1 }, { whileTyping: true });
  if (query) fetchSuggestions(search);
  else suggestions.hide();
}

async function fetchSuggestions(search) {
  suggesting = new AbortController();
  const { signal } = suggesting;
  try {
    const parameters = [["q", search.query], ["limit", suggestionCount], ...filterParameters(search)];
    const { suggestions: offered } = await suggest(parameters, signal);
    if (signal.aborted || document.activeElement !== field) return;
    const others = offered.filter(({ text, document_id: id }) => id || text !== search.query);
    suggested = others.length;
    suggestions.show(results.querySelector(".problem") ? [] : others); // They would lie over what is wrong.
  } catch (error) {
    if (!signal.aborted && !(error instanceof ServiceError)) throw error;
    suggestions.hide(); // They are only a help; the search itself tells what is wrong.
  }
}

// What was asked for on the way is not waited for any longer.
function stopTyping() {
  clearTimeout(typing);
  suggesting?.abort();
  suggested = 0;
}

field.addEventListener("input", () => {
  stopTyping();
  typing = setTimeout(typed, typingPause);
});

form.addEventListener("submit", (event) => {
  event.preventDefault();
  stopTyping();
  suggestions.hide();
  const query = field.value.trim();
  if (query) go({ ...readSearch(), query, page: query === readSearch().query ? readSearch().page : 1 });
  else field.focus();
});

results.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  const plain = event.button === 0 && !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);
  if (!link?.leadsTo || !plain) return;
  event.preventDefault();
  scrollTo({ top: 0 });
  go(link.leadsTo);
});

results.addEventListener("keydown", (event) => {
  const links = [...results.querySelectorAll(".hit h3 a")];
  const place = links.indexOf(event.target);
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (place < 0 || !step || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  event.preventDefault();
  if (place + step < 0) field.focus();
  else links[place + step]?.focus();
});

addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest?.("input:not([type=checkbox]), textarea, select, [contenteditable]")) return;
  event.preventDefault();
  field.focus();
  field.select();
});

addEventListener("popstate", () => {
  stopTyping();
  suggestions.hide();
  field.value = readSearch().query;
  showAddress();
});

onLanguageChange(() => {
  suggestions.hide();
  filters.rebuild();
  showAddress();
});

showMasthead("search");
showCaller(document.querySelector("#masthead"));
startLanguages();
field.value = readSearch().query;
showAddress();
if (!field.value) field.focus();
