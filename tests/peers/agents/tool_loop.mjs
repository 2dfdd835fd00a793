// A turn in which the model calls a tool, with @openai/agents-realtime: node tool_loop.mjs URL.
// Prints what the client knows in the end as JSON.
import { RealtimeAgent, RealtimeSession } from "@openai/agents-realtime";

const [url] = process.argv.slice(2);
const calls = [];
const order = {
  type: "function",
  name: "order",
  description: "Look up an order.",
  parameters: { type: "object", properties: { number: { type: "string" } }, required: ["number"] },
  strict: false,
  needsApproval: async () => false,
  isEnabled: async () => true,
  invoke: async (_context, input) => {
    calls.push(input);
    return `order ${JSON.parse(input).number} is shipped`;
  },
};
const agent = new RealtimeAgent({ name: "tester", instructions: "Answer.", tools: [order] });
const session = new RealtimeSession(agent, {
  transport: "websocket",
  model: "gpt-realtime",
  tracingDisabled: true,
  config: { outputModalities: ["text"] },
});
const errors = [];
session.on("error", (error) => errors.push(String(error?.error?.message ?? error?.error ?? error)));

const words = (item) => item.content.map((part) => part.transcript ?? part.text ?? "").join("");
const said = () => session.history.filter((item) => item.role === "assistant" && item.status === "completed").map(words);
const answered = new Promise((resolve) => {
  session.on("history_updated", () => said().some((text) => text.includes("answered")) && resolve());
  session.on("error", resolve);
});

await session.connect({ apiKey: "any", url });
session.sendMessage("Where is order 7?");
await answered;
session.close();
console.log(JSON.stringify({ said: said(), calls, errors }));
process.exit(0);
