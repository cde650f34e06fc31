import { sharedAddress } from "../shared/addresses.js";
import { copyButton } from "../shared/clipboard.js";
import { element } from "../shared/dom.js";
import { texts } from "../shared/languages.js";
import { placeText } from "./place.js";

/** Buttons that copy an answer with its sources, as plain text and as Markdown. */
export function copyView(question, answer, { announce }) {
  const copies = [
    [texts.copy.plain, plainText],
    [texts.copy.markdown, markdown],
  ];
  const controls = copies.map(([label, write]) => copyButton(label, () => write(question, answer), announce));
  return element("div", { class: "copy" }, ...controls);
}

export function plainText(question, { answer, citations }) {
  const sources = citations.map((citation) => `[${citation.number}] ${where(citation)}\n    ${sharedAddress(citation)}`);
  return [question, answer, `${texts.sources}:\n${sources.join("\n")}`].join("\n\n") + "\n";
}

export function markdown(question, { answer, citations }) {
  const words = answer.split("\n").map((line) => `> ${escaped(line)}`.trimEnd());
  const sources = citations.map((citation) => `${citation.number}. [${escaped(where(citation))}](${sharedAddress(citation)})`);
  return [`**${escaped(question)}**`, words.join("\n"), `${texts.sources}:`, sources.join("\n")].join("\n\n") + "\n";
}

function where(citation) {
  return [citation.title, placeText(citation)].filter(Boolean).join(", ");
}
// What a document says must not become Markdown of its own.
function escaped(text) {
  return text.replace(/[\\`*_[\]<>#|]/g, "\\$&");
}
