import type { Reading } from './reading.ts';
import type { Writing } from './writing.ts';

/** A kind of message: how it is written, and read. */
export interface ProtoType<T> extends Reading<T>, Writing<T> {}
