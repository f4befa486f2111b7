// The mesh on a gateway with Node: the overlay over the npm package mqtt, stores of metadata, figures for
// Prometheus.

export { mqttOverlay } from '../../src/mesh/overlay/mqtt-js.ts';
export type { MqttJsClient, MqttOptions, MqttOverlay } from '../../src/mesh/overlay/mqtt-js.ts';
export type { Overlay, OverlayMetrics, OverlayOptions } from '../../src/mesh/overlay/overlay.ts';
export { gatewayMetrics, serveMetrics } from './metrics.ts';
export type { MetricsOptions, MetricsServer } from './metrics.ts';
export { fileTuples } from './tuple-files.ts';
export { sqliteTuples } from './tuple-sqlite.ts';
export type { SqliteTuples } from './tuple-sqlite.ts';
