/** The server-sent events of a response as they come, each {name, data} with `data` read as JSON. */
export async function* serverSentEvents(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let unread = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      unread = (unread + value).replaceAll("\r\n", "\n");
      const blocks = unread.split("\n\n");
      unread = blocks.pop();
      yield* blocks.map(parse).filter(({ data }) => data !== undefined); // the others only keep the line open
    }
  } finally {
    reader.cancel().catch(() => {}); // broken off already
  }
}

function parse(block) {
  const fields = block.split("\n").map((line) => /^(event|data): ?(.*)$/.exec(line)?.slice(1) ?? []);
  const values = (wanted) => fields.filter(([name]) => name === wanted).map(([, value]) => value);
  const data = values("data");
  return { name: values("event")[0] ?? "message", data: data.length > 0 ? JSON.parse(data.join("\n")) : undefined };
}
