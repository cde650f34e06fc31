import { askAddress, documentAddress, documentIdFromPath, questionsOf, searchAddress, sharedAddress } from "../shared/addresses.js";
import { fetchDocument } from "../shared/api.js";
import { showCaller } from "../shared/caller.js";
import { copyButton } from "../shared/clipboard.js";
import { element } from "../shared/dom.js";
import { formatName } from "../shared/formats.js";
import { parseRange } from "../shared/highlight.js";
import { formatDate, languageName, onLanguageChange, startLanguages, texts } from "../shared/languages.js";
import { showMasthead } from "../shared/masthead.js";
import { problemView, tryAgain } from "../shared/problem.js";
import { opensWithTitle, readingView } from "../shared/reader.js";
import { hitsBar } from "./hits.js";

const main = document.querySelector("#content");
const status = document.querySelector("#status");
const notice = element("p", { class: "notice", hidden: true });

let source = null;
let originalLink = null;
let view = null;
let hits = null;

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
  hits = hitsBar(source.id, { announce, open: openHit, searched });
  document.title = `${source.title} – Kildesvar`;
  main.replaceChildren(
    backLink(),
    facts(),
    element("div", { class: "bar" }, ...hits.elements, copyButton(texts.copyLink, linkHere, announce)),
    notice,
    ...(titled ? [] : [element("h1", { class: "document-title", lang: source.language }, source.title)]),
    view.element,
  );
  showPassage();
  hits.find(query(), parseRange(location.hash));
}

function openHit(hit) {
  history.replaceState(history.state, "", documentAddress(hit, query()));
  showPassage();
}

function searched(words) {
  history.replaceState(history.state, "", documentAddress({ document_id: source.id }, words));
}

function query() {
  return new URLSearchParams(location.search).get("q")?.trim() ?? "";
}

function linkHere() {
  return sharedAddress({ document_id: source.id, ...parseRange(location.hash) });
}

function announce(message) {
  status.textContent = message;
}

function showPassage() {
  const range = parseRange(location.hash);
  hits.stand(range);
  const shown = view.show(range);
  notice.hidden = !range || shown;
  notice.textContent = notice.hidden ? "" : texts.passageLost;
  announce(shown ? texts.passageShown : notice.textContent);
  originalLink.href = originalAddress(range);
}

function facts() {
  const kind = formatName(source.media_type);
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
  const from = cameFrom();
  const label = from?.startsWith("/search") ? texts.backToSearch : from ? texts.backToAnswer : texts.askQuestion;
  return element("p", { class: "back" }, element("a", { href: from ?? askPage() }, label));
}

// The answer or the search that the reader came from, where there is one.
function cameFrom() {
  if (!URL.canParse(document.referrer)) return null;
  const { origin, pathname, searchParams } = new URL(document.referrer);
  if (origin !== location.origin || !searchParams.has("q")) return null;
  if (pathname === "/search") return searchAddress(searchParams);
  return pathname === "/" ? askAddress(questionsOf(searchParams)) : null;
}

function askPage() {
  return askAddress([]);
}

addEventListener("hashchange", () => view && showPassage());
onLanguageChange(() => (view ? showDocument() : load()));

showMasthead();
showCaller(document.querySelector("#masthead"));
startLanguages();
load();
