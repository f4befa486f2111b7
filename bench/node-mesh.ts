// What adaptive routing costs a mesh tunnel on a gateway: the guide's target is under 10 % of the tunnel's own work.

import { createQaceMetrics, createSimpleQace } from '../src/qace/simple.ts';
import type { QstpTunnel } from '../src/mesh/tunnel.ts';
import type { Figures } from './figures.ts';
import { meshRoundtrip } from './mesh.ts';
import { median } from './node.ts';

const ROUNDS = 300;
const WARM = 20;
const ROUND_TRIPS = 128;
/** Round trips from one evaluation to the next: more often than any overlay's keep-alives. */
const EVERY = 16;

function timed(run: () => void): number {
  const start = performance.now();
  for (let i = 0; i < ROUND_TRIPS; i++) run();
  return performance.now() - start;
}

/** `node.mesh.{roundtrip64.us,qace.overhead.percent}`: in turn, round after round. */
export function benchMesh(figures: Figures): void {
  const engine = createSimpleQace();
  const metrics = createQaceMetrics();
  let count = 0;
  const decide = (tunnel: QstpTunnel): void => {
    if (count++ % EVERY !== 0) return;
    // Now and then a threat: then the route changes, in band.
    metrics.threatScore = count % 1024 < EVERY ? 95 : 5;
    tunnel.applyQace(metrics, engine);
  };
  const [plain, adaptive] = [meshRoundtrip(() => undefined), meshRoundtrip(decide)];
  const alone: number[] = [];
  const more: number[] = [];
  for (let round = 0; round < WARM + ROUNDS; round++) {
    // Whoever comes second finds other caches: they take turns at that too.
    const first = round % 2 === 0 ? timed(plain) : timed(adaptive);
    const second = round % 2 === 0 ? timed(adaptive) : timed(plain);
    if (round < WARM) continue;
    const [bare, deciding] = round % 2 === 0 ? [first, second] : [second, first];
    alone.push((bare * 1000) / ROUND_TRIPS);
    more.push((deciding / bare - 1) * 100);
  }
  figures['node.mesh.roundtrip64.us'] = median(alone);
  figures['node.mesh.qace.overhead.percent'] = median(more);
}
