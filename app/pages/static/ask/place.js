import { texts } from "../shared/languages.js";

/** «Overskrift › Underoverskrift · side 3», without what the title already says. */
export function placeText({ title, heading_path: path, page }) {
  const headings = (path ?? []).filter((heading) => heading !== title).join(" › ");
  return [headings, page && texts.page(page)].filter(Boolean).join(" · ");
}
