// What forwards say inside a tunnel (docs/forward.md): each message is a type byte and a body.

import { QstpError } from '../../../src/error.ts';

export const ForwardType = {
  /** Bytes of the stream. */
  data: 0,
  /** Client: connect to the "host:port" in the body and stream (-L). */
  connect: 1,
  /** Client: listen on the "bind:port" in the body and wait (-R). */
  listen: 2,
  /** Server: done; the body is text. */
  ok: 3,
  /** Either: not done; the body says why. The tunnel closes. */
  refused: 4,
  /** Server, to a waiting listener: someone connected; the stream begins. */
  open: 5,
  /** No more bytes in this direction. */
  eof: 6,
} as const;

/** Bytes of one data message at the most, type byte included. */
export const FORWARD_MESSAGE_BYTES = 16384;
/** How long a request waits for its answer, or a stream for its far end, milliseconds. */
export const FORWARD_WAIT_MS = 15000;

export function forwardMessage(type: number, text = ''): Uint8Array {
  const body = Buffer.from(text);
  const message = new Uint8Array(1 + body.length);
  message[0] = type;
  message.set(body, 1);
  return message;
}

/** The body as text, without control characters: it goes to people's terminals. */
export function forwardText(message: Uint8Array): string {
  return Buffer.from(message.subarray(1, 257))
    .toString('utf8')
    .replace(/[^\x20-\x7e]/g, '?');
}

/** Why a server does not do what it was asked to: its words, or that it is no server of forwards. */
export function refusalText(message: Uint8Array): string {
  if (message[0] === ForwardType.refused) return forwardText(message);
  return 'the server answers something else: start it with --allow-connect or --allow-listen';
}

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** `host:port`, `[v6]:port`, or `port` with the host given. Throws `endpoint_invalid`. */
export function parseEndpoint(text: string, defaultHost?: string): Endpoint {
  const match = /^(?:(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+)):)?(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2] ?? defaultHost;
  const port = Number(match?.[3]);
  if (match === null || host === undefined || port > 65535) {
    throw new QstpError('endpoint_invalid', `"${text}" is no address: write host:port, [IPv6]:port`);
  }
  return { host, port };
}

export function formatEndpoint({ host, port }: Endpoint): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** `[bind:]port:host:port` as ssh has it: where to listen, where to connect. Default bind: loopback. */
export function parseForward(text: string): { listen: Endpoint; target: Endpoint } {
  const match = /^(.*?)((?:\[[^\]]*\]|[^:[\]]+):\d+)$/.exec(text);
  const front = match?.[1] ?? '';
  if (match === null || !front.endsWith(':')) {
    throw new QstpError('forward_invalid', `"${text}" is no forward: write [bind:]port:host:port`);
  }
  return { listen: parseEndpoint(front.slice(0, -1), '127.0.0.1'), target: parseEndpoint(match[2]!) };
}
