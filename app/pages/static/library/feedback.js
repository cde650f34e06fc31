import { listFeedback } from "../shared/api.js";
import { button, element } from "../shared/dom.js";
import { texts } from "../shared/languages.js";

const perPage = 200;

/**
 * Everything that readers said of answers, as a file of JSON lines: a program reads it as it is, and no
 * spreadsheet takes a reader's words for a formula, as it would in CSV.
 */
export function feedbackDownload({ announce }) {
  const hint = element("p", { class: "hint" });
  const problem = element("p", { class: "dialog-problem", role: "alert" });
  const press = button("", download, { id: "feedback" });
  const node = element("div", { class: "feedback" }, press, hint, problem);
  let isFetching = false;

  async function download() {
    if (isFetching) return;
    isFetching = true;
    problem.textContent = "";
    try {
      const all = await everything();
      if (all.length === 0) announce(texts.library.figures.feedbackEmpty);
      else save(all);
    } catch {
      problem.textContent = texts.library.figures.feedbackFailed;
    }
    isFetching = false;
  }

  return {
    element: node,
    show(count) {
      const words = texts.library.figures;
      press.textContent = words.feedback;
      press.hidden = count === 0;
      hint.textContent = count === 0 ? words.feedbackEmpty : words.feedbackHint;
    },
  };
}

async function everything() {
  const all = new Map(); // by answer: what is given while we fetch pushes the rest one place on
  for (let offset = 0; ; offset += perPage) {
    const { feedback, total } = await listFeedback(perPage, offset);
    for (const entry of feedback) all.set(entry.answer_id, entry);
    if (feedback.length === 0 || offset + feedback.length >= total) return [...all.values()];
  }
}

function save(entries) {
  const lines = entries.map((entry) => `${JSON.stringify(entry)}\n`);
  const address = URL.createObjectURL(new Blob(lines, { type: "application/x-ndjson" }));
  const day = new Date().toISOString().slice(0, 10);
  element("a", { href: address, download: `${texts.library.figures.feedbackFile}-${day}.jsonl` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000); // a slow disk has begun by then
}
