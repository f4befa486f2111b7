// The mesh's transport over a broker. What is to be sent waits in a queue of limited size; so many frames are under way
// at a time, in order, until the broker acknowledges them. What came in goes to a receiver at once, or waits in a queue
// of limited size, and as long as that is full the broker is kept waiting.
//
// A frame whose acknowledgement was lost with the connection is sent again: frames can come twice. Knowing them is for the
// tunnel, whose window covers as many frames as are under way at most.

import { QstpError } from '../../error.ts';
import { copyOf } from '../../bytes.ts';
import { createFrame } from '../types.ts';
import type { MeshTransport, QstpFrame } from '../types.ts';
import { decodeFrameInto, FrameProto } from '../proto/frame.ts';
import { encodeProto } from '../proto/writing.ts';
import { contentTopic } from './topic.ts';

/** A broker's client, as {@link Overlay} needs it. What it does it tells by the overlay's up, down and arrived. */
export interface BrokerPort {
  /**
   * True: it sends again by itself what was not acknowledged when the connection broke, and calls back once for
   * everything. False: `done` of what was under way when `down` is called is not called any more.
   */
  readonly resends: boolean;
  /** Publishes with QoS 1, not retained. The payload is the port's. False to `done`: the broker refused it. */
  publish(topic: string, payload: Uint8Array, done: (accepted: boolean) => void): void;
  /** Subscribes with QoS 1. */
  subscribe(topic: string): void;
  unsubscribe(topic: string): void;
}

export interface OverlayOptions {
  /** Frames that wait to be sent, those under way included. Default 1,024. */
  readonly queueFrames?: number;
  /** Bytes of them. Default 4 MiB. */
  readonly queueBytes?: number;
  /** Frames under way at a time, 1 to 64: what may come twice after a reconnect. Default 32. */
  readonly window?: number;
  /** Frames that wait for tryReceive, for each topic. Default 256. */
  readonly receiveFrames?: number;
  /** The largest payload that is taken, bytes. Default 65,536. */
  readonly frameBytes?: number;
  /** There is room in the queue again after publish had said false. */
  readonly drain?: () => void;
  /** Told in one line of what somebody should look into. */
  readonly report?: (line: string) => void;
}

/** Counts since the start, one flat object. */
export interface OverlayMetrics {
  /** Connections to the broker that were made. */
  connected: number;
  /** Frames that were taken to be sent, that the broker acknowledged, and that it refused. */
  published: number;
  delivered: number;
  failed: number;
  /** Frames that were not taken, for the queue was full. */
  refused: number;
  /** Frames that were sent again after the connection broke, as far as the port leaves that to the overlay. */
  resent: number;
  /** Frames and bytes that wait to be sent or acknowledged. */
  waiting: number;
  waitingBytes: number;
  /** Frames that came in. */
  received: number;
  /** Of what came in: retained by the broker; no frame, or too large; on a topic that is none of its own. */
  retained: number;
  malformed: number;
  misrouted: number;
  /** Not taken, for the queue of its topic was full and the port cannot wait. */
  dropped: number;
}

interface Outgoing {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly done: ((delivered: boolean) => void) | undefined;
}

interface Incoming {
  readonly payload: Uint8Array;
  /** Lets the broker go on; null if that was not stopped for it. */
  readonly release: (() => void) | null;
}

interface Subscription {
  readonly topic: string;
  readonly receivers: ((frame: QstpFrame) => void)[];
  /** Null: nobody takes from it. */
  queue: Incoming[] | null;
}

const WINDOW_MAX = 64;

/** A setting within its range, or `invalid_input`. */
function setting(name: string, value: number | undefined, otherwise: number, most: number): number {
  if (value === undefined) return otherwise;
  if (value >= 1 && value <= most && Math.floor(value) === value) return value;
  throw new QstpError('invalid_input', `${name} is 1 to ${most}, not ${value}`);
}

