// The mesh on Deno: the overlay over the npm package mqtt, and a store of metadata.

export { mqttOverlay } from '../../src/mesh/overlay/mqtt-js.ts';
export type { MqttJsClient, MqttOptions, MqttOverlay } from '../../src/mesh/overlay/mqtt-js.ts';
export type { Overlay, OverlayMetrics, OverlayOptions } from '../../src/mesh/overlay/overlay.ts';
export { kvTuples } from './tuple-kv.ts';
export type { KvTuplesOptions } from './tuple-kv.ts';
