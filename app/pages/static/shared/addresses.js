import { parseRange } from "./highlight.js";

const longestAddress = 6000; // in letters: servers and proxies take 8,000 at least

/**
 * What the address of the ask page says: the questions of a conversation, and the passage that lies open
 * beside the answers.
 */
export function readAddress() {
  const parameters = new URLSearchParams(location.search);
  return {
    questions: questionsOf(parameters),
    documentId: parameters.get("document"),
    range: parseRange(location.hash),
  };
}

export function questionsOf(parameters) {
  return parameters.getAll("q").map((question) => question.trim()).filter(Boolean);
}

/** The address of a conversation; the oldest questions of a very long one are left out. */
export function askAddress(questions, place = null) {
  const parameters = new URLSearchParams(questions.map((question) => ["q", question]));
  if (place) parameters.set("document", place.document_id);
  keepLanguage(parameters);
  const address = withQuery("/", parameters) + (place ? rangeHash(place) : "");
  return address.length > longestAddress && questions.length > 1 ? askAddress(questions.slice(1), place) : address;
}

/** The address of a search with its query and filters, as `parameters` has them. */
export function searchAddress(parameters) {
  return withQuery("/search", keepLanguage(new URLSearchParams(parameters)));
}

/** The address of a document at a passage, and among the hits of a query where one is given. */
export function documentAddress(place, query = "") {
  const path = `/documents/${encodeURIComponent(place.document_id)}`;
  const parameters = new URLSearchParams(query && { q: query });
  return withQuery(path, keepLanguage(parameters)) + rangeHash(place);
}

/** The whole address of a passage, for others: without the language and the query of this reader. */
export function sharedAddress(place) {
  return new URL(`/documents/${encodeURIComponent(place.document_id)}${rangeHash(place)}`, location.origin).href;
}

export function documentIdFromPath() {
  return decodeURIComponent(location.pathname.replace(/^\/documents\//, ""));
}

// A language named in the address follows along, so that the choice survives where storage is blocked.
function keepLanguage(parameters) {
  const language = new URLSearchParams(location.search).get("lang");
  if (language) parameters.set("lang", language);
  return parameters;
}

function withQuery(path, parameters) {
  return parameters.size ? `${path}?${parameters}` : path;
}

function rangeHash({ start, end }) {
  return Number.isInteger(start) && Number.isInteger(end) ? `#${start}-${end}` : "";
}
