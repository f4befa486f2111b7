// Makes Duktape as poor as Espruino where it is richer, before the program under test: removes what Espruino
// lacks, and gives arrays two methods that it has and Duktape has not. Plain ES5, run as it is.

(function (global) {
  var globals = [
    'Proxy',
    'Reflect',
    'Symbol',
    'TextEncoder',
    'TextDecoder',
    'performance',
    'CBOR',
    'WeakMap',
  ];
  var functions = [
    [Math, ['imul', 'clz32', 'trunc', 'fround', 'cbrt', 'hypot', 'log2', 'log10']],
    [Object, ['freeze', 'seal', 'preventExtensions', 'is']],
    [Number, ['isInteger', 'isSafeInteger', 'MAX_SAFE_INTEGER', 'MIN_SAFE_INTEGER', 'EPSILON']],
    [ArrayBuffer, ['isView']],
    [ArrayBuffer.prototype, ['slice']],
    [String, ['fromCodePoint']],
    [String.prototype, ['codePointAt']],
  ];
  var arrays = [
    Int8Array,
    Uint8Array,
    Int16Array,
    Uint16Array,
    Int32Array,
    Uint32Array,
    Float32Array,
    Float64Array,
  ];
  var i, j;

  for (i = 0; i < globals.length; i++) delete global[globals[i]];
  for (i = 0; i < functions.length; i++) {
    for (j = 0; j < functions[i][1].length; j++) delete functions[i][0][functions[i][1][j]];
  }

  function fill(value, from, to) {
    var end = to === undefined ? this.length : to;
    for (var at = from === undefined ? 0 : from; at < end; at++) this[at] = value;
    return this;
  }
  Object.defineProperty(Array.prototype, 'fill', { value: fill, configurable: true });

  // There, a slice of a typed array is a plain array.
  function slice(from, to) {
    var end = to === undefined ? this.length : to;
    var out = [];
    for (var at = from === undefined ? 0 : from; at < end; at++) out.push(this[at]);
    return out;
  }
  for (i = 0; i < arrays.length; i++) {
    Object.defineProperty(arrays[i].prototype, 'fill', { value: fill, configurable: true });
    Object.defineProperty(arrays[i].prototype, 'slice', { value: slice, configurable: true });
  }
})(new Function('return this')());
