// A tunnel of mesh/2 between the two processes, over the broker from its first message on: a secret that both were
// provisioned with, salts of both ends, and then frames that are sealed.

import { randomFillSync } from 'node:crypto';
import * as mesh from '../src/mesh/index.ts';
import type { Overlay } from '../src/mesh/overlay/overlay.ts';

const clock = {
  monotonic: (): number => Math.floor(performance.now()) >>> 0,
  wall: (): number => Date.now(),
};
const random = (out: Uint8Array): void => void randomFillSync(out);
const secret = new Uint8Array(32).fill(7);
const [SENDER, RECEIVER] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
/** How often a tunnel is asked whether it has something to say. */
const POLL_MS = 20;

const planOf = (topic: string): mesh.MeshRoutePlan => ({
  topic,
  hops: [RECEIVER],
  qos: mesh.MeshQos.lowLatency,
  epoch: mesh.u64(1),
});

function poll(tunnel: mesh.QstpTunnel, overlay: Overlay): void {
  setInterval(() => {
    const frame = tunnel.poll();
    if (frame !== null) overlay.publish(frame);
  }, POLL_MS);
}

/** The sender's end; calls back once it can seal. */
export function tunnelToReceiver(
  overlay: Overlay,
  topic: string,
  ready: (tunnel: mesh.QstpTunnel) => void,
): void {
  const begun = mesh.hydrateRemoteTunnel({
    secret,
    self: SENDER,
    peerId: RECEIVER,
    route: planOf(topic),
    random,
  });
  const own = mesh.createMesh({ tunnels: 1, clock });
  let tunnel: mesh.QstpTunnel | null = null;
  let told = false;
  overlay.subscribe(topic, (frame) => {
    if (frame.kind === mesh.FrameKind.hydrateResponse && tunnel === null) {
      const derived = mesh.deriveHydratedKeys(begun, structuredClone(frame));
      if (mesh.isReject(derived)) throw new Error(derived.reason);
      overlay.publish(derived.frame);
      const made = mesh.establishTunnel(own, derived.keys);
      if (mesh.isReject(made)) throw new Error(made.reason);
      tunnel = made;
      poll(made, overlay);
    } else if (frame.kind === mesh.FrameKind.sealed && tunnel !== null) {
      // Its own frames come back too, and are refused.
      tunnel.open(frame);
      if (tunnel.status().confirmed && !told) {
        told = true;
        ready(tunnel);
      }
    }
  });
  overlay.publish(begun.frame);
}

/** The receiver's end: `take` is given what is opened, `refused` is told of frames that are not. */
export function tunnelFromSender(
  overlay: Overlay,
  topic: string,
  take: (message: Uint8Array) => void,
  refused: (reason: string) => void,
): void {
  const own = mesh.createMesh({ tunnels: 1, clock });
  const answering = mesh.createHydrator({ mesh: own, self: RECEIVER, secretOf: () => secret, random });
  let tunnel: mesh.QstpTunnel | null = null;
  overlay.subscribe(topic, (frame) => {
    if (frame.kind === mesh.FrameKind.hydrateInit) {
      const answer = mesh.respondHydration(answering, structuredClone(frame));
      if (mesh.isReject(answer)) refused(answer.reason);
      else overlay.publish(answer);
    } else if (frame.kind === mesh.FrameKind.hydrateConfirm && tunnel === null) {
      const keys = mesh.confirmHydration(answering, structuredClone(frame));
      if (mesh.isReject(keys)) throw new Error(keys.reason);
      const made = mesh.establishTunnel(own, keys);
      if (mesh.isReject(made)) throw new Error(made.reason);
      tunnel = made;
      poll(made, overlay);
    } else if (frame.kind === mesh.FrameKind.sealed && tunnel !== null) {
      const opened = tunnel.open(frame);
      if (opened === null) return;
      if (mesh.isReject(opened)) refused(opened.reason);
      else take(opened);
    }
  });
}
