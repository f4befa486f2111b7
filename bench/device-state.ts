// What one connection keeps while it is established, on a device: made by resumption, with the link's part. The
// stream and what an application hangs on a connection are the platform's and the application's own.

import { fromHex } from '../src/bytes.ts';
import { createConnection } from '../src/link/connection.ts';
import type { Connection } from '../src/link/connection.ts';
import { createPool } from '../src/pool/pool.ts';
import type { Pool } from '../src/pool/pool.ts';
import type { ClientEdge } from '../src/session/edge.ts';
import type { Client } from '../src/lean/types.ts';
import { clientEdge, NOW, resumingClient } from './client-handshake.ts';
import { leanClient, leanDevice } from './lean-client.ts';
import type { LeanDevice } from './lean-client.ts';

export { meshFleet } from './mesh.ts';

/** As many lean clients, connected, over one device: what is its own, and the platform's, is there once. */
export function leanFleet(
  inputs: readonly string[],
  count: number,
): { shared: LeanDevice; clients: Client[] } {
  const bytes = inputs.map((text) => fromHex(text)!);
  const shared = leanDevice(bytes);
  const clients: Client[] = [];
  for (let i = 0; i < count; i++) {
    clients.push(leanClient(shared, () => bytes[2]!.slice()));
    if (!clients[i]!.up) throw new Error('a client is not connected');
  }
  return { shared, clients };
}

/** A platform in which nothing happens. */
const nothing = (): void => undefined;
const settings = {
  timer: { set: () => nothing, schedule: () => 1, cancel: nothing, now: () => 0 },
  clock: { now: () => NOW },
  execute: () => nothing,
  transmit: null as Uint8Array | null,
};
const transport = { write: () => true, pause: nothing, resume: nothing, end: nothing, destroy: nothing };
const events = { message: nothing };

export interface Device {
  readonly pool: Pool;
  readonly inputs: readonly Uint8Array[];
  readonly edge: ClientEdge;
}

/** What `slots` connections share; their slab is made at the start. */
export function device(inputs: readonly string[], gcm: boolean, receiveBytes: number, slots: number): Device {
  const cipher = gcm ? 'gcm' : 'rcs';
  return {
    pool: createPool({ slots, cipher, receiveBytes }),
    inputs: inputs.map((text) => fromHex(text)!),
    edge: clientEdge(gcm),
  };
}

/** One more connection, established, with its keep-alive running. */
export function connection(d: Device): Connection {
  const client = resumingClient(d.inputs, d.edge, d.pool);
  const made = createConnection(client, settings, events);
  made.start(transport);
  made.data(d.inputs[2]!.slice());
  if (client.state !== 'established') throw new Error('the connection is ' + client.state);
  return made;
}

/** A device with as many connections as its pool has slots, all of them kept. */
export function fleet(
  inputs: readonly string[],
  gcm: boolean,
  receiveBytes: number,
  slots: number,
): { readonly device: Device; readonly connections: readonly Connection[] } {
  const d = device(inputs, gcm, receiveBytes, slots);
  const connections: Connection[] = [];
  for (let i = 0; i < slots; i++) connections.push(connection(d));
  return { device: d, connections };
}
