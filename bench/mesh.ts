// Tunnels of mesh/2 on a device: two ends joined, frame by frame; and as many as there are slots, for what one keeps.

import { createMesh } from '../src/mesh/node.ts';
import type { Mesh } from '../src/mesh/node.ts';
import { openInto } from '../src/mesh/open.ts';
import { Inner, INNER_BYTES } from '../src/mesh/params.ts';
import { POLL_BYTES, pollInto } from '../src/mesh/poll.ts';
import { FRAME_OVERHEAD, sealInto } from '../src/mesh/seal.ts';
import { establishTunnel, QstpTunnel } from '../src/mesh/tunnel.ts';
import { createFrame, MeshQos } from '../src/mesh/types.ts';
import type { MeshRoutePlan, QstpFrame } from '../src/mesh/types.ts';
import { fixture, SEEDS } from './fixture.ts';
import type { Operation } from './kernels.ts';

const LENGTH = 64;
const SECRET = 32;

function route(topic: string): MeshRoutePlan {
  return { topic, hops: [new Uint8Array(32)], qos: MeshQos.control, epoch: { low: 1, high: 0 } };
}

/** Both ends know each other from the start: what is measured begins behind the handshake. */
function tunnel(node: Mesh, initiator: boolean): QstpTunnel {
  const made = establishTunnel(node, {
    initiator,
    decider: initiator,
    tunnelId: fixture(16, SEEDS.header),
    selfId: new Uint8Array(32),
    peerId: new Uint8Array(32),
    peerProfile: new Uint8Array(32),
    route: route('waku/mesh/alpha'),
    data: new Uint8Array(0),
    secret: fixture(SECRET, SEEDS.recordKey),
    transcript: fixture(SECRET, SEEDS.message),
  });
  if (!(made instanceof QstpTunnel)) throw new Error(made.reason);
  made.registerAlternateRoutes([route('waku/mesh/beta'), route('waku/mesh/gamma')]);
  return made;
}

function newNode(tunnels: number): Mesh {
  let now = 0;
  return createMesh({ tunnels, clock: { monotonic: () => now++, wall: () => 1700000000000 } });
}

/** A node with as many tunnels as it has slots, all of them kept. */
export function meshFleet(tunnels: number): { readonly node: Mesh; readonly tunnels: readonly QstpTunnel[] } {
  const node = newNode(tunnels);
  const made: QstpTunnel[] = [];
  for (let i = 0; i < tunnels; i++) made.push(tunnel(node, true));
  return { node, tunnels: made };
}

interface End {
  readonly node: Mesh;
  readonly tunnel: QstpTunnel;
}

/** One end's frame, opened by the other. */
function pass(from: End, to: End, message: Uint8Array, frame: QstpFrame): void {
  const { slot } = from.tunnel;
  const sent = sealInto(from.node, slot, Inner.data, message, 0, LENGTH, message, 0, frame, false);
  const opened = openInto(to.node, to.tunnel.slot, frame, message, 0);
  const first = frame.ciphertext[INNER_BYTES]!;
  if (sent !== LENGTH + FRAME_OVERHEAD || opened !== LENGTH || first !== message[0])
    throw new Error('a message did not come through');
}

/**
 * What seals 64 bytes and opens them at the other end, and the same back, and asks both what they have to say; `decide` is
 * called with the deciding end before that.
 */
export function meshRoundtrip(decide: ((tunnel: QstpTunnel) => void) | null = null): () => void {
  const [left, right] = [newNode(1), newNode(1)];
  const a = { node: left, tunnel: tunnel(left, true) };
  const b = { node: right, tunnel: tunnel(right, false) };
  const message = fixture(LENGTH, SEEDS.message);
  const frame = createFrame(LENGTH + FRAME_OVERHEAD);
  const said = createFrame(POLL_BYTES);
  if (pollInto(b.node, b.tunnel.slot, said) <= 0) throw new Error('the responder does not confirm');
  openInto(a.node, a.tunnel.slot, said, message, 0);
  return () => {
    if (decide !== null) decide(a.tunnel);
    pass(a, b, message, frame);
    pass(b, a, message, frame);
    if (pollInto(a.node, a.tunnel.slot, said) > 0) openInto(b.node, b.tunnel.slot, said, message, 0);
    if (pollInto(b.node, b.tunnel.slot, said) > 0) openInto(a.node, a.tunnel.slot, said, message, 0);
  };
}

export function meshOperations(): Operation[] {
  return [
    {
      name: 'mesh.sealOpen64',
      times: 1,
      prepare: () => {
        const [left, right] = [newNode(1), newNode(1)];
        const a = { node: left, tunnel: tunnel(left, true) };
        const b = { node: right, tunnel: tunnel(right, false) };
        const message = fixture(LENGTH, SEEDS.message);
        const frame = createFrame(LENGTH + FRAME_OVERHEAD);
        // The responder may seal at once; the first frame of a key computes what the others find.
        pass(b, a, message, frame);
        pass(a, b, message, frame);
        return () => pass(a, b, message, frame);
      },
    },
  ];
}
