import { listJobs } from "../shared/api.js";

const perPage = 500; // the most that the service gives at once
const looksEvery = 15_000; // ms between two looks for jobs that others began

/**
 * Follows the service's jobs for as long as the page is open. It reads one file at a time, so only the oldest
 * job that is not finished is followed by its events: a browser keeps few connections to one service.
 * `changed` is called with a job each time it is seen otherwise than before.
 */
export function followJobs(changed) {
  const known = new Map();
  let events = null;
  let followed = null;
  let looking = null;
  let isStale = false;

  function note(job) {
    const before = known.get(job.id);
    if (before && before.updated_at === job.updated_at && before.state === job.state) return;
    known.set(job.id, job);
    changed(job, before);
  }

  async function look() {
    isStale = true; // whoever asks while a look is under way gets another after it
    looking ??= lookUntilFresh();
    await looking;
  }

  async function lookUntilFresh() {
    try {
      while (isStale) {
        isStale = false;
        const listed = await unfinishedAndRecent();
        for (const job of listed.reverse()) note(job);
        forgetUnlisted(new Set(listed.map(({ id }) => id)));
      }
    } finally {
      looking = null;
      follow();
    }
  }

  // A library may be taken back to a day on which a job was not there.
  function forgetUnlisted(listed) {
    for (const job of [...known.values()]) {
      if (isFinished(job) || listed.has(job.id)) continue;
      known.delete(job.id);
      changed({ ...job, state: "failed", error: null }, job);
    }
  }

  function follow() {
    const next = [...known.values()].find((job) => !isFinished(job));
    if (next?.id === followed && events?.readyState !== EventSource.CLOSED) return;
    events?.close();
    events = null;
    followed = next?.id ?? null;
    if (!next) return;
    events = new EventSource(`/v1/jobs/${encodeURIComponent(next.id)}/events`);
    const source = events;
    source.addEventListener("message", ({ data }) => {
      const job = JSON.parse(data);
      note(job);
      if (!isFinished(job)) return;
      source.close();
      lookQuietly();
    });
  }

  /** Looks for a job that the service has just accepted, and tells of it even if it was told of before. */
  function expect(jobId) {
    known.delete(jobId);
    lookQuietly();
  }

  const lookQuietly = () => look().catch(() => {}); // the next look may get through
  setInterval(() => document.hidden || lookQuietly(), looksEvery);
  document.addEventListener("visibilitychange", () => document.hidden || lookQuietly());

  return { look, expect };
}

export function isFinished({ state }) {
  return state === "done" || state === "failed";
}

// Newest first, as the service lists them, until a whole page of them is finished.
async function unfinishedAndRecent() {
  const all = [];
  for (;;) {
    const { jobs } = await listJobs(perPage, all.length);
    all.push(...jobs);
    if (jobs.length < perPage || jobs.every(isFinished)) return all;
  }
}
