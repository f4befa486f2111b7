// Passphrases come from a terminal, a file descriptor, or a credential of systemd: never from an argument or the
// environment, where other processes could read them.

import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Command } from 'commander';
import { QstpError } from '../src/error.ts';
import { UsageError } from './ui.ts';

/** Where a command's passphrases come from; none: the terminal. */
export interface PassphraseOptions {
  passphraseFd?: string;
  passphraseCredential?: string;
}

/** The options of a command that opens sealed keys, or with `sealing` makes one. */
export function passphraseOptions(command: Command, sealing = false): Command {
  const what = sealing ? 'with --seal: read the passphrase' : 'read the passphrase of sealed keys';
  return command
    .option('--passphrase-fd <n>', `${what} from this file descriptor; a line for each key, or one for all`)
    .option('--passphrase-credential <name>', `${what} from this credential of the systemd service`);
}

/** Reads a line of the descriptor or credential, or asks on the terminal; `twice` to confirm a new one. */
export async function passphrase(
  from: PassphraseOptions,
  prompt: string,
  twice = false,
): Promise<Uint8Array> {
  const { passphraseFd: fd, passphraseCredential: credential } = from;
  if (fd !== undefined && credential !== undefined) {
    throw new UsageError('--passphrase-fd and --passphrase-credential exclude each other: give one');
  }
  if (fd !== undefined) return fromDescriptor(fd);
  if (credential !== undefined) return fromCredential(credential);
  if (!process.stdin.isTTY) {
    throw new QstpError(
      'passphrase_needed',
      'there is no terminal to ask for the passphrase on: pass it with --passphrase-fd N, as in N<file, ' +
        'or with --passphrase-credential NAME in a systemd service',
    );
  }
  const first = await ask(`${prompt}: `);
  if (twice && (await ask('the same again: ')) !== first) {
    throw new QstpError('passphrase_mismatch', 'the two passphrases differ: nothing was written');
  }
  return checked(first);
}

/** Lines that were read and not used yet: one passphrase serves all keys, or each has a line. */
const lines = new Map<string, string[]>();

function nextLine(source: string, read: () => string): Uint8Array {
  let left = lines.get(source);
  if (left === undefined) {
    left = read()
      .replace(/\r?\n$/, '')
      .split(/\r?\n/);
    lines.set(source, left);
  }
  return checked(left.length > 1 ? left.shift()! : left[0]!);
}

function fromDescriptor(fd: string): Uint8Array {
  if (!/^\d+$/.test(fd)) throw new UsageError(`--passphrase-fd takes a number, not "${fd}"`);
  return nextLine(`descriptor ${fd}`, () => {
    try {
      return readFileSync(Number(fd), 'utf8');
    } catch (error) {
      throw new QstpError(
        'passphrase_needed',
        `cannot read descriptor ${fd}: ${(error as Error).message}: open it, as in ${fd}<file`,
      );
    }
  });
}

/** systemd gives a service a folder of its own with its credentials (systemd.exec, LoadCredential). */
function fromCredential(name: string): Uint8Array {
  if (!/^[\w.@-]+$/.test(name) || name === '.' || name === '..') {
    throw new UsageError(`--passphrase-credential takes a credential's name, not "${name}"`);
  }
  const folder = process.env['CREDENTIALS_DIRECTORY'];
  if (folder === undefined || folder === '') {
    throw new QstpError(
      'passphrase_needed',
      `there is no credential "${name}" here: run in a systemd service with LoadCredentialEncrypted=${name}`,
    );
  }
  return nextLine(`credential ${name}`, () => {
    try {
      return readFileSync(path.join(folder, name), 'utf8');
    } catch (error) {
      const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
      throw new QstpError(
        'passphrase_needed',
        missing
          ? `the service has no credential "${name}": name it in LoadCredential= or LoadCredentialEncrypted=`
          : `cannot read the credential "${name}": ${(error as Error).message}`,
      );
    }
  });
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
