import { listDocuments } from "../shared/api.js";
import { button, element } from "../shared/dom.js";
import { texts } from "../shared/languages.js";

const count = 3;
let library = null;

/** Example questions about what is in the library now; pressing one asks it. */
export async function showExamples(section, askQuestion) {
  library ??= await listDocuments(count).catch(() => null);
  if (!library) return; // Asking will tell what is wrong; the examples are only a help.
  section.replaceChildren(...(library.documents.length > 0 ? questions(askQuestion) : emptyLibrary()));
}

function questions(askQuestion) {
  const items = library.documents.slice(0, count).map(({ title }) => {
    const question = texts.example(mainTitle(title));
    return element("li", {}, button(question, () => askQuestion(question), { class: "example" }));
  });
  return [element("h2", { id: "examples-heading" }, texts.examples), element("ul", {}, ...items)];
}

// «Helse og velferd: året i korte trekk» is asked about as «Helse og velferd».
function mainTitle(title) {
  return title.split(/: | [–—] /)[0].trim() || title;
}

function emptyLibrary() {
  return [
    element("p", { id: "examples-heading" }, `${texts.emptyLibrary} `, element("code", {}, "kildesvar ingest ~/Dokumenter"), "."),
  ];
}
