// The mesh over real MQTT: the npm client on aedes, a broker in this process, and on Debian's mosquitto; two processes with
// a broker between them that goes and comes.
import test from 'ava';
import type { ExecutionContext } from 'ava';
import mqtt from 'mqtt';
import type { IClientOptions, MqttClient } from 'mqtt';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { runMeshBroker } from '../../bench/mesh-broker.ts';
import { aedesBroker, mosquittoBroker } from '../../bench/mesh-brokers.ts';
import type { Broker } from '../../bench/mesh-brokers.ts';
import { mqttOverlay } from '../../src/mesh/overlay/mqtt-js.ts';
import type { MqttOptions, MqttOverlay } from '../../src/mesh/overlay/mqtt-js.ts';
import { encodeProto } from '../../src/mesh/proto/writing.ts';
import { FrameProto } from '../../src/mesh/proto/frame.ts';
import { createFrame } from '../../src/mesh/types.ts';
import type { QstpFrame } from '../../src/mesh/types.ts';
import { runDeno } from '../engines/deno.ts';

function frameOf(number: number, topic: string, bytes = 100): QstpFrame {
  const frame = createFrame(bytes);
  frame.topic = topic;
  frame.sequence.low = number;
  frame.ciphertextBytes = bytes;
  frame.ciphertext.fill(number & 0xff);
  return frame;
}

async function until(t: ExecutionContext, what: string, is: () => boolean): Promise<void> {
  for (let waited = 0; !is(); waited += 10) {
    if (waited > 20_000) return t.fail(`${what}: not within 20 s`);
    await delay(10);
  }
}

async function brokerFor(t: ExecutionContext, made: Promise<Broker>): Promise<Broker> {
  const broker = await made;
  t.teardown(() => broker.dispose());
  await broker.start();
  return broker;
}

interface End extends MqttOverlay {
  readonly client: MqttClient;
  readonly lines: string[];
}

function endOf(
  t: ExecutionContext,
  { port }: Broker,
  options: IClientOptions = {},
  more: MqttOptions = {},
): End {
  const client = mqtt.connect({
    host: '127.0.0.1',
    port,
    reconnectPeriod: 50,
    connectTimeout: 5000,
    ...options,
  });
  client.on('error', () => undefined);
  t.teardown(() => client.end(true));
  const lines: string[] = [];
  const made = mqttOverlay(client, {
    reconnectMs: 20,
    reconnectMaxMs: 200,
    report: (line) => lines.push(line),
    ...more,
  });
  return { ...made, client, lines };
}

/** Waits until the broker has answered to everything that went out before. */
function settled({ client }: End): Promise<void> {
  return new Promise((resolve) => {
    const ask = (): void => void client.subscribe('/qstp/2/settled/proto', { qos: 1 }, () => resolve());
    if (client.connected) ask();
    else client.once('connect', ask);
  });
}

const BROKERS: [name: string, make: () => Promise<Broker>, versions: (4 | 5)[]][] = [
  ['aedes', aedesBroker, [4]],
  ['mosquitto', mosquittoBroker, [4, 5]],
];

