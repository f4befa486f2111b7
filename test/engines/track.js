// Keeps hold of every buffer that is made by a constructor of typed arrays, to look into them afterwards. Plain ES5: a
// global `trackBuffers()`, which begins and gives a function that counts those with these bytes in them.

function trackBuffers() {
  var global = new Function('return this')();
  var Bytes = global.Uint8Array;
  var kept = [];
  function keep(array) {
    if (kept.indexOf(array.buffer) < 0) kept.push(array.buffer);
    return array;
  }
  function wrap(name) {
    var Native = global[name];
    function Tracked(a, b, c) {
      if (arguments.length === 0) return keep(new Native());
      if (arguments.length === 1) return keep(new Native(a));
      return keep(arguments.length === 2 ? new Native(a, b) : new Native(a, b, c));
    }
    Object.getOwnPropertyNames(Native).forEach(function (property) {
      if (['prototype', 'length', 'name', 'arguments', 'caller'].indexOf(property) < 0)
        Tracked[property] = Native[property];
    });
    if (Native.from !== undefined) {
      Tracked.from = function (a, b, c) {
        return keep(Native.from(a, b, c));
      };
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
