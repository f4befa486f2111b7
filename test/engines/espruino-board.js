// What a board gives a program under test, for an Espruino-class engine: `require` of net and Storage, E, process, timers and
// the time, all of one virtual clock. It is no Espruino: it has the form of its interfaces, and their sharp edges where
// they are known. Plain ES5, run after the prelude; `board` is the test's handle.

var board = (function (global) {
  var now = 1800001000000;
  var timers = [];
  var ids = 0;
  var files = {};
  var self = {
    log: [],
    /** Bytes written to flash and how often, with 32 of a file's head. */
    writes: 0,
    written: 0,
    full: false,
    /** Refuses connections. */
    down: false,
    /** Called with each new socket's server end. */
    accept: null,
    sockets: [],
    /** Changes what a server sends: (text) -> text. */
    tamper: null,
    stepMs: 1,
    files: files,
    /** Encrypts a block of 16 bytes with a key of 32: (key, block) -> block. Without it the board has no AES. */
    aesBlock: null,
    /** Calls of AES, and whether they fail as for want of memory. */
    aesCalls: 0,
    aesFails: false,
  };

  function say(line) {
    self.log.push(line);
  }

  global.Date.now = function () {
    return now;
  };
  global.setTimeout = function (then, ms, argument) {
    ids++;
    // A step of the client's cryptography is asked for after 1 ms, and takes as long as it takes.
    timers.push({
      id: ids,
      at: now + (ms === 1 ? self.stepMs : ms > 0 ? ms : 0),
      then: then,
      argument: argument,
    });
    return ids;
  };
  global.clearTimeout = function (id) {
    if (id === undefined) throw new Error('clearTimeout(undefined) not allowed. Use clearTimeout() instead');
    timers = timers.filter(function (timer) {
      return timer.id !== id;
    });
  };
  global.process = { env: { BOARD: 'LINUX' } };

  // A generator that begins with the same seed at every start.
  var seed = 1;
  global.E = {
    hwRand: function () {
      seed = (seed * 1103515245 + 12345) % 4294967296;
      return seed | 0;
    },
  };

  var storage = {
    read: function (name) {
      return files[name];
    },
    write: function (name, data) {
      if (typeof data !== 'string') throw new Error('the stand-in takes strings');
      if (name.length > 28 || name.length < 1) throw new Error('name');
      if (files[name] === data) return true;
      if (self.full) return false;
      files[name] = data;
      self.writes++;
      self.written += data.length + 32;
      return true;
    },
    erase: function (name) {
      delete files[name];
    },
  };

  /** One direction: at most 536 characters at a time, as small TCP stacks deliver them. */
  function deliver(to, text) {
    var at;
    for (at = 0; at < text.length; at += 536) send(to, text.substr(at, 536));
  }
  function send(to, part) {
    global.setTimeout(function () {
      to(part);
    }, 5);
  }

  function fire(socket, event, argument) {
    var list = socket.listeners[event] || [];
    for (var i = 0; i < list.length; i++) list[i](argument);
  }

  var net = {
    connect: function (options, connected) {
      var client = {
        listeners: {},
        open: true,
        on: function (event, listener) {
          if (!client.listeners[event]) client.listeners[event] = [];
          client.listeners[event].push(listener);
        },
        write: function (data) {
          if (typeof data !== 'string') throw new Error('sockets take strings');
          for (var i = 0; i < data.length; i++) {
            if (data.charCodeAt(i) > 255) throw new Error('a character is no byte');
          }
          if (!client.open) return false;
          deliver(function (part) {
            if (server.open) server.data(part);
          }, data);
          return true;
        },
        end: function () {
          close();
        },
      };
      var server = {
        open: true,
        data: null,
        gone: null,
        write: function (text) {
          if (!server.open) return;
          var changed = self.tamper === null ? text : self.tamper(text);
          deliver(function (part) {
            if (client.open) fire(client, 'data', part);
          }, changed);
        },
        end: function () {
          close();
        },
      };
      function close() {
        if (!client.open) return;
        // What was written before still arrives.
        global.setTimeout(function () {
          if (!client.open) return;
          client.open = false;
          server.open = false;
          if (server.gone !== null) server.gone();
          fire(client, 'close', false);
        }, 6);
      }
      client.cut = close;
      self.sockets.push(client);
      global.setTimeout(function () {
        if (self.down) {
          fire(client, 'error', { code: -1, message: 'unable to connect' });
          fire(client, 'close', true);
          return;
        }
        self.accept(server);
        connected(client);
      }, 10);
      return client;
    },
  };

  /** Of data, as native code takes them: a byte for each element. */
  function bytesOf(data) {
    var bytes = new Uint8Array(data.length);
    for (var i = 0; i < data.length; i++) bytes[i] = data[i] & 255;
    return bytes;
  }

  /** As `require("crypto").AES`: errors are printed and nothing is returned, and mode CTR begins at 0, whatever `iv` says. */
  var aes = {
    encrypt: function (message, key, options) {
      var text = bytesOf(message);
      var out = new Uint8Array(text.length);
      var counter = new Uint8Array(16);
      var block, i, at;
      self.aesCalls++;
      if (key.length !== 32) return say('ERROR: Unknown error: -0x20');
      if (self.aesFails) return say('ERROR: Not enough memory for result');
      if (options.mode !== 'ECB' && options.mode !== 'CTR') throw new Error('no mode of the stand-in');
      for (at = 0; at < text.length; at += 16) {
        if (options.mode === 'CTR') {
          counter[15] = at / 16;
          block = self.aesBlock(bytesOf(key), counter);
          for (i = 0; at + i < text.length && i < 16; i++) out[at + i] = text[at + i] ^ block[i];
        } else if (at + 16 <= text.length) {
          out.set(self.aesBlock(bytesOf(key), bytesOf(text.subarray(at, at + 16))), at);
        }
      }
      return out.buffer;
    },
  };

  global.require = function (name) {
    if (name === 'crypto') return self.aesBlock === null ? {} : { AES: aes };
    if (name === 'Storage') return storage;
    if (name === 'net') return net;
    throw new Error('Module ' + name + ' not found');
  };

  self.now = function () {
    return now;
  };
  self.say = say;
  /** When the next timer is due; -1: never. */
  self.next = function () {
    return timers.reduce(function (least, timer) {
      return least < 0 || timer.at < least ? timer.at : least;
    }, -1);
  };
  /** Runs timers in order for so many milliseconds. */
  self.run = function (ms) {
    var end = now + ms;
    for (;;) {
      var next = null;
      for (var i = 0; i < timers.length; i++) {
        if (timers[i].at <= end && (next === null || timers[i].at < next.at)) next = timers[i];
      }
      if (next === null) break;
      timers.splice(timers.indexOf(next), 1);
      if (next.at > now) now = next.at;
      next.then(next.argument);
    }
    now = end;
  };
  self.put = function (name, hex) {
    var text = '';
    for (var i = 0; i < hex.length; i += 2) text += String.fromCharCode(parseInt(hex.substr(i, 2), 16));
    files[name] = text;
  };
  /** A start after a loss of power: the generator begins again, files stay. */
  self.restart = function () {
    seed = 1;
    timers = [];
    self.sockets = [];
  };
  /** Logs a client's events. */
  self.watch = function (client) {
    client.on('data', function (text) {
      say('data ' + text);
    });
    client.on('error', function (error) {
      say('error ' + error.code);
    });
    client.on('end', function () {
      say('end');
    });
    client.on('close', function (failed) {
      say('close ' + failed);
    });
    return client;
  };
  return self;
})(new Function('return this')());
