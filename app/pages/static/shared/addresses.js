import { parseRange } from "./highlight.js";

/** What the address of the ask page says: the question, and the passage that lies open beside the answer. */
export function readAddress() {
  const parameters = new URLSearchParams(location.search);
  return {
    question: (parameters.get("q") ?? "").trim(),
    documentId: parameters.get("document"),
    range: parseRange(location.hash),
  };
}

export function askAddress(question, place = null) {
  const parameters = new URLSearchParams();
  if (question) parameters.set("q", question);
  if (place) parameters.set("document", place.document_id);
  keepLanguage(parameters);
  return withQuery("/", parameters) + (place ? rangeHash(place) : "");
}

export function documentAddress(place) {
  const path = `/documents/${encodeURIComponent(place.document_id)}`;
  return withQuery(path, keepLanguage(new URLSearchParams())) + rangeHash(place);
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
