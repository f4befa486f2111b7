// qstp-edge/pool: the slab that connections live in.

export * from './pool.ts';
export * from './slot.ts';
