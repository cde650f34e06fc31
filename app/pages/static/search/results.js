import { askAddress } from "../shared/addresses.js";
import { element } from "../shared/dom.js";
import { formatDate, texts } from "../shared/languages.js";
import { chosenGroups, choices, pageSize, addressOf, withoutFilters } from "./address.js";
import { valueName } from "./facets.js";
import { hitList } from "./hits.js";
import { wholeYears } from "./years.js";

/** The answer of the service to a search, as the page shows it. */
export function resultsView(search, result) {
  const filters = activeFilters(search, result);
  if (result.hits.length === 0) return [heading(noneText(search, result)), filters, noHits(search, result)].filter(Boolean);
  return [
    toolbar(search, result),
    filters,
    hitList(result.hits, search.query, (search.page - 1) * pageSize + 1),
    hasWords(result) ? null : otherWords(search),
    pager(search, result.total),
  ].filter(Boolean);
}

/** What the page shows before anything is searched for. */
export function introView() {
  return [
    heading(texts.search.intro, "intro"),
    element("ul", { class: "tips" }, ...texts.search.tips.map((tip) => element("li", {}, tip))),
  ];
}

export function waitingView() {
  const bars = ["long", "long", "short"].map((length) => element("span", { class: `bar ${length}` }));
  return [heading(texts.search.searching, "visually-hidden"), element("div", { class: "waiting", "aria-hidden": "true" }, ...bars)];
}

/** A link to another search; the page follows it without loading anew. */
export function searchLink(search, attributes, ...children) {
  const link = element("a", { href: addressOf(search), ...attributes }, ...children);
  link.leadsTo = search;
  return link;
}

function heading(text, name = "found") {
  return element("h2", { id: "found", class: name, tabindex: "-1" }, text);
}

/** How many hits there are, in words. */
export function countText(result) {
  return hasWords(result) ? texts.search.found(result.total) : texts.search.alike(result.total);
}

// While a word is typed, no hit may have it yet; so the line that says so is as high as the one that counts.
function hasWords({ hits }) {
  return hits.length === 0 || hits.some(({ highlights }) => highlights.length > 0);
}

function toolbar(search, result) {
  const mended = result.query !== search.query && element("span", { class: "mended" }, texts.searchedFor(result.query));
  return element("div", { class: "toolbar" }, heading(countText(result)), mended, sorting(search));
}

function sorting(search) {
  const links = Object.entries(texts.search.sorts).map(([sort, name]) =>
    searchLink({ ...search, sort, page: 1 }, { "aria-current": sort === search.sort && "true", "data-keep": `sort-${sort}` }, name),
  );
  return element("nav", { class: "sorting", "aria-label": texts.search.sort }, ...links);
}

function otherWords(search) {
  return element("p", { class: "other-words" }, `${texts.search.otherWords} `, askInstead(search));
}

function askInstead({ query }) {
  return element("a", { href: askAddress([query]) }, texts.search.askInstead);
}

function noneText(search, result) {
  return result.total > 0 ? texts.search.noPage : texts.search.none(search.query);
}

function noHits(search, result) {
  if (result.total > 0) return element("p", {}, searchLink({ ...search, page: 1 }, {}, texts.search.firstPage));
  const filtered = chosenGroups(search).length > 0;
  return element(
    "div",
    { class: "no-hits" },
    element("p", {}, filtered ? texts.search.noneWithFilters : texts.search.noneHelp),
    element("p", { class: "ways" }, filtered && clearLink(search), askInstead(search)),
  );
}

function clearLink(search) {
  return searchLink(withoutFilters(search), {}, texts.search.clear);
}

// What is chosen is said above the hits too, where the filters are folded away or far down.
function activeFilters(search, { facets, hits }) {
  const chips = [...choiceChips(search, facets), ...stretchChips(search)];
  if (chips.length === 0) return null;
  if (chips.length > 1 && hits.length > 0) chips.push(clearLink(search));
  return element("ul", { class: "active", "aria-label": texts.search.active }, ...chips.map((each) => element("li", {}, each)));
}

function choiceChips(search, facets) {
  return choices.flatMap((name) => {
    const values = search.chosen[name];
    return values.map((value) => {
      const others = values.filter((other) => other !== value);
      return chip(valueName(name, value, facets), { ...search, chosen: { ...search.chosen, [name]: others } });
    });
  });
}

function stretchChips(search) {
  const { from, to } = search;
  const years = wholeYears(search);
  if (years) return [chip(years, { ...search, from: "", to: "" })];
  return [
    from && chip(texts.search.since(formatDate(from)), { ...search, from: "" }),
    to && chip(texts.search.until(formatDate(to)), { ...search, to: "" }),
  ].filter(Boolean);
}

function chip(name, search) {
  return searchLink({ ...search, page: 1 }, { class: "chip", "aria-label": texts.search.remove(name) }, name);
}

function pager(search, total) {
  const pages = Math.ceil(total / pageSize);
  if (pages < 2) return null;
  const { page } = search;
  return element(
    "nav",
    { class: "pager", "aria-label": texts.search.pages },
    page > 1 && searchLink({ ...search, page: page - 1 }, { rel: "prev" }, texts.search.previous),
    element("span", {}, texts.search.pageOf(page, pages)),
    page < pages && searchLink({ ...search, page: page + 1 }, { rel: "next" }, texts.search.next),
  );
}
