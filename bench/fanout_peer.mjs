// A broadcast server on npm `ws`, as its README shows it: the peer of the fan-out measurement.
// Says its port on a line of JSON, takes one JSON order per line, answers with one line each.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(process.argv[2]);
const { WebSocketServer, WebSocket } = require("ws");
const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
const say = (fields) => console.log(JSON.stringify(fields));

function broadcast(payload) {
  let frames = 0;
  for (const client of server.clients) {
    if (client.readyState === WebSocket.OPEN) {
      client.send(payload, { binary: true });
      frames += 1;
    }
  }
  return frames;
}

function carryOut(order) {
  const before = process.cpuUsage();
  const started = process.hrtime.bigint();
  let sent = 0;
  let frames = 0;
  const timer = setInterval(() => {
    const passed = Number(process.hrtime.bigint() - started) / 1e9;
    while (sent < Math.floor(Math.min(passed, order.seconds) * order.rate)) {
      sent += 1;
      const head = String(process.hrtime.bigint());
      frames += broadcast(Buffer.from(head.padEnd(order.bytes, " ")));
    }
    if (passed >= order.seconds + 0.3) {
      clearInterval(timer);
      const spent = process.cpuUsage(before);
      const cpu_s = (spent.user + spent.system) / 1e6;
      say({ cpu_s, took_s: passed, frames, text: sent, money: 0, lag_ms: null });
    }
  }, Math.max(1, Math.min(20, 500 / order.rate)));
}

server.on("listening", () => say({ port: server.address().port, secret: "" }));
createInterface({ input: process.stdin })
  .on("line", (line) => carryOut(JSON.parse(line)))
  .on("close", () => process.exit(0));
