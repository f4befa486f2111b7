// The mesh's overlay over a client with the interface of Espruino's module MQTT, which the program makes and hands over.
// That module tells nothing of acknowledgements, and a frame that came with QoS 1 it neither acknowledges nor reads right: so
// frames go out as they are written, come in with QoS 0, and some are lost where a connection breaks.

import { createBackoff } from '../../src/link/reconnect.ts';
import type { BackoffOptions } from '../../src/link/reconnect.ts';
import { createRetry } from '../../src/link/retry.ts';
import { Overlay } from '../../src/mesh/overlay/overlay.ts';
import type { BrokerPort, OverlayOptions } from '../../src/mesh/overlay/overlay.ts';
import type { Timer } from '../../src/platform.ts';
import { fromBinary, toBinary } from './text.ts';

/** The client, as far as it is used. Messages are binary strings. */
export interface EspruinoMqtt {
  on(event: 'connected' | 'disconnected', listener: () => void): void;
  on(event: 'error', listener: (why: unknown) => void): void;
  on(event: 'publish', listener: (message: EspruinoMqttMessage) => void): void;
  /** Opens a stream to the broker. */
  connect(): void;
  disconnect(): void;
  publish(topic: string, message: string, qos: number): void;
  subscribe(topic: string, options: { qos: number }): void;
  unsubscribe(topic: string): void;
}

export interface EspruinoMqttMessage {
  readonly topic: string;
  readonly message: string;
  readonly retain?: number | boolean;
}

export interface EspruinoMqttOptions extends OverlayOptions, BackoffOptions {
  readonly timer: Timer;
  /** A number in [0, 1), for the pauses. Default Math.random. */
  readonly jitter?: () => number;
}

/** An overlay that connects `client`, which was made and not connected, and keeps it connected until it is closed. */
export function espruinoMqttOverlay(
  client: EspruinoMqtt,
  options: EspruinoMqttOptions,
): { overlay: Overlay; close: () => void } {
  const port: BrokerPort = {
    resends: false,
    publish(topic, payload, done) {
      client.publish(topic, toBinary(payload), 1);
      done(true);
    },
    subscribe: (topic) => client.subscribe(topic, { qos: 0 }),
    unsubscribe: (topic) => client.unsubscribe(topic),
  };
  const overlay = new Overlay(port, options);
  const jitter = options.jitter ?? Math.random;
  let closed = false;
  const retry = createRetry(options.timer, createBackoff(options), jitter, () => client.connect());
  client.on('connected', () => {
    retry.succeeded();
    overlay.up();
  });
  client.on('disconnected', () => {
    overlay.down();
    if (!closed) retry.failed();
  });
  client.on('error', (why) => {
    if (options.report !== undefined) options.report('the broker: ' + String(why));
  });
  client.on('publish', ({ topic, message, retain }) => {
    overlay.arrived(topic, fromBinary(message), retain === 1 || retain === true, null);
  });
  return {
    overlay,
    close() {
      closed = true;
      retry.stop();
      overlay.close();
      client.disconnect();
    },
  };
}
