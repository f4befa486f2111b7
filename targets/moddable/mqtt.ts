// The mesh's overlay over Moddable's MQTT client (ECMA-419), which the program hands over as a class: it is not imported
// here. That client sends nothing again and does not reconnect: the overlay does both.

import { createBackoff } from '../../src/link/reconnect.ts';
import type { BackoffOptions } from '../../src/link/reconnect.ts';
import { createRetry } from '../../src/link/retry.ts';
import { Overlay } from '../../src/mesh/overlay/overlay.ts';
import type { BrokerPort, OverlayOptions } from '../../src/mesh/overlay/overlay.ts';
import { utf8Bytes } from '../../src/mesh/proto/utf8.ts';
import type { Timer } from '../../src/platform.ts';

/** A client, as far as it is used. */
export interface EcmaMqttClient {
  /** Throws if there is less room than the message, or its beginning, takes. Returns how much there is now. */
  write(data: ArrayBuffer | null, options?: object): number | undefined;
  /** Bytes of a message that came. */
  read(count: number): ArrayBuffer | undefined;
  close(): void;
}

/** Of a message that came, with its first bytes; `more`: others follow. */
export interface EcmaMqttMessage {
  readonly topic?: string;
  readonly byteLength?: number;
  readonly more?: boolean;
  readonly retain?: boolean;
}

export interface EcmaMqttControl {
  readonly operation: number;
  readonly id?: number;
  readonly returnCode?: number;
}

export interface EcmaMqttClass {
  new (options: object): EcmaMqttClient;
  readonly CONNACK: number;
  readonly PUBACK: number;
  readonly SUBSCRIBE: number;
  readonly UNSUBSCRIBE: number;
}

export interface EcmaMqttOptions extends OverlayOptions, BackoffOptions {
  /** What the client's constructor takes: host, port, id, user, password, keepalive, socket, dns. */
  readonly client: object;
  readonly timer: Timer;
  /** A number in [0, 1), for the pauses. Default Math.random. */
  readonly jitter?: () => number;
}

/** Around the topic and the payload of a message: first byte, length, the topic's length, id. */
const AROUND_BYTES = 9;
/** Less is not worth a write. */
const PIECE_BYTES = 32;

/** What a new connection is taken to have room for, until it says. */
const FIRST_ROOM = 256;

/** What is to be written: a message from `at` on, or an operation. */
interface Pending {
  readonly options: object;
  readonly topicBytes: number;
  readonly payload: Uint8Array | null;
  at: number;
}

