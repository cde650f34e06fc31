// Asks the service at the address given, with OpenAI's own client, and prints what came, as JSON.
import OpenAI from "openai";

const client = new OpenAI({ baseURL: `${process.argv[2]}/v1`, apiKey: "none", maxRetries: 0 });
const asked = {
  model: "kildesvar",
  messages: [{ role: "user", content: "Hvor mange medlemmer har bransjen?" }],
};

async function all(pages) {
  const found = [];
  for await (const one of pages) found.push(one);
  return found;
}

const models = await all(client.models.list());
const whole = await client.chat.completions.create(asked);
const chunks = await all(await client.chat.completions.create({ ...asked, stream: true }));
const refused = await client.chat.completions.create({ ...asked, model: "another" }).then(
  () => null,
  ({ status, type, param, code, message }) => ({ status, type, param, code, message }),
);
console.log(JSON.stringify({ models, whole, chunks, refused }));
