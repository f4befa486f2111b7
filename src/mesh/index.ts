// qstp-edge/mesh: route-bound tunnels over a publish/subscribe overlay (docs/mesh.md).

export * from './types.ts';
export * from './u64.ts';
export * from './v1/index.ts';