for (const [name, make, versions] of BROKERS) {
  for (const protocolVersion of versions) {
    const title = `${name}, MQTT ${protocolVersion === 4 ? '3.1.1' : '5'}`;

    test(`${title}: frames on their topics, odd ones too; retained messages never`, async (t) => {
      const broker = await brokerFor(t, make());
      const topics = ['mesh/a', 'a+b/#/$SYS', '#', '+', '$share/x/y', 'größe 💡', '%', 'a/'];
      const [one, two] = [endOf(t, broker, { protocolVersion }), endOf(t, broker, { protocolVersion })];
      // What somebody retained is there before anybody subscribes.
      const poison = encodeProto(FrameProto, frameOf(666, 'mesh/a'));
      await settled(one);
      await new Promise((done) =>
        one.client.publish('/qstp/2/mesh/a/proto', Buffer.from(poison), { qos: 1, retain: true }, done),
      );
      const got: string[] = [];
      for (const topic of topics) {
        two.overlay.subscribe(topic, (frame) => {
          t.is(frame.ciphertextBytes, 100);
          got.push(`${frame.topic} ${frame.sequence.low}`);
        });
      }
      await settled(two);
      let delivered = 0;
      topics.forEach((topic, i) =>
        t.true(one.overlay.publish(frameOf(i, topic), (good) => (delivered += good ? 1 : 0))),
      );
      await until(t, 'delivered', () => delivered === topics.length);
      await until(t, 'received', () => got.length >= topics.length);
      await settled(two);
      t.deepEqual(got.sort(), topics.map((topic, i) => `${topic} ${i}`).sort());
      // MQTT 5 is asked not to send them at all.
      t.is(two.overlay.metrics.retained, protocolVersion === 5 ? 0 : 1);
      t.is(two.overlay.metrics.misrouted + two.overlay.metrics.malformed, 0);
      t.deepEqual([...one.lines, ...two.lines], []);
    });

    test(`${title}: a receiver that takes nothing makes the broker wait, and loses nothing`, async (t) => {
      const broker = await brokerFor(t, make());
      const sender = endOf(t, broker, { protocolVersion }, { queueFrames: 5000 });
      const receiver = endOf(
        t,
        broker,
        { protocolVersion, clean: false, clientId: 'slow' },
        { receiveFrames: 8 },
      );
      receiver.overlay.subscribe('slow');
      await settled(receiver);
      const COUNT = 300;
      for (let i = 0; i < COUNT; i++) sender.overlay.publish(frameOf(i, 'slow'));
      await until(t, 'sent', () => sender.overlay.metrics.delivered === COUNT);
      await delay(200);
      const got: number[] = [];
      await until(t, 'received', () => {
        for (
          let frame = receiver.overlay.tryReceive('slow');
          frame !== null;
          frame = receiver.overlay.tryReceive('slow')
        ) {
          got.push(frame.sequence.low);
        }
        return got.length >= COUNT;
      });
      t.deepEqual(
        got,
        Array.from({ length: COUNT }, (_, i) => i),
      );
      t.is(receiver.overlay.metrics.dropped, 0);
    });
  }
}

test('aedes: connections that break lose nothing, and a client that is away gets what came meanwhile', async (t) => {
  const broker = await brokerFor(t, aedesBroker());
  const sender = endOf(t, broker, { clean: false, clientId: 'sender' });
  const receiver = endOf(t, broker, { clean: false, clientId: 'receiver' });
  const got = new Set<number>();
  receiver.overlay.subscribe('cut', (frame) => got.add(frame.sequence.low));
  await settled(receiver);
  const COUNT = 600;
  let next = 0;
  for (let round = 0; round < 4; round++) {
    for (; next < (COUNT / 4) * (round + 1); next++) t.true(sender.overlay.publish(frameOf(next, 'cut')));
    await delay(10);
    broker.cut!();
  }
  await until(t, 'delivered', () => sender.overlay.metrics.delivered === COUNT);
  await until(t, 'received', () => got.size === COUNT);
  t.true(sender.overlay.metrics.connected > 1);
});

test('aedes: what the broker does not allow is told', async (t) => {
  const broker = await brokerFor(
    t,
    aedesBroker((aedes) => {
      aedes.authorizeSubscribe = (_client, subscription, done) =>
        done(null, subscription.topic.includes('secret') ? null : subscription);
    }),
  );
  const end = endOf(t, broker);
  end.overlay.subscribe('secret', () => undefined);
  end.overlay.subscribe('open', () => undefined);
  await until(t, 'told', () => end.lines.length > 0);
  t.is(end.lines.length, 1);
  t.regex(end.lines[0]!, /^not subscribed to \/qstp\/2\/secret\/proto: /);
});

