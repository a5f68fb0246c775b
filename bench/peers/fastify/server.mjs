// Fastify as a reverse proxy with six limits: `node server.mjs PORT UPSTREAM PER_MINUTE`.
import httpProxy from "@fastify/http-proxy";
import rateLimit from "@fastify/rate-limit";
import Fastify from "fastify";

const [port, upstream, perMinute] = process.argv.slice(2).map(Number);

const NEVER_REACHED = 1_000_000_000;
const DAY = 86_400_000;
const LIMITS = [
  { max: perMinute, timeWindow: 60_000 },
  { max: NEVER_REACHED, timeWindow: 3_600_000 },
  { max: NEVER_REACHED, timeWindow: DAY },
  { max: NEVER_REACHED, timeWindow: DAY },
  { max: NEVER_REACHED, timeWindow: 30 * DAY },
  { max: NEVER_REACHED, timeWindow: 365 * DAY },
];

const app = Fastify({ keepAliveTimeout: 75_000 });
await app.register(rateLimit, { global: false });

// The plugin's own hook runs once a request; this is its way to have several limits.
const keyGenerator = (request) => request.headers["x-api-key"];
const limiters = LIMITS.map((limit) => app.createRateLimit({ ...limit, keyGenerator }));

async function limit(request, reply) {
  for (const check of limiters) {
    const { isExceeded, ttlInSeconds } = await check(request);
    if (isExceeded) {
      return reply.code(429).header("retry-after", ttlInSeconds).send({ error: "rate limit exceeded" });
    }
  }
}

await app.register(httpProxy, {
  upstream: `http://127.0.0.1:${upstream}`,
  preHandler: limit,
  undici: { connections: 512, pipelining: 1 },
  replyOptions: {
    rewriteRequestHeaders: (request, headers) => ({
      ...headers,
      host: request.headers.host,
      "x-forwarded-for": request.ip,
      "x-forwarded-proto": request.protocol,
    }),
  },
});
await app.listen({ host: "127.0.0.1", port, backlog: 1024 });