/** An overlay that connects, and stays connected until it is closed. */
export function ecmaMqttOverlay(
  Client: EcmaMqttClass,
  options: EcmaMqttOptions,
): { overlay: Overlay; close: () => void } {
  let client: EcmaMqttClient | null = null;
  let room = 0;
  let lastId = 0;
  let pending: Pending[] = [];
  /** By message id: ids of what is under way, which are few. */
  let acknowledged: { id: number; done: (accepted: boolean) => void }[] = [];
  /** A message of which a part has come. */
  let incoming: Uint8Array | null = null;
  let fill = 0;
  let topic = '';
  let retained = false;

  const nextId = (): number => {
    lastId = lastId === 65535 ? 1 : lastId + 1;
    return lastId;
  };

  /** False: there was less room than it seemed, and nothing is written. */
  const write = (data: ArrayBuffer | null, how: object | undefined): boolean => {
    try {
      room = client!.write(data, how) ?? 0;
      return true;
    } catch {
      room = 0;
      return false;
    }
  };

  /** Writes one piece of the first thing that is pending; false: there is no room. */
  const writePiece = (): boolean => {
    const next = pending[0]!;
    const { payload, at, topicBytes } = next;
    if (payload === null) {
      if (room < topicBytes + AROUND_BYTES) return false;
      if (!write(null, next.options)) return false;
      pending.shift();
      return true;
    }
    const most = at === 0 ? room - topicBytes - AROUND_BYTES : room;
    const left = payload.length - at;
    if (most < left && most < PIECE_BYTES) return false;
    const end = at + (left < most ? left : most);
    // The client takes whole array buffers.
    const piece = new Uint8Array(end - at);
    piece.set(payload.subarray(at, end));
    if (!write(piece.buffer, at === 0 ? next.options : undefined)) return false;
    next.at = end;
    if (end === payload.length) pending.shift();
    return true;
  };
  const flush = (): void => {
    while (client !== null && pending.length > 0 && writePiece());
  };
  const push = (content: string, payload: Uint8Array | null, more: object): void => {
    pending.push({ options: more, topicBytes: utf8Bytes(content), payload, at: 0 });
    flush();
  };

  const port: BrokerPort = {
    resends: false,
    publish(content, payload, done) {
      const id = nextId();
      acknowledged.push({ id, done });
      push(content, payload, { topic: content, QoS: 1, id, byteLength: payload.length });
    },
    subscribe(content) {
      push(content, null, { operation: Client.SUBSCRIBE, id: nextId(), items: [{ topic: content, QoS: 1 }] });
    },
    unsubscribe(content) {
      push(content, null, { operation: Client.UNSUBSCRIBE, id: nextId(), items: [{ topic: content }] });
    },
  };
  const overlay = new Overlay(port, options);

  const lost = (which: EcmaMqttClient): void => {
    if (which !== client) return;
    client = null;
    incoming = null;
    pending = [];
    acknowledged = [];
    try {
      which.close();
    } catch {
      // It is closed.
    }
    overlay.down();
    retry.failed();
  };

  const control = ({ operation, id, returnCode }: EcmaMqttControl, which: EcmaMqttClient): void => {
    if (which !== client) return;
    if (operation === Client.CONNACK) {
      if (returnCode !== undefined && returnCode !== 0) {
        if (options.report !== undefined) options.report('the broker refused the connection: ' + returnCode);
        lost(which);
        return;
      }
      retry.succeeded();
      if (room === 0) room = FIRST_ROOM;
      overlay.up();
    } else if (operation === Client.PUBACK) {
      for (let i = 0; i < acknowledged.length; i++) {
        if (acknowledged[i]!.id !== id) continue;
        acknowledged.splice(i, 1)[0]!.done(true);
        return;
      }
    }
  };

  const readable = (count: number, message: EcmaMqttMessage, which: EcmaMqttClient): void => {
    const read = which.read(count);
    if (which !== client || read === undefined) return;
    const piece = new Uint8Array(read);
    if (message.topic !== undefined) {
      topic = message.topic;
      retained = message.retain === true;
      const length = message.byteLength ?? piece.length;
      // What is too large is counted once it is over, and its bytes are not kept.
      incoming = length <= (options.frameBytes ?? 65536) ? new Uint8Array(length) : null;
      fill = 0;
    }
    if (incoming !== null && fill + piece.length <= incoming.length) incoming.set(piece, fill);
    fill += piece.length;
    if (message.more === true) return;
    const whole = incoming !== null && fill === incoming.length ? incoming : null;
    incoming = null;
    if (whole === null) overlay.metrics.malformed++;
    else overlay.arrived(topic, whole, retained, null);
  };

  const open = (): void => {
    room = 0;
    const opened: EcmaMqttClient = new Client({
      clean: false,
      ...options.client,
      onControl: (message: EcmaMqttControl) => control(message, opened),
      onReadable: (count: number, message: EcmaMqttMessage) => readable(count, message, opened),
      onWritable(count: number) {
        room = count;
        flush();
      },
      onClose: () => lost(opened),
      onError: () => lost(opened),
    });
    client = opened;
  };
  const jitter = options.jitter ?? Math.random;
  const retry = createRetry(options.timer, createBackoff(options), jitter, open);

  return {
    overlay,
    close() {
      retry.stop();
      overlay.close();
      const last = client;
      client = null;
      if (last !== null) last.close();
    },
  };
}
