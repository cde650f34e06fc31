import { language } from "../shared/languages.js";

const locales = () => [`${language}-NO`, "nb-NO"];

export function formatNumber(number) {
  return new Intl.NumberFormat(locales()).format(number);
}

export function formatShare(share) {
  return new Intl.NumberFormat(locales(), { style: "percent" }).format(share);
}

/** «5. mars 2024»; what is no day comes back as it is. */
export function formatDay(iso, dateStyle = "medium") {
  const moment = new Date(iso.length === "2024-03-05".length ? `${iso}T00:00` : iso);
  return Number.isNaN(moment.valueOf()) ? iso : moment.toLocaleDateString(locales(), { dateStyle });
}

/** «5. mars», for an axis. */
export function formatDayOfMonth(isoDay) {
  return new Date(`${isoDay}T00:00`).toLocaleDateString(locales(), { day: "numeric", month: "short" });
}
