// A sensor that reports once a minute through its tunnel, and does what it is told. Espruino; see docs/flash-espruino.md.

var HOST = '192.168.1.2';
var MINUTE = 60000;

function start() {
  var client = require('qstp').connect({ host: HOST, pollMs: MINUTE });

  client.on('data', function (command) {
    if (command === 'on') LED1.write(true);
    if (command === 'off') LED1.write(false);
  });
  client.on('error', function (error) {
    print('tunnel: ' + error.code);
  });
  client.on('time', function (ms) {
    setTime(ms / 1000);
  });

  setInterval(function () {
    if (client.connected()) client.write(JSON.stringify({ celsius: E.getTemperature() }));
  }, MINUTE);
}

E.on('init', start);
