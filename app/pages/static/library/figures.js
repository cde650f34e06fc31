import { fetchStatistics } from "../shared/api.js";
import { element } from "../shared/dom.js";
import { formatName } from "../shared/formats.js";
import { formatDuration, languageName, texts } from "../shared/languages.js";
import { problemView, tryAgain } from "../shared/problem.js";
import { barChart, columnChart } from "./charts.js";
import { feedbackDownload } from "./feedback.js";
import { formatDay, formatDayOfMonth, formatNumber, formatShare } from "./numbers.js";
import { holdStill } from "./still.js";

const span = 30; // days
const mostBars = 10;
const mostYears = 40; // with the years between that have none

/** What is in the library, and how it answers, from GET /v1/statistics. */
export function figuresView(section, { announce }) {
  const heading = element("h2", { id: "figures-heading", tabindex: "-1", "data-still": true });
  const libraryHeading = element("h3");
  const answersHeading = element("h3", { "data-still": true });
  const charts = {
    type: barChart("by-type"),
    language: barChart("by-language"),
    folder: barChart("by-folder"),
    year: columnChart("by-year"),
    lengths: columnChart("by-length"),
    questions: columnChart("questions-by-day"),
    median: columnChart("median-by-day"),
  };
  const elements = (...names) => names.map((name) => charts[name].element);
  const tiles = element("dl", { class: "tiles" });
  const kept = element("p", { class: "hint" });
  const notKept = element("div", { class: "not-kept" });
  const byDay = element("div", { class: "charts" }, ...elements("questions", "median"));
  const feedback = feedbackDownload({ announce });
  const asked = element("div", {}, answersHeading, notKept, tiles, kept, byDay, feedback.element);
  const problem = element("div", { hidden: true });
  const content = element(
    "div",
    {},
    libraryHeading,
    element("div", { class: "charts" }, ...elements("type", "year", "folder", "lengths", "language")),
    asked,
  );
  section.append(heading, problem, content);
  let statistics = null;

  async function load() {
    try {
      statistics = await fetchStatistics(span);
      problem.hidden = true;
    } catch (error) {
      problem.replaceChildren(problemView(error, tryAgain(retry), "h3"));
      problem.hidden = false;
    }
    return statistics;
  }

  async function retry() {
    await load();
    show();
  }

  async function refresh() {
    try {
      statistics = await fetchStatistics(span);
      problem.hidden = true;
      holdStill(show);
    } catch {
      // As in documents.js: it is tried again soon.
    }
  }

  function show() {
    const words = texts.library.figures;
    heading.textContent = words.heading;
    libraryHeading.textContent = words.library;
    answersHeading.textContent = words.answers;
    content.hidden = statistics === null;
    if (!statistics) return;
    showLibrary(statistics.library);
    asked.hidden = statistics.answers === null; // they are for admins
    if (statistics.answers) showAnswers(statistics.answers);
  }

  function showLibrary(library) {
    const words = texts.library.figures;
    const { columns } = words;
    const counted = (values, name) => values.map(({ value, count }) => ({ label: name(value), value: count }));
    libraryHeading.hidden = library.documents === 0;
    const byYear = years(library.by_year);
    const ranges = library.passage_lengths.map(({ from, to, count }) => ({
      label: to === null ? `${formatNumber(from)}+` : formatNumber(from),
      full: to === null ? words.from(formatNumber(from)) : `${formatNumber(from)}–${formatNumber(to - 1)}`,
      value: count,
    }));
    showBars("type", words.byType, columns.type, counted(library.by_type, formatName));
    showBars("language", words.byLanguage, columns.language, counted(library.by_language, (code) => (code ? languageName(code) : words.noAnswer)));
    showBars("folder", words.byFolder, columns.folder, counted(library.by_folder, (path) => path));
    showColumns("year", words.byYear, columns.year, columns.documents, byYear);
    showColumns("lengths", words.lengths, columns.length, columns.passages, ranges, words.lengthsHint);
  }

  function showBars(name, title, label, rows) {
    const words = texts.library.figures;
    charts[name].element.hidden = rows.length === 0;
    charts[name].show({
      heading: title,
      columns: [label, words.columns.documents],
      summary: summaryOf(rows, words.most),
      rows: fewest(rows, words.rest),
    });
  }

  function showColumns(name, title, label, unit, rows, hint = null) {
    charts[name].element.hidden = rows.length === 0;
    charts[name].show({
      heading: title,
      hint,
      columns: [label, unit],
      summary: summaryOf(rows, texts.library.figures.highest),
      rows: rows.map((row) => ({ ...row, told: `${row.full ?? row.label}: ${formatNumber(row.value)}` })),
    });
  }

  function showAnswers(answers) {
    const words = texts.library.figures;
    const isKept = answers.kept_days > 0;
    notKept.hidden = isKept;
    notKept.replaceChildren(
      element("p", {}, words.notKept),
      element("p", {}, `${words.howToKeep} `, element("code", {}, "KILDESVAR_KEEP_ANSWERS_DAYS"), "."),
    );
    tiles.hidden = kept.hidden = byDay.hidden = feedback.element.hidden = !isKept;
    feedback.show(answers.up + answers.down);
    if (!isKept) return;
    tiles.replaceChildren(
      tile("questions", words.questions, formatNumber(answers.questions)),
      tile("share", words.share, answers.questions ? formatShare(answers.answered / answers.questions) : words.noAnswer),
      tile("median", words.median, duration(answers.median_ms)),
      tile("up", words.up, formatNumber(answers.up)),
      tile("down", words.down, formatNumber(answers.down)),
    );
    kept.textContent = `${words.since(answers.since && formatDay(answers.since, "long"), answers.days.length)} ${words.keptDays(answers.kept_days)}`;
    showDays(answers.days);
  }

  function showDays(days) {
    const words = texts.library.figures;
    const { columns } = words;
    charts.questions.show({
      heading: words.questionsByDay,
      series: [columns.answered, columns.unanswered],
      columns: [columns.day, columns.answered, columns.unanswered],
      summary: summaryOf(days.map(({ day, questions }) => ({ label: formatDay(day), value: questions })), words.highest),
      rows: days.map(({ day, questions, answered }) => ({
        label: formatDayOfMonth(day),
        full: formatDay(day),
        value: answered,
        rest: questions - answered,
        told: `${formatDay(day)}: ${columns.answered} ${formatNumber(answered)}, ${columns.unanswered} ${formatNumber(questions - answered)}`,
      })),
    });
    charts.median.show({
      heading: words.medianByDay,
      hint: words.medianHint,
      columns: [columns.day, columns.median],
      summary: summaryOf(days.map(({ day, median_ms: value }) => ({ label: formatDay(day), value: Math.round(value ?? 0) })), words.highest),
      rows: days.map(({ day, median_ms: median }) => ({
        label: formatDayOfMonth(day),
        value: median,
        cells: [formatDay(day), duration(median)],
        told: `${formatDay(day)}: ${duration(median)}`,
      })),
    });
  }

  return { load, refresh, show, library: () => statistics?.library ?? null };
}

