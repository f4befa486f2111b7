// The part of Deno's API that this target uses.

declare namespace Deno {
  interface Addr {
    readonly hostname: string;
    readonly port: number;
  }
  const version: { readonly deno: string };
  interface TcpConn {
    readonly remoteAddr: Addr;
    read(into: Uint8Array): Promise<number | null>;
    write(bytes: Uint8Array): Promise<number>;
    closeWrite(): Promise<void>;
    close(): void;
    setNoDelay(on?: boolean): void;
    setKeepAlive(on?: boolean): void;
  }
  interface TcpListener {
    readonly addr: Addr;
    accept(): Promise<TcpConn>;
    close(): void;
  }
  const errors: { readonly BadResource: ErrorConstructor; readonly Interrupted: ErrorConstructor };
  function connect(options: { hostname: string; port: number }): Promise<TcpConn>;
  function unrefTimer(id: number): void;
  function listen(options: { hostname?: string; port: number }): TcpListener;
}
