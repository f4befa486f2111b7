// The mesh over a broker: topics, the queues of the overlay over a port that tests control, and the devices' clients.
import test from 'ava';
import fc from 'fast-check';
import { encodeProto } from '../../src/mesh/proto/writing.ts';
import { FrameProto } from '../../src/mesh/proto/frame.ts';
import { Overlay } from '../../src/mesh/overlay/overlay.ts';
import type { BrokerPort, OverlayOptions } from '../../src/mesh/overlay/overlay.ts';
import { contentTopic, topicOfContent } from '../../src/mesh/overlay/topic.ts';
import { createFrame } from '../../src/mesh/types.ts';
import type { QstpFrame } from '../../src/mesh/types.ts';
import { espruinoMqttOverlay } from '../../targets/espruino/mqtt.ts';
import type { EspruinoMqttMessage } from '../../targets/espruino/mqtt.ts';
import { ecmaMqttOverlay } from '../../targets/moddable/mqtt.ts';
import type { EcmaMqttControl, EcmaMqttMessage } from '../../targets/moddable/mqtt.ts';
import { fromBinary, toBinary } from '../../targets/espruino/text.ts';
import { World } from '../net/virtual.ts';

// ---- Topics ----------------------------------------------------------------------------------------------

test('topics: each has one content topic, which no filter of MQTT takes for another', (t) => {
  t.is(contentTopic('waku/mesh/alpha'), '/qstp/2/waku/mesh/alpha/proto');
  t.is(contentTopic('a+b#c$d%e\0f'), '/qstp/2/a%2Bb%23c%24d%25e%00f/proto');
  t.is(contentTopic('größe 💡'), '/qstp/2/größe 💡/proto');
  const wild = fc.string({
    unit: fc.constantFrom('+', '#', '$', '%', '2', 'B', '/', '\0', '\x7f', 'é', '💡'),
  });
  fc.assert(
    fc.property(fc.oneof(wild, fc.string({ unit: 'grapheme' })), (topic) => {
      if (topic === '') return;
      const content = contentTopic(topic);
      t.notRegex(content, /[+#$\0-\x1f\x7f]/);
      t.is(topicOfContent(content), topic);
    }),
  );
  fc.assert(
    fc.property(wild, (inner) => {
      const content = `/qstp/2/${inner}/proto`;
      const topic = topicOfContent(content);
      if (topic !== null) t.is(contentTopic(topic), content);
    }),
  );
  for (const none of [
    '',
    '/qstp/2//proto',
    '/qstp/1/a/proto',
    '/qstp/2/a',
    '/qstp/2/a%2/proto',
    '/qstp/2/%41/proto',
    '/qstp/2/%2b/proto',
  ]) {
    t.is(topicOfContent(none), null, none);
  }
  for (const wrong of ['', 'x'.repeat(65536), '\ud800', 'a\udc00b']) {
    t.throws(() => contentTopic(wrong), { code: 'topic_invalid' });
  }
});

// ---- The overlay over a port under control ---------------------------------------------------------------

function frameOf(number: number, topic = 'a', bytes = 40): QstpFrame {
  const frame = createFrame(bytes);
  frame.topic = topic;
  frame.sequence.low = number;
  frame.ciphertextBytes = bytes;
  frame.ciphertext.fill(number & 0xff);
  return frame;
}

const payloadOf = (number: number, topic = 'a'): Uint8Array =>
  encodeProto(FrameProto, frameOf(number, topic));

interface Sent {
  topic: string;
  payload: Uint8Array;
  done: (accepted: boolean) => void;
}

function rig(options: OverlayOptions = {}, resends = false) {
  const sent: Sent[] = [];
  const calls: string[] = [];
  const port: BrokerPort = {
    resends,
    publish: (topic, payload, done) => void sent.push({ topic, payload, done }),
    subscribe: (topic) => void calls.push(`+${topic}`),
    unsubscribe: (topic) => void calls.push(`-${topic}`),
  };
  return { overlay: new Overlay(port, options), sent, calls };
}

test('what is published waits for the broker, goes out in order and in a window, and is told of', (t) => {
  const { overlay, sent } = rig({ window: 3, queueFrames: 5 });
  const told: string[] = [];
  const publish = (number: number): boolean =>
    overlay.publish(frameOf(number), (good) => told.push(`${number} ${good}`));
  t.deepEqual([1, 2, 3, 4, 5, 6].map(publish), [true, true, true, true, true, false]);
  t.is(sent.length, 0);
  overlay.up();
  t.is(sent.length, 3);
  t.deepEqual(sent[0]!.payload, payloadOf(1));
  t.is(sent[0]!.topic, '/qstp/2/a/proto');
  sent[1]!.done(true);
  t.is(sent.length, 4);
  sent[0]!.done(false);
  sent[0]!.done(true);
  t.deepEqual(told, ['2 true', '1 false']);
  for (const { done } of sent.slice(2)) done(true);
  sent[4]!.done(true);
  t.deepEqual(told, ['2 true', '1 false', '3 true', '4 true', '5 true']);
  const { published, delivered, failed, refused, waiting, waitingBytes } = overlay.metrics;
  t.deepEqual(
    { published, delivered, failed, refused, waiting, waitingBytes },
    { published: 5, delivered: 4, failed: 1, refused: 1, waiting: 0, waitingBytes: 0 },
  );
});

test('a frame is the caller’s again as soon as publish returns', (t) => {
  const { overlay, sent } = rig();
  const frame = frameOf(1);
  overlay.publish(frame);
  frame.ciphertext.fill(0xee);
  frame.sequence.low = 99;
  overlay.up();
  t.deepEqual(sent[0]!.payload, payloadOf(1));
});

test('after a reconnect what was not acknowledged goes out again, first and in order', (t) => {
  const { overlay, sent } = rig({ window: 4 });
  const told: number[] = [];
  for (let i = 0; i < 6; i++) overlay.publish(frameOf(i), () => told.push(i));
  overlay.up();
  sent[1]!.done(true);
  overlay.down();
  // An answer of the old connection that comes late counts for nothing.
  sent[0]!.done(true);
  t.deepEqual(told, [1]);
  overlay.up();
  t.deepEqual(
    sent.slice(5).map(({ payload }) => payload),
    [0, 2, 3, 4].map((i) => payloadOf(i)),
  );
  for (let i = 5; i < 10; i++) sent[i]!.done(true);
  t.deepEqual(told, [1, 0, 2, 3, 4, 5]);
  t.is(overlay.metrics.resent, 4);
});

test('a port that sends again by itself is not sent anything twice', (t) => {
  const { overlay, sent } = rig({ window: 4 }, true);
  const told: boolean[] = [];
  for (let i = 0; i < 3; i++) overlay.publish(frameOf(i), (good) => told.push(good));
  overlay.up();
  overlay.down();
  overlay.up();
  t.is(sent.length, 3);
  for (const { done } of sent) done(true);
  t.deepEqual(told, [true, true, true]);
  t.is(overlay.metrics.resent, 0);
});

test('limits: frames, bytes, the size of one; drain is told once there is room', (t) => {
  let drained = 0;
  const { overlay, sent } = rig({
    queueFrames: 4,
    queueBytes: 10_000,
    frameBytes: 5000,
    window: 64,
    drain: () => drained++,
  });
  overlay.up();
  t.throws(() => overlay.publish(frameOf(1, 'a', 6000)), {
    code: 'invalid_input',
    message: /5000 are taken/,
  });
  t.true(overlay.publish(frameOf(1, 'a', 4900)));
  t.true(overlay.publish(frameOf(2, 'a', 4900)));
  t.true(overlay.publish(frameOf(3, 'a', 4900)));
  t.false(overlay.publish(frameOf(4)), 'bytes');
  t.is(drained, 0);
  sent[0]!.done(true);
  t.is(drained, 1);
  sent[1]!.done(true);
  sent[2]!.done(true);
  t.is(drained, 1);
  for (let i = 0; i < 4; i++) t.true(overlay.publish(frameOf(i)));
  t.false(overlay.publish(frameOf(5)), 'frames');
  for (const window of [0, 65, 1.5]) t.throws(() => rig({ window }), { code: 'invalid_input' });
  t.throws(() => overlay.publish(frameOf(1, '')), { code: 'topic_invalid' });
});

test('a port that answers at once does not make the stack grow', (t) => {
  const port: BrokerPort = {
    resends: false,
    publish: (_t, _p, done) => done(true),
    subscribe: () => undefined,
    unsubscribe: () => undefined,
  };
  const overlay = new Overlay(port, { queueFrames: 50_000, queueBytes: 1 << 28 });
  for (let i = 0; i < 50_000; i++) overlay.publish(frameOf(i, 'a', 1));
  overlay.up();
  t.is(overlay.metrics.delivered, 50_000);
});

test('close: what waits is lost and told of, nothing is taken any more', (t) => {
  const { overlay, sent } = rig({ window: 1 });
  const told: boolean[] = [];
  overlay.publish(frameOf(1), (good) => told.push(good));
  overlay.publish(frameOf(2), (good) => told.push(good));
  overlay.up();
  overlay.close();
  overlay.close();
  sent[0]!.done(true);
  t.deepEqual(told, [false, false]);
  t.false(overlay.publish(frameOf(3)));
  overlay.up();
  t.is(sent.length, 1);
});

test('subscriptions are made at each connection, and ended with the last that wants them', (t) => {
  const { overlay, calls } = rig();
  const endFirst = overlay.subscribe('a', () => undefined);
  overlay.up();
  const endSecond = overlay.subscribe('a', () => undefined);
  const endQueue = overlay.subscribe('b');
  t.throws(() => overlay.subscribe('b'), { code: 'invalid_input', message: /has a queue/ });
  overlay.down();
  overlay.up();
  endFirst();
  endFirst();
  endSecond();
  endQueue();
  t.deepEqual(calls, [
    '+/qstp/2/a/proto',
    '+/qstp/2/b/proto',
    '+/qstp/2/a/proto',
    '+/qstp/2/b/proto',
    '-/qstp/2/a/proto',
    '-/qstp/2/b/proto',
  ]);
});

test('what comes in: every receiver gets it; what is no frame, retained or on another topic is counted', (t) => {
  const { overlay } = rig({ frameBytes: 200 });
  const got: string[] = [];
  overlay.subscribe('a', (frame) => {
    got.push(`one ${frame.sequence.low}`);
    frame.sequence.low = 77;
  });
  overlay.subscribe('a', (frame) => got.push(`two ${frame.sequence.low}`));
  let released = 0;
  const arrive = (payload: Uint8Array, retained = false, topic = '/qstp/2/a/proto'): void =>
    overlay.arrived(topic, payload, retained, () => released++);
  arrive(payloadOf(5));
  arrive(payloadOf(6), true);
  arrive(payloadOf(7, 'b'));
  arrive(Uint8Array.of(0x0a, 0xff));
  arrive(new Uint8Array(201));
  arrive(payloadOf(8), false, '/qstp/2/c/proto');
  t.deepEqual(got, ['one 5', 'two 5']);
  const { received, retained, malformed, misrouted, dropped } = overlay.metrics;
  // Of a, each of the two receivers finds the frame of another topic, and the one that is none.
  t.deepEqual(
    { received, retained, malformed, misrouted, dropped },
    { received: 2, retained: 1, malformed: 3, misrouted: 3, dropped: 0 },
  );
  t.is(released, 6);
});

test('a full queue makes the broker wait, and one that cannot wait loses what is too much', (t) => {
  const { overlay } = rig({ receiveFrames: 3 });
  overlay.subscribe('a');
  const released: number[] = [];
  for (let i = 0; i < 3; i++) overlay.arrived('/qstp/2/a/proto', payloadOf(i), false, () => released.push(i));
  t.deepEqual(released, [0, 1]);
  t.is(overlay.tryReceive('b'), null);
  const first = overlay.tryReceive('a')!;
  t.is(first.sequence.low, 0);
  t.deepEqual(released, [0, 1]);
  t.is(overlay.tryReceive('a')!.sequence.low, 1);
  t.is(overlay.tryReceive('a'), first, 'lent until the next call');
  t.is(first.sequence.low, 2);
  t.deepEqual(released, [0, 1, 2]);
  t.is(overlay.tryReceive('a'), null);
  // The packet is the port's again: the queue holds a copy.
  const packet = payloadOf(9);
  overlay.arrived('/qstp/2/a/proto', packet, false, null);
  packet.fill(0);
  for (let i = 10; i < 14; i++) overlay.arrived('/qstp/2/a/proto', payloadOf(i), false, null);
  t.is(overlay.metrics.dropped, 2);
  t.deepEqual(
    [9, 10, 11].map(() => overlay.tryReceive('a')!.sequence.low),
    [9, 10, 11],
  );
});

test('a subscription that ends lets the broker go on', (t) => {
  const { overlay } = rig({ receiveFrames: 1 });
  const end = overlay.subscribe('a');
  let released = 0;
  overlay.arrived('/qstp/2/a/proto', payloadOf(1), false, () => released++);
  t.is(released, 0);
  end();
  t.is(released, 1);
});

// ---- Moddable's client -----------------------------------------------------------------------------------

/** A client as ECMA-419 has it, with so much room to write, over what a test says the broker does. */
class FakeEcma {
  static readonly CONNACK = 2;
  static readonly PUBACK = 4;
  static readonly SUBSCRIBE = 8;
  static readonly UNSUBSCRIBE = 10;
  static all: FakeEcma[] = [];
  static room = 64;
  readonly options: {
    onControl(message: EcmaMqttControl): void;
    onReadable(count: number, message: EcmaMqttMessage): void;
    onWritable(count: number): void;
    onClose(): void;
    onError(): void;
    host: string;
    clean: boolean;
  };
  readonly messages: { topic: string; id: number; QoS: number; bytes: number[]; total: number }[] = [];
  readonly operations: { operation: number; items: { topic: string; QoS?: number }[] }[] = [];
  closed = false;
  room = FakeEcma.room;
  private reading: Uint8Array | null = null;

  constructor(options: object) {
    this.options = options as FakeEcma['options'];
    FakeEcma.all.push(this);
  }

  write(
    data: ArrayBuffer | null,
    options?: {
      topic?: string;
      id?: number;
      QoS?: number;
      byteLength?: number;
      operation?: number;
      items?: { topic: string }[];
    },
  ): number {
    if (this.closed) throw new Error('closed');
    const last = this.messages.at(-1);
    if (data === null) {
      const bytes = 5 + options!.items!.reduce((sum, { topic }) => sum + 3 + topic.length, 0);
      if (bytes > this.room) throw new Error('overflow');
      this.room -= bytes;
      this.operations.push(options as FakeEcma['operations'][number]);
      return this.room;
    }
    const bytes = [...new Uint8Array(data)];
    const head = options === undefined ? 0 : 6 + options.topic!.length;
    if (bytes.length + head > this.room) throw new Error('overflow');
    this.room -= bytes.length + head;
    if (options === undefined) {
      if (last === undefined || last.bytes.length + bytes.length > last.total) throw new Error('too much');
      last.bytes.push(...bytes);
    } else {
      if (last !== undefined && last.bytes.length < last.total)
        throw new Error('the last one is not complete');
      this.messages.push({
        topic: options.topic!,
        id: options.id!,
        QoS: options.QoS!,
        bytes,
        total: options.byteLength!,
      });
    }
    return this.room;
  }

  read(count: number): ArrayBuffer | undefined {
    const piece = this.reading!.slice(0, count);
    this.reading = this.reading!.slice(count);
    return piece.buffer as ArrayBuffer;
  }

  close(): void {
    this.closed = true;
  }

  drain(): void {
    this.room = FakeEcma.room;
    this.options.onWritable(this.room);
  }

  deliver(topic: string, payload: Uint8Array, by: number, retain = false): void {
    this.reading = payload;
    for (let at = 0; at < payload.length; at += by) {
      const count = Math.min(by, payload.length - at);
      const more = at + count < payload.length;
      this.options.onReadable(
        count,
        at === 0 ? { topic, byteLength: payload.length, more, retain } : { more },
      );
    }
  }
}

test.serial('Moddable: connects, subscribes, writes in pieces as there is room, and reads in pieces', (t) => {
  FakeEcma.all = [];
  const world = new World();
  const { overlay, close } = ecmaMqttOverlay(FakeEcma, {
    client: { host: 'broker' },
    timer: world.timer,
    jitter: () => 0.5,
    frameBytes: 500,
  });
  const got: number[] = [];
  const told: string[] = [];
  overlay.subscribe('a', (frame) => got.push(frame.sequence.low));
  for (let i = 0; i < 3; i++) overlay.publish(frameOf(i, 'a', 150), (good) => told.push(`${i} ${good}`));
  world.run(1);
  const [first] = FakeEcma.all as [FakeEcma];
  t.is(first.options.host, 'broker');
  t.false(first.options.clean);
  t.is(first.operations.length, 0);
  first.options.onControl({ operation: 2, returnCode: 0 });
  t.deepEqual(first.operations[0]!.items, [{ topic: '/qstp/2/a/proto', QoS: 1 }]);
  for (let i = 0; i < 40; i++) first.drain();
  t.deepEqual(
    first.messages.map(({ bytes }) => Uint8Array.from(bytes)),
    [0, 1, 2].map((i) => encodeProto(FrameProto, frameOf(i, 'a', 150))),
  );
  t.true(first.messages.every(({ QoS, topic }) => QoS === 1 && topic === '/qstp/2/a/proto'));
  first.options.onControl({ operation: 4, id: first.messages[1]!.id });
  t.deepEqual(told, ['1 true']);
  for (const by of [1, 7, 1000]) first.deliver('/qstp/2/a/proto', payloadOf(by), by);
  first.deliver('/qstp/2/a/proto', payloadOf(3), 9, true);
  first.deliver('/qstp/2/a/proto', new Uint8Array(501), 100);
  t.deepEqual(got, [1, 7, 1000]);
  t.is(overlay.metrics.retained, 1);
  t.is(overlay.metrics.malformed, 1);
  // It breaks: another one after a pause, which sends again what was not acknowledged.
  first.options.onError();
  first.options.onClose();
  t.true(first.closed);
  t.is(FakeEcma.all.length, 1);
  world.run(400);
  t.is(FakeEcma.all.length, 2);
  const second = FakeEcma.all[1]!;
  first.options.onControl({ operation: 4, id: 1 });
  second.options.onControl({ operation: 2, returnCode: 0 });
  for (let i = 0; i < 40; i++) second.drain();
  t.deepEqual(
    second.messages.map(({ bytes }) => Uint8Array.from(bytes)),
    [0, 2].map((i) => encodeProto(FrameProto, frameOf(i, 'a', 150))),
  );
  for (const { id } of second.messages) second.options.onControl({ operation: 4, id });
  t.deepEqual(told, ['1 true', '0 true', '2 true']);
  close();
  t.true(second.closed);
  world.run(100_000);
  t.is(FakeEcma.all.length, 2);
});

test.serial('Moddable: a broker that refuses is tried again, with pauses that grow', (t) => {
  FakeEcma.all = [];
  const world = new World();
  const lines: string[] = [];
  const { close } = ecmaMqttOverlay(FakeEcma, {
    client: {},
    timer: world.timer,
    jitter: () => 0.99,
    firstMs: 1000,
    maxMs: 8000,
    report: (line) => lines.push(line),
  });
  const times: number[] = [];
  world.run(1);
  for (let i = 0; i < 6; i++) {
    times.push(world.ms);
    FakeEcma.all.at(-1)!.options.onControl({ operation: 2, returnCode: 5 });
    const { length } = FakeEcma.all;
    while (FakeEcma.all.length === length) world.run(50);
  }
  close();
  const pauses = times.slice(1).map((time, i) => time - times[i]!);
  t.true(
    pauses.every((pause, i) => pause <= Math.min(8000, 1000 * 2 ** i) + 100),
    pauses.join(),
  );
  t.true(pauses[3]! > 7000, pauses.join());
  t.deepEqual(new Set(lines), new Set(['the broker refused the connection: 5']));
});

// ---- Espruino's client -----------------------------------------------------------------------------------

test('Espruino: binary strings, connections made again, retained messages ignored', (t) => {
  const world = new World();
  const listeners: Record<string, (value?: unknown) => void> = {};
  const calls: string[] = [];
  const published: { topic: string; message: string; qos: number }[] = [];
  const client = {
    on: (event: string, listener: (value: never) => void) =>
      void (listeners[event] = listener as (value?: unknown) => void),
    connect: () => void calls.push('connect'),
    disconnect: () => {
      calls.push('disconnect');
      listeners['disconnected']!();
    },
    publish: (topic: string, message: string, qos: number) => void published.push({ topic, message, qos }),
    subscribe: (topic: string, { qos }: { qos: number }) => void calls.push(`subscribe ${topic} ${qos}`),
    unsubscribe: (topic: string) => void calls.push(`unsubscribe ${topic}`),
  };
  const lines: string[] = [];
  const { overlay, close } = espruinoMqttOverlay(client, {
    timer: world.timer,
    jitter: () => 0.5,
    report: (line) => lines.push(line),
  });
  const got: number[] = [];
  overlay.subscribe('a', (frame) => got.push(frame.sequence.low));
  overlay.publish(frameOf(200));
  world.run(1);
  listeners['connected']!();
  t.deepEqual(calls, ['connect', 'subscribe /qstp/2/a/proto 0']);
  t.deepEqual(fromBinary(published[0]!.message), payloadOf(200));
  t.is(published[0]!.qos, 1);
  const payload = payloadOf(201);
  const message: EspruinoMqttMessage = {
    topic: '/qstp/2/a/proto',
    message: toBinary(payload),
  };
  listeners['publish']!({ ...message, retain: 0 });
  listeners['publish']!({ ...message, retain: 1 });
  listeners['error']!('no network');
  t.deepEqual(got, [201]);
  t.is(overlay.metrics.retained, 1);
  t.deepEqual(lines, ['the broker: no network']);
  listeners['disconnected']!();
  overlay.publish(frameOf(202));
  t.is(published.length, 1);
  world.run(1000);
  listeners['connected']!();
  t.is(published.length, 2);
  close();
  world.run(100_000);
  t.deepEqual(calls, [
    'connect',
    'subscribe /qstp/2/a/proto 0',
    'connect',
    'subscribe /qstp/2/a/proto 0',
    'disconnect',
  ]);
});
