// The same as device.ts over noble, to compare with.

import { operations } from './kernels-noble.ts';
import { preparer } from './prepare.ts';

export const { prepare, measured } = preparer(operations);
