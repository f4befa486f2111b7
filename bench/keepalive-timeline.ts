// Prints the timeline of docs/keepalive.md: node build/bench/keepalive-timeline.js

import { argv } from 'node:process';
import { pathToFileURL } from 'node:url';
import { EXAMPLE, runKeepalive } from './keepalive-run.ts';
import type { RunEvent } from './keepalive-run.ts';

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

/** The run of {@link EXAMPLE}, an event a line. */
export function timeline(): string {
  const { events } = runKeepalive(EXAMPLE);
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
