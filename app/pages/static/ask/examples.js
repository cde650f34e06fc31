import { fetchExamples, listDocuments } from "../shared/api.js";
import { button, element } from "../shared/dom.js";
import { language, texts } from "../shared/languages.js";

const count = 3;
const looks = [1000, 2000, 4000, 8000]; // milliseconds until the next look, while the service is making them

/** Example questions that the library's documents answer now; pressing one asks it. */
export function startExamples(section, askQuestion) {
  let shown = null; // language of the questions that are there
  let waiting;

  async function show(look = 0) {
    clearTimeout(waiting);
    if (shown === language) return;
    const wanted = language;
    // Asking will tell what is wrong; the examples are only a help.
    const found = await fetchExamples(wanted, count).catch(() => null);
    if (!found || wanted !== language) return;
    if (found.examples.length > 0) {
      shown = wanted;
      section.replaceChildren(...questions(found.examples, askQuestion));
    } else if (await isEmpty()) {
      section.replaceChildren(emptyLibrary());
    } else if (look < looks.length) {
      waiting = setTimeout(() => show(look + 1), looks[look]);
    }
  }

  return { show };
}

function questions(examples, askQuestion) {
  const items = examples.map(({ question }) => {
    return element("li", {}, button(question, () => askQuestion(question), { class: "example" }));
  });
  return [element("h2", { id: "examples-heading" }, texts.examples), element("ul", {}, ...items)];
}

async function isEmpty() {
  const library = await listDocuments(1).catch(() => null);
  return library?.total === 0;
}

function emptyLibrary() {
  const link = element("a", { href: document.querySelector(".pages [data-page='/library']").getAttribute("href") }, texts.pageNames.library);
  return element("p", { id: "examples-heading" }, ...texts.emptyLibrary(link, element("code", {}, "kildesvar ingest ~/Dokumenter")));
}
