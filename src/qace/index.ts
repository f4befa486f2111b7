// qstp-edge/qace: adaptive routing. Which path a tunnel takes, and when it gets new keys.

export * from './chooser.ts';
export * from './exact.ts';
export * from './ga.ts';
export * from './metrics.ts';
export * from './path-set.ts';
export * from './simple.ts';
