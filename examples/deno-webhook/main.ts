// A webhook on one side, a gateway that only a tunnel reaches on the other: the body of each POST goes out as a message,
// and the gateway's answer is the response. One link serves all requests, and resumes by tickets in Deno KV when the
// worker starts again. It listens for HTTP only, so it also runs where a worker may do nothing else.
import { decodeRootCertificate, decodeServerCertificate, openKvStorage, openLink } from './qstp.js';

const GATEWAY = { hostname: 'localhost', port: 32119 };
const HTTP = { hostname: '127.0.0.1', port: 8080 };
const BODY_BYTES_MAX = 16000;
const WAITING_MAX = 64;
const CONNECT_MS = 5000;
const ANSWER_MS = 10000;

const token = Deno.env.get('WEBHOOK_TOKEN') ?? '';
if (token.length < 16) throw new Error('WEBHOOK_TOKEN: at least 16 characters, as of `openssl rand -hex 32`');

interface Waiting {
  resolve(answer: Uint8Array<ArrayBuffer>): void;
  reject(error: Error): void;
}

/** Who waits for an answer: the gateway answers in the order of the messages. */
const waiting: Waiting[] = [];
let up = Promise.withResolvers<void>();

const stop = new AbortController();
const storage = await openKvStorage(await Deno.openKv(), { report: (line) => console.error(line) });
const link = openLink(
  {
    endpoints: GATEWAY,
    root: decodeRootCertificate(await Deno.readFile('root_public_cert.qrr')),
    server: decodeServerCertificate(await Deno.readFile('server_public_cert.qrc')),
    storage,
    report: (line) => console.error(line),
    signal: stop.signal,
  },
  {
    message: (bytes) => waiting.shift()?.resolve(bytes.slice()),
    state(state, why) {
      if (state === 'connected') {
        console.log(link.metrics.resumptions > 0 ? 'resumed' : 'connected');
        up.resolve();
      } else if (why !== null) {
        console.log(why.detail);
        up = Promise.withResolvers<void>();
        // Whether these arrived nobody knows: that is for the sender of the webhook to decide.
        for (const each of waiting.splice(0)) each.reject(new Error(why.detail));
      }
    },
  },
);

class Late extends Error {}

function within<T>(promise: Promise<T>, ms: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => (timer = setTimeout(() => reject(new Late()), ms)));
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** The gateway's answer to a message. */
function ask(message: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  return new Promise((resolve, reject) => {
    link.send(message);
    waiting.push({ resolve, reject });
  });
}

/** Compares digests, so that the time tells nothing of the token. */
async function isAuthorised(request: Request): Promise<boolean> {
  const digest = async (text: string) =>
    new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)));
  const given = await digest(request.headers.get('authorization') ?? '');
  const wanted = await digest(`Bearer ${token}`);
  return given.reduce((difference, byte, i) => difference | (byte ^ wanted[i]!), 0) === 0;
}

/** The body, or null if it is too long. */
async function bodyOf(request: Request): Promise<Uint8Array | null> {
  const body = new Uint8Array(BODY_BYTES_MAX);
  let length = 0;
  for await (const chunk of request.body ?? []) {
    if (length + chunk.length > BODY_BYTES_MAX) return null;
    body.set(chunk, length);
    length += chunk.length;
  }
  return body.subarray(0, length);
}

const answer = (status: number, text: string): Response => new Response(`${text}\n`, { status });

async function handle(request: Request): Promise<Response> {
  if (request.method !== 'POST') return answer(405, 'POST the message');
  if (!(await isAuthorised(request))) return answer(401, 'the token is wrong');
  if (waiting.length >= WAITING_MAX) return answer(503, 'too many wait: try again');
  const body = await bodyOf(request);
  if (body === null) return answer(413, `a message has ${BODY_BYTES_MAX} bytes at the most`);
  if (body.length === 0) return answer(400, 'the message is empty');
  try {
    await within(up.promise, CONNECT_MS);
  } catch {
    return answer(503, 'the gateway cannot be reached: nothing was sent, try again');
  }
  try {
    const response = await within(ask(body), ANSWER_MS);
    // The worker may be stopped once it has answered: tickets count as kept from here on.
    await storage.flush().catch(() => undefined);
    return new Response(response);
  } catch (error) {
    if (error instanceof Late) return answer(504, 'no answer in time: the message may have arrived');
    return answer(502, `the tunnel ended: the message may have arrived (${(error as Error).message})`);
  }
}

const http = Deno.serve({ ...HTTP, signal: stop.signal }, handle);
for (const signal of ['SIGINT', 'SIGTERM'] as const) Deno.addSignalListener(signal, () => stop.abort());
await http.finished;
await storage.flush();
Deno.exit();
