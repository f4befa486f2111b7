// A device of a Moddable profile on Node, all of whose steps are kept, to be gone through again where no server can be.
// What loses its power is another machine afterwards, with what the storage of the one before held.
import { openOn } from '../targets.ts';
import type { GatewayOptions } from '../gateway.ts';
import type { Boot, Command, DeviceEvent, Step } from '../protocol.ts';
import type { Rig } from '../rig.ts';
import type { VirtualEngine } from './virtual.ts';

export interface RecordedStep {
  /** Milliseconds since the start. */
  readonly ms: number;
  readonly commands: readonly Command[];
  readonly out: Step['out'];
}

/** From a boot to the loss of power, or the end: the first step boots, the last one tells the storage. */
export type RecordedMachine = readonly RecordedStep[];

class Recorder implements VirtualEngine {
  readonly machines: RecordedStep[][] = [];
  private readonly start: () => Promise<VirtualEngine>;
  private engine: VirtualEngine | null = null;
  private kept: NonNullable<Boot['values']> = [];
  private last = 0;

  constructor(start: () => Promise<VirtualEngine>) {
    this.start = start;
  }

  async power(): Promise<void> {
    await this.off();
    this.engine = await this.start();
    this.machines.push([]);
  }

  /** The last step of a machine. */
  async off(): Promise<void> {
    if (this.engine === null) return;
    const { out } = await this.step(this.last, [['flash']]);
    this.kept = out.flatMap((event: DeviceEvent) =>
      event[0] === 'stored' && event[2] !== null ? [[event[1], event[2]] as const] : [],
    );
    this.engine.close();
    this.engine = null;
  }

  async step(ms: number, given: readonly Command[]): Promise<Step> {
    const commands = given.map((command) => this.complete(command));
    const step = await this.engine!.step(ms, commands);
    this.machines[this.machines.length - 1]!.push({ ms, commands, out: step.out });
    this.last = ms;
    return step;
  }

  private complete(command: Command): Command {
    if (command[0] !== 'boot') return command;
    return ['boot', { ...command[1], values: command[1].values ?? this.kept }];
  }

  close(): void {
    this.engine?.close();
  }
}

export interface Recording {
  readonly profile: string;
  /** Makes the engine for each machine. */
  readonly start: () => Promise<VirtualEngine>;
  readonly root?: string;
  readonly gateway?: GatewayOptions;
}

/** What each machine of a device was told and answered while it was played with. */
export async function record(
  { profile, start, root = '.', gateway = {} }: Recording,
  play: (rig: Rig) => Promise<unknown>,
): Promise<RecordedMachine[]> {
  const recorder = new Recorder(start);
  const rig = await openOn(profile, recorder, { root, gateway });
  try {
    await play(rig);
    await recorder.off();
  } finally {
    await rig.close();
  }
  return recorder.machines;
}
