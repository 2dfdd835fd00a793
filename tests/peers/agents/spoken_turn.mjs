// One spoken turn with @openai/agents-realtime: node agents_realtime.mjs URL FILE, whose samples are 16-bit at 24 kHz.
// Prints what the client knows in the end as JSON.
import { readFileSync } from "node:fs";
import { RealtimeAgent, RealtimeSession } from "@openai/agents-realtime";

const [url, file] = process.argv.slice(2);
const agent = new RealtimeAgent({ name: "tester", instructions: "Answer." });
const session = new RealtimeSession(agent, {
  transport: "websocket",
  model: "gpt-realtime",
  tracingDisabled: true,
  config: {
    audio: {
      input: {
        transcription: { model: "gpt-4o-mini-transcribe" },
        turnDetection: { type: "server_vad", silenceDurationMs: 300, createResponse: true },
      },
    },
  },
});
const errors = [];
let audioBytes = 0;
session.on("error", (error) => errors.push(String(error?.error?.message ?? error?.error ?? error)));
session.on("audio", (event) => (audioBytes += event.data.byteLength));

const words = (item) => item.content.map((part) => part.transcript ?? part.text ?? "").join("");
const found = () => session.history.filter((item) => item.type === "message").map((item) => [item.role, words(item)]);
const answered = new Promise((resolve) => {
  const look = () => {
    const said = session.history.filter((item) => item.type === "message");
    const isWhole = said.some((item) => item.role === "assistant" && item.status === "completed" && words(item));
    if (isWhole && said.some((item) => item.role === "user" && words(item))) resolve();
  };
  session.on("history_updated", look);
  session.on("error", resolve);
});

await session.connect({ apiKey: "any", url });
const samples = readFileSync(file);
for (let start = 0; start < samples.length; start += 4800) {
  session.sendAudio(new Uint8Array(samples.subarray(start, start + 4800)).buffer);
}
await answered;
session.close();
console.log(JSON.stringify({ history: found(), audioBytes, errors }));
process.exit(0);
