// A device with Espruino's facade as an agent of the suite (test/conformance/protocol.ts): the built bundle over the
// board's stand-in. Plain ES5, run after the prelude, espruino-board.js and track.js; `BUNDLE` is the bundle's text.

var agent = (function () {
  var out = [];
  var links = [];
  var boot = null;
  var find = null;
  var qstp = null;
  var client = null;
  var started = null;

  function hex(text) {
    var digits = '';
    for (var i = 0; i < text.length; i++) {
      var code = text.charCodeAt(i);
      digits += (code < 16 ? '0' : '') + code.toString(16);
    }
    return digits;
  }

  function binary(digits) {
    var text = '';
    for (var i = 0; i < digits.length; i += 2) text += String.fromCharCode(parseInt(digits.substr(i, 2), 16));
    return text;
  }

  board.accept = function (socket) {
    var id = links.length;
    links.push(socket);
    socket.data = function (text) {
      out.push(['send', id, hex(text)]);
    };
    socket.gone = function () {
      links[id] = null;
      out.push(['close', id]);
    };
    out.push(['open', id]);
  };

  var commands = {
    boot: function (options) {
      boot = options;
      if (started === null) started = board.now();
      if (boot.values !== null) {
        for (var name in board.files) delete board.files[name];
        boot.values.forEach(function (pair) {
          board.put(pair[0], pair[1]);
        });
      }
      board.restart();
      links = [];
      if (boot.track) find = trackBuffers();
      qstp = {};
      new Function('exports', 'require', BUNDLE)(qstp, require);
      client = null;
      out.push(['ready']);
    },
    start: function () {
      var options = {
        host: 'gateway',
        port: boot.port,
        pollMs: boot.pollMs,
        missed: boot.missed,
        fullHandshakeMinMs: 0,
      };
      client = qstp.connect(options, function () {
        out.push(['up']);
      });
      client.on('data', function (text) {
        out.push(['got', text]);
      });
      client.on('error', function (error) {
        out.push(['down', error.code]);
      });
      client.on('close', function (failed) {
        if (!failed) out.push(['stopped']);
      });
    },
    write: function (text) {
      client.write(text);
    },
    end: function () {
      client.end();
    },
    find: function (digits) {
      var wanted = [];
      for (var i = 0; i < digits.length; i += 2) wanted.push(parseInt(digits.substr(i, 2), 16));
      out.push(['found', find(wanted)]);
    },
    data: function (id, digits) {
      if (links[id]) links[id].write(binary(digits));
    },
    gone: function (id) {
      if (links[id]) links[id].end();
    },
  };

  return {
    step: function (ms, list) {
      if (started === null) started = board.now();
      board.run(ms - (board.now() - started));
      list.forEach(function (command) {
        try {
          commands[command[0]].apply(null, command.slice(1));
        } catch (error) {
          out.push(['thrown', error.code || String(error)]);
        }
      });
      board.run(0);
      var told = out;
      out = [];
      var next = board.next();
      return { out: told, next: next < 0 ? -1 : next - started };
    },
  };
})();
