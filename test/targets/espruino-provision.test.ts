// Provisioning for Espruino: the script gives the device the files it starts from, and nothing else.
import test from 'ava';
import { newRecord } from '../../targets/node/provision/record.ts';
import { espruinoValues, provisionEspruino } from '../../targets/node/provision/espruino.ts';
import { newChain } from '../session/pair.ts';

function recordOf(suite: number, withCredential: boolean) {
  const chain = newChain(suite, 'espruino-files');
  const { root, server, now } = chain;
  const random = chain.random('device');
  const common = { root: root.bytes, server: server.bytes, random, now, withCredential };
  return newRecord({ ...common, deviceId: 'sensor-1', profile: 'espruino-pico-class' });
}

test('the script writes what the device starts from, and says what it could not write', (t) => {
  const record = recordOf(1, true);
  const { files, next } = provisionEspruino(record);
  t.deepEqual(
    files.map(({ name, secret }) => [name, secret]),
    [
      ['provision.js', true],
      ['device.cbor', true],
    ],
  );
  for (const room of [true, false]) {
    const written: Record<string, string> = {};
    const printed: string[] = [];
    const write = (name: string, data: string) => {
      if (room) written[name] = data;
      return room;
    };
    const run = new Function('require', 'print', String(files[0]!.bytes)) as (
      require: () => object,
      print: (line: string) => void,
    ) => void;
    run(
      () => ({ write }),
      (line) => printed.push(line),
    );
    const wanted = espruinoValues(record).map(({ key, value }) => [
      key,
      Buffer.from(value).toString('latin1'),
    ]);
    t.deepEqual(Object.entries(written), room ? wanted : []);
    t.is(printed.filter((line) => line.startsWith('NOT WRITTEN')).length, room ? 0 : 3);
  }
  t.deepEqual(
    espruinoValues(record).map(({ key, value }) => [key, value.length]),
    [
      ['qstp.boot', 42],
      ['qstp.cred', 70],
      ['qstp.anchor', 1382],
    ],
  );
  t.true(next.includes('espruino -p PORT OUT/provision.js'));
});

test('without a credential there is none; another parameter set is refused', (t) => {
  t.deepEqual(
    espruinoValues(recordOf(1, false)).map(({ key }) => key),
    ['qstp.boot', 'qstp.anchor'],
  );
  t.throws(() => espruinoValues(recordOf(2, false)), { code: 'invalid_input' });
});
