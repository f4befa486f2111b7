// What the build has: its parameter set, and whether it connects by more than its credential.

import { ML_DSA_44, ML_DSA_65, ML_DSA_87 } from '../crypto/micro/ml-dsa.ts';
import { ML_KEM_1024, ML_KEM_512, ML_KEM_768 } from '../crypto/micro/ml-kem.ts';
import { WITH_FULL_HANDSHAKE, WITH_RESUMPTION, WITH_S1, WITH_S3 } from '../features.ts';
import { SUITE_NAMES } from '../params.ts';

export const KEM = WITH_S1 ? ML_KEM_512 : WITH_S3 ? ML_KEM_768 : ML_KEM_1024;
export const DSA = WITH_S1 ? ML_DSA_44 : WITH_S3 ? ML_DSA_65 : ML_DSA_87;
export const SUITE_NAME: string = SUITE_NAMES[WITH_S1 ? 0 : WITH_S3 ? 1 : 2]!;

/** In builds for devices that connect by their credential alone, there is nothing more. */
export const MORE: boolean = WITH_FULL_HANDSHAKE || WITH_RESUMPTION;
