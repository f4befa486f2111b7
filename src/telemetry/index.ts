// Telemetry without secrets (docs/telemetry.md).

export { bundleManifest, isVerified, runtimeProfileHash, verifyBundle } from './profile-hash.ts';
export type { MeasuredModule, MeasuredProfile, RuntimeManifest, Verdict } from './profile-hash.ts';
export { createFeedMixer, EntropyHealth, entropyTupleId, readQrngFeed, seedCommitment } from './entropy.ts';
export type { EntropySample, FeedMixer, QrngSample } from './entropy.ts';
export { abw34Line, createSummary, summarise } from './abw34.ts';
export type { Abw34, ChshResults, Summary } from './abw34.ts';
export { LINK_GAUGES, metricName, OVERLAY_GAUGES, prometheusText } from './prometheus.ts';
export type { MetricGroup } from './prometheus.ts';
