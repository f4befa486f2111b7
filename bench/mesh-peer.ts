// One of two processes that a broker is between: it sends frames, or takes them. Its parent starts it with a
// MeshPeer as JSON, and is told by messages.

import mqtt from 'mqtt';
import { mqttOverlay } from '../src/mesh/overlay/mqtt-js.ts';
import { getU32, putU32 } from '../src/bytes.ts';
import { createFrame } from '../src/mesh/types.ts';
import type { QstpFrame } from '../src/mesh/types.ts';

import { tunnelFromSender, tunnelToReceiver } from './mesh-peer-tunnel.ts';

export interface MeshPeer {
  readonly role: 'send' | 'receive';
  readonly port: number;
  readonly protocol: 4 | 5;
  readonly topic: string;
  readonly frames: number;
  /** Of each ciphertext, or message of a tunnel. */
  readonly bytes: number;
  /** Over a tunnel of mesh/2; else frames as they are, and a window of its own. */
  readonly tunnel: boolean;
}

/** What a process says: now and then, and with `end` at its end. */
export interface MeshPeerReport {
  readonly kind: 'ready' | 'progress' | 'end';
  readonly done: number;
  /** Resident memory, and that of objects, bytes. */
  readonly rss: number;
  readonly heap: number;
  /** Received twice and refused by the window; passed on twice. */
  readonly duplicates: number;
  readonly doubled: number;
  /** Never received, or never sent. */
  readonly missing: number;
  /** Received, but too late for the window. */
  readonly late: number;
  readonly connected: number;
}

/** What a tunnel's window covers, frames. */
const WINDOW = 64;
/** Frames that wait at the sender's; a few places are left for what the tunnel itself says. */
const QUEUE = 256;

function report(kind: MeshPeerReport['kind'], counts: Partial<MeshPeerReport>, then?: () => void): void {
  globalThis.gc?.();
  const { rss, heapUsed } = process.memoryUsage();
  const none = { done: 0, duplicates: 0, doubled: 0, missing: 0, late: 0, connected: 0 };
  process.send!(
    { kind, rss, heap: heapUsed, ...none, ...counts } satisfies MeshPeerReport,
    then ?? (() => undefined),
  );
}

function clientOf({ role, port, protocol }: MeshPeer): mqtt.MqttClient {
  return mqtt.connect({
    host: '127.0.0.1',
    port,
    protocolVersion: protocol,
    clientId: `qstp-${role}`,
    clean: false,
    ...(protocol === 5 ? { properties: { sessionExpiryInterval: 3600 } } : {}),
    reconnectPeriod: 100,
    connectTimeout: 5000,
  });
}

/** How often a process tells how far it is. */
const stepOf = (frames: number): number => Math.ceil(frames / 50);

function send(peer: MeshPeer): void {
  const { frames, bytes, topic } = peer;
  const client = clientOf(peer);
  client.on('error', () => undefined);
  let seal: ((sequence: number) => QstpFrame) | null = null;
  const { overlay } = mqttOverlay(client, {
    reconnectMs: 50,
    reconnectMaxMs: 500,
    queueFrames: QUEUE,
  });
  const frame = createFrame(bytes);
  frame.topic = topic;
  frame.ciphertextBytes = bytes;
  frame.tunnelId.fill(7);
  let [next, delivered, failed] = [0, 0, 0];
  const settled = (good: boolean): void => {
    if (good) delivered++;
    else failed++;
    if (delivered % stepOf(frames) === 0) report('progress', { done: delivered });
    fill();
    if (delivered + failed < frames) return;
    report('end', { done: delivered, missing: failed, connected: overlay.metrics.connected }, () =>
      process.exit(),
    );
  };
  const fill = (): void => {
    while (seal !== null && next < frames && overlay.metrics.waiting < QUEUE - 16) {
      overlay.publish(seal(next), settled);
      next++;
    }
  };
  if (!peer.tunnel) {
    seal = (sequence) => {
      frame.sequence.low = sequence;
      frame.ciphertext.fill(sequence & 0xff);
      return frame;
    };
  } else {
    const message = new Uint8Array(bytes);
    tunnelToReceiver(overlay, topic, (tunnel) => {
      seal = (sequence) => {
        message.fill(sequence & 0xff);
        putU32(message, 0, sequence);
        return tunnel.seal(message);
      };
      fill();
    });
  }
  fill();
}

function receive(peer: MeshPeer): void {
  const { frames, bytes, topic } = peer;
  const client = clientOf(peer);
  client.on('error', () => undefined);
  const { overlay } = mqttOverlay(client, { reconnectMs: 50, reconnectMaxMs: 500 });
  const seen = new Uint8Array(frames);
  let [passed, duplicates, doubled, late, top] = [0, 0, 0, 0, -1];
  const window = new Set<number>();
  /** As a tunnel's window takes it. */
  const fresh = (sequence: number): boolean => {
    if (sequence <= top - WINDOW) {
      if (seen[sequence] === 0) late++;
      // Not missing, and not to be counted twice.
      seen[sequence] = 1;
      return false;
    }
    if (window.has(sequence)) return false;
    window.add(sequence);
    if (sequence > top) {
      top = sequence;
      for (const old of window) if (old <= top - WINDOW) window.delete(old);
    }
    return true;
  };
  const take = (frame: QstpFrame): void => {
    const sequence = frame.sequence.low;
    const whole =
      frame.ciphertextBytes === bytes && frame.ciphertext[frame.ciphertextAt] === (sequence & 0xff);
    if (!whole || sequence >= frames) throw new Error(`frame ${sequence} is not what was sent`);
    const lateBefore = late;
    if (!fresh(sequence)) {
      if (late === lateBefore) duplicates++;
      return;
    }
    passOn(sequence);
  };
  const passOn = (sequence: number): void => {
    if (seen[sequence] === 1) doubled++;
    seen[sequence] = 1;
    passed++;
    if (passed % stepOf(frames) === 0) report('progress', { done: passed });
  };
  if (!peer.tunnel) overlay.subscribe(topic, take);
  else {
    tunnelFromSender(
      overlay,
      topic,
      (message) => {
        const sequence = getU32(message, 0);
        if (message.length !== bytes || message[4] !== (sequence & 0xff) || sequence >= frames)
          throw new Error(`message ${sequence} is not what was sent`);
        passOn(sequence);
      },
      () => duplicates++,
    );
  }
  let ready = false;
  client.on('connect', () => {
    // Once the broker has the subscription, and from then on keeps what comes for it.
    if (ready) return;
    ready = true;
    client.subscribe('/qstp/2/ready/proto', { qos: 1 }, () => report('ready', {}));
  });
  process.on('message', () => {
    let missing = 0;
    for (const one of seen) if (one === 0) missing++;
    const { connected } = overlay.metrics;
    report('end', { done: passed, duplicates, doubled, late, missing, connected }, () => process.exit());
  });
}

const peer = JSON.parse(process.argv[2]!) as MeshPeer;
if (peer.role === 'send') send(peer);
else receive(peer);
