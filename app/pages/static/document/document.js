import { documentIdFromPath } from "../shared/addresses.js";
import { fetchDocument } from "../shared/api.js";
import { element } from "../shared/dom.js";
import { parseRange } from "../shared/highlight.js";
import { formatDate, languageName, onLanguageChange, startLanguages, texts } from "../shared/languages.js";
import { showMasthead } from "../shared/masthead.js";
import { problemView, tryAgain } from "../shared/problem.js";
import { opensWithTitle, readingView } from "../shared/reader.js";

const main = document.querySelector("#content");
const status = document.querySelector("#status");
const openXml = "application/vnd.openxmlformats-officedocument";
const formats = {
  "text/markdown": "Markdown",
  "text/csv": "CSV",
  "application/pdf": "PDF",
  "application/rtf": "RTF",
  "application/vnd.oasis.opendocument.text": "OpenDocument",
  "application/vnd.oasis.opendocument.presentation": "OpenDocument",
  "application/vnd.oasis.opendocument.spreadsheet": "OpenDocument",
  [`${openXml}.wordprocessingml.document`]: "Word",
  [`${openXml}.presentationml.presentation`]: "PowerPoint",
  [`${openXml}.spreadsheetml.sheet`]: "Excel",
};
const notice = element("p", { class: "notice", hidden: true });

let source = null;
let originalLink = null;
let view = null;

async function load() {
  main.replaceChildren(element("p", { class: "hint" }, texts.loadingDocument));
  try {
    source = await fetchDocument(documentIdFromPath());
    showDocument();
  } catch (error) {
    const action = error.kind === "missing" ? element("a", { href: askPage() }, texts.askQuestion) : tryAgain(load);
    main.replaceChildren(problemView(error, action));
  }
}

function showDocument() {
  const titled = opensWithTitle(source);
  view = readingView(source, titled ? 1 : 2);
  document.title = `${source.title} – Kildesvar`;
  main.replaceChildren(
    backLink(),
    facts(),
    notice,
    ...(titled ? [] : [element("h1", { class: "document-title", lang: source.language }, source.title)]),
    view.element,
  );
  showPassage();
}

function showPassage() {
  const range = parseRange(location.hash);
  const shown = view.show(range);
  notice.hidden = !range || shown;
  notice.textContent = notice.hidden ? "" : texts.passageLost;
  status.textContent = shown ? texts.passageShown : notice.textContent;
  originalLink.href = originalAddress(range);
}

function facts() {
  const kind = texts.mediaTypes[source.media_type] ?? formats[source.media_type] ?? source.media_type;
  const pages = source.pages > 1 ? texts.pages(source.pages) : null;
  originalLink = element("a", {}, texts.original);
  const date = source.date && formatDate(source.date);
  const parts = [source.author, date, sourceName(), kind, source.language && languageName(source.language), pages, originalLink].filter(Boolean);
  return element("p", { class: "facts" }, ...parts.map((part) => element("span", {}, part)));
}

function sourceName() {
  return isWebAddress(source.source) ? element("a", { href: source.source, rel: "noreferrer" }, source.source) : source.source;
}

// A browser opens a PDF at the page of the passage that the address names.
function originalAddress(range) {
  const block = range && source.blocks.findLast(({ start }) => start <= range.start);
  const page = block?.page ? `#page=${block.page}` : "";
  return `/v1/documents/${encodeURIComponent(source.id)}/original${page}`;
}

// A document names its own source, so only web addresses become links: never `javascript:` and its like.
function isWebAddress(address) {
  return /^https?:\/\//i.test(address) && URL.canParse(address);
}

function backLink() {
  const asked = askPage();
  const label = asked.includes("q=") ? texts.backToAnswer : texts.askQuestion;
  return element("p", { class: "back" }, element("a", { href: asked }, label));
}

// The question the reader came from, where there is one.
function askPage() {
  const home = document.querySelector(".wordmark").getAttribute("href");
  if (!URL.canParse(document.referrer)) return home;
  const from = new URL(document.referrer);
  const asked = from.origin === location.origin && from.pathname === "/" && from.searchParams.get("q");
  if (!asked) return home;
  return `${home}${home.includes("?") ? "&" : "?"}q=${encodeURIComponent(asked)}`;
}

document.querySelector("#skip").addEventListener("click", (event) => {
  event.preventDefault(); // The hash belongs to the passage.
  main.focus();
});
addEventListener("hashchange", () => view && showPassage());
onLanguageChange(() => (view ? showDocument() : load()));

showMasthead();
startLanguages();
load();
