// qstp-edge/micro: the device kernels.

export * from './sponge.ts';
export * from './rcs.ts';
