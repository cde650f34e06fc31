/** Years as a stretch of days from `from` to `to`, ISO days or "" for an open end. */

export function coversYear({ from, to }, year) {
  return Boolean(from || to) && from <= `${year}-01-01` && (to === "" || to >= `${year}-12-31`);
}

/** The shortest stretch that holds both what was chosen and the year. */
export function withYear({ from, to }, year) {
  const first = `${year}-01-01`;
  const last = `${year}-12-31`;
  if (!from && !to) return { from: first, to: last };
  return { from: from < first ? from : first, to: to === "" || to > last ? to : last };
}

/** The stretch cut short by the year: before it, when it is the last, and else after it. */
export function withoutYear({ from, to }, year) {
  const cut = to.startsWith(year) ? { from, to: `${Number(year) - 1}-12-31` } : { from: `${Number(year) + 1}-01-01`, to };
  return cut.to && cut.from > cut.to ? { from: "", to: "" } : cut;
}

/** The stretch in words when it is of whole years, such as 2024 or 2022–2024; else null. */
export function wholeYears({ from, to }) {
  if (!from.endsWith("-01-01") || !to.endsWith("-12-31") || from > to) return null;
  const [first, last] = [from.slice(0, 4), to.slice(0, 4)];
  return first === last ? first : `${first}–${last}`;
}