export class Overlay implements MeshTransport {
  readonly metrics: OverlayMetrics = {
    connected: 0,
    published: 0,
    delivered: 0,
    failed: 0,
    refused: 0,
    resent: 0,
    waiting: 0,
    waitingBytes: 0,
    received: 0,
    retained: 0,
    malformed: 0,
    misrouted: 0,
    dropped: 0,
  };
  private readonly port: BrokerPort;
  private readonly options: OverlayOptions;
  private readonly queueFrames: number;
  private readonly queueBytes: number;
  private readonly window: number;
  private readonly receiveFrames: number;
  private readonly frameBytes: number;
  private isUp = false;
  private isClosed = false;
  private isPumping = false;
  /** Publish said false, and drain is owed. */
  private full = false;
  /** Of connections: an answer of an earlier one counts for nothing. */
  private era = 0;
  private readonly waiting: Outgoing[] = [];
  private readonly flying: Outgoing[] = [];
  /** By content topic. */
  private readonly subscriptions: Record<string, Subscription> = Object.create(null) as Record<
    string,
    Subscription
  >;
  private readonly received: QstpFrame = createFrame(0);
  private readonly lent: QstpFrame = createFrame(0);

  constructor(port: BrokerPort, options: OverlayOptions = {}) {
    this.port = port;
    this.options = options;
    this.queueFrames = setting('queueFrames', options.queueFrames, 1024, 1 << 20);
    this.queueBytes = setting('queueBytes', options.queueBytes, 4 << 20, 1 << 30);
    this.window = setting('window', options.window, 32, WINDOW_MAX);
    this.receiveFrames = setting('receiveFrames', options.receiveFrames, 256, 1 << 20);
    this.frameBytes = setting('frameBytes', options.frameBytes, 65536, 1 << 24);
  }

  // ---- The program's side --------------------------------------------------------------------------------

  publish(frame: QstpFrame, done?: (delivered: boolean) => void): boolean {
    const topic = contentTopic(frame.topic);
    const { metrics } = this;
    // Before it is encoded: a full queue is to cost nothing.
    const room = metrics.waiting < this.queueFrames && metrics.waitingBytes < this.queueBytes;
    if (this.isClosed || !room) {
      metrics.refused++;
      this.full = true;
      return false;
    }
    const payload = encodeProto(FrameProto, frame);
    if (payload.length > this.frameBytes) {
      throw new QstpError(
        'invalid_input',
        `a frame of ${payload.length} bytes: ${this.frameBytes} are taken`,
      );
    }
    metrics.published++;
    metrics.waiting++;
    metrics.waitingBytes += payload.length;
    this.waiting.push({ topic, payload, done });
    this.pump();
    return true;
  }

  subscribe(topic: string, receive?: (frame: QstpFrame) => void): () => void {
    const content = contentTopic(topic);
    let found = this.subscriptions[content];
    if (found === undefined) {
      found = { topic, receivers: [], queue: null };
      this.subscriptions[content] = found;
      if (this.isUp) this.port.subscribe(content);
    }
    const subscription = found;
    if (receive !== undefined) subscription.receivers.push(receive);
    else if (subscription.queue === null) subscription.queue = [];
    else throw new QstpError('invalid_input', `the topic ${topic} has a queue already`);
    let ended = false;
    return () => {
      if (ended) return;
      ended = true;
      const { receivers, queue } = subscription;
      if (receive !== undefined) receivers.splice(receivers.indexOf(receive), 1);
      else {
        subscription.queue = null;
        for (const { release } of queue!) if (release !== null) release();
      }
      if (receivers.length > 0 || subscription.queue !== null) return;
      delete this.subscriptions[content];
      if (this.isUp) this.port.unsubscribe(content);
    };
  }

  tryReceive(topic: string): QstpFrame | null {
    const subscription = this.subscriptions[contentTopic(topic)];
    const queue = subscription === undefined ? null : subscription.queue;
    while (queue !== null && queue.length > 0) {
      const { payload, release } = queue.shift()!;
      if (release !== null) release();
      if (this.decode(this.lent, payload, topic)) return this.lent;
    }
    return null;
  }

