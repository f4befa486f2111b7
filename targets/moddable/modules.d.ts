// The parts of Moddable's modules that this target uses.

declare module 'timer' {
  /** What a timer is known by. It takes properties. */
  export interface TimerId {
    waker?: { wake(): void };
  }
  const Timer: {
    set(callback: (id: TimerId) => void, ms?: number): TimerId;
    clear(id: TimerId | undefined): void;
  };
  export default Timer;
}

declare module 'time' {
  const Time: {
    /** Milliseconds since some moment: 32 bits that wrap around, as a signed number. */
    readonly ticks: number;
    /** Sets the system's clock: seconds since 1970. */
    set(seconds: number): void;
  };
  export default Time;
}

declare module 'preference' {
  type Value = ArrayBuffer | string | number | boolean;
  const Preference: {
    get(domain: string, key: string): Value | undefined;
    set(domain: string, key: string, value: Value): void;
    delete(domain: string, key: string): void;
  };
  export default Preference;
}

declare module 'net' {
  const Net: {
    /** `SSID`: the network that the Wi-Fi station is connected to; undefined if it is not. */
    get(what: 'SSID'): string | undefined;
  };
  export default Net;
}

/** Writes to the debugger. */
declare function trace(text: string): void;
