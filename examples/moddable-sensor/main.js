// A sensor that publishes over MQTT, through a QSTP tunnel to a gateway beside the broker. The MQTT client is Moddable's
// own: it takes QSTPSocket where it would take TLSSocket.

import TCP from 'embedded:io/socket/tcp';
import Resource from 'Resource';
import Timer from 'timer';
import config from 'mc/config';
import { openDevice, QSTPSocket } from 'qstp';

const RETRY_MS = 5000;

// One for all connections: it holds the tickets, so that only the first connection costs a full handshake.
const qstp = openDevice({
  root: new Uint8Array(new Resource('root.qrr')),
  server: new Uint8Array(new Resource('server.qrc')),
});

function measure() {
  // Read the sensor here.
  return { at: Date.now(), value: 20 };
}

function connect() {
  const { mqtt } = device.network;
  const topic = `sensors/${config.device}`;
  let timer;
  let room = 0;
  const client = new mqtt.io({
    ...mqtt,
    socket: { io: QSTPSocket, TCP: { io: TCP }, qstp },
    host: config.server,
    port: config.port,
    id: config.device,
    onControl(message) {
      if (message.operation !== mqtt.io.CONNACK) return;
      trace('connected\n');
      client.write(null, { operation: mqtt.io.SUBSCRIBE, items: [{ topic: `${topic}/set`, QoS: 1 }] });
      timer = Timer.repeat(() => {
        const line = ArrayBuffer.fromString(JSON.stringify(measure()));
        if (line.byteLength + topic.length + 16 < room) room = client.write(line, { topic, QoS: 1 });
      }, config.everyMs);
    },
    onWritable(count) {
      room = count;
    },
    onReadable(count) {
      trace(`${String.fromArrayBuffer(this.read(count))}\n`);
    },
    onError() {
      Timer.clear(timer);
      trace('not connected: again soon\n');
      Timer.set(connect, RETRY_MS);
    },
  });
}

connect();
