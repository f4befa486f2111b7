// Keep-alive, clock, boot, tickets, endpoints and whole connections by resumption on the engines of devices: as on Node.
import test from 'ava';
import { bundleScript, PRELOAD } from '../engines/bundle.ts';
import { runEspruinoClass } from '../engines/duktape.ts';
import { startXs } from '../engines/xs.ts';
import { runtimeAnswers } from './runtime-answers.ts';

const PATIENCE_MS = 600_000;
const ENTRY = 'test/conformance/runtime-answers.ts';

test('there is something to compare', (t) => {
  const lines = runtimeAnswers().split('\n');
  t.is(lines.length, 7);
  for (const line of lines.slice(5)) {
    t.regex(
      line,
      /^ticket ([0-9a-f]{64}); given \1; server has .*; client has .*; client closed; server peer_closed; [0-9a-f]{64}$/,
    );
  }
  t.regex(lines[0]!, /^2500 send 0; 2560 receive 0; .*; 163063 request 0; 167591 dead 0; /);
  t.regex(lines[1]!, /^refused .*; synced .*; 1790604000; the peer's clock is 100 s ahead of ours/);
  t.regex(lines[2]!, /^[0-9a-f]{32}; 2; [0-9a-f]{32}; entropy_missing; 64$/);
  t.regex(lines[3]!, /true; [0-9a-f]{320}; [0-9a-f]{64}; true; false$/);
});

test('Espruino-class: the runtime answers as on Node', async (t) => {
  t.timeout(PATIENCE_MS);
  const script = await bundleScript(ENTRY, { name: 'answers', es5: true });
  t.is(await runEspruinoClass(`${script}\nprint(answers.runtimeAnswers());`), `${runtimeAnswers()}\n`);
});

for (const preload of [false, true]) {
  test(`XS: the runtime answers as on Node${preload ? ', frozen too' : ''}`, async (t) => {
    t.timeout(PATIENCE_MS);
    const script = await bundleScript(ENTRY, { name: 'answers', preload });
    const worker = await startXs({ timeout: PATIENCE_MS });
    try {
      await worker.evaluate(PRELOAD);
      await worker.evaluate(script);
      const { output } = await worker.evaluate('print(answers.runtimeAnswers())');
      t.is(output.join(), runtimeAnswers());
    } finally {
      worker.close();
    }
  });
}

test('XS: 1,000 cycles of the keep-alive schedule allocate nothing', async (t) => {
  t.timeout(PATIENCE_MS);
  const script = await bundleScript('src/link/keepalive.ts', { name: 'k' });
  const worker = await startXs({ timeout: PATIENCE_MS });
  try {
    await worker.evaluate(script);
    await worker.evaluate(`globalThis.words = new Int32Array(k.KEEPALIVE_WORDS); globalThis.now = 0;
      k.keepaliveInit(words, 0, 1000, 3, 0);
      globalThis.run = function (cycles) {
        for (let i = 0; i < cycles; i++) {
          now += 1000;
          k.keepaliveReceived(words, 0, now, true);
          k.keepaliveSent(words, 0, now + 2, true);
          k.keepaliveDue(words, 0, now + 20);
        }
      };
      run(10);`);
    const first = (await worker.evaluate('run(1000)')).meter;
    const second = (await worker.evaluate('run(1000)')).meter;
    t.is(second.allocate, first.allocate);
    t.true(second.compute < 2_500_000, `${second.compute}`);
  } finally {
    worker.close();
  }
});
