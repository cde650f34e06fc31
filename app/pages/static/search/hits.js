import { documentAddress } from "../shared/addresses.js";
import { element } from "../shared/dom.js";
import { formatName } from "../shared/formats.js";
import { utf16Offsets } from "../shared/highlight.js";
import { formatDate, languageName, texts } from "../shared/languages.js";
import { clip } from "./clipping.js";

/** The hits of a page in a list; `first` is the place of the first among all. */
export function hitList(hits, query, first) {
  return element("ol", { class: "hits", start: first }, ...hits.map((hit, index) => hitItem(hit, query, `hit-${first + index}`)));
}

function hitItem(hit, query, id) {
  const offset = utf16Offsets(hit.text);
  const marks = hit.highlights.map(([start, end]) => [offset(start), offset(end)]);
  const head = headingLength(hit);
  const [start, end] = clip(hit.text, marks, head && textStart(hit.text, head));
  const heading = head ? marked(hit.text, marks, 0, head) : null;
  const isTitle = heading && hit.text.slice(0, head) === hit.title;
  const link = element("a", { href: documentAddress(hit, query), lang: hit.language, "aria-describedby": `${id}-where` }, ...(isTitle ? heading : [hit.title]));
  const where = [...headings(hit, isTitle ? null : heading), ...pageOf(hit)];
  return element(
    "li",
    { class: "hit" },
    element("h3", {}, link),
    element("p", { class: "where", id: `${id}-where` }, ...where),
    element("p", { class: "text", lang: hit.language }, start > textStart(hit.text, head) && "… ", ...marked(hit.text, marks, start, end), end < hit.text.length && " …"),
    element("p", { class: "facts" }, ...facts(hit).map((fact) => element("span", {}, fact))),
  );
}

// A passage that begins with its own heading shows it once, where the heading belongs.
function headingLength({ text, title, heading_path: path }) {
  const [line] = text.split("\n", 1);
  return line.length < text.length && (line === title || line === path.at(-1)) ? line.length : 0;
}

function textStart(text, head) {
  return head + text.slice(head).search(/\S|$/);
}

function headings({ title, heading_path: path }, last) {
  const names = path.filter((heading) => heading !== title);
  return names.flatMap((name, index) => [
    index > 0 && " › ",
    element("span", {}, ...(last && index === names.length - 1 ? last : [name])),
  ]);
}

function pageOf({ page, heading_path: path, title }) {
  if (!page) return [];
  return [path.some((heading) => heading !== title) && " · ", texts.page(page)];
}

/** [start, end) of `text` as nodes, with `marks` marked. */
function marked(text, marks, start, end) {
  const nodes = [];
  let reached = start;
  for (const [from, to] of marks) {
    if (from < reached || to > end) continue;
    nodes.push(tidy(text.slice(reached, from)), element("mark", {}, text.slice(from, to)));
    reached = to;
  }
  return [...nodes, tidy(text.slice(reached, end))];
}

// Empty lines say nothing in so short a text.
function tidy(text) {
  return text.replace(/\n\s*\n/g, "\n");
}

function facts({ date, updated_at: updated, media_type: type, language }) {
  const day = date ? formatDate(date) : updated && texts.search.updated(formatDate(updated.slice(0, 10)));
  return [day, formatName(type), language && languageName(language)].filter(Boolean);
}
