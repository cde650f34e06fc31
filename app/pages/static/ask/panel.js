import { documentAddress } from "../shared/addresses.js";
import { fetchDocument } from "../shared/api.js";
import { element } from "../shared/dom.js";
import { texts } from "../shared/languages.js";
import { problemView, tryAgain } from "../shared/problem.js";
import { readingView } from "../shared/reader.js";

/** The document beside the answer. `closed` is called when the reader closes it. */
export function documentPanel(panel, { announce, closed }) {
  const title = panel.querySelector("#panel-title");
  const body = panel.querySelector("#panel-body");
  const link = panel.querySelector("#panel-open");
  let current = null; // the address of the passage shown, so that a late document does not replace a newer one

  panel.querySelector("#panel-close").addEventListener("click", closed);
  addEventListener("keydown", (event) => {
    const isForAnother = event.defaultPrevented || event.isComposing || document.querySelector("nav:popover-open");
    if (event.key === "Escape" && !panel.hidden && !isForAnother) closed();
  });

  // Fetched each time: what was kept might be another version than the one that is cited, or deleted since.
  async function show(place) {
    const address = documentAddress(place, place.query);
    if (address === current) return;
    current = address;
    panel.hidden = false;
    document.body.classList.add("with-panel");
    link.href = address;
    title.textContent = place.title ?? title.textContent;
    if (!body.hasChildNodes()) body.append(element("p", { class: "hint" }, texts.loadingDocument));
    try {
      const source = await fetchDocument(place.document_id);
      if (address !== current) return;
      title.textContent = source.title;
      const view = readingView(source, 3);
      body.replaceChildren(view.element);
      body.scrollTop = 0;
      const range = Number.isInteger(place.start) ? place : null;
      if (view.show(range)) announce(texts.passageShown);
      else if (range) body.prepend(element("p", { class: "notice" }, texts.passageLost));
    } catch (error) {
      if (address !== current) return;
      current = null;
      body.replaceChildren(problemView(error, tryAgain(() => show(place)), "h3"));
    }
  }

  /** Says whether focus was inside, and so must be given a new place. */
  function hide() {
    const hadFocus = panel.contains(document.activeElement);
    current = null;
    panel.hidden = true;
    document.body.classList.remove("with-panel");
    body.replaceChildren();
    return hadFocus;
  }

  return { show, hide };
}
