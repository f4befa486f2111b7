// The wire format of protocol buffers, as much as qstp.proto has of it: varints, strings, bytes and messages within
// messages. 64-bit numbers are two 32-bit halves.

/** Wire types. */
export const Wire = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** Field numbers end at 2^29 - 1. */
export const FIELD_MAX = 0x1fffffff;

/** Why a message was not read. */
export type ProtoProblem =
  /** It ends within a field. */
  | 'truncated'
  /** A number of more than 64 bits, or more than its field has. */
  | 'number'
  /** A field number of 0 or beyond 2^29 - 1. */
  | 'field'
  /** A group, an unknown wire type, or another one than the field's. */
  | 'wire_type'
  /** A string is not UTF-8. */
  | 'utf8'
  /** Bytes of another length than their field has. */
  | 'length'
  /** More entries in a list than this reader takes. */
  | 'limit';
