const length = 360; // letters of a hit that are shown
const lead = 120; // at most so many before the first mark
const leadLines = 2; // and so many lines: those of a table are short
const slack = 60; // so few letters more are shown rather than cut away

/**
 * The part of `text` to show, as [start, end): around the first of `marks` ([start, end) each, in order), cut
 * between sentences or else between words. Everything before `after` is left out.
 */
export function clip(text, marks, after = 0) {
  const [first] = telling(text, marks).find(([start]) => start >= after) ?? [after];
  const start = beginning(text, first, after);
  return [start, text.length - start <= length + slack ? text.length : ending(text, start + length)];
}

// Marks of short words («i», «og») say little about where the text fits; where there are only such, any will do.
function telling(text, marks) {
  const long = marks.filter(([start, end]) => end - start > 3);
  return long.length > 0 ? long : marks;
}

// The start of the text, where it is near; else of the sentence or line that `place` is in, or else of a word.
function beginning(text, place, after) {
  const lines = [...text.slice(after, place).matchAll(/\n+/g)];
  const short = text.length - after <= length + slack;
  if (lines.length <= leadLines && (short || place - after <= lead)) return after;
  const from = Math.max(after, place - lead);
  const before = text.slice(from, place);
  const lineStarts = [...before.matchAll(/\n+/g)].slice(-leadLines);
  const sentenceStarts = [...before.matchAll(/\p{Ll}{3}[.!?:]\s+(?=\p{Lu})/gu)];
  const [cut] = [lineStarts, sentenceStarts, [...before.matchAll(/\s+/g)]].find((cuts) => cuts.length > 0) ?? [];
  return cut ? from + cut.index + cut[0].length : place;
}

function ending(text, place) {
  const cut = text.slice(0, place).search(/\s\S*$/);
  return cut > place - 40 ? cut : place;
}
