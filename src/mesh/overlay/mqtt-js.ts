// The overlay over a client with the interface of the npm package mqtt, on Node and Deno, for MQTT 3.1.1 and 5. The
// program makes the client and gives it to us; nothing is imported.

import { Overlay } from './overlay.ts';
import type { BrokerPort, OverlayOptions } from './overlay.ts';

/** A publication as the client hands it over. */
export interface MqttPacket {
  readonly topic?: string | Uint8Array;
  readonly payload?: string | Uint8Array;
  readonly retain?: boolean;
}

/** An `MqttClient`, as far as it is used. */
export interface MqttJsClient {
  readonly connected: boolean;
  readonly options: { reconnectPeriod?: number };
  /** Called with each publication; the next one waits, and this one is not acknowledged, until the call back. */
  handleMessage(packet: never, callback: () => void): void;
  on(event: 'connect' | 'close' | 'reconnect', listener: () => void): unknown;
  removeListener(event: 'connect' | 'close' | 'reconnect', listener: () => void): unknown;
  publish(
    topic: string,
    payload: never,
    options: PublishOptions,
    done: (error?: Error | null) => void,
  ): unknown;
  subscribe(
    topic: string,
    options: SubscribeOptions,
    done: (error: Error | null, granted?: readonly { readonly qos: number }[]) => void,
  ): unknown;
  unsubscribe(topic: string, options: Record<string, never>, done: (error?: Error | null) => void): unknown;
}

interface PublishOptions {
  readonly qos: 1;
  readonly retain: false;
}

interface SubscribeOptions {
  readonly qos: 1;
  /** MQTT 5: no retained messages at all. */
  readonly rh: 2;
}

export interface MqttOptions extends OverlayOptions {
  /** Pauses between attempts to connect: the first, and the longest, milliseconds. Default 500 and 60,000. */
  readonly reconnectMs?: number;
  readonly reconnectMaxMs?: number;
  /** A number in [0, 1), for the pauses. Default Math.random. */
  readonly jitter?: () => number;
}

export interface MqttOverlay {
  readonly overlay: Overlay;
  /** Lets go of the client, which stays connected: the program ends it. */
  close(): void;
}

/**
 * A mesh transport over `client`, which is the overlay's alone as far as messages go: its `handleMessage` is
 * replaced. Frames are lost only if the program ends: make the client with `clean: false` and a client id of its own, and
 * the broker keeps what comes meanwhile.
 */
export function mqttOverlay(client: MqttJsClient, options: MqttOptions = {}): MqttOverlay {
  const firstMs = options.reconnectMs ?? 500;
  const mostMs = options.reconnectMaxMs ?? 60000;
  const jitter = options.jitter ?? Math.random;
  const report = options.report ?? (() => undefined);
  let bound = firstMs;

  const port: BrokerPort = {
    resends: true,
    publish(topic, payload, done) {
      client.publish(topic, payload as never, { qos: 1, retain: false }, (error) => {
        const refused = error !== undefined && error !== null;
        if (refused) report(`the broker did not take a frame for ${topic}: ${error.message}`);
        done(!refused);
      });
    },
    subscribe(topic) {
      client.subscribe(topic, { qos: 1, rh: 2 }, (error, granted) => {
        const refused = granted !== undefined && granted.length > 0 && granted[0]!.qos > 2;
        if (error === null && !refused) return;
        report(`not subscribed to ${topic}: ${error === null ? 'the broker refused it' : error.message}`);
      });
    },
    unsubscribe: (topic) => void client.unsubscribe(topic, {}, () => undefined),
  };
  const overlay = new Overlay(port, options);

  /** For the next attempt that fails: the client pauses so long after it. */
  const pause = (): void => {
    client.options.reconnectPeriod = Math.ceil(bound * (0.5 + 0.5 * jitter()));
    bound = bound * 2 < mostMs ? bound * 2 : mostMs;
  };
  const up = (): void => {
    bound = firstMs;
    pause();
    overlay.up();
  };
  const down = (): void => overlay.down();

  const handler = client.handleMessage;
  client.handleMessage = (packet: MqttPacket, callback: () => void): void => {
    const { topic, payload } = packet;
    // A client of MQTT 5 may have put an alias in the place of the topic: then it has written the topic back.
    if (typeof topic !== 'string' || payload === undefined || typeof payload === 'string') callback();
    else overlay.arrived(topic, payload, packet.retain === true, callback);
  };
  client.on('connect', up);
  client.on('close', down);
  client.on('reconnect', pause);
  pause();
  if (client.connected) up();

  return {
    overlay,
    close() {
      client.removeListener('connect', up);
      client.removeListener('close', down);
      client.removeListener('reconnect', pause);
      client.handleMessage = handler;
      overlay.close();
    },
  };
}
