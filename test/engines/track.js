// Keeps hold of every buffer that is made by a constructor of typed arrays, to look into them afterwards. Plain ES5: a
// global `trackBuffers()`, which begins and gives a function that counts those with these bytes in them.

function trackBuffers() {
  // Some engines have no parser, others no name for it.
  var global = typeof globalThis === 'object' ? globalThis : new Function('return this')();
  var Bytes = global.Uint8Array;
  var kept = [];
  var seen = typeof Set === 'function' ? new Set() : null;
  function keep(array) {
    if (array.buffer === undefined) return array;
    if (seen === null ? kept.indexOf(array.buffer) < 0 : !seen.has(array.buffer)) {
      kept.push(array.buffer);
      if (seen !== null) seen.add(array.buffer);
    }
    return array;
  }
  function wrapped(call) {
    return function () {
      return keep(call.apply(this, arguments));
    };
  }
  function wrap(name) {
    var Native = global[name];
    function Tracked(a, b, c) {
      if (arguments.length === 0) return keep(new Native());
      if (arguments.length === 1) return keep(new Native(a));
      return keep(arguments.length === 2 ? new Native(a, b) : new Native(a, b, c));
    }
    if (Native.BYTES_PER_ELEMENT !== undefined) Tracked.BYTES_PER_ELEMENT = Native.BYTES_PER_ELEMENT;
    ['from', 'of'].forEach(function (method) {
      if (Native[method] === undefined) return;
      Tracked[method] = function () {
        return keep(Native[method].apply(Native, arguments));
      };
    });
    var slice = Native.prototype.slice;
    if (slice !== undefined) {
      Object.defineProperty(Native.prototype, 'slice', {
        value: wrapped(slice),
        configurable: true,
        writable: true,
      });
    }
    Tracked.prototype = Native.prototype;
    try {
      Object.defineProperty(Tracked, 'name', { value: name });
    } catch (error) {
      // An engine in which names of functions are fixed.
    }
    global[name] = Tracked;
  }
  ['Uint8Array', 'Int32Array', 'Uint32Array', 'DataView'].forEach(wrap);

  function holds(buffer, bytes) {
    var view = new Bytes(buffer);
    var last = view.length - bytes.length;
    for (var at = 0; at <= last; at++) {
      var i = 0;
      while (i < bytes.length && view[at + i] === bytes[i]) i++;
      if (i === bytes.length) return true;
    }
    return false;
  }
  return function find(bytes) {
    return kept.filter(function (buffer) {
      return holds(buffer, bytes);
    }).length;
  };
}
