// What the qstp command can do: each group of subcommands is a file beside this one.

import type { Command } from 'commander';
import { benchCommand } from './bench.ts';
import { buildCommand } from './build.ts';
import { clientCommand } from './client.ts';
import { certCommand } from './cert.ts';
import { connectCommand } from './connect.ts';
import { crlCommand } from './crl.ts';
import { demoCommand } from './demo.ts';
import { forwardCommand } from './forward.ts';
import { handshakeDemoCommand } from './handshake-demo.ts';
import { provisionCommand } from './provision.ts';
import { qaceCommand } from './qace.ts';
import { rootCommand } from './root.ts';
import { selftestCommand } from './selftest.ts';
import { serveCommand } from './serve.ts';
import { serverCommand } from './server.ts';
import { verifyProfileCommand } from './verify-profile.ts';

export function commands(): Command[] {
  return [
    demoCommand(),
    rootCommand(),
    serverCommand(),
    clientCommand(),
    certCommand(),
    provisionCommand(),
    crlCommand(),
    serveCommand(),
    connectCommand(),
    forwardCommand(),
    buildCommand(),
    verifyProfileCommand(),
    qaceCommand(),
    handshakeDemoCommand(),
    selftestCommand(),
    benchCommand(),
  ];
}