  /** Nothing is taken from now on; what waits is lost. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.isUp = false;
    this.era++;
    const lost = this.flying.concat(this.waiting);
    this.flying.length = this.waiting.length = 0;
    for (const outgoing of lost) this.settle(outgoing, false);
  }

  // ---- The port's side -----------------------------------------------------------------------------------

  /** The broker is there. Subscriptions are made anew: it may have forgotten them. */
  up(): void {
    if (this.isClosed || this.isUp) return;
    this.isUp = true;
    this.metrics.connected++;
    for (const content of Object.keys(this.subscriptions)) this.port.subscribe(content);
    this.pump();
  }

  /** The connection broke. */
  down(): void {
    if (!this.isUp) return;
    this.isUp = false;
    if (this.port.resends) return;
    this.era++;
    this.metrics.resent += this.flying.length;
    for (let i = this.flying.length - 1; i >= 0; i--) this.waiting.unshift(this.flying[i]!);
    this.flying.length = 0;
  }

  /**
   * A message came. `release` is called once it is taken, which lets the broker go on; null: the port cannot make it
   * wait.
   */
  arrived(content: string, payload: Uint8Array, retained: boolean, release: (() => void) | null): void {
    const { metrics } = this;
    const subscription = this.subscriptions[content];
    let waits = false;
    // Nobody of the mesh retains frames. Whoever did wants an old one to come again and again.
    if (retained) metrics.retained++;
    else if (subscription === undefined) metrics.misrouted++;
    else if (payload.length > this.frameBytes) metrics.malformed++;
    else {
      const { queue, receivers } = subscription;
      if (queue !== null) waits = this.enqueue(queue, payload, release);
      if (receivers.length > 0) {
        const frame = this.received;
        // Each is given the frame as it came.
        for (const receive of receivers.slice()) {
          if (this.decode(frame, payload, subscription.topic)) receive(frame);
        }
      }
    }
    if (!waits && release !== null) release();
  }

  /** True if the broker is to wait. */
  private enqueue(queue: Incoming[], payload: Uint8Array, release: (() => void) | null): boolean {
    if (queue.length >= this.receiveFrames) {
      this.metrics.dropped++;
      return false;
    }
    const waits = release !== null && queue.length + 1 >= this.receiveFrames;
    // A copy: what came may be a small part of a large buffer.
    queue.push({ payload: copyOf(payload), release: waits ? release : null });
    return waits;
  }

  private decode(frame: QstpFrame, payload: Uint8Array, topic: string): boolean {
    const { metrics } = this;
    const problem = decodeFrameInto(frame, payload, 0, payload.length);
    if (problem !== null) metrics.malformed++;
    else if (frame.topic !== topic) metrics.misrouted++;
    else {
      metrics.received++;
      return true;
    }
    return false;
  }

  /** Sends what may be under way. */
  private pump(): void {
    // A port may answer at once: then the loop that is running goes on.
    if (this.isPumping) return;
    this.isPumping = true;
    while (this.isUp && this.waiting.length > 0 && this.flying.length < this.window) {
      const outgoing = this.waiting.shift()!;
      const { era } = this;
      this.flying.push(outgoing);
      this.port.publish(outgoing.topic, outgoing.payload, (accepted) => {
        const at = era === this.era ? this.flying.indexOf(outgoing) : -1;
        if (at === -1) return;
        this.flying.splice(at, 1);
        this.settle(outgoing, accepted);
        this.pump();
      });
    }
    this.isPumping = false;
  }

  private settle(outgoing: Outgoing, delivered: boolean): void {
    const { metrics, options } = this;
    metrics.waiting--;
    metrics.waitingBytes -= outgoing.payload.length;
    if (delivered) metrics.delivered++;
    else metrics.failed++;
    if (outgoing.done !== undefined) outgoing.done(delivered);
    if (this.full && !this.isClosed && metrics.waiting <= this.queueFrames >> 1) {
      this.full = false;
      if (options.drain !== undefined) options.drain();
    }
  }
}
