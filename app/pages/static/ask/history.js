import { askAddress } from "../shared/addresses.js";
import { button, element } from "../shared/dom.js";
import { texts } from "../shared/languages.js";
import { keep, recall } from "../shared/storage.js";

const most = 50;

/**
 * Earlier conversations, kept in this browser alone: their questions, not their answers. Opening one asks
 * again, so that what was deleted is gone and what is new counts.
 */
export function startHistory(sidebar, opener, { announce }) {
  let conversations = read();
  let cleared = null; // what the reader may still want back

  function remember(questions) {
    const continued = (earlier) => earlier.length <= questions.length && earlier.every((question, i) => question === questions[i]);
    if (conversations[0]?.length === questions.length && continued(conversations[0])) return;
    cleared = null;
    store([questions, ...conversations.filter((earlier) => !continued(earlier))].slice(0, most));
  }

  function store(changed) {
    conversations = changed;
    keep("history", conversations);
    draw();
  }

  function draw() {
    opener.hidden = conversations.length === 0 && !cleared;
    sidebar.classList.toggle("empty", opener.hidden);
    sidebar.replaceChildren(
      element("h2", { id: "history-heading" }, texts.history.heading),
      element("ul", {}, ...conversations.map(item)),
      element("p", { class: "actions" }, cleared ? button(texts.history.undo, undo, { class: "quiet" }) : clearButton()),
      element("p", { class: "hint" }, texts.history.kept),
    );
  }

  function item(questions) {
    const more = questions.length > 1 && element("span", { class: "more" }, ` +${questions.length - 1}`);
    const remove = button("×", () => forget(questions), { class: "remove", "aria-label": texts.history.forget(questions[0]) });
    return element("li", {}, element("a", { href: askAddress(questions), title: questions.join("\n") }, questions[0], more), remove);
  }

  function forget(questions) {
    const place = conversations.indexOf(questions);
    store(conversations.filter((other) => other !== questions));
    (sidebar.querySelectorAll("li a")[Math.min(place, conversations.length - 1)] ?? document.querySelector("#question")).focus();
  }

  function clearButton() {
    return button(texts.history.clear, () => {
      cleared = conversations;
      store([]);
      sidebar.querySelector("button").focus();
      announce(texts.history.cleared);
    }, { class: "quiet" });
  }

  function undo() {
    [conversations, cleared] = [cleared, null];
    store(conversations);
    sidebar.querySelector("a").focus();
  }

  addEventListener("storage", () => {
    conversations = read(); // another tab has changed it
    draw();
  });
  draw();
  return { remember, translate: draw };
}

// Whatever an earlier version, or the reader, has left there.
function read() {
  const kept = recall("history");
  const isConversation = (entry) => Array.isArray(entry) && entry.length > 0 && entry.every((question) => typeof question === "string");
  return Array.isArray(kept) ? kept.filter(isConversation) : [];
}
