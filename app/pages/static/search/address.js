import { searchAddress } from "../shared/addresses.js";

export const pageSize = 10;
export const choices = ["collection", "media_type", "language", "folder", "document"]; // filters of which several may be chosen
const lastPage = 200; // the service hands out no more

/**
 * What the address of the search page says. `chosen` has an array of values for each of `choices`;
 * `from` and `to` are ISO days or "".
 */
export function readSearch() {
  const parameters = new URLSearchParams(location.search);
  return {
    query: (parameters.get("q") ?? "").trim(),
    sort: parameters.get("sort") === "date" ? "date" : "relevance",
    page: pageNumber(parameters.get("page")),
    chosen: Object.fromEntries(choices.map((name) => [name, [...new Set(parameters.getAll(name).filter(Boolean))]])),
    from: day(parameters.get("from")),
    to: day(parameters.get("to")),
  };
}

export function addressOf(search) {
  const { query, sort, page } = search;
  const parameters = query ? [["q", query], ...filterParameters(search)] : [];
  if (sort === "date") parameters.push(["sort", sort]);
  if (page > 1) parameters.push(["page", page]);
  return searchAddress(parameters);
}

/** The parameters of GET /v1/search for one page of hits. */
export function searchParameters(search) {
  const { query, sort, page } = search;
  return [["q", query], ["limit", pageSize], ["offset", (page - 1) * pageSize], ["sort", sort], ...filterParameters(search)];
}

/** The filters as pairs of name and value, as both the service and the page's address have them. */
export function filterParameters({ chosen, from, to }) {
  const pairs = choices.flatMap((name) => chosen[name].map((value) => [name, value]));
  if (from) pairs.push(["from", from]);
  if (to) pairs.push(["to", to]);
  return pairs;
}

export function withoutFilters(search) {
  return { ...search, page: 1, chosen: Object.fromEntries(choices.map((name) => [name, []])), from: "", to: "" };
}

/** The search without one of its groups of filters: one of `choices`, or `year` for both days. */
export function withoutGroup(search, name) {
  if (name === "year") return { ...search, page: 1, from: "", to: "" };
  return { ...search, page: 1, chosen: { ...search.chosen, [name]: [] } };
}

/** The groups in which something is chosen. */
export function chosenGroups({ chosen, from, to }) {
  return [...choices.filter((name) => chosen[name].length > 0), ...(from || to ? ["year"] : [])];
}

function pageNumber(text) {
  const number = /^\d{1,4}$/.test(text ?? "") ? Number(text) : 1;
  return Math.min(Math.max(number, 1), lastPage);
}

// A day that the calendar does not have is no day: the service would refuse it.
function day(text) {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text ?? "")) return "";
  const date = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(date.valueOf()) && date.toISOString().startsWith(text) && text > "0001" ? text : "";
}
