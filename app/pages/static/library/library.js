import { readAgain } from "../shared/api.js";
import { mayDo, showCaller } from "../shared/caller.js";
import { element } from "../shared/dom.js";
import { onLanguageChange, startLanguages, texts } from "../shared/languages.js";
import { showMasthead } from "../shared/masthead.js";
import { arrivalsView } from "./arrivals.js";
import { collectionsView } from "./collections.js";
import { documentsView } from "./documents.js";
import { takeDrops } from "./dropping.js";
import { figuresView } from "./figures.js";
import { followJobs, isFinished } from "./jobs.js";
import { leftOutView } from "./left_out.js";
import { formatNumber } from "./numbers.js";
import { confirmRemoval } from "./removal.js";
import { EXTENSIONS } from "./sending.js";

// Before anything is waited for, so that nothing moves.
showMasthead("library");
showCaller(document.querySelector("#masthead"));
startLanguages();

const part = (id) => document.querySelector(`#${id}`);
const status = part("status");
const content = part("content");
const refreshPause = 700; // ms: many small files finish soon after one another

const replacement = element("input", { type: "file", hidden: true, accept: EXTENSIONS.join(",") });
let statistics = null;
let refreshing = null;
let replaced = null;
const writes = await mayDo("write"); // who only reads sees what there is, and nothing to change it with

const collections = collectionsView(part("collection"), part("choose-collection"));
const arrivals = arrivalsView(part("arrivals"), { announce, accepted: (jobId) => jobs.expect(jobId) });
const leftOut = leftOutView(part("left-out"));
const figures = figuresView(part("figures"), { announce });
const documents = documentsView(part("documents"), {
  announce,
  actions: writes ? menuOf : null,
  isBeingRead: (id) => arrivals.documentsBeingRead().includes(id),
  hasCollections: collections.areSeveral,
  emptied: (isEmpty) => (part("empty").hidden = !isEmpty),
});
const jobs = writes && followJobs((job) => {
  arrivals.update(job);
  documents.show();
  if (isFinished(job)) refreshSoon();
});

function announce(message) {
  status.textContent = message;
}

function menuOf(source) {
  const words = texts.library.list;
  return [
    [words.readAgain, () => askForReading(source), "read"],
    source.uploaded && [words.replace, () => askForVersion(source), "replace"],
    [words.remove, () => askForRemoval(source), "remove"],
  ];
}

async function askForReading(source) {
  const words = texts.library.list;
  try {
    const { job_id: jobId } = await readAgain(source.id);
    announce(words.announceReading(source.title));
    jobs.expect(jobId);
  } catch (error) {
    tell(`${words.cannotRead(source.title)} ${error.status === 409 ? words.fileGone : texts.library.arrivals.errors.failed}`);
  }
}

function askForVersion(source) {
  replaced = source;
  replacement.value = "";
  replacement.click();
}

async function askForRemoval(source) {
  const index = documents.indexOf(source.id);
  const isGone = await confirmRemoval(source);
  if (!isGone) {
    documents.focusMenu(source.id);
    return;
  }
  await documents.load();
  documents.focusNear(index);
  announce(texts.library.removal.removed(source.title));
  refreshSoon();
}

/** Says something at the top of the list, where it stays until something else is said. */
function tell(message) {
  const notice = part("notice");
  notice.textContent = message;
  notice.hidden = false;
}

function refreshSoon() {
  refreshing ??= setTimeout(async () => {
    refreshing = null;
    await collections.load();
    await Promise.all([documents.refresh(), writes && leftOut.refresh(), figures.refresh()]);
    await showSummary();
  }, refreshPause);
}

function showSummary() {
  const words = texts.library;
  const library = figures.library();
  const summary = part("summary");
  summary.hidden = !library || library.documents + library.left_out === 0;
  if (summary.hidden) return;
  const links = [
    writes && library.left_out > 0 && element("a", { href: "#left-out" }, words.toLeftOut(library.left_out)),
    element("a", { href: "#figures" }, words.toFigures),
  ].filter(Boolean);
  const counts = words.counts(formatNumber(library.documents), formatNumber(library.passages));
  summary.replaceChildren(...[counts, ...links].map((said) => element("span", {}, said)));
}

function showAll() {
  document.title = `${texts.pageNames.library} – Kildesvar`;
  for (const view of writes ? [arrivals, documents, leftOut, figures] : [documents, figures]) view.show();
  showSummary();
}

function choose(input, use) {
  input.addEventListener("change", () => {
    const files = [...input.files];
    input.value = ""; // so that the same file can be chosen again
    if (files.length > 0) use(files);
  });
}

if (writes) takeDrops(part("veil"), {
  looking: () => announce(texts.library.add.looking),
  dropped(files, unread) {
    part("notice").hidden = true;
    if (unread.length > 0) tell(unread.map(texts.library.add.unreadFolder).join(" "));
    if (files.length > 0) arrivals.add(files, null, collections.chosen());
    else if (unread.length === 0) tell(texts.library.add.nothing);
  },
});
choose(part("choose-files"), (files) => arrivals.add(files, null, collections.chosen()));
choose(part("choose-folder"), (files) => arrivals.add(files, null, collections.chosen()));
choose(replacement, (files) => arrivals.add(files, replaced));
part("choose-files").accept = EXTENSIONS.join(",");
document.body.append(replacement);

addEventListener("popstate", () => documents.load());
onLanguageChange(showAll);

for (const node of document.querySelectorAll("[data-writes]")) node.hidden = !writes;
if (!writes) {
  const lede = document.querySelector(".lede");
  lede.dataset.text = "library.ledeReading";
  lede.textContent = texts.library.ledeReading;
}

// All of it is shown at once, so that nothing moves what came before.
await Promise.allSettled([collections.load(), documents.load(), figures.load(), ...(writes ? [leftOut.load(), jobs.look()] : [])]);
part("loading").remove();
content.hidden = false;
showAll();
if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
