import { askAddress, readAddress } from "../shared/addresses.js";
import { showCaller } from "../shared/caller.js";
import { onLanguageChange, startLanguages, texts } from "../shared/languages.js";
import { showMasthead } from "../shared/masthead.js";
import { startConversation } from "./conversation.js";
import { startExamples } from "./examples.js";
import { startHistory } from "./history.js";
import { documentPanel } from "./panel.js";
import { startPreview } from "./preview.js";

const intro = document.querySelector("#intro");
const form = document.querySelector("#question-form");
const field = document.querySelector("#question");
const examplesSection = document.querySelector("#examples");
const status = document.querySelector("#status");
const container = document.querySelector("#conversation");
const sidebar = document.querySelector("#history");
const wide = matchMedia("(min-width: 68rem)"); // the same width as in panel.css

showMasthead("ask");
showCaller(document.querySelector("#masthead"));
startLanguages();

// The preview comes first, so that Escape closes it before the panel beneath.
const preview = startPreview(document.querySelector("#preview"), container);
const panel = documentPanel(document.querySelector("#panel"), { announce, closed: closePanel });
const past = startHistory(sidebar, document.querySelector("#history-button"), { announce });
const conversation = startConversation(container, { announce, answered });
const examples = startExamples(examplesSection, go);
let opener = null; // the link whose passage lies open

// The address says everything the page shows; each change of it comes through here.
function showAddress() {
  const { questions, documentId, range } = readAddress();
  const begun = questions.length > 0;
  preview.hide();
  document.body.classList.toggle("in-conversation", begun);
  for (const part of [intro, examplesSection]) part.hidden = begun;
  for (const id of ["conversation-heading", "new-conversation"]) document.getElementById(id).hidden = !begun;
  field.placeholder = begun ? texts.askOn : texts.placeholder;
  document.title = begun ? `${questions[0]} – Kildesvar` : "Kildesvar";
  if (!begun) {
    announce("");
    examples.show();
  }
  conversation.show(questions);
  if (documentId) panel.show({ document_id: documentId, ...range });
  else closeQuietly();
  markOpen();
}

function answered(questions) {
  past.remember(questions);
  markOpen();
}

function announce(message) {
  status.textContent = message;
}

/** Asks a question after those that were asked already. */
function go(question) {
  field.value = "";
  history.pushState(null, "", askAddress([...readAddress().questions, question]));
  showAddress();
  container.lastElementChild.scrollIntoView({ block: "start" });
  field.focus({ preventScroll: true });
}

function openPlace(link) {
  const address = askAddress(readAddress().questions, link.place);
  // The first passage opened is a step that Back undoes; going from one to the next is not.
  if (readAddress().documentId) history.replaceState(history.state, "", address);
  else history.pushState({ opened: true }, "", address);
  opener = link;
  panel.show(link.place);
  markOpen();
}

function closePanel() {
  if (history.state?.opened) {
    history.back(); // popstate then comes through showAddress
  } else {
    history.replaceState(null, "", askAddress(readAddress().questions));
    closeQuietly();
    markOpen();
  }
}

function closeQuietly() {
  const back = container.querySelector("[aria-current]");
  if (panel.hide()) back?.focus();
  opener = null;
}

// The link whose passage lies open says so, and gets focus back when the panel closes.
function markOpen() {
  const { documentId, range } = readAddress();
  const isOpen = ({ place }) => place?.document_id === documentId && place.start === range?.start && place.end === range?.end;
  container.querySelector("[aria-current]")?.removeAttribute("aria-current");
  const links = [...(opener?.isConnected ? [opener] : []), ...container.querySelectorAll("a")];
  if (documentId) links.find(isOpen)?.setAttribute("aria-current", "true");
}

/** Follows a link to another conversation without loading the page anew. */
function follow(event) {
  const link = event.target.closest("a");
  if (!link || !isPlain(event)) return;
  event.preventDefault();
  history.pushState(null, "", link.href);
  if (sidebar.matches(":popover-open")) sidebar.hidePopover();
  showAddress();
  scrollTo(0, 0);
  field.focus({ preventScroll: true });
}

function isPlain(event) {
  return event.button === 0 && !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const question = field.value.trim();
  if (question) go(question);
  else field.focus();
});

field.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  form.requestSubmit();
});

container.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link?.place || !isPlain(event) || !wide.matches) return;
  event.preventDefault();
  openPlace(link);
});

sidebar.addEventListener("click", follow);
for (const link of document.querySelectorAll(".wordmark, #new-conversation, .pages [data-page='/']")) {
  link.addEventListener("click", follow);
}
addEventListener("popstate", showAddress);
onLanguageChange(() => {
  past.translate();
  conversation.translate();
  showAddress();
});

showAddress();
if (readAddress().questions.length === 0) field.focus();
