// The kernels alone, for engines that hold what they load in their little memory.

import { operations } from './kernels.ts';
import { preparer } from './prepare.ts';

export const { prepare, measured } = preparer(operations);
