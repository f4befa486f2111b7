// Passphrases come from a terminal or a file descriptor: never from an argument or the environment, where
// other processes could read them.

import { readFileSync } from 'node:fs';
import { QstpError } from '../src/error.ts';
import { UsageError } from './ui.ts';

/** Reads a line of descriptor `fd`, or asks on the terminal; `twice` to confirm a new one. */
export async function passphrase(fd: string | undefined, prompt: string, twice = false): Promise<Uint8Array> {
  if (fd !== undefined) return fromDescriptor(fd);
  if (!process.stdin.isTTY) {
    throw new QstpError(
      'passphrase_needed',
      'there is no terminal to ask for the passphrase on: pass it with --passphrase-fd N, as in N<file',
    );
  }
  const first = await ask(`${prompt}: `);
  if (twice && (await ask('the same again: ')) !== first) {
    throw new QstpError('passphrase_mismatch', 'the two passphrases differ: nothing was written');
  }
  return checked(first);
}

/** Lines that were read from descriptors and not used yet: one passphrase serves all keys, or each has a line. */
const lines = new Map<string, string[]>();

function fromDescriptor(fd: string): Uint8Array {
  if (!/^\d+$/.test(fd)) throw new UsageError(`--passphrase-fd takes a number, not "${fd}"`);
  let left = lines.get(fd);
  if (left === undefined) {
    try {
      left = readFileSync(Number(fd), 'utf8')
        .replace(/\r?\n$/, '')
        .split(/\r?\n/);
    } catch (error) {
      throw new QstpError('passphrase_needed', `cannot read descriptor ${fd}: ${(error as Error).message}`);
    }
    lines.set(fd, left);
  }
  return checked(left.length > 1 ? left.shift()! : left[0]!);
}

function checked(text: string): Uint8Array {
  if (text === '') throw new QstpError('passphrase_needed', 'the passphrase is empty: give one');
  return new TextEncoder().encode(text);
}

/** One line from the terminal, unseen. */
function ask(prompt: string): Promise<string> {
  const { stdin, stderr } = process;
  stderr.write(prompt);
  stdin.setRawMode(true);
  stdin.resume();
  return new Promise((resolve, reject) => {
    let text = '';
    const done = (finish: () => void): void => {
      stdin.off('data', onData);
      stdin.setRawMode(false);
      stdin.pause();
      stderr.write('\n');
      finish();
    };
    const onData = (bytes: Buffer): void => {
      for (const character of bytes.toString('utf8')) {
        if (character === '\r' || character === '\n') return done(() => resolve(text));
        if (character === '\x03') {
          return done(() => reject(new QstpError('interrupted', 'interrupted: nothing was written')));
        }
        text = character === '\x7f' ? text.slice(0, -1) : text + character;
      }
    };
    stdin.on('data', onData);
  });
}
