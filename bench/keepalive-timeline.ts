// Prints the timeline of docs/keepalive.md: node build/bench/keepalive-timeline.js

import { argv } from 'node:process';
import { pathToFileURL } from 'node:url';
import { runKeepalive } from './keepalive-run.ts';
import type { RunEvent } from './keepalive-run.ts';

const POLL_MS = 10000;

function describe(event: RunEvent, life: number): string {
  const silence = `${(event.time - life).toLocaleString('en-US')} ms after the last packet`;
  switch (event.kind) {
    case 'send':
      return 'poll goes out';
    case 'receive':
      return '  its response comes in';
    case 'request':
      return `    keep-alive request, ${silence}`;
    case 'response':
      return `    keep-alive response: RTT ${event.value} ms`;
    case 'step':
      return `the device's clock jumps by ${(event.value / 1000).toLocaleString('en-US')} s`;
    case 'dead':
      return `    dead: keepalive_expired, ${silence}`;
  }
}

/** A device that polls every 10 s, pauses, goes on, has its clock set, and loses its peer at 150 s. */
export function timeline(): string {
  const { events } = runKeepalive({
    pollMs: POLL_MS,
    missed: 3,
    until: 300_000,
    clock: 2 ** 32 - 95_000,
    phase: 2500,
    traffic: 'asks',
    rtt: (n) => 60 + ((n * 37) % 50),
    quiet: [55_000, 105_000],
    steps: [[111_000, 86_400_000]],
    dies: 140_000,
  });
  let life = 0;
  return events
    .map((event) => {
      const line = `${(event.time / 1000).toFixed(3).padStart(8)} s  ${describe(event, life)}`;
      if (event.kind === 'receive' || event.kind === 'response') life = event.time;
      return line;
    })
    .join('\n');
}

if (import.meta.url === pathToFileURL(argv[1] ?? '').href) console.log(timeline());