test('a broker that is away: the client pauses longer and longer, and connects once it is there', async (t) => {
  const broker = await aedesBroker();
  t.teardown(() => broker.dispose());
  const end = endOf(t, broker, {}, { jitter: () => 1, reconnectMs: 20, reconnectMaxMs: 320 });
  const pauses: number[] = [];
  end.client.on('close', () => pauses.push(end.client.options.reconnectPeriod!));
  const got: number[] = [];
  end.overlay.subscribe('late', (frame) => got.push(frame.sequence.low));
  t.true(end.overlay.publish(frameOf(1, 'late')));
  await until(t, 'six attempts', () => pauses.length >= 7);
  t.deepEqual(pauses.slice(0, 6), [20, 40, 80, 160, 320, 320]);
  await broker.start();
  await until(t, 'received', () => got.length === 1);
  t.is(end.overlay.metrics.connected, 1);
  end.close();
  t.true(end.client.connected, 'the client is the program’s');
});

test('Deno: the npm client on Deno and Node understand each other', async (t) => {
  t.timeout(60_000);
  const broker = await brokerFor(t, aedesBroker());
  const end = endOf(t, broker);
  const got: number[] = [];
  end.overlay.subscribe('from/deno', (frame) => {
    got.push(frame.sequence.low);
    end.overlay.publish(frameOf(frame.sequence.low + 100, 'to/deno'));
  });
  await settled(end);
  const folder = mkdtempSync(path.join(tmpdir(), 'qstp-deno-mqtt-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const url = (file: string): string => JSON.stringify(pathToFileURL(path.resolve(file)).href);
  writeFileSync(
    path.join(folder, 'program.mjs'),
    `import { mqttOverlay } from ${url('build/src/mesh/overlay/mqtt-js.js')};
import { createFrame } from ${url('build/src/mesh/types.js')};
import { createRequire } from 'node:module';
const mqtt = createRequire(${url('package.json')})('mqtt');
const client = mqtt.connect({ host: '127.0.0.1', port: ${broker.port} });
const { overlay } = mqttOverlay(client);
const frame = createFrame(30);
frame.topic = 'from/deno';
frame.ciphertextBytes = 30;
const got = [];
overlay.subscribe('to/deno', (answer) => {
  got.push(answer.sequence.low);
  if (got.length === 3) {
    console.log(JSON.stringify({ got, ...overlay.metrics }));
    client.end(true, () => Deno.exit());
  }
});
client.on('connect', () => client.subscribe('/qstp/2/ready/proto', { qos: 1 }, () => {
  for (let i = 0; i < 3; i++) { frame.sequence.low = i; overlay.publish(frame); }
}));
`,
  );
  const permissions = [
    '--allow-read',
    '--allow-env',
    '--allow-sys',
    '--allow-net=127.0.0.1',
    '--unstable-detect-cjs',
  ];
  const { stdout, stderr } = await runDeno(path.join(folder, 'program.mjs'), {
    permissions,
    timeout: 50_000,
  });
  t.notThrows(() => JSON.parse(stdout), stderr);
  t.deepEqual((JSON.parse(stdout) as { got: number[] }).got, [100, 101, 102]);
  t.deepEqual(got, [0, 1, 2]);
});

// ---- Two processes, and a broker that goes and comes -----------------------------------------------------

const DEEP = process.env['QSTP_DEEP'] === '1';

for (const protocol of [4, 5] as const) {
  test.serial(
    `mosquitto, MQTT ${protocol === 4 ? '3.1.1' : '5'}: ${protocol === 4 ? 'a tunnel between ' : ''}two processes, restarts: nothing lost, nothing twice, memory flat`,
    async (t) => {
      t.timeout(600_000);
      const [frames, restarts] = DEEP ? [100_000, 10] : protocol === 4 ? [3000, 3] : [1000, 1];
      const figures = await runMeshBroker(await mosquittoBroker(), {
        frames,
        restarts,
        protocol,
        tunnel: protocol === 4,
      });
      const of = (name: string): number => figures[`mesh.broker.${name}`]!;
      t.deepEqual([of('lost'), of('doubled'), of('late'), of('refused')], [0, 0, 0, 0]);
      t.true(of('reconnects') >= 2 * restarts, `${of('reconnects')}`);
      for (const end of ['send', 'receive']) {
        t.true(of(`${end}.heap.growth.percent`) < 15, `${end}: ${of(`${end}.heap.growth.percent`)} %`);
      }
      t.log(JSON.stringify(figures));
    },
  );
}
