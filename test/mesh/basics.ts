// What tests of mesh/2 share on every engine: a clock that is set by hand, a random source that repeats, routes.
import type { Random } from '../../src/crypto/provider.ts';
import { RATE_256, shake } from '../../src/crypto/micro/sponge.ts';
import * as mesh from '../../src/mesh/index.ts';
import type { Mesh, MeshOptions, MeshRoutePlan } from '../../src/mesh/index.ts';
import { putUtf8, utf8Bytes } from '../../src/mesh/proto/utf8.ts';
import { u64 } from '../../src/mesh/u64.ts';

export const START_MS = 1_700_000_000_000;

export interface TestClock {
  ms: number;
  monotonic(): number;
  wall(): number;
  /** Without a time of day, wall is 0. */
  known: boolean;
}

export function testClock(): TestClock {
  const clock: TestClock = {
    ms: 0,
    known: true,
    // Near its end, where it wraps.
    monotonic: () => (0xffffff00 + clock.ms) >>> 0,
    wall: () => (clock.known ? START_MS + clock.ms : 0),
  };
  return clock;
}

/** UTF-8, on engines without an encoder too. */
export function bytes(text: string): Uint8Array {
  const out = new Uint8Array(utf8Bytes(text));
  putUtf8(out, 0, text);
  return out;
}

/** Bytes that follow from a name. */
export function seeded(name: string): Random {
  let counter = 0;
  return (out) => {
    out.set(shake(RATE_256, bytes(`${name} ${counter++}`), out.length));
  };
}

export function plan(
  topic: string,
  hops: readonly number[] = [],
  more: Partial<MeshRoutePlan> = {},
): MeshRoutePlan {
  const ids = hops.map((hop) => new Uint8Array(32).fill(hop));
  return { topic, hops: ids, qos: mesh.MeshQos.lowLatency, epoch: u64(1), ...more };
}

export function node(clock: TestClock, options: Partial<MeshOptions> = {}): Mesh {
  return mesh.createMesh({ tunnels: 4, clock, ...options });
}

/** What was asked for, and not a refusal. */
export function good<T extends object>(result: T | mesh.MeshReject): T {
  if (mesh.isReject(result)) throw new Error(`refused: ${result.reason}`);
  return result;
}
