// Provisioning of a gateway: one folder with all that `qstp serve --config` starts from.

import type { RootCertificate, ServerCertificate } from '../../../src/cert/certificate.ts';
import type { ProvisionOutput } from './record.ts';

/** Names in the folder. */
export const GATEWAY_FILES = {
  root: 'root.qrr',
  server: 'server.qrc',
  key: 'server.qsk',
  tickets: 'tickets',
  ticketKey: 'tickets.key',
  config: 'serve.json',
} as const;

export interface Gateway {
  readonly root: RootCertificate;
  readonly server: ServerCertificate;
  /** The server's key file as it is to lie there. */
  readonly keyFile: Uint8Array;
  readonly sealed: boolean;
  /** The smallest devices take their time: `--patient`. */
  readonly patient: boolean;
}

/** The files of a gateway, and how it is started. Its tickets are put there by whoever has the devices' records. */
export function provisionGateway(gateway: Gateway): ProvisionOutput {
  const { root, server, keyFile, sealed, patient } = gateway;
  const { key, tickets, config } = GATEWAY_FILES;
  const options = {
    root: [GATEWAY_FILES.root],
    cert: [GATEWAY_FILES.server],
    key: [key],
    tickets,
    'ticket-key': GATEWAY_FILES.ticketKey,
    ...(patient ? { patient } : {}),
  };
  return {
    files: [
      { name: GATEWAY_FILES.root, bytes: root.bytes, secret: false, what: "the root's certificate" },
      { name: GATEWAY_FILES.server, bytes: server.bytes, secret: false, what: "the gateway's certificate" },
      {
        name: key,
        bytes: keyFile,
        secret: true,
        what: sealed
          ? 'its secret key, sealed with the passphrase'
          : 'its secret key, NOT sealed: --seal does',
      },
      {
        name: config,
        bytes: `${JSON.stringify(options, null, 2)}\n`,
        secret: false,
        what: 'options of `qstp serve`, by their long names',
      },
    ],
    next: [`qstp serve --config OUT/${config}${sealed ? ' --passphrase-fd 3 3<PASSPHRASE-FILE' : ''}`],
  };
}
