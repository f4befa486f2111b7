// The parts of a link, for Espruino-class engines: what a program there connects with its own sockets and timers.

export { PROFILE, profilePool } from '../../src/profile.ts';
export { QstpError } from '../../src/error.ts';
export { micro } from '../../src/crypto/micro.ts';
export { decodeRootCertificate, decodeServerCertificate } from '../../src/cert/certificate.ts';
export { boot } from '../../src/link/boot.ts';
export { Link } from '../../src/link/driver.ts';
export { deviceCredential } from '../../src/link/provisioned.ts';
export { createExecutor } from '../../src/link/executor.ts';
export { openUseCounter } from '../../src/link/use-counter.ts';
export { openWallet } from '../../src/link/wallet.ts';
export { createPool } from '../../src/pool/pool.ts';
export { createClock } from '../../src/session/clock.ts';
