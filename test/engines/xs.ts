// Drives the XS worker of @agoric/xsnap, a bare XS machine with metering. Its own JavaScript interface is not
// used: that locks down the host process.
//
// Messages are netstrings (`<bytes>:<payload>,`) on the worker's descriptors 3 (to it) and 4 (from it):
//   to the worker    e<code>            evaluate a script
//                    /<reply>           answer to an issued command
//   from the worker  ?<payload>         the script called issueCommand: here, one printed line
//                    .<meter>\x01<...>  the script ended; the meter is JSON
//                    !<text>            the script threw

import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { engineProgram } from './engines.ts';

/** What an evaluation cost. `compute` counts computrons and repeats exactly for one build of the worker. */
export interface XsMeter {
  readonly compute: number;
  /** Bytes of memory the machine has taken from the host so far. */
  readonly allocate: number;
  /** Heap slots in use. */
  readonly currentHeapCount: number;
  readonly [name: string]: number;
}

export interface XsResult {
  /** One entry for each call of print(). */
  readonly output: string[];
  readonly meter: XsMeter;
}

export interface XsOptions {
  /** The worker program; by default the prepared one. */
  program?: string;
  /** The project's folder, to find the prepared one. */
  root?: string;
  /** Computrons after which the machine stops with exit code 17; 0 is no limit. */
  computeLimit?: number;
  /** The first script; by default one that defines print() by way of issueCommand(). */
  prelude?: string;
  /** Buffer of the parser, kB. */
  parserKilobytes?: number;
  /** Longest time of one evaluation, milliseconds. */
  timeout?: number;
}

export interface XsWorker {
  /** Runs a script. Rejects with an XsError if it throws, if the machine stops, or if it takes too long. */
  evaluate(code: string): Promise<XsResult>;
  close(): void;
}

/** `kind` is `thrown` for an exception of the script (the machine goes on), otherwise the machine is gone. */
export class XsError extends Error {
  readonly kind: 'thrown' | 'exited' | 'timeout' | 'protocol';
  readonly exitCode: number | null;
  constructor(kind: XsError['kind'], message: string, exitCode: number | null = null) {
    super(message);
    this.name = 'XsError';
    this.kind = kind;
    this.exitCode = exitCode;
  }
}

const EXITS: Record<number, string> = {
  11: 'not enough memory',
  12: 'stack overflow',
  13: 'debugger',
  14: 'dead strip',
  15: 'unhandled exception',
  16: 'no more keys',
  17: 'too much computation',
};

/** print(...): sends its arguments, joined by spaces, to the host. */
const PRELUDE = `globalThis.print = (...parts) => {
  issueCommand(new TextEncoder().encode(parts.join(' ')).buffer);
};`;

/** Starts a worker and runs the prelude in it. */
export async function startXs(options: XsOptions = {}): Promise<XsWorker> {
  const timeout = options.timeout ?? 60_000;
  const child: ChildProcess = spawn(
    options.program ?? engineProgram('xs', options.root),
    ['xs', '-l', String(options.computeLimit ?? 0), '-s', String(options.parserKilobytes ?? 8192)],
    { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] },
  );
  const toWorker = child.stdio[3] as Writable;
  const fromWorker = child.stdio[4] as Readable;

  let waiting: { resolve(result: XsResult): void; reject(error: XsError): void } | undefined;
  let output: string[] = [];
  let ended: XsError | undefined;
  let buffered = Buffer.alloc(0);

  function send(payload: Buffer): void {
    toWorker.write(Buffer.concat([Buffer.from(`${payload.length}:`), payload, Buffer.from(',')]));
  }

  function settle(outcome: XsResult | XsError): void {
    const waiter = waiting;
    waiting = undefined;
    if (outcome instanceof XsError) waiter?.reject(outcome);
    else waiter?.resolve(outcome);
  }

  /** The machine cannot be used any more. */
  function end(error: XsError): void {
    ended ??= error;
    settle(ended);
    child.kill('SIGKILL');
  }

  function receive(message: Buffer): void {
    const text = message.subarray(1);
    switch (String.fromCharCode(message[0] ?? 0)) {
      case '?':
        output.push(text.toString());
        send(Buffer.from('/'));
        return;
      case '.': {
        const cut = text.indexOf(1);
        const { timestamps: _, ...meter } = JSON.parse(
          text.subarray(0, cut === -1 ? text.length : cut).toString(),
        ) as XsMeter & { timestamps?: unknown };
        return settle({ output, meter });
      }
      case '!':
        return settle(new XsError('thrown', text.toString()));
      default:
        end(
          new XsError(
            'protocol',
            `the XS worker sent an unknown message: ${message.subarray(0, 40).toString()}`,
          ),
        );
    }
  }

  fromWorker.on('data', (chunk: Buffer) => {
    buffered = Buffer.concat([buffered, chunk]);
    for (;;) {
      const colon = buffered.indexOf(58);
      if (colon === -1) return;
      const length = Number(buffered.subarray(0, colon).toString());
      if (!Number.isInteger(length)) {
        end(new XsError('protocol', 'the XS worker sent no netstring'));
        return;
      }
      if (buffered.length < colon + length + 2) return;
      const message = buffered.subarray(colon + 1, colon + 1 + length);
      buffered = buffered.subarray(colon + length + 2);
      receive(message);
    }
  });
  // A worker that ends while we write: its exit says why.
  toWorker.on('error', () => undefined);
  child.on('error', (error) =>
    end(new XsError('exited', `the XS worker could not be started: ${error.message}`)),
  );
  child.on('exit', (code, signal) => {
    const why = signal === null ? (EXITS[code ?? -1] ?? 'no reason given') : `signal ${signal}`;
    end(new XsError('exited', `the XS machine stopped: ${why} (exit code ${code})`, code));
  });

  function evaluate(code: string): Promise<XsResult> {
    if (ended !== undefined) return Promise.reject(ended);
    if (waiting !== undefined) return Promise.reject(new XsError('protocol', 'an evaluation is under way'));
    output = [];
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => end(new XsError('timeout', `the XS script took longer than ${timeout} ms`)),
        timeout,
      );
      waiting = {
        resolve(result) {
          clearTimeout(timer);
          resolve(result);
        },
        reject(error) {
          clearTimeout(timer);
          reject(error);
        },
      };
      send(Buffer.from('e' + code));
    });
  }

  function close(): void {
    ended ??= new XsError('exited', 'the XS worker was closed');
    toWorker.end();
    child.kill('SIGKILL');
  }

  await evaluate(options.prelude ?? PRELUDE);
  return { evaluate, close };
}
