// Figures in Prometheus's text format. They come as flat objects: a link's or an overlay's metrics, a server's counters.

/** A group of figures under one prefix. */
export interface MetricGroup {
  /** Letters, digits and `_`: the names begin with it, `qstp_link` for example. */
  readonly prefix: string;
  readonly values: Readonly<Record<string, number>>;
  /** Names of those that go up and down; others only go up. */
  readonly gauges?: readonly string[];
  /** Values that stand for: not known. They are left out. */
  readonly unknown?: number;
  readonly labels?: Readonly<Record<string, string>>;
}

/** `forwardSecrecySince` as `forward_secrecy_since`; what else a name has becomes `_`. */
export function metricName(prefix: string, name: string): string {
  return prefix + '_' + name.replace(/[A-Z]/g, (c) => '_' + c.toLowerCase()).replace(/[^a-z0-9_]/g, '_');
}

function labelsOf(labels: Readonly<Record<string, string>>): string {
  const names = Object.keys(labels);
  if (names.length === 0) return '';
  const escaped = (text: string): string =>
    text.replace(/\\/g, '\\\\').replace(/\n/g, '\\n').replace(/"/g, '\\"');
  return '{' + names.map((name) => name + '="' + escaped(labels[name]!) + '"').join(',') + '}';
}

function numberText(value: number): string {
  return value === Infinity ? '+Inf' : value === -Infinity ? '-Inf' : String(value);
}

/**
 * The text of all groups. Of groups with one prefix, such as those of several links, each name is declared once, and
 * a counter's name ends in `_total`.
 */
export function prometheusText(groups: readonly MetricGroup[]): string {
  const families: Record<string, { type: string; lines: string[] }> = {};
  for (const { prefix, values, gauges = [], unknown, labels = {} } of groups) {
    for (const name of Object.keys(values)) {
      const value = values[name]!;
      if (value === unknown) continue;
      const gauge = gauges.indexOf(name) !== -1;
      const full = metricName(prefix, name) + (gauge ? '' : '_total');
      families[full] ??= { type: gauge ? 'gauge' : 'counter', lines: [] };
      families[full].lines.push(full + labelsOf(labels) + ' ' + numberText(value));
    }
  }
  let text = '';
  for (const name of Object.keys(families).sort()) {
    const { type, lines } = families[name]!;
    text += '# TYPE ' + name + ' ' + type + '\n' + lines.join('\n') + '\n';
  }
  return text;
}

/** Those of a link's metrics (src/link/link-settings.ts) that go up and down. */
export const LINK_GAUGES: readonly string[] = [
  'endpoint',
  'rttMs',
  'jitterMs',
  'lossPermille',
  'certificateEnds',
  'forwardSecrecySince',
];

/** Those of an overlay's (src/mesh/overlay/overlay.ts). */
export const OVERLAY_GAUGES: readonly string[] = ['waiting', 'waitingBytes'];
