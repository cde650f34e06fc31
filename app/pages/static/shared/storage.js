/**
 * What this browser keeps of its own, as JSON. Where storage is blocked or full, a value lasts as long as the page.
 */
const kept = new Map();

export function recall(name) {
  try {
    return JSON.parse(localStorage.getItem(`kildesvar.${name}`)) ?? kept.get(name) ?? null;
  } catch {
    return kept.get(name) ?? null;
  }
}

export function keep(name, value) {
  kept.set(name, value);
  try {
    localStorage.setItem(`kildesvar.${name}`, JSON.stringify(value));
  } catch {
    // See above.
  }
}
