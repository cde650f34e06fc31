// Questions for k6 (https://k6.io): each user asks, waits for the answer, and asks the next.
//
// AT_ONCE users ask one after the other, or PER_SECOND questions come whether or not those before were
// answered. WORDS is a file with a word a line; with REPEATED the questions are of so many, the first of
// them far more often than the last, and else all are different.

import exec from "k6/execution";
import http from "k6/http";
import { sleep } from "k6";
import { Counter, Trend } from "k6/metrics";
import { SharedArray } from "k6/data";

const { ADDRESS, SEED, WORDS, REPEATED, AT_ONCE, PER_SECOND, SECONDS, SUMMARY } = __ENV;
const words = new SharedArray("words", () => open(WORDS).split("\n").filter(Boolean));
const answered = new Trend("answered_ms", true);
const refused = new Trend("refused_ms", true);
const failed = new Counter("failed");

const atOnce = {
  executor: "constant-vus",
  vus: Number(AT_ONCE),
  duration: `${SECONDS}s`,
  gracefulStop: "10s",
};
const perSecond = {
  executor: "constant-arrival-rate",
  rate: Math.round(Number(PER_SECOND) * 10),
  timeUnit: "10s",
  duration: `${SECONDS}s`,
  preAllocatedVUs: 100,
  maxVUs: 400,
  gracefulStop: "10s",
};

export const options = {
  scenarios: { ask: PER_SECOND ? perSecond : atOnce },
  summaryTrendStats: ["count", "p(50)", "p(95)", "p(99)", "max"],
  discardResponseBodies: true,
};

// Multiplies by the golden ratio's bits, so that neighbours are far apart.
function mixed(number) {
  let hash = Math.imul(number ^ 0x9e3779b9, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function question(number) {
  const word = (place) => words[mixed(number * 7 + place) % words.length];
  return `Hva sier dokumentene om ${word(0)} ${word(1)} ${word(2)} ${word(3)} ${word(4)}?`;
}

export default function () {
  const turn = exec.scenario.iterationInTest + Number(SEED) * 1_000_003;
  const drawn = mixed(turn) / 2 ** 32;
  const number = REPEATED ? Math.floor(Number(REPEATED) ** drawn) : turn;
  const response = http.post(`${ADDRESS}/v1/ask`, JSON.stringify({ question: question(number) }), {
    headers: { "Content-Type": "application/json" },
    responseCallback: http.expectedStatuses(200, 429),
    timeout: "60s",
  });
  if (exec.instance.currentTestRunDuration > SECONDS * 1000) return; // what is left over at the end
  if (response.status === 200) answered.add(response.timings.duration);
  else if (response.status === 429) {
    refused.add(response.timings.duration);
    if (!PER_SECOND) sleep(Number(response.headers["Retry-After"]));
  } else failed.add(1);
}

export function handleSummary({ metrics }) {
  const values = (name) => metrics[name]?.values ?? { count: 0 };
  const summary = {
    answered: values("answered_ms"),
    refused: values("refused_ms"),
    failed: values("failed").count,
    dropped: values("dropped_iterations").count,
  };
  return { [SUMMARY]: JSON.stringify(summary) };
}
