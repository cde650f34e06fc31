import { removeDocument, ServiceError } from "../shared/api.js";
import { button, element } from "../shared/dom.js";
import { texts } from "../shared/languages.js";
import { formatNumber } from "./numbers.js";

/** Asks whether to remove a document, and removes it. Resolves to whether it is gone. */
export function confirmRemoval(source) {
  const words = texts.library.removal;
  const heading = element("h2", { id: "removal-heading" }, words.heading(source.title));
  const problem = element("p", { class: "dialog-problem", role: "alert" });
  const cancel = button(words.cancel, () => dialog.close(), { autofocus: true });
  const remove = button(words.remove, press, { class: "danger" });
  const dialog = element(
    "dialog",
    { class: "removal", "aria-labelledby": "removal-heading", "aria-describedby": "removal-lost" },
    heading,
    element("div", { id: "removal-lost" }, ...consequences(source)),
    problem,
    element("p", { class: "actions" }, remove, cancel),
  );
  let isGone = false;
  let isRemoving = false;

  async function press() {
    if (isRemoving) return;
    isRemoving = true;
    remove.setAttribute("aria-disabled", "true");
    remove.textContent = words.removing;
    problem.textContent = "";
    try {
      await removeDocument(source.id);
      isGone = true;
    } catch (error) {
      isGone = error instanceof ServiceError && error.status === 404; // somebody else was first
      problem.textContent = isGone ? "" : problemText(error);
    }
    isRemoving = false;
    remove.removeAttribute("aria-disabled");
    remove.textContent = words.remove;
    if (isGone) dialog.close();
  }

  return new Promise((resolve) => {
    // Once it is on its way it cannot be called back, so the answer is waited for.
    dialog.addEventListener("cancel", (event) => isRemoving && event.preventDefault());
    cancel.addEventListener("click", (event) => isRemoving && event.stopImmediatePropagation(), { capture: true });
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(isGone);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

function consequences({ passages, uploaded, source }) {
  const words = texts.library.removal;
  return [
    element("p", {}, words.lost(formatNumber(passages))),
    element("p", {}, uploaded ? words.uploaded : words.folder),
    !uploaded && element("p", { class: "path" }, source),
  ];
}

function problemText(error) {
  const words = texts.library.removal;
  if (error.kind === "offline") return words.offline;
  return error.status === 409 ? words.busy : words.failed;
}
