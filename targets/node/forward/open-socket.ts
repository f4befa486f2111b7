import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { FORWARD_WAIT_MS, formatEndpoint } from './records.ts';
import type { Endpoint } from './records.ts';

/** Connects the far end of a stream: calls back once, with the socket or with what went wrong. */
export function openSocket(
  target: Endpoint,
  opened: (socket: Socket) => void,
  failed: (problem: string) => void,
): void {
  const socket = connect({ ...target, allowHalfOpen: true, timeout: FORWARD_WAIT_MS });
  const give = (problem: string): void => {
    socket.destroy();
    failed(`cannot connect to ${formatEndpoint(target)}: ${problem}`);
  };
  const onError = (error: Error): void => give(error.message);
  const onTimeout = (): void => give('no answer');
  socket.once('error', onError);
  socket.once('timeout', onTimeout);
  socket.once('connect', () => {
    socket.off('error', onError);
    socket.off('timeout', onTimeout);
    socket.setTimeout(0);
    opened(socket);
  });
}
