// The mesh over a broker (docs/mesh-transport.md).

export { contentTopic, topicOfContent } from './topic.ts';
export { Overlay } from './overlay.ts';
export type { BrokerPort, OverlayMetrics, OverlayOptions } from './overlay.ts';
export { mqttOverlay } from './mqtt-js.ts';
export type { MqttJsClient, MqttOptions, MqttOverlay } from './mqtt-js.ts';
