// What is measured inside the XS worker.

export * from './device.ts';
export * from './mesh.ts';
export * from './records.ts';
