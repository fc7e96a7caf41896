// A broadcast server as its makers show it: on npm `ws` under Node, on µWebSockets under Bun.
// Says its port on a line of JSON, takes one JSON order per line, answers with one line each.
import { createInterface } from "node:readline";

const say = (fields) => console.log(JSON.stringify(fields));

async function openNode(wsPackage) {
  const { createRequire } = await import("node:module");
  const { WebSocketServer, WebSocket } = createRequire(wsPackage)("ws");
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
  await new Promise((resolve) => server.on("listening", resolve));
  const broadcast = (payload) => {
    let frames = 0;
    for (const client of server.clients) {
      if (client.readyState === WebSocket.OPEN) {
        client.send(payload, { binary: true });
        frames += 1;
      }
    }
    return frames;
  };
  return { port: server.address().port, broadcast };
}

async function openBun() {
  let viewers = 0;
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request, server) => (server.upgrade(request) ? undefined : new Response(null, { status: 400 })),
    websocket: {
      perMessageDeflate: false,
      idleTimeout: 0,
      open(socket) {
        socket.subscribe("room");
        viewers += 1;
      },
      message() {},
      close() {
        viewers -= 1;
      },
    },
  });
  const broadcast = (payload) => {
    server.publish("room", payload);
    return viewers;
  };
  return { port: server.port, broadcast };
}

const { port, broadcast } = await (typeof Bun === "undefined" ? openNode(process.argv[2]) : openBun());

// Bun's clock starts with the process, so nobody else can tell a delay by it.
const monotonic = typeof Bun === "undefined" ? () => process.hrtime.bigint() : () => 0n;

function carryOut(order) {
  const before = process.cpuUsage();
  const started = process.hrtime.bigint();
  let sent = 0;
  let frames = 0;
  const timer = setInterval(() => {
    const passed = Number(process.hrtime.bigint() - started) / 1e9;
    while (sent < Math.floor(Math.min(passed, order.seconds) * order.rate)) {
      sent += 1;
      const head = String(monotonic());
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

say({ port, secret: "" });
createInterface({ input: process.stdin })
  .on("line", (line) => carryOut(JSON.parse(line)))
  .on("close", () => process.exit(0));
