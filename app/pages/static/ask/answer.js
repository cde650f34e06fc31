import { documentAddress, sharedAddress } from "../shared/addresses.js";
import { element } from "../shared/dom.js";
import { formatDuration, texts } from "../shared/languages.js";
import { copyView } from "./copying.js";
import { feedbackView } from "./feedback.js";
import { placeText } from "./place.js";

/** One turn of a conversation: the question, and its answer with all that belongs to it. */
export function answerView({ question, answer: given, number }, { announce }) {
  const asked = `asked-${number}`;
  const answer = withQuery(given);
  return element(
    "article",
    { class: "answer", "aria-labelledby": asked },
    element("h2", { id: asked, class: "asked" }, question),
    searchedFor(question, answer),
    ...(answer.answered ? found(answer, asked) : notFound(answer, asked)),
    element(
      "footer",
      { class: "after" },
      answer.answered && copyView(question, answer, { announce }),
      answer.answer_id && feedbackView(given, { announce }),
      timing(answer.timings),
    ),
  );
}

// Each place knows what was searched for: its document then shows the other hits, too.
function withQuery(answer) {
  const known = (places) => places.map((place) => ({ ...place, query: answer.question }));
  return { ...answer, citations: known(answer.citations), passages: known(answer.passages) };
}

// The service mends spelling and completes follow-ups; what it searched for is shown where that is not what was asked.
function searchedFor(question, answer) {
  if (!answer.question || answer.question === question.trim()) return null;
  return element("p", { class: "hint" }, texts.searchedFor(answer.question));
}

// Whose words these are, and what went wrong on the way to them.
function noticeOf({ composed_by: by, notice }) {
  const said = [by === "model" && texts.writtenByModel, notice].filter(Boolean);
  return said.length > 0 ? element("p", { class: "hint" }, said.join(" ")) : null;
}

function found(answer, asked) {
  return [
    answer.short_answer &&
      element(
        "p",
        { class: "short-answer" },
        element("span", { class: "visually-hidden" }, `${texts.shortAnswer}: `),
        answer.short_answer,
      ),
    prose(answer),
    noticeOf(answer),
    list("sources", asked, texts.sources, answer.citations.map(sourceItem)),
  ];
}

function notFound(answer, asked) {
  return [
    element("p", { class: "not-found" }, answer.answer || texts.notFound),
    element("p", { class: "hint" }, texts.rephrase),
    answer.passages.length > 0 && list("passages", asked, texts.maybeRelevant, answer.passages.map(passageItem)),
  ];
}

// The answer's text with its [n] made links, and the short answer marked where it stands.
function prose(answer) {
  const paragraphs = answer.composed_by === "model" ? writtenParagraphs(answer) : quotedParagraphs(answer);
  return element("div", { class: "prose" }, ...paragraphs.flatMap(paragraphView));
}

// Quotes are taken from the citations: a document's own «[2]» is then never mistaken for ours.
function quotedParagraphs({ citations }) {
  return citations.map((citation) => ({
    text: citation.quote,
    markers: marker(citation),
    mark: shortAnswerWithin(citation),
  }));
}

// The service counts code points, JavaScript UTF-16 units: [...text] has one entry for each of the former.
function shortAnswerWithin({ quote, start, short_answer: place }) {
  if (!place) return null;
  const letters = [...quote];
  const units = (count) => letters.slice(0, count).join("").length;
  return [units(place[0] - start), units(place[1] - start)];
}

// A language model's prose has a number after each sentence, and no other in brackets: the service sees to it.
function writtenParagraphs({ answer, citations, short_answer: words }) {
  const byNumber = new Map(citations.map((citation) => [String(citation.number), citation]));
  let marked = false; // the short answer is, once
  const said = ({ text, numbers }) => {
    const mark = marked ? null : firstPlace(words, text);
    marked ||= mark !== null;
    return { text, mark, markers: numbers.flatMap((number) => marker(byNumber.get(number)) ?? [` [${number}]`]) };
  };
  return answer.split("\n\n").map((paragraph) => ({ sentences: sentencesOf(paragraph).map(said) }));
}

// «Det er ni. [1] [2] De møtes. [1]»: what stands before each run of numbers, and the numbers.
function sentencesOf(paragraph) {
  const found = [...paragraph.matchAll(/(.*?)((?:\s*\[\d+\])+|$)/gs)];
  return found.filter(([whole]) => whole).map(([, text, markers]) => ({ text, numbers: markers.match(/\d+/g) ?? [] }));
}

function firstPlace(words, text) {
  if (!words) return null;
  // Whole words only: «13» is not marked inside «1369».
  const escaped = words.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
  const match = new RegExp(`(?<![\\p{L}\\p{N}])${escaped}(?![\\p{L}\\p{N}])`, "u").exec(text);
  return match && [match.index, match.index + match[0].length];
}

function paragraphView(paragraph) {
  if (!paragraph.sentences) return paragraphLines(paragraph);
  const parts = paragraph.sentences.flatMap(({ text, mark, markers }) => [...marked(text, 0, mark), ...markers]);
  return [element("p", {}, ...parts)];
}

function paragraphLines({ text, markers, mark }) {
  const lines = [];
  let start = 0;
  for (const line of text.split("\n")) {
    if (line.trim()) lines.push(element("p", {}, ...marked(line, start, mark)));
    start += line.length + 1;
  }
  if (lines.length === 0) lines.push(element("p", {}));
  lines.at(-1).append(...markers);
  return lines;
}

// `line` begins at `start` of its paragraph; `mark` is a span of the paragraph.
function marked(line, start, mark) {
  const [from, to] = (mark ?? [0, 0]).map((place) => Math.min(Math.max(place - start, 0), line.length));
  if (from >= to) return [line];
  return [line.slice(0, from), element("mark", {}, line.slice(from, to)), line.slice(to)];
}

// The word joiner keeps the number on the line of the word before it.
function marker(citation) {
  return citation && ["\u2060", citationLink(citation)];
}

// The brackets are hidden from sight, but copied with the text and printed.
function citationLink(citation) {
  const link = element(
    "a",
    { class: "citation", href: documentAddress(citation, citation.query), "aria-label": texts.source(citation.number, citation.title) },
    element("span", { class: "bracket" }, " ["),
    String(citation.number),
    element("span", { class: "bracket" }, "]"),
  );
  link.place = citation;
  return link;
}

function list(name, asked, heading, items) {
  return element(
    "section",
    { class: name, "aria-labelledby": `${asked}-${name}` },
    element("h3", { id: `${asked}-${name}` }, heading),
    element(name === "sources" ? "ol" : "ul", {}, ...items),
  );
}

function sourceItem(citation) {
  return element(
    "li",
    { value: citation.number },
    element("span", { class: "number", "aria-hidden": "true" }, String(citation.number)),
    ...place(citation),
    element("blockquote", {}, citation.quote),
  );
}

function passageItem(passage) {
  return element("li", {}, ...place(passage), element("blockquote", {}, passage.text));
}

function place(citation) {
  const attributes = { class: "title", href: documentAddress(citation, citation.query), "data-address": sharedAddress(citation) };
  const link = element("a", attributes, citation.title);
  link.place = citation;
  const where = placeText(citation);
  return [link, where && element("p", { class: "where" }, where)];
}

function timing(timings) {
  const total = timings?.total;
  return Number.isFinite(total) ? element("p", { class: "timing" }, texts.tookTime(formatDuration(total))) : null;
}