function tile(name, label, value) {
  return element("div", { class: "tile", "data-figure": name }, element("dt", {}, label), element("dd", {}, value));
}

function duration(milliseconds) {
  return milliseconds === null ? texts.library.figures.noAnswer : formatDuration(milliseconds);
}

function summaryOf(rows, words) {
  const most = rows.reduce((best, row) => (best === null || row.value > best.value ? row : best), null);
  if (!most || most.value === 0) return texts.library.figures.nothing;
  return `${words(most.full ?? most.label, formatNumber(most.value))} ${texts.library.figures.kinds(rows.length)}`;
}

// The longest bars, and one for what is left.
function fewest(rows, rest) {
  if (rows.length <= mostBars) return rows;
  const others = rows.slice(mostBars - 1).reduce((sum, { value }) => sum + value, 0);
  return [...rows.slice(0, mostBars - 1), { label: rest, value: others }];
}

// In order, with the years between that have no document, unless they are so many that they hide the rest.
function years(counts) {
  const known = new Map(counts.map(({ value, count }) => [Number(value), count]));
  const numbers = [...known.keys()].filter(Number.isInteger).sort((a, b) => a - b);
  if (numbers.length === 0) return [];
  const [first, last] = [numbers[0], numbers.at(-1)];
  const all = last - first < mostYears ? Array.from({ length: last - first + 1 }, (_, step) => first + step) : numbers;
  return all.map((year) => ({ label: String(year), value: known.get(year) ?? 0 }));
}
