import { element } from "../shared/dom.js";
import { language, texts } from "../shared/languages.js";

// How the service words what it could not read (index/readers), and what we call it. The first that fits counts.
const patterns = [
  ["replacedGone", /was to replace has been deleted/],
  ["noText", /there is no text in the (file|mail)/],
  ["recognised", /read by OCR/],
  ["picturesPartly", /^pages? .*no text layer/],
  ["pictures", /no text layer/],
  ["attachments", /attachments were not read/],
  ["password", /has a password; |asks for a password/],
  ["old", /format before 2007/],
  ["outlook", /Outlook's own format/],
  ["otherwiseNamed", /is named as|there is no mail in the file/],
  ["type", /cannot be read( yet \(only|; send one of)/],
  ["large", /the limit is|more than \d+ rows|unpacks to/],
  ["damaged", /damaged|was cut off|crashed on the file|is not closed at its end/],
  ["binary", /is binary, not text/],
  ["encoding", /neither UTF-8 nor/],
  ["archive", /is an archive/],
  ["slow", /reading took more than/],
  ["empty", /the file is empty/],
  ["inaccessible", /cannot open the file/],
  ["unforeseen", /unforeseen error/],
];

/** The service's reason in plain words of the page's language; else its own, which are English. */
export function reasonText(reason) {
  const [name] = patterns.find(([, pattern]) => pattern.test(reason)) ?? [];
  return name ? texts.library.reasons[name] : reason;
}

/** The same as an element that says what language it is in, with the service's own words under the pointer. */
export function reasonView(reason, attributes = {}) {
  const words = reasonText(reason);
  const isOwn = words === reason && language !== "en";
  return element("span", { ...attributes, lang: isOwn && "en", title: !isOwn && words !== reason && reason }, words);
}
