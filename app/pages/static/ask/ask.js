import { askAddress, documentAddress, readAddress } from "../shared/addresses.js";
import { answerView } from "./answer.js";
import { ask } from "../shared/api.js";
import { element } from "../shared/dom.js";
import { showExamples } from "./examples.js";
import { onLanguageChange, startLanguages, texts } from "../shared/languages.js";
import { showMasthead } from "../shared/masthead.js";
import { documentPanel } from "./panel.js";
import { startPreview } from "./preview.js";
import { problemView, tryAgain } from "../shared/problem.js";

const intro = document.querySelector("#intro");
const form = document.querySelector("#question-form");
const field = document.querySelector("#question");
const examples = document.querySelector("#examples");
const status = document.querySelector("#status");
const result = document.querySelector("#result");
const wide = matchMedia("(min-width: 68rem)"); // the same width as in style.css

const answers = new Map(); // what this page has been told, so that Back shows it at once
let asking = null;
let shownQuestion = null;

// The preview comes first, so that Escape closes it before the panel beneath.
const preview = startPreview(document.querySelector("#preview"), result);
const panel = documentPanel(document.querySelector("#panel"), { announce, closed: closePanel });

// The address says everything the page shows; each change of it comes through here.
function showAddress() {
  const { question, documentId, range } = readAddress();
  if (question !== shownQuestion) {
    field.value = question;
    showQuestion(question);
  }
  if (documentId) panel.show({ document_id: documentId, ...range });
  else closeQuietly();
  markOpen();
}

async function showQuestion(question) {
  shownQuestion = question;
  asking?.abort();
  preview.hide();
  intro.hidden = Boolean(question);
  examples.hidden = Boolean(question);
  document.title = question ? `${question} – Kildesvar` : "Kildesvar";
  if (!question) {
    result.replaceChildren();
    announce("");
    await showExamples(examples, go);
    return;
  }
  if (answers.has(question)) showAnswer(question);
  else await findAnswer(question);
}

async function findAnswer(question) {
  asking = new AbortController();
  const { signal } = asking;
  result.setAttribute("aria-busy", "true");
  result.replaceChildren(waitingView());
  announce(texts.searching);
  try {
    answers.set(question, await ask(question, signal));
    if (!signal.aborted) showAnswer(question);
  } catch (error) {
    if (signal.aborted) return;
    announce("");
    result.replaceChildren(problemView(error, tryAgain(() => findAnswer(question))));
  } finally {
    if (!signal.aborted) result.removeAttribute("aria-busy");
  }
}

function showAnswer(question) {
  const answer = answers.get(question);
  result.removeAttribute("aria-busy");
  result.replaceChildren(answerView(question, answer));
  markOpen();
  announce(answer.answered ? texts.announce(answer.short_answer, answer.citations.length) : answer.answer);
}

function waitingView() {
  const bars = ["long", "long", "short"].map((length) => element("span", { class: `bar ${length}` }));
  return element("div", { class: "waiting", "aria-hidden": "true" }, element("p", {}, texts.searching), ...bars);
}

function announce(message) {
  status.textContent = message;
}

function go(question) {
  const address = askAddress(question);
  if (question === shownQuestion) {
    // Asked anew on purpose, so not from memory.
    answers.delete(question);
    shownQuestion = null;
    history.replaceState(null, "", address);
  } else {
    history.pushState(null, "", address);
  }
  showAddress();
}

function openPlace(link) {
  const address = askAddress(shownQuestion, link.place);
  // The first passage opened is a step that Back undoes; going from one to the next is not.
  if (readAddress().documentId) history.replaceState(history.state, "", address);
  else history.pushState({ opened: true }, "", address);
  panel.show(link.place);
  markOpen();
}

function closePanel() {
  if (history.state?.opened) {
    history.back(); // popstate then comes through showAddress
  } else {
    history.replaceState(null, "", askAddress(shownQuestion));
    closeQuietly();
  }
}

function closeQuietly() {
  const opener = result.querySelector("[aria-current]");
  if (panel.hide()) opener?.focus();
}

// The link whose passage lies open says so, and gets focus back when the panel closes.
function markOpen() {
  const { documentId, range } = readAddress();
  const open = documentId && documentAddress({ document_id: documentId, ...range });
  result.querySelector("[aria-current]")?.removeAttribute("aria-current");
  for (const link of result.querySelectorAll("a")) {
    if (link.getAttribute("href") !== open) continue;
    link.setAttribute("aria-current", "true");
    break;
  }
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

result.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  const plain = event.button === 0 && !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);
  if (!link?.place || !plain || !wide.matches) return;
  event.preventDefault();
  openPlace(link);
});

showMasthead("ask");
document.querySelector(".wordmark").addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  go("");
  field.focus();
});

addEventListener("popstate", showAddress);

onLanguageChange(() => showQuestion(readAddress().question));

startLanguages();
showAddress();
if (!readAddress().question) field.focus();
