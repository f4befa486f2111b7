// The field device and the master of the demo: modbus-serial, a development dependency, over real sockets.

import { createRequire } from 'node:module';
import { QstpError } from '../../src/error.ts';

interface ModbusClient {
  connectTCP(host: string, options: { port: number }): Promise<void>;
  setID(id: number): void;
  setTimeout(ms: number): void;
  readHoldingRegisters(address: number, count: number): Promise<{ data: number[] }>;
  close(done: () => void): void;
  on(event: 'error', listener: (error: Error) => void): void;
}

interface ModbusServer {
  on(event: string, listener: () => void): void;
  close(done: () => void): void;
  _server: { address(): { port: number } };
}

interface ModbusModule {
  new (): ModbusClient;
  ServerTCP: new (
    vector: { getHoldingRegister: (address: number) => number },
    options: { host: string; port: number; unitID: number },
  ) => ModbusServer;
}

const UNIT = 17;

function load(): ModbusModule {
  try {
    return createRequire(new URL('../package.json', import.meta.url))('modbus-serial') as ModbusModule;
  } catch {
    throw new QstpError(
      'demo_needs_modbus',
      'the demo needs modbus-serial: run `npm ci` in a checkout, or `npm i modbus-serial`',
    );
  }
}

/** The value of a register at a time of the demo: what the master must read. */
export function registerValue(address: number, poll: number): number {
  return (address * 1000 + poll * 7 + 1) & 0xffff;
}

/** A Modbus/TCP slave on loopback whose registers change with `poll()`. */
export async function startSlave(poll: () => number): Promise<{ port: number; stop(): Promise<void> }> {
  const { ServerTCP } = load();
  const vector = { getHoldingRegister: (address: number) => registerValue(address, poll()) };
  const slave = new ServerTCP(vector, { host: '127.0.0.1', port: 0, unitID: UNIT });
  await new Promise<void>((resolve) => slave.on('initialized', resolve));
  return {
    port: slave._server.address().port,
    stop: () => new Promise((resolve) => slave.close(resolve)),
  };
}

/** A Modbus/TCP master connected to a local port. */
export async function startMaster(
  port: number,
): Promise<{ read(address: number, count: number): Promise<number[]>; stop(): Promise<void> }> {
  const Modbus = load();
  const master = new Modbus();
  master.on('error', () => undefined);
  await master.connectTCP('127.0.0.1', { port });
  master.setID(UNIT);
  master.setTimeout(3000);
  return {
    read: async (address, count) => (await master.readHoldingRegisters(address, count)).data,
    stop: () => new Promise((resolve) => master.close(resolve)),
  };
}
